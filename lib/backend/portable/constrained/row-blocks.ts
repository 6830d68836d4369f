import type { FactoredBlocksData } from '../../constrained.js'
import { solveCholesky } from '../linear/sparse-cholesky.js'
import type { Step, Watch } from '../linear/step.js'
import type { System } from './system.js'

/** Projections onto the equations of given blocks of rows: native/constrained/row-blocks.cc, step by step. */
export class RowBlocks {
  constructor(
    private readonly a: System,
    private readonly blocks: FactoredBlocksData,
  ) {}

  get count(): number {
    return this.blocks.factors.length
  }

  rowsOf(p: number): Int32Array {
    const { offsets, rows } = this.blocks
    return rows.subarray(offsets[p], offsets[p + 1])
  }

  /** z <- z + Aᵀ_p (A_p Aᵀ_p)⁻¹ (b_p - A_p z). Returns the floating-point operations. */
  *project(p: number, b: Float64Array, z: Float64Array, monitor: Watch): Step<number> {
    const { a } = this
    const factor = this.blocks.factors[p]
    const rows = this.rowsOf(p)
    const c = Float64Array.from(rows, (row) => b[row] - a.dot(row, z))
    const y = new Float64Array(rows.length)
    yield* solveCholesky({ factor, b: c, x: y }, monitor)
    let flops = 4 * factor.data.length
    rows.forEach((row, i) => {
      a.add(row, y[i], z)
      flops += 4 * (a.end(row) - a.begin(row))
    })
    return flops
  }
}
