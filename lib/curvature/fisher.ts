import type { FisherForm, SystemSizes } from '../backend/curvature.js'
import { type BackendName, kernels } from '../backend/index.js'
import type { Step } from '../backend/portable/linear/step.js'
import { checkFinite, copyIfSmall, type FloatArray, toVector, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { allocate } from '../linear/direct.js'
import { callKernel, type Run } from '../linear/drive.js'
import { gradientRows, type PageSource } from './gradients.js'
import { checkProduct, room } from './product.js'

export interface FisherSettings {
  damping: number
  /** Coordinates of a block, at most d. */
  block: number
  backend: BackendName | undefined
  threads: number
}

/**
 * The inverse of the damped empirical Fisher matrix F = λI + GᵀG / m, block by block, by a Cholesky factorization of the
 * smaller of two matrices: G Gᵀ (m × m) or GᵀG of the block. All of it is in double, whatever the dtype of the gradients:
 * sums of products of float32 are exact to rounding, and differences cost no digits that matter.
 */
export class FisherInverse {
  readonly form: FisherForm
  readonly sizes: SystemSizes
  readonly blocks: number
  factors: Float64Array = new Float64Array(0)

  constructor(
    readonly source: PageSource,
    readonly settings: FisherSettings,
  ) {
    const { m, d } = source
    const { block } = settings
    this.form = block <= m ? 'columns' : 'rows'
    this.blocks = Math.ceil(d / block)
    this.sizes = {
      count: this.blocks,
      order: this.form === 'rows' ? m : block,
      last: this.form === 'rows' ? m : d - (this.blocks - 1) * block,
    }
  }

  private get room() {
    return kernels(this.settings.backend).curvature
  }

  /** Bytes of the factors, and of the gradients where they are still needed and in memory. */
  get memoryBytes(): number {
    return this.factors.byteLength + (this.form === 'rows' ? this.source.bytes : 0)
  }

  /** Forms and factors the matrices. By pages, the products of rows take each pair of pages. */
  *build(run: Run): Step<void> {
    const { source, form, settings } = this
    const { block, damping, threads } = settings
    const { order } = this.sizes
    const out = allocate(this.blocks * order * order)
    const part = { form, order, out, threads }
    for (let p = 0; p < source.pages; p++) {
      const read = yield* source.read(p)
      // An oracle may use one piece of memory for all its pages, and earlier ones are read again below.
      const g = form === 'rows' && p > 0 ? read.slice() : read
      const [row, end] = source.range(p)
      const rows = gradientRows(g, end - row, source.d, block)
      yield* callKernel(this.room.gram, { ...part, rows, others: null, row, column: row }, run, false)
      if (form === 'columns') continue
      for (let q = 0; q < p; q++) {
        const h = yield* source.read(q)
        const [column, last] = source.range(q)
        yield* callKernel(
          this.room.gram,
          { ...part, rows, others: { g: h, m: last - column }, row, column },
          run,
          false,
        )
      }
    }
    const job = { ...this.sizes, gram: out, damping, divisor: source.m, out, threads }
    yield* callKernel(this.room.factor, job, run, false)
    this.factors = out
    if (form === 'columns') source.release()
  }

  /** A vector of d finite numbers. */
  checked(x: VectorLike): FloatArray {
    const vector = toVector('x', x)
    if (vector.length !== this.source.d) {
      throw new ExtremaError(
        'ERR_SHAPE',
        `x: expected ${this.source.d} numbers to match the gradients, got ${vector.length}`,
      )
    }
    return checkFinite('x', copyIfSmall(vector))
  }

  /** F⁻¹ x, in the dtype of x. */
  *product(x: FloatArray, run: Run): Step<FloatArray> {
    const { source, form, factors, settings } = this
    const { damping, block, threads } = settings
    const { m, d } = source
    const out = room(x instanceof Float32Array ? 'float32' : 'float64', d)
    if (form === 'columns' || source.isResident) {
      const g = form === 'columns' ? null : yield* source.read(0)
      const job = { rows: gradientRows(g, m, d, block), form, factors, damping, x, out, threads }
      yield* callKernel(this.room.inverseProduct, job, run, true)
    } else {
      yield* this.productByPages(x, out, run)
    }
    return checkProduct(out)
  }

  private *productByPages(x: FloatArray, out: FloatArray, run: Run): Step<void> {
    const { source, factors, settings, blocks, room } = this
    const { damping, block, threads } = settings
    const { m, d } = source
    const w = allocate(blocks * m)
    for (let k = 0; k < source.pages; k++) {
      const g = yield* source.read(k)
      const [from, to] = source.range(k)
      const p = new Float64Array(blocks * (to - from))
      yield* callKernel(room.project, { rows: gradientRows(g, to - from, d, block), x, p, threads }, run, false)
      for (let b = 0; b < blocks; b++) w.set(p.subarray(b * (to - from), (b + 1) * (to - from)), b * m + from)
    }
    yield* callKernel(room.solve, { ...this.sizes, factors, p: w, threads }, run, false)
    const sum = allocate(d)
    for (let k = 0; k < source.pages; k++) {
      const g = yield* source.read(k)
      const [from, to] = source.range(k)
      const part = new Float64Array(blocks * (to - from))
      for (let b = 0; b < blocks; b++) part.set(w.subarray(b * m + from, b * m + to), b * (to - from))
      yield* callKernel(room.gather, { rows: gradientRows(g, to - from, d, block), w: part, sum, threads }, run, false)
    }
    for (let j = 0; j < d; j++) out[j] = (x[j] - sum[j] / m) / damping
  }

  *diagonal(run: Run): Step<Float64Array> {
    const { source, form, factors, settings, room } = this
    const { damping, block, threads } = settings
    const { m, d } = source
    const out = allocate(d)
    const part = { form, damping, divisor: m, threads }
    if (form === 'columns' || source.isResident) {
      const g = form === 'columns' ? null : yield* source.read(0)
      yield* callKernel(room.diagonal, { ...part, rows: gradientRows(g, m, d, block), factors, out }, run, true)
      return out
    }
    // As many columns of all rows as a page has numbers.
    const [, pageRows] = source.range(0)
    const wanted = Math.max(1, Math.floor((pageRows * d) / m))
    for (let b = 0; b < this.blocks; b++) {
      const end = Math.min(d, (b + 1) * block)
      for (let from = b * block; from < end; from += wanted) {
        const width = Math.min(wanted, end - from)
        const places = Int32Array.from({ length: width }, (_, j) => from + j)
        const g = yield* this.columns(places)
        const job = { ...part, rows: gradientRows(g, m, width, width), factors: this.factorOf(b) }
        yield* callKernel(room.diagonal, { ...job, out: out.subarray(from, from + width) }, run, false)
      }
    }
    return out
  }

  /** The k × k entries of F⁻¹ at k coordinates. */
  *entries(coordinates: Int32Array, run: Run): Step<Float64Array> {
    const { form, settings, source, room } = this
    const { block, damping } = settings
    const k = coordinates.length
    const out = allocate(k * k)
    const members = new Map<number, number[]>()
    coordinates.forEach((coordinate, at) => {
      const b = Math.floor(coordinate / block)
      members.set(b, [...(members.get(b) ?? []), at])
    })
    for (const [b, positions] of members) {
      const places = Int32Array.from(positions, (at) => coordinates[at] - b * block)
      const columns = form === 'rows' ? yield* this.columns(places.map((place) => place + b * block)) : null
      const own = { factor: this.factorOf(b), columns, places, damping, divisor: source.m }
      const size = positions.length
      const part = new Float64Array(size * size)
      const { order: pitch } = this.sizes
      const order = b + 1 === this.blocks ? this.sizes.last : pitch
      yield* callKernel(room.entries, { ...own, order, pitch, out: part }, run, false)
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) out[positions[i] * k + positions[j]] = part[i * size + j]
      }
    }
    return out
  }

  private factorOf(b: number): Float64Array {
    const matrix = this.sizes.order ** 2
    return this.factors.subarray(b * matrix, (b + 1) * matrix)
  }

  /** These columns of G, m × k. */
  private *columns(coordinates: Int32Array): Step<Float64Array> {
    const { source } = this
    const k = coordinates.length
    const out = allocate(source.m * k)
    for (let page = 0; page < source.pages; page++) {
      const g = yield* source.read(page)
      const [from, to] = source.range(page)
      for (let i = 0; i < to - from; i++) {
        const row = i * source.d
        for (let j = 0; j < k; j++) out[(from + i) * k + j] = g[row + coordinates[j]]
      }
    }
    return out
  }
}
