import type { TransportProblemData } from '../../kernels.js'
import type { Watch, Work } from '../work.js'
import type { CloudSweep } from './cloud-sweep.js'
import { rescueColumns } from './column-rescue.js'
import type { CostRows } from './cost.js'
import { leastSum, mostSum, PlanPass, planPass } from './plan-pass.js'
import { distance, sum } from './sums.js'

/**
 * A full Sinkhorn iteration in the log domain: one pass forms the plan, rescales its rows to a and adds up the columns;
 * rows and columns that under- or overflow are rescued by their extreme exponents.
 */
export class LogSweep {
  /** Optional: where to keep exp((f + shift + g - C) / epsilon) of the state before. */
  store: Float64Array | Float32Array | null = null
  /** Whether it holds. */
  stored = false
  /** sum |P1 - a| of the state before. */
  error = 0
  /** sum |Pᵀ1 - b| between the two updates. */
  columnError = 0
  // The update: f += shift + epsilon log rowScale, g += epsilon log columnScale.
  readonly shift: Float64Array
  readonly rowScale: Float64Array
  readonly columnScale: Float64Array
  private readonly rowSum: Float64Array
  private readonly columnSum: Float64Array
  private readonly columnLeast: Float64Array
  private readonly rows: Float64Array

  /** `cloud`: makes the pass in place of `planPass`. */
  constructor(
    n: number,
    m: number,
    private readonly cloud: CloudSweep | null = null,
  ) {
    this.shift = new Float64Array(n)
    this.rowScale = new Float64Array(n)
    this.columnScale = new Float64Array(m)
    this.rowSum = new Float64Array(n)
    this.columnSum = new Float64Array(m)
    this.columnLeast = new Float64Array(m)
    this.rows = new Float64Array(4 * m)
  }

  /** Updates f and g. Returns the number of passes. */
  *run(
    cost: CostRows,
    { a, b }: TransportProblemData,
    epsilon: number,
    f: Float64Array,
    g: Float64Array,
    monitor: Watch,
  ): Work<number> {
    const { shift, rowScale, columnScale, rowSum, columnSum } = this
    const pass = new PlanPass(epsilon, f, g, this.rows)
    pass.scaling = 'sinkhorn'
    pass.a = a
    pass.scale = rowScale
    pass.shift = shift
    pass.rowSum = rowSum
    pass.columnSum = columnSum
    pass.store = this.store
    let passes = 1
    if (this.cloud !== null) passes = yield* this.cloud.run(pass, monitor)
    else yield* planPass(cost, pass, monitor)
    this.stored = this.store !== null

    for (let i = 0; i < f.length; i++) {
      rowSum[i] = shift[i] !== 0 ? a[i] : Math.abs(rowSum[i] - a[i])
      f[i] += shift[i] + epsilon * Math.log(rowScale[i])
    }
    this.error = sum(rowSum)

    this.columnError = distance(columnSum, b)
    const rescue = yield* rescueColumns(cost, epsilon, f, g, columnSum, this.columnLeast, this.rows, unsound, monitor)
    if (rescue > 0) this.stored = false // g moves by more than the stored rows can follow
    for (let j = 0; j < g.length; j++) {
      columnScale[j] = b[j] / columnSum[j]
      g[j] += epsilon * Math.log(columnScale[j])
    }
    return passes + rescue
  }
}

function unsound(sum: number): boolean {
  return !(sum > leastSum && sum < mostSum)
}
