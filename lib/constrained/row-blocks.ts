import type { FactoredBlocksData, RowBlocksData } from '../backend/constrained.js'
import type { Kernels } from '../backend/kernels.js'
import {
  type CsrData,
  type FactorData,
  type FactorizeJob,
  unanalyzedFactor,
  withEntries,
} from '../backend/linear-sparse.js'
import { System } from '../backend/portable/constrained/system.js'
import type { Clock, Work } from '../backend/portable/work.js'
import { ExtremaError } from '../core/errors.js'
import { isSame, type SystemMatrix } from './matrix.js'
import { inKernel, inSlices, type Steps } from './steps.js'

/** Sparse Cholesky factors of A_p Aᵀ_p for given blocks of rows, made once for every matrix A. */
export class BlockFactors {
  private last: { matrix: SystemMatrix; blocks: FactoredBlocksData } | undefined

  constructor(
    private readonly kernels: Kernels,
    private readonly blocks: RowBlocksData,
  ) {}

  /** The operations are 0 where the factors were there. */
  *of(matrix: SystemMatrix): Steps<{ blocks: FactoredBlocksData; flops: number }> {
    if (this.last !== undefined && isSame(this.last.matrix, matrix)) return { blocks: this.last.blocks, flops: 0 }
    const { offsets, rows } = this.blocks
    const meets: number[][] = Array.from({ length: matrix.columns }, () => [])
    const factors: FactorData[] = []
    let flops = 0
    for (let p = 0; p + 1 < offsets.length; p++) {
      const own = rows.subarray(offsets[p], offsets[p + 1])
      const gram = yield* inSlices((monitor) => gramOf(new System(matrix), own, meets, monitor))
      const factor = yield* this.factor(p, gram.matrix)
      factors.push(factor)
      flops += gram.flops
      for (let k = 0; k < own.length; k++) {
        const height = factor.indptr[k + 1] - factor.indptr[k]
        flops += height * (height + 2)
      }
    }
    this.last = { matrix, blocks: { ...this.blocks, factors } }
    return { blocks: this.last.blocks, flops }
  }

  private *factor(p: number, matrix: CsrData): Steps<FactorData> {
    const { analyzeCholesky, factorizeCholesky } = this.kernels.linear
    const analyzed = unanalyzedFactor(matrix.rows)
    yield* inKernel(analyzeCholesky, { matrix, natural: false, factor: analyzed })
    const job: FactorizeJob = { matrix, positive: true, factor: withEntries(analyzed) }
    const named = (error: unknown): unknown => {
      if (!(error instanceof ExtremaError) || error.code !== 'ERR_NOT_POSITIVE') return error
      return new ExtremaError('ERR_SINGULAR', `blocks[${p}]: expected linearly independent rows, got dependent ones`)
    }
    yield {
      run: (control) =>
        factorizeCholesky.run(job, control).catch((error: unknown) => {
          throw named(error)
        }),
      runSync(control) {
        try {
          factorizeCholesky.runSync(job, control)
        } catch (error) {
          throw named(error)
        }
      },
    }
    return job.factor
  }
}

/** A_p Aᵀ_p row by row. `meets`, empty before and after, has the rows that meet each column. */
function* gramOf(
  a: System,
  rows: Int32Array,
  meets: number[][],
  clock: Clock,
): Work<{ matrix: CsrData; flops: number }> {
  const n = rows.length
  const column = (k: number, row: number) => (a.indices === null ? k - a.begin(row) : a.indices[k])
  let work = 0
  for (let i = 0; i < n; i++) {
    for (let k = a.begin(rows[i]); k < a.end(rows[i]); k++) meets[column(k, rows[i])].push(i, a.data[k])
    work += a.end(rows[i]) - a.begin(rows[i])
    if (work > 8192) {
      work = 0
      if (clock.due()) yield
    }
  }
  const indptr = new Int32Array(n + 1)
  const indices: number[] = []
  const data: number[] = []
  const sums = new Float64Array(n)
  const isFound = new Uint8Array(n)
  let flops = 0
  for (let i = 0; i < n; i++) {
    const row = rows[i]
    const found: number[] = []
    for (let k = a.begin(row); k < a.end(row); k++) {
      const others = meets[column(k, row)]
      flops += others.length
      for (let t = 0; t < others.length; t += 2) {
        if (isFound[others[t]] === 0) found.push(others[t])
        isFound[others[t]] = 1
        sums[others[t]] += a.data[k] * others[t + 1]
      }
      work += others.length
      if (work > 8192) {
        work = 0
        if (clock.due()) yield
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
    if (clock.due()) yield
  }
  for (const row of rows) for (let k = a.begin(row); k < a.end(row); k++) meets[column(k, row)].length = 0
  return {
    matrix: { rows: n, columns: n, indptr, indices: Int32Array.from(indices), data: Float64Array.from(data) },
    flops,
  }
}
