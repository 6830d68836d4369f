import { checkFinite, type MatrixLike, toDenseMatrix, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { oneOf, positive, whole } from '../core/options.js'
import { totalOf } from './capacity.js'
import { checkPlainOptions, nonNegativeVector } from './checks.js'
import { largest } from './synthetic-trace.js'

export interface RouterOptions {
  experts: number
  /** Experts per token. Default 2. */
  k?: number
  /** How far a bias moves at an update. Default 1e-3, for scores between 0 and 1. */
  step?: number
  /**
   * `'sign'` (default): by `step` against the sign of the load's error. `'proportional'`: by `step` times the error over the
   * mean load, which is the subgradient step on phi.
   */
  rule?: 'sign' | 'proportional'
  /** The biases to start with, for example the negated prices of {@link route}. Default: zeros. */
  bias?: VectorLike
}

export interface Routed {
  /** tokens × k experts, in descending order of biased score. */
  choices: Int32Array
  /** Their scores, without the bias. */
  weights: Float64Array
}

/** Routes tokens as they come and learns biases that balance the load. */
export interface Router {
  /** What is added to the scores for the choice; may be read and written. */
  readonly bias: Float64Array
  /** The k experts of highest score + bias of one token (a vector of scores) or of several (a matrix). O(E) a token. */
  route(scores: VectorLike | MatrixLike): Routed
  /** Moves the biases after a batch: down for experts with more tokens than the mean, up for those with fewer. */
  update(load: VectorLike | ArrayLike<number>): void
}

const names: ReadonlySet<string> = new Set(['experts', 'k', 'step', 'rule', 'bias'])
const rules = ['sign', 'proportional'] as const

/**
 * The online form of {@link route}, in the shape of an optimizer: `const { choices } = router.route(scores)` for each batch,
 * then `router.update(load)`. The biases are negated prices of the experts, and the update is a subgradient step on
 * phi; with `rule: 'sign'` it is that of auxiliary-loss-free load balancing.
 *
 * Source: Wang, Gao, Zhao, Sun, Dai 2024 (arXiv 2408.15664).
 */
export function router(options: RouterOptions): Router {
  checkPlainOptions(options, names, '{ experts, … }')
  const experts = whole('experts', options.experts ?? null, 0, 1)
  const k = whole('k', options.k, Math.min(2, experts), 1)
  if (k > experts) throw new ExtremaError('ERR_OPTION', `k: expected at most ${experts} (the experts), got ${k}`)
  const step = positive('step', options.step, 1e-3)
  const rule = oneOf('rule', options.rule, rules, 'sign')
  const bias = options.bias === undefined ? new Float64Array(experts) : vectorOf('bias', options.bias, experts).slice()
  checkFinite('bias', bias)
  const row = new Float64Array(experts)
  return {
    bias,
    route(scores) {
      const { data, tokens } = readScores(scores, experts)
      const choices = new Int32Array(tokens * k)
      const weights = new Float64Array(tokens * k)
      for (let t = 0; t < tokens; t++) {
        const best = choices.subarray(t * k, (t + 1) * k)
        for (let e = 0; e < experts; e++) row[e] = data[t * experts + e] + bias[e]
        largest(row, best)
        for (let r = 0; r < k; r++) weights[t * k + r] = data[t * experts + best[r]]
      }
      return { choices, weights }
    },
    update(load) {
      const loads = nonNegativeVector('load', vectorOf('load', load, experts), 'load')
      const mean = totalOf(loads) / experts
      if (mean === 0) return
      for (let e = 0; e < experts; e++) {
        const error = mean - loads[e]
        bias[e] += step * (rule === 'sign' ? Math.sign(error) : error / mean)
      }
    },
  }
}

function readScores(scores: VectorLike | MatrixLike, experts: number): { data: ArrayLike<number>; tokens: number } {
  const isVector =
    ArrayBuffer.isView(scores) || (Array.isArray(scores) && (scores.length === 0 || typeof scores[0] === 'number'))
  if (isVector) {
    const data = vectorOf('scores', scores as VectorLike, experts)
    checkFinite('scores', data)
    return { data, tokens: 1 }
  }
  const { data, rows, columns } = toDenseMatrix('scores', scores as MatrixLike)
  if (columns !== experts) {
    throw new ExtremaError('ERR_SHAPE', `scores: expected ${experts} columns, one for each expert, got ${columns}`)
  }
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i])) continue
    const where = `scores[${Math.floor(i / experts)}][${i % experts}]`
    throw new ExtremaError('ERR_NOT_FINITE', `${where}: expected a finite number, got ${data[i]}`)
  }
  return { data, tokens: rows }
}

function vectorOf(name: string, values: VectorLike, length: number): Float64Array {
  const vector = toFloat64(name, values)
  if (vector.length === length) return vector
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${length} numbers, one for each expert, got ${vector.length}`)
}
