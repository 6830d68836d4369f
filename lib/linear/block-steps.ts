import type { Kernels } from '../backend/kernels.js'
import { factorReportLength } from '../backend/linear-dense.js'
import type { MultiplyJob, OperatorData } from '../backend/linear-sparse.js'
import type { Apply, Step } from '../backend/portable/linear/step.js'
import { ExtremaError } from '../core/errors.js'
import { callKernel, type Run } from './drive.js'
import type { CheckedOperator } from './operator.js'
import { oracleApply } from './oracle.js'

// Kernels as steps of the block iterations. Blocks are row-major, a vector in each column.

export class BlockSteps {
  constructor(
    private readonly kernels: Kernels,
    private readonly threads: number,
    private readonly run: Run,
  ) {}

  /** A X, or Aᵀ X, for `count` vectors. */
  *apply(a: CheckedOperator, x: Float64Array, count: number, transpose = false): Step<Float64Array> {
    const height = transpose ? a.columns : a.rows
    if (a.data !== null) return yield* this.#multiply(a.data, x, count, transpose, height)
    const { oracle } = a
    const name = transpose ? 'rmatvec' : 'matvec'
    const product = transpose ? oracle.rmatvec : oracle.matvec
    if (product === undefined) {
      throw new ExtremaError('ERR_ORACLE', 'matrix.rmatvec: expected a function, got undefined')
    }
    const width = x.length / count
    const apply: Apply = oracleApply(`matrix.${name}`, product.bind(oracle), height)
    const [column, image, out] = [new Float64Array(width), new Float64Array(height), new Float64Array(height * count)]
    for (let c = 0; c < count; c++) {
      for (let i = 0; i < width; i++) column[i] = x[i * count + c]
      yield* apply(column, image)
      for (let i = 0; i < height; i++) out[i * count + c] = image[i]
    }
    return out
  }

  /** a (m × k) b (k × n), or with `transpose` aᵀ b for b of m rows. */
  *product(a: Float64Array, k: number, b: Float64Array, n: number, transpose = false): Step<Float64Array> {
    const rows = a.length / k
    const data: OperatorData = { kind: 'dense', rows, columns: k, data: a }
    return yield* this.#multiply(data, b, n, transpose, transpose ? k : rows)
  }

  *#multiply(
    operator: OperatorData,
    x: Float64Array,
    count: number,
    transpose: boolean,
    height: number,
  ): Step<Float64Array> {
    const out = new Float64Array(height * count)
    const job: MultiplyJob = { operator, transpose, count, x, out, threads: this.threads, check: false }
    yield* callKernel(this.kernels.linear.multiply, job, this.run, false)
    return out
  }

  /**
   * Orthonormal columns that span what those of x (m × width) have beside the bases, which are orthonormal together. Fewer
   * where columns depend on each other to 1e-12 of the largest, or to rounding of `scale`.
   */
  *orthonormal(x: Float64Array, width: number, bases: readonly Block[], scale: number): Step<Block> {
    let block: Block = { data: x, width }
    // Twice is enough: the second time the columns are of length one.
    for (let pass = 0; pass < 2 && block.width > 0; pass++) {
      yield* this.#project(block, bases)
      block = yield* this.#qr(block, pass === 0 ? scale : 0)
      if (bases.length === 0) break
    }
    return block
  }

  *#project({ data, width }: Block, bases: readonly Block[]): Step<void> {
    for (const basis of bases) {
      const inner = yield* this.product(basis.data, basis.width, data, width, true)
      const part = yield* this.product(basis.data, basis.width, inner, width)
      for (let i = 0; i < data.length; i++) data[i] -= part[i]
    }
  }

  *#qr({ data, width }: Block, scale: number): Step<Block> {
    const m = data.length / width
    const k = Math.min(m, width)
    const r = new Float64Array(k * width)
    const q = new Float64Array(m * k)
    const job = {
      m,
      n: width,
      a: data,
      pivoting: true,
      threads: this.threads,
      reflectors: new Float64Array(m * width),
      tau: new Float64Array(k),
      permutation: new Int32Array(width),
      r,
      q,
      report: new Float64Array(factorReportLength),
    }
    yield* callKernel(this.kernels.linear.qr, job, this.run, false)
    const least = Math.max(1e-12 * Math.abs(r[0]), Number.EPSILON * Math.sqrt(m) * scale)
    let rank = 0
    while (rank < k && Math.abs(r[rank * width + rank]) > least) rank++
    return { data: rank === k ? q : leading(q, k, rank), width: rank }
  }

  /** The thin SVD of an m × n matrix. */
  *svd(a: Float64Array, m: number, n: number): Step<{ s: Float64Array; u: Float64Array; vt: Float64Array }> {
    const k = Math.min(m, n)
    const found = { s: new Float64Array(k), u: new Float64Array(m * k), vt: new Float64Array(k * n) }
    const job = { m, n, a, threads: this.threads, ...found, report: new Float64Array(factorReportLength) }
    yield* callKernel(this.kernels.linear.svd, job, this.run, false)
    return found
  }

  /** Eigenvalues, ascending, and eigenvectors as columns. */
  *eigen(a: Float64Array, n: number): Step<{ values: Float64Array; vectors: Float64Array }> {
    const found = { values: new Float64Array(n), vectors: new Float64Array(n * n) }
    const job = { n, a, threads: this.threads, ...found, report: new Float64Array(factorReportLength) }
    yield* callKernel(this.kernels.linear.symmetricEigen, job, this.run, false)
    return found
  }
}

export interface Block {
  /** length × width. */
  data: Float64Array
  width: number
}

/** The first `count` of `columns` columns. */
export function leading(x: Float64Array, columns: number, count: number): Float64Array {
  const rows = columns === 0 ? 0 : x.length / columns
  const out = new Float64Array(rows * count)
  for (let i = 0; i < rows; i++) out.set(x.subarray(i * columns, i * columns + count), i * count)
  return out
}
