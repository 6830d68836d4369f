import { sum } from './sums.js'
import { segmentLength, type Watch, type Work } from './work.js'

/**
 * Full Sinkhorn iterations on a stored n × m kernel matrix K: for each row r_i = K_i v, u_i = a_i / r_i, and
 * s += u_i K_i while the row is still in cache. Four rows at a time share the loads of v and s.
 */
export class KernelSweep {
  /** sum |u_i r_i - a_i| with the u of before. */
  error = 0
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
        if (single) multiply32(kernel, i, rows, m, v, start, end, sums)
        else multiply64(kernel, i, rows, m, v, start, end, sums)
        work += 4 * (end - start)
        if (work < 4 * segmentLength) continue
        work = 0
        if (monitor.due()) yield
      }
      this.scaleRows(i, rows)
      for (let start = 0; start < m; start += segmentLength) {
        const end = Math.min(start + segmentLength, m)
        if (single) accumulate32(kernel, i, rows, m, u, columnSum, start, end)
        else accumulate64(kernel, i, rows, m, u, columnSum, start, end)
        if (m > segmentLength && monitor.due()) yield
      }
    }
    this.error = sum(this.rowError)
  }

  private scaleRows(first: number, rows: number): void {
    for (let k = 0; k < rows; k++) {
      const i = first + k
      const r = this.sums[k]
      const scaled = this.a[i] / r
      this.rowError[i] = Math.abs(this.u[i] * r - this.a[i])
      if (r > 0 && scaled < Number.MAX_VALUE) this.u[i] = scaled
      else this.unsafe = true
    }
  }
}

// The same two loops for both kinds of kernel matrix: one that meets both would be compiled for the general case.

function multiply64(
  kernel: Float64Array,
  i: number,
  rows: number,
  m: number,
  v: Float64Array,
  start: number,
  end: number,
  sums: Float64Array,
): void {
  if (rows < 4) {
    for (let k = 0; k < rows; k++) {
      const row = (i + k) * m
      let r = 0
      for (let j = start; j < end; j++) r += kernel[row + j] * v[j]
      sums[k] += r
    }
    return
  }
  const row0 = i * m
  const row1 = row0 + m
  const row2 = row1 + m
  const row3 = row2 + m
  let r0 = 0
  let r1 = 0
  let r2 = 0
  let r3 = 0
  for (let j = start; j < end; j++) {
    const w = v[j]
    r0 += kernel[row0 + j] * w
    r1 += kernel[row1 + j] * w
    r2 += kernel[row2 + j] * w
    r3 += kernel[row3 + j] * w
  }
  sums[0] += r0
  sums[1] += r1
  sums[2] += r2
  sums[3] += r3
}

function accumulate64(
  kernel: Float64Array,
  i: number,
  rows: number,
  m: number,
  u: Float64Array,
  out: Float64Array,
  start: number,
  end: number,
): void {
  if (rows < 4) {
    for (let k = i; k < i + rows; k++) {
      const row = k * m
      const scale = u[k]
      for (let j = start; j < end; j++) out[j] = out[j] + scale * kernel[row + j]
    }
    return
  }
  const row0 = i * m
  const row1 = row0 + m
  const row2 = row1 + m
  const row3 = row2 + m
  const u0 = u[i]
  const u1 = u[i + 1]
  const u2 = u[i + 2]
  const u3 = u[i + 3]
  for (let j = start; j < end; j++) {
    out[j] = out[j] + (u0 * kernel[row0 + j] + u1 * kernel[row1 + j] + (u2 * kernel[row2 + j] + u3 * kernel[row3 + j]))
  }
}

function multiply32(
  kernel: Float32Array,
  i: number,
  rows: number,
  m: number,
  v: Float64Array,
  start: number,
  end: number,
  sums: Float64Array,
): void {
  if (rows < 4) {
    for (let k = 0; k < rows; k++) {
      const row = (i + k) * m
      let r = 0
      for (let j = start; j < end; j++) r += kernel[row + j] * v[j]
      sums[k] += r
    }
    return
  }
  const row0 = i * m
  const row1 = row0 + m
  const row2 = row1 + m
  const row3 = row2 + m
  let r0 = 0
  let r1 = 0
  let r2 = 0
  let r3 = 0
  for (let j = start; j < end; j++) {
    const w = v[j]
    r0 += kernel[row0 + j] * w
    r1 += kernel[row1 + j] * w
    r2 += kernel[row2 + j] * w
    r3 += kernel[row3 + j] * w
  }
  sums[0] += r0
  sums[1] += r1
  sums[2] += r2
  sums[3] += r3
}

function accumulate32(
  kernel: Float32Array,
  i: number,
  rows: number,
  m: number,
  u: Float64Array,
  out: Float64Array,
  start: number,
  end: number,
): void {
  if (rows < 4) {
    for (let k = i; k < i + rows; k++) {
      const row = k * m
      const scale = u[k]
      for (let j = start; j < end; j++) out[j] = out[j] + scale * kernel[row + j]
    }
    return
  }
  const row0 = i * m
  const row1 = row0 + m
  const row2 = row1 + m
  const row3 = row2 + m
  const u0 = u[i]
  const u1 = u[i + 1]
  const u2 = u[i + 2]
  const u3 = u[i + 3]
  for (let j = start; j < end; j++) {
    out[j] = out[j] + (u0 * kernel[row0 + j] + u1 * kernel[row1 + j] + (u2 * kernel[row2 + j] + u3 * kernel[row3 + j]))
  }
}
