import { ExtremaError } from '../../../core/errors.js'
import type { RowBlocksData } from '../../constrained.js'
import { type FactorData, unanalyzedFactor, withEntries } from '../../linear-sparse.js'
import { analyzeCholesky, factorizeCholesky, solveCholesky } from '../linear/sparse-cholesky.js'
import type { Step, Watch } from '../linear/step.js'
import type { System } from './system.js'

/** Projections onto the equations of given blocks of rows: native/constrained/row-blocks.cc, step by step. */
export class RowBlocks {
  flops = 0
  private readonly parts: (FactorData | undefined)[]
  private readonly meets: number[][]

  constructor(
    private readonly a: System,
    private readonly blocks: RowBlocksData,
  ) {
    this.parts = new Array(this.count)
    this.meets = Array.from({ length: a.columns }, () => [])
  }

  get count(): number {
    return this.blocks.offsets.length - 1
  }

  rowsOf(p: number): Int32Array {
    const { offsets, rows } = this.blocks
    return rows.subarray(offsets[p], offsets[p + 1])
  }

  private column(k: number, row: number): number {
    const { indices } = this.a
    return indices === null ? k - this.a.begin(row) : indices[k]
  }

  private *factor(p: number, monitor: Watch): Step<FactorData> {
    const { a, meets } = this
    const rows = this.rowsOf(p)
    const n = rows.length
    // The rows that meet each column, then A_p Aᵀ_p row by row.
    rows.forEach((row, i) => {
      for (let k = a.begin(row); k < a.end(row); k++) meets[this.column(k, row)].push(i, a.data[k])
    })
    const indptr = new Int32Array(n + 1)
    const indices: number[] = []
    const data: number[] = []
    const sums = new Float64Array(n)
    const isFound = new Uint8Array(n)
    for (let i = 0; i < n; i++) {
      const row = rows[i]
      const found: number[] = []
      for (let k = a.begin(row); k < a.end(row); k++) {
        const others = meets[this.column(k, row)]
        this.flops += others.length
        for (let t = 0; t < others.length; t += 2) {
          if (isFound[others[t]] === 0) found.push(others[t])
          isFound[others[t]] = 1
          sums[others[t]] += a.data[k] * others[t + 1]
        }
      }
      found.sort((x, y) => x - y)
      for (const j of found) {
        indices.push(j)
        data.push(sums[j])
        sums[j] = 0
        isFound[j] = 0
      }
      indptr[i + 1] = indices.length
      if (monitor.due()) yield
    }
    for (const row of rows) for (let k = a.begin(row); k < a.end(row); k++) meets[this.column(k, row)].length = 0
    const matrix = { rows: n, columns: n, indptr, indices: Int32Array.from(indices), data: Float64Array.from(data) }
    const analyzed = unanalyzedFactor(n)
    yield* analyzeCholesky({ matrix, natural: false, factor: analyzed }, monitor)
    const factor = withEntries(analyzed)
    try {
      yield* factorizeCholesky({ matrix, positive: true, factor }, monitor)
    } catch (error) {
      if (!(error instanceof ExtremaError)) throw error
      const expected = 'expected linearly independent rows, got dependent ones'
      throw new ExtremaError('ERR_SINGULAR', `blocks[${p}]: ${expected}`)
    }
    for (let k = 0; k < n; k++) {
      const height = factor.indptr[k + 1] - factor.indptr[k]
      this.flops += height * (height + 2)
    }
    return factor
  }

  *project(p: number, b: Float64Array, z: Float64Array, monitor: Watch): Step<void> {
    const { a } = this
    const factor = this.parts[p] ?? (yield* this.factor(p, monitor))
    this.parts[p] = factor
    const rows = this.rowsOf(p)
    const c = Float64Array.from(rows, (row) => b[row] - a.dot(row, z))
    const y = new Float64Array(rows.length)
    yield* solveCholesky({ factor, b: c, x: y }, monitor)
    rows.forEach((row, i) => {
      a.add(row, y[i], z)
      this.flops += 4 * (a.end(row) - a.begin(row))
    })
    this.flops += 4 * factor.data.length
  }
}
