import { segmentLength, type Watch, type Work } from '../work.js'
import { addRows, addRows32, multiplyRows, multiplyRows32 } from './row-blocks.js'
import { sum } from './sums.js'

/**
 * Full Sinkhorn iterations on a stored n × m kernel matrix K: for each row r_i = K_i v, u_i = a_i / r_i, and
 * s += u_i K_i while the row is still in cache. Four rows at a time share the loads of v and s.
 */
export class KernelSweep {
  /** sum |u_i r_i - a_i| with the u of before. */
  error = 0
  /** u_i = r_i / a_i instead, so that s = K^T diag(1/a) K v. */
  normal = false
  /** Some row sum was zero or not finite; its u is that of before. */
  unsafe = false
  private readonly rowError: Float64Array
  private readonly sums = new Float64Array(4)

  constructor(
    private readonly kernel: Float64Array | Float32Array,
    private readonly a: Float64Array,
    /** n, in and out. */
    readonly u: Float64Array,
    /** m, in. */
    readonly v: Float64Array,
    /** m: K^T u. */
    readonly columnSum: Float64Array,
  ) {
    this.rowError = new Float64Array(a.length)
  }

  *run(monitor: Watch): Work<void> {
    const { kernel, u, v, columnSum, sums } = this
    const n = u.length
    const m = v.length
    const single = kernel instanceof Float32Array
    columnSum.fill(0)
    this.unsafe = false
    let work = 0
    for (let i = 0; i < n; i += 4) {
      const rows = Math.min(4, n - i)
      sums.fill(0)
      for (let start = 0; start < m; start += segmentLength) {
        const end = Math.min(start + segmentLength, m)
        if (single) multiplyRows32(kernel, i * m, m, rows, v, start, end, sums)
        else multiplyRows(kernel, i * m, m, rows, v, start, end, sums)
        work += 4 * (end - start)
        if (work < 4 * segmentLength) continue
        work = 0
        if (monitor.due()) yield
      }
      this.scaleRows(i, rows)
      for (let start = 0; start < m; start += segmentLength) {
        const end = Math.min(start + segmentLength, m)
        if (single) addRows32(kernel, i * m, m, rows, u, i, columnSum, start, end)
        else addRows(kernel, i * m, m, rows, u, i, columnSum, start, end)
        if (m > segmentLength && monitor.due()) yield
      }
    }
    this.error = sum(this.rowError)
  }

  private scaleRows(first: number, rows: number): void {
    for (let k = 0; k < rows; k++) {
      const i = first + k
      const r = this.sums[k]
      const scaled = this.normal ? r / this.a[i] : this.a[i] / r
      this.rowError[i] = Math.abs(this.u[i] * r - this.a[i])
      if (this.normal || (r > 0 && scaled < Number.MAX_VALUE)) this.u[i] = scaled
      else this.unsafe = true
    }
  }
}
