import type { Watch, Work } from '../work.js'
import { rescueColumns } from './column-rescue.js'
import type { CostRows } from './cost.js'
import type { Marginals } from './marginals.js'
import { leastSum, mostSum, PlanPass, planPass } from './plan-pass.js'
import { sum } from './sums.js'

/** Of the largest demand: columns that have less and are asked for less can wait for a thorough sweep. */
const negligibleShare = 1e-100

/** A full Sinkhorn iteration of relaxed marginals in the log domain, both updates with their best translation. */
export class RelaxedSweep {
  /** sum |P1 - what f asked for| of the state before. */
  error = 0
  private readonly shift: Float64Array
  private readonly scale: Float64Array
  private readonly rowSum: Float64Array
  private readonly rowDemand: Float64Array
  private readonly columnSum: Float64Array
  private readonly columnDemand: Float64Array
  private readonly columnLeast: Float64Array
  private readonly rows: Float64Array

  constructor(n: number, m: number) {
    this.shift = new Float64Array(n)
    this.scale = new Float64Array(n)
    this.rowSum = new Float64Array(n)
    this.rowDemand = new Float64Array(n)
    this.columnSum = new Float64Array(m)
    this.columnDemand = new Float64Array(m)
    this.columnLeast = new Float64Array(m)
    this.rows = new Float64Array(4 * m)
  }

  /**
   * Updates f, g and the translation. `thorough`: also columns that neither have mass nor are asked for any; two passes
   * more where there are such. Returns the number of passes.
   */
  *run(
    cost: CostRows,
    marginals: Marginals,
    epsilon: number,
    f: Float64Array,
    g: Float64Array,
    monitor: Watch,
    thorough = false,
  ): Work<number> {
    const { shift, scale, rowSum, rowDemand, columnSum, columnDemand, columnLeast } = this
    const { a, b } = marginals
    const pass = new PlanPass(epsilon, f, g, this.rows)
    pass.scaling = 'relaxed'
    pass.logWeight = a.logWeight
    pass.damping = a.damping
    pass.scale = scale
    pass.shift = shift
    pass.rowSum = rowSum
    pass.columnSum = columnSum
    yield* planPass(cost, pass, monitor)
    a.demand(f, rowDemand)
    for (let i = 0; i < f.length; i++) {
      rowSum[i] = shift[i] !== 0 ? rowDemand[i] : Math.abs(rowSum[i] - rowDemand[i])
      if (!a.leftOut(i)) f[i] += shift[i] + epsilon * Math.log(scale[i])
    }
    this.error = sum(rowSum)

    b.demand(g, columnDemand)
    const negligible = negligibleShare * columnDemand.reduce((most, demand) => Math.max(most, demand), 0)
    const waits = (j: number) =>
      b.leftOut(j) || (!thorough && columnSum[j] <= leastSum && columnDemand[j] <= negligible)
    const needs = (sum: number, j: number) => !(sum > leastSum && sum < mostSum) && !waits(j)
    const rescue = yield* rescueColumns(cost, epsilon, f, g, columnSum, columnLeast, this.rows, needs, monitor)
    const moved = marginals.translateUpdated(true, f, g)
    for (let i = 0; i < f.length; i++) f[i] += moved
    const { damping } = b
    for (let j = 0; j < g.length; j++) {
      if (waits(j)) continue
      // The sums are those before f moved.
      g[j] = damping * (epsilon * (b.logWeight[j] - Math.log(columnSum[j])) + g[j] - moved)
    }
    const back = marginals.translateUpdated(false, f, g)
    for (let j = 0; j < g.length; j++) g[j] += back
    return 1 + rescue
  }
}
