import type { Watch, Work } from '../work.js'
import type { CostRows } from './cost.js'
import { PlanPass, planPass } from './plan-pass.js'
import { columnTransform } from './transform-pass.js'

/**
 * Columns whose sum has under- or overflown start from their extreme exponent: g_j = min_i (C_ij - f_i) for those that
 * `needs` it; then all sums are formed again. Returns the passes it took, none if no column needed it.
 */
export function* rescueColumns(
  cost: CostRows,
  epsilon: number,
  f: Float64Array,
  g: Float64Array,
  columnSum: Float64Array,
  columnLeast: Float64Array,
  rows: Float64Array,
  needs: (sum: number, j: number) => boolean,
  monitor: Watch,
): Work<number> {
  if (!columnSum.some(needs)) return 0
  yield* columnTransform(cost, f, columnLeast, monitor)
  for (let j = 0; j < g.length; j++) if (needs(columnSum[j], j)) g[j] = columnLeast[j]
  const again = new PlanPass(epsilon, f, g, rows)
  again.columnSum = columnSum
  yield* planPass(cost, again, monitor)
  return 2
}
