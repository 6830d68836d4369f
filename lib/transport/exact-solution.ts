import { type ExactJob, exactField, infeasible } from '../backend/transport-exact.js'
import { type Csr, type NdArray, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { positive } from '../core/options.js'
import { type Solution, statuses } from '../core/solution.js'
import { arcsToCsr } from './arcs.js'
import type { CheckedExactProblem } from './exact-problem.js'
import { checkSteady } from './report.js'
import type { Certificate } from './solution.js'
import type { Potentials } from './solve.js'

export interface ExactSolution extends Solution {
  /** <C, P>: what moving by this plan costs. */
  value: number
  /**
   * Optimal for the dual problem: f_i + g_j <= C_ij, equal where the plan has mass. Unique up to a constant (f + t, g - t)
   * and what ties leave open; at nodes without weight the largest that is feasible.
   */
  potentials: Potentials
  /**
   * The proof, worked out from plan and potentials alone: what the plan costs, what the potentials are worth, and how far
   * they are apart. `primal` is Infinity where a limit stopped the solver before all mass had found a way.
   */
  certificate: Certificate
  /** (|P1 - a|_1 + |Pᵀ1 - b|_1) / sum(a) */
  marginalError: number
  /** How often all arcs were looked at. */
  rounds: number
  /** The n × m plan, formed now. */
  plan(): NdArray
  /** The entries of the plan, at most n + m - 1; or those of them that are >= threshold (> 0). */
  sparsePlan(threshold?: number): Csr
  /** P v for v of length m. */
  apply(v: VectorLike): Float64Array
  /** Pᵀ v for v of length n. */
  applyTranspose(v: VectorLike): Float64Array
}

export interface Arcs {
  row: Int32Array
  column: Int32Array
  mass: Float64Array
}

/** The solution of a plan given by its arcs, at the caller's nodes. */
export class BasicSolution implements ExactSolution {
  readonly status: Solution['status']
  readonly iterations: number
  readonly rounds: number
  readonly residual: number
  readonly marginalError: number
  readonly value: number
  readonly potentials: Potentials
  readonly certificate: Certificate
  readonly elapsed: number
  readonly backend: 'native' | 'portable'
  readonly #plan: Csr

  constructor(
    { n, m }: { n: number; m: number },
    arcs: Arcs,
    report: Float64Array,
    potentials: Potentials,
    elapsed: number,
    backend: 'native' | 'portable',
  ) {
    this.status = statuses[report[exactField.status]]
    this.iterations = report[exactField.iterations]
    this.rounds = report[exactField.rounds]
    this.residual = report[exactField.residual]
    this.marginalError = report[exactField.marginalError]
    this.value = report[exactField.value]
    this.potentials = potentials
    const primal = report[exactField.primal]
    const dual = report[exactField.dual]
    this.certificate = { primal, dual, gap: primal - dual }
    this.elapsed = elapsed
    this.backend = backend
    this.#plan = arcsToCsr(n, m, arcs.row, arcs.column, arcs.mass)
  }

  plan(): NdArray {
    const { shape, indptr, indices, data } = this.#plan
    const [n, m] = shape
    const out = new Float64Array(n * m)
    for (let i = 0; i < n; i++) for (let k = indptr[i]; k < indptr[i + 1]; k++) out[i * m + indices[k]] = data[k]
    return { data: out, shape: [n, m] }
  }

  sparsePlan(threshold?: number): Csr {
    if (threshold !== undefined) return entriesFrom(this.#plan, positive('threshold', threshold))
    const { shape, indptr, indices, data } = this.#plan
    return { shape: [...shape], indptr: indptr.slice(), indices: indices.slice(), data: data.slice() }
  }

  apply(v: VectorLike): Float64Array {
    const { shape, indptr, indices, data } = this.#plan
    const vector = checkLength(v, shape[1])
    const out = new Float64Array(shape[0])
    for (let i = 0; i < out.length; i++) {
      for (let k = indptr[i]; k < indptr[i + 1]; k++) out[i] += data[k] * vector[indices[k]]
    }
    return out
  }

  applyTranspose(v: VectorLike): Float64Array {
    const { shape, indptr, indices, data } = this.#plan
    const vector = checkLength(v, shape[0])
    const out = new Float64Array(shape[1])
    for (let i = 0; i < vector.length; i++) {
      for (let k = indptr[i]; k < indptr[i + 1]; k++) out[indices[k]] += data[k] * vector[i]
    }
    return out
  }
}

function entriesFrom({ shape, indptr, indices, data }: Csr, threshold: number): Csr {
  const kept = (_: number, k: number) => data[k] >= threshold
  const starts = new Int32Array(indptr.length)
  for (let i = 0; i < shape[0]; i++) {
    starts[i + 1] = starts[i]
    for (let k = indptr[i]; k < indptr[i + 1]; k++) if (data[k] >= threshold) starts[i + 1]++
  }
  return { shape: [...shape], indptr: starts, indices: indices.filter(kept), data: data.filter(kept) }
}

function checkLength(v: VectorLike, length: number): Float64Array {
  const vector = toFloat64('v', v)
  if (vector.length === length) return vector
  throw new ExtremaError('ERR_SHAPE', `v: expected ${length} numbers, got ${vector.length}`)
}

/** Throws if the kernel found that there is no plan, or numbers that were none. */
export function checkOutcome(
  { reduced, rows, columns }: CheckedExactProblem,
  { report, f, g }: Pick<ExactJob, 'report' | 'f' | 'g'>,
): void {
  if (report[exactField.status] === infeasible) {
    const [cutRows, cutColumns] = [marked(f), marked(g)]
    const supply = totalOf(reduced.a, cutRows)
    const demand = totalOf(reduced.b, cutColumns)
    const reached =
      cutColumns.length === 0 ? 'no column' : `only columns ${firstOf(cutColumns, columns)} that take ${demand}`
    throw new ExtremaError(
      'ERR_INFEASIBLE',
      `cost: expected allowed (finite) arcs for all mass, got rows ${firstOf(cutRows, rows)} that supply ${supply} but reach ${reached}`,
    )
  }
  checkSteady(report[exactField.residual])
}

function marked(flags: Float64Array): number[] {
  const nodes: number[] = []
  flags.forEach((flag, k) => {
    if (flag === 1) nodes.push(k)
  })
  return nodes
}

function totalOf(weights: Float64Array, nodes: number[]): number {
  return Number(nodes.reduce((total, k) => total + weights[k], 0).toPrecision(6))
}

function firstOf(nodes: number[], original: Int32Array | null): string {
  const names = nodes.slice(0, 5).map((k) => original?.[k] ?? k)
  return names.join(', ') + (nodes.length > 5 ? ', …' : '')
}
