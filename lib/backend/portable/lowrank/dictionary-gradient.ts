import type { FloatArray } from '../../../core/arrays.js'
import type { CodesJob, Coding, SamplesJob } from '../../lowrank-dictionary.js'
import type { Watch, Work } from '../work.js'
import { addTransposed, multiply } from './products.js'

/** Numbers of coefficients held at a time. */
const blockNumbers = 2 ** 19

/** Sums over all coefficients, as in native/lowrank/dictionary.h. */
export interface Sums {
  objective: number
  second: number
  fourth: number
  largest: number
}

/** Yᵀ shaped(Y W) by blocks of samples. Coefficients of float32 samples are rounded to it, sums are not. */
export class Gradient {
  private readonly blockRows: number
  private readonly z: FloatArray
  private readonly magnitudes: FloatArray

  constructor(
    private readonly job: SamplesJob,
    mostRows: number,
    private readonly watch: Watch,
  ) {
    this.blockRows = Math.min(mostRows, Math.max(64, Math.floor(blockNumbers / job.n)))
    const { n, samples } = job
    const room = (length: number) =>
      samples instanceof Float32Array ? new Float32Array(length) : new Float64Array(length)
    this.z = room(this.blockRows * n)
    this.magnitudes = room(job.coding.shaping === 'keep' ? n : 0)
  }

  /** Of the rows from `begin` on; out is not divided by anything. */
  *evaluate(begin: number, rows: number, w: Float64Array, out: Float64Array): Work<Sums> {
    const { n, samples } = this.job
    const sums: Sums = { objective: 0, second: 0, fourth: 0, largest: 0 }
    out.fill(0)
    for (let at = 0; at < rows; at += this.blockRows) {
      const count = Math.min(this.blockRows, rows - at)
      const y = samples.subarray((begin + at) * n, (begin + at + count) * n)
      for (const entry of y) sums.largest = Math.max(sums.largest, Math.abs(entry))
      yield* this.shape(y, count, w, this.z, sums)
      yield* addTransposed(y, this.z, count, n, out, this.watch)
    }
    return sums
  }

  *codes(w: Float64Array, out: FloatArray): Work<void> {
    const { n, rows, samples } = this.job
    for (let at = 0; at < rows; at += this.blockRows) {
      const end = Math.min(rows, at + this.blockRows)
      const sums: Sums = { objective: 0, second: 0, fourth: 0, largest: 0 }
      yield* this.shape(samples.subarray(at * n, end * n), end - at, w, out.subarray(at * n, end * n), sums)
    }
  }

  *addSquares(begin: number, rows: number, out: Float64Array): Work<void> {
    const { n, samples } = this.job
    const y = samples.subarray(begin * n, (begin + rows) * n)
    yield* addTransposed(y, y, rows, n, out, this.watch)
  }

  private *shape(y: FloatArray, rows: number, w: Float64Array, z: FloatArray, sums: Sums): Work<void> {
    const { n, coding } = this.job
    yield* multiply(y, w, rows, n, n, z, this.watch)
    if (coding.shaping === 'cube' || coding.shaping === 'fourth') powers(z, rows * n, coding, sums)
    else for (let i = 0; i < rows; i++) this.thin(z, i * n, sums)
    if (this.watch.due()) yield
  }

  /** Takes the small ones out of the coefficients of a sample. */
  private thin(z: FloatArray, at: number, sums: Sums): void {
    const { magnitudes } = this
    const { n, coding } = this.job
    if (coding.shaping === 'threshold') {
      for (let j = at; j < at + n; j++) if (Math.abs(z[j]) < coding.threshold) z[j] = 0
    } else if (coding.keep < n) {
      // The first of equal magnitudes stay.
      for (let j = 0; j < n; j++) magnitudes[j] = Math.abs(z[at + j])
      magnitudes.sort()
      const least = magnitudes[n - coding.keep]
      let ties = coding.keep
      for (let j = at; j < at + n; j++) if (Math.abs(z[j]) > least) ties--
      for (let j = at; j < at + n; j++) {
        const magnitude = Math.abs(z[j])
        if (magnitude < least || (magnitude === least && ties === 0)) z[j] = 0
        else if (magnitude === least) ties--
      }
    }
    for (let j = at; j < at + n; j++) sums.objective += z[j] * z[j]
  }
}

function powers(z: FloatArray, count: number, { shaping, scale }: Coding, sums: Sums): void {
  const unit = 1 / scale
  const cube = shaping === 'cube'
  for (let k = 0; k < count; k++) {
    const x = z[k] * unit
    const square = x * x
    const shaped = cube ? x * Math.abs(x) : x * square
    sums.objective += Math.abs(shaped * x)
    sums.second += square
    sums.fourth += square * square
    z[k] = shaped * unit
  }
}

export function* codes(job: CodesJob, watch: Watch): Work<void> {
  yield* new Gradient(job, job.rows, watch).codes(job.w, job.out)
}
