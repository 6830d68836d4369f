import { setImmediate } from 'node:timers/promises'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, whole } from '../../core/options.js'
import { generator } from '../../random/index.js'
import type { History } from '../history.js'
import type { ParameterMap, ParamsOf } from '../space/parameters.js'
import type { SearchSpace } from '../space/space.js'
import { randomTree } from './forest.js'
import { varianceOf } from './variance.js'

export interface ImportanceOptions {
  /** Which objective, from 0. Default: 0. */
  objective?: number
  /** Trees of the forest. Default: 64. */
  trees?: number
  /** Of the trees. Default: 0. */
  seed?: number
}

const names: ReadonlySet<string> = new Set(['objective', 'trees', 'seed'])

/** Complete trials that are looked at; of more, so many at random. */
const mostTrials = 4096
const leastTrials = 8

/**
 * The share of the objective's variance over the space that each parameter explains alone, by name, from 0 to 1; what is
 * missing to 1 is due to parameters together. Functional analysis of variance (Hutter et al., 2014) of a forest of extremely
 * randomized trees on the complete trials. A parameter of a branch counts as in the middle of its range where it does not exist.
 *
 * @throws ExtremaError `ERR_OPTION` with fewer than 8 complete trials
 */
export async function importance<S extends ParameterMap>(
  { trials, directions }: History<ParamsOf<S>>,
  space: SearchSpace<S>,
  options: ImportanceOptions = {},
): Promise<Record<string, number>> {
  checkNames('options', options, names)
  const objective = whole('objective', options.objective, 0, 0, directions.length - 1)
  const trees = whole('trees', options.trees, 64, 1, 10_000)
  const random = generator(whole('seed', options.seed, 0, 0, Number.MAX_SAFE_INTEGER))
  const complete = trials.filter(({ state }) => state === 'complete')
  if (complete.length < leastTrials) {
    throw new ExtremaError(
      'ERR_OPTION',
      `trials: expected at least ${leastTrials} complete ones, got ${complete.length}`,
    )
  }
  const n = Math.min(complete.length, mostTrials)
  const chosen = Array.from(random.sample(complete.length, n), (k) => complete[k])
  const dimensions = space.dimensions.length
  const x = new Float64Array(n * dimensions)
  for (let i = 0; i < n; i++) {
    if (i % 256 === 255) await setImmediate()
    x.set(space.encode(chosen[i].params), i * dimensions)
  }
  const y = scaled(Float64Array.from(chosen, ({ values }) => values![objective]))
  let total = 0
  const main = new Float64Array(dimensions)
  for (let tree = 0; tree < trees; tree++) {
    const variance = varianceOf(randomTree({ x, y, dimensions }, random.split(tree)), dimensions)
    total += variance.total
    for (let j = 0; j < dimensions; j++) main[j] += variance.main[j]
    await setImmediate()
  }
  return Object.fromEntries(space.dimensions.map(({ name }, j) => [name, total > 0 ? main[j] / total : 0]))
}

/** Shares do not depend on the scale, but squares of large numbers are infinite and of small ones zero. */
function scaled(y: Float64Array): Float64Array {
  let largest = 0
  for (const value of y) largest = Math.max(largest, Math.abs(value))
  return largest > 0 ? y.map((value) => value / largest) : y
}
