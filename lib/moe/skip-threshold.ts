import { type MatrixLike, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, oneOf } from '../core/options.js'
import { checkPlainOptions, nonNegativeVector } from './checks.js'
import { readFinite } from './quantize.js'

const rules = ['ratio', 'mass'] as const

export interface SkipOptions {
  /**
   * `'ratio'` (default): leave out the r-th expert, and those after it, if its weight is below beta_r times the first one's.
   * `'mass'`: keep the fewest experts whose weights reach a part of the token's total.
   */
  rule?: (typeof rules)[number]
  /** Part of the calibration tokens' places beyond the first that is to be left out. Default 0.5: thresholds are medians. */
  skip?: number
}

export interface SkipThreshold {
  /** `'ratio'`: beta_r for the second, third, … expert. */
  ratios: Float64Array
  /** `'mass'`: the part of the total that is enough. */
  mass: number
  /** How many of a token's experts to keep, of weights in any order; those of greatest weight. */
  keep(weights: VectorLike): number
}

const names: ReadonlySet<string> = new Set(['rule', 'skip'])

/**
 * Thresholds for leaving out experts that hardly count, from router weights of calibration tokens (tokens × k, >= 0, in any
 * order). For k = 2 both rules are the same.
 *
 * Source: Lu et al. 2024 (arXiv 2402.14800), who skip the second of two experts if w2 < beta w1, beta the median of w2/w1.
 */
export function skipThreshold(weights: MatrixLike, options: SkipOptions = {}): SkipThreshold {
  checkPlainOptions(options, names, '{ rule, skip }')
  const rule = oneOf('rule', options.rule, rules, 'ratio')
  const skip = nonNegative('skip', options.skip, 0.5)
  if (skip > 1) throw new ExtremaError('ERR_OPTION', `skip: expected a part from 0 to 1, got ${skip}`)
  const { data, rows, columns: k } = readFinite('weights', weights)
  nonNegativeVector('weights', data, 'weight', k)
  const perRank: number[][] = Array.from({ length: k - 1 }, () => [])
  const masses: number[] = []
  for (let t = 0; t < rows; t++) {
    const sorted = descending(data.subarray(t * k, (t + 1) * k))
    const total = sorted.reduce((sum, w) => sum + w, 0)
    if (total === 0) continue
    let mass = 0
    for (let r = 1; r < k; r++) {
      mass += sorted[r - 1] / total
      masses.push(mass)
      perRank[r - 1].push(sorted[r] / sorted[0])
    }
  }
  const ratios = Float64Array.from(perRank, (list) => quantile(list, skip))
  const mass = quantile(masses, 1 - skip)
  return {
    ratios,
    mass,
    keep(given) {
      const own = nonNegativeVector('weights', toFloat64('weights', given), 'weight')
      if (own.length !== k) {
        throw new ExtremaError('ERR_SHAPE', `weights: expected ${k} numbers, got ${own.length}`)
      }
      const sorted = descending(own)
      const total = sorted.reduce((sum, w) => sum + w, 0)
      let reached = 0
      for (let r = 1; r < k; r++) {
        reached += sorted[r - 1]
        const isEnough = rule === 'ratio' ? sorted[r] < ratios[r - 1] * sorted[0] : reached > mass * total
        if (isEnough) return r
      }
      return k
    },
  }
}

function descending(values: Float64Array): Float64Array {
  return values.slice().sort().reverse()
}

/** The value with a part p of the list below it, between neighbours in proportion. */
function quantile(list: number[], p: number): number {
  if (list.length === 0) return 0
  const sorted = Float64Array.from(list).sort()
  const place = p * (sorted.length - 1)
  const low = Math.floor(place)
  const high = Math.min(low + 1, sorted.length - 1)
  return sorted[low] + (place - low) * (sorted[high] - sorted[low])
}
