import type { TransportProblemData } from '../../kernels.js'
import type { Watch, Work } from '../work.js'
import { ColumnSolver, type ColumnTerms } from './column-solver.js'
import type { Columns } from './columns.js'
import { sum } from './sums.js'

/** Entries of a column's last plan that are kept to foresee its next cut. */
const memory = 64

/**
 * The dual objectives of transport with a regulariser per column: of the potentials x of the free axis with marginal
 * `supply`, and in the dual form those of the columns with marginal `demand` behind them.
 *
 * Most entries of a column have no part in its plan, and between evaluations little changes: the cut of the last plan,
 * moved by as much as all its entries have risen, should be below the new cut, and only what is above needs a closer look.
 * Where it was not, the column is read again.
 */
export class ColumnOracle {
  readonly solver: ColumnSolver
  /** Of the last evaluation: what the maximiser's marginals are, and the fullest column. */
  readonly freeSum: Float64Array
  readonly columnSum: Float64Array
  readonly potential: Float64Array
  readonly cut: Float64Array
  readonly counts: Int32Array
  fullest = 0
  /** Columns with more than the entries allowed, which only the smoothed form has. */
  shared = 0
  /** Error of the last evaluation: |T1 - a|_1 + |T^T 1 - b|_1 over the mass. */
  residual = 0
  roundoff = 0
  passes = 0
  private terms!: ColumnTerms
  private readonly threshold: Float64Array
  private readonly entries: Int32Array
  private readonly last: Float64Array
  private readonly values: Float64Array
  private most: number

  constructor(
    readonly columns: Columns,
    readonly supply: Float64Array,
    readonly demand: Float64Array,
    private readonly mass: number,
    private readonly monitor: Watch,
  ) {
    const { count, length } = columns
    this.solver = new ColumnSolver(length)
    this.freeSum = new Float64Array(length)
    this.columnSum = new Float64Array(count)
    this.potential = new Float64Array(count)
    this.cut = new Float64Array(count)
    this.threshold = new Float64Array(count)
    this.counts = new Int32Array(count)
    this.entries = new Int32Array(count * Math.min(memory, length))
    this.last = new Float64Array(length)
    this.values = new Float64Array(count)
    this.most = length
  }

  static of(problem: TransportProblemData, byRows: boolean, columns: Columns, monitor: Watch): ColumnOracle {
    const { a, b } = problem
    return new ColumnOracle(columns, byRows ? b : a, byRows ? a : b, sum(a), monitor)
  }

  /** The next evaluation has nothing to go by. */
  use(terms: ColumnTerms): void {
    this.terms = terms
    this.solver.terms = terms
    this.cut.fill(Number.NEGATIVE_INFINITY)
    this.counts.fill(0)
    this.most = this.columns.length
  }

  /** The objective to be minimised, -S(x) or -D(x), and its gradient. */
  *evaluate(x: Float64Array, gradient: Float64Array): Work<number> {
    const { columns, solver, supply, demand, freeSum, columnSum, counts, entries, cut, values, last, terms } = this
    const { count, length } = columns
    const kept = Math.min(memory, length)
    this.foresee(x)
    freeSum.fill(0)
    this.fullest = 0
    this.shared = 0
    let widest = 0
    const visit = (column: number, s: Float64Array, index: Int32Array, from: number, to: number) => {
      solver.solve(s, index, from, to, demand[column], terms.dual ? x[length + column] : 0)
      if (!(solver.cut >= this.threshold[column])) return false
      const { plan } = solver
      const entriesFrom = column * kept
      for (let r = 0; r < solver.count; r++) {
        freeSum[index[from + r]] += plan[r]
        if (r < kept) entries[entriesFrom + r] = index[from + r]
      }
      values[column] = solver.value
      columnSum[column] = solver.mass
      cut[column] = solver.cut
      counts[column] = solver.count
      this.potential[column] = solver.potential
      if (solver.count > this.fullest) this.fullest = solver.count
      if (solver.count > terms.maxNonzeros) this.shared++
      if (solver.count > widest) widest = solver.count
      return true
    }
    yield* columns.visit(x, this.threshold, this.most, visit, this.monitor)
    this.passes++
    this.most = Math.max(memory, 4 * widest)
    last.set(x.subarray(0, length))

    for (let i = 0; i < length; i++) gradient[i] = freeSum[i] - supply[i]
    let linear = 0
    let size = 0
    let error = 0
    for (let i = 0; i < length; i++) {
      linear += supply[i] * x[i]
      size += supply[i] * Math.abs(x[i])
      error += Math.abs(gradient[i])
    }
    if (terms.dual) {
      for (let j = 0; j < count; j++) {
        const difference = columnSum[j] - demand[j]
        gradient[length + j] = difference
        linear += demand[j] * x[length + j]
        size += demand[j] * Math.abs(x[length + j])
        error += Math.abs(difference)
      }
    }
    const conjugate = sum(values)
    this.residual = error / this.mass
    this.roundoff = 16 * Number.EPSILON * (size + Math.abs(conjugate))
    return conjugate - linear
  }

  /** Thresholds below which no entry of the new plan should be. */
  private foresee(x: Float64Array): void {
    const { columns, threshold, cut, counts, entries, last, terms } = this
    const { count, length } = columns
    const kept = Math.min(memory, length)
    let least = Number.POSITIVE_INFINITY
    let size = 0
    for (let i = 0; i < length; i++) {
      if (x[i] - last[i] < least) least = x[i] - last[i]
      size = Math.max(size, Math.abs(x[i]), Math.abs(last[i]))
    }
    for (let column = 0; column < count; column++) {
      let rise = Number.POSITIVE_INFINITY
      if (counts[column] > kept) {
        rise = least
      } else {
        for (let r = column * kept; r < column * kept + counts[column]; r++) {
          const change = x[entries[r]] - last[entries[r]]
          if (change < rise) rise = change
        }
      }
      let foreseen = cut[column] + rise - 1e-15 * (size + Math.abs(cut[column]))
      if (!(counts[column] > 0)) foreseen = Number.NEGATIVE_INFINITY
      if (terms.dual && !terms.entropy) {
        // What is below the column's own potential is out, whatever the rest.
        foreseen = counts[column] < terms.maxNonzeros ? -x[length + column] : Math.max(-x[length + column], foreseen)
      }
      threshold[column] = foreseen
    }
  }
}
