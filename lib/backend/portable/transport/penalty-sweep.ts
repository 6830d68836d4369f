import type { Watch, Work } from '../work.js'
import { rescueColumns } from './column-rescue.js'
import type { CostRows } from './cost.js'
import { bestTranslation, type Penalty } from './penalty.js'
import { leastSum, mostSum, PlanPass, planPass } from './plan-pass.js'
import { sum } from './sums.js'

/**
 * A full iteration of the scaling algorithm (Chizat, Peyré, Schmitzer, Vialard 2018, arXiv 1607.05816, Algorithm 1) in the
 * log domain: f, then g, to where the penalties ask for the sums of the plan; then the best translation of both.
 */
export class PenaltySweep {
  /** sum |P1 - what f asked for| of the state before. */
  error = 0
  private readonly shift: Float64Array
  private readonly scale: Float64Array
  private readonly rowSum: Float64Array
  private readonly columnSum: Float64Array
  private readonly columnLeast: Float64Array
  private readonly rows: Float64Array

  constructor(n: number, m: number) {
    this.shift = new Float64Array(n)
    this.scale = new Float64Array(n)
    this.rowSum = new Float64Array(n)
    this.columnSum = new Float64Array(m)
    this.columnLeast = new Float64Array(m)
    this.rows = new Float64Array(4 * m)
  }

  /** Returns the number of passes. */
  *run(
    cost: CostRows,
    a: Penalty,
    b: Penalty,
    epsilon: number,
    f: Float64Array,
    g: Float64Array,
    monitor: Watch,
  ): Work<number> {
    const { shift, scale, rowSum, columnSum, columnLeast, rows } = this
    const pass = new PlanPass(epsilon, f, g, rows)
    pass.scaling = 'relaxed'
    pass.penalty = a
    pass.scale = scale
    pass.shift = shift
    pass.rowSum = rowSum
    pass.columnSum = columnSum
    yield* planPass(cost, pass, monitor)
    for (let i = 0; i < f.length; i++) {
      if (a.leftOut(i)) {
        rowSum[i] = 0
        f[i] = a.nothing(i)
        continue
      }
      const total = rowSum[i]
      // After a rescue the sum is no longer that of the state before.
      rowSum[i] = shift[i] !== 0 ? 0 : a.missed(i, f[i], total)
      f[i] = a.clamped(i, f[i] + shift[i] + epsilon * Math.log(scale[i]))
    }
    this.error = sum(rowSum)
    const needs = (total: number, j: number) => !(total > leastSum && total < mostSum) && !b.leftOut(j)
    const rescue = yield* rescueColumns(cost, epsilon, f, g, columnSum, columnLeast, rows, needs, monitor)
    for (let j = 0; j < g.length; j++) {
      g[j] = b.leftOut(j) ? b.nothing(j) : b.update(j, g[j] - epsilon * Math.log(columnSum[j]))
    }
    translate(a, b, epsilon, f, g)
    return 1 + rescue
  }
}

/** (f + t, g - t) with the best t. */
function translate(a: Penalty, b: Penalty, epsilon: number, f: Float64Array, g: Float64Array): void {
  const t = bestTranslation(a, f, b, g, epsilon)
  if (t === 0) return
  for (let i = 0; i < f.length; i++) if (!a.leftOut(i)) f[i] = a.clamped(i, f[i] + t)
  for (let j = 0; j < g.length; j++) if (!b.leftOut(j)) g[j] = b.clamped(j, g[j] - t)
}
