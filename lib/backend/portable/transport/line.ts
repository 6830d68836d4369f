import type { LineJob, LineKernels, SlicedJob } from '../../transport-line.js'
import { portableKernel } from '../driver.js'
import { segmentLength, type Watch, type Work } from '../work.js'

// Twin of native/transport/line.cc.

const digitBits = 11
const digits = 6
const buckets = 2 ** digitBits

/** Stable ascending order of finite values, by the digits of keys that ascend as unsigned numbers. */
class LineSort {
  private readonly bits: Float64Array
  private readonly words: Uint32Array
  private readonly counts = new Uint32Array(digits * buckets)
  private order: Int32Array
  private other: Int32Array

  constructor(n: number) {
    this.bits = new Float64Array(n)
    this.words = new Uint32Array(this.bits.buffer)
    this.order = new Int32Array(n)
    this.other = new Int32Array(n)
  }

  /** The result is valid until the next call. */
  *run(values: Float64Array, monitor: Watch): Work<Int32Array> {
    const { bits, words, counts } = this
    const n = values.length
    counts.fill(0)
    for (let start = 0; start < n; start += segmentLength) {
      const end = Math.min(n, start + segmentLength)
      for (let i = start; i < end; i++) {
        bits[i] = values[i] + 0 // -0 and 0 are the same place
        const negative = words[2 * i + 1] >>> 31 === 1
        words[2 * i] = negative ? ~words[2 * i] : words[2 * i]
        words[2 * i + 1] = negative ? ~words[2 * i + 1] : words[2 * i + 1] | 0x80000000
        this.order[i] = i
        for (let digit = 0; digit < digits; digit++) counts[digit * buckets + this.digit(i, digit)]++
      }
      if (monitor.due()) yield
    }
    for (let digit = 0; digit < digits; digit++) yield* this.pass(digit, n, monitor)
    return this.order
  }

  private *pass(digit: number, n: number, monitor: Watch): Work<void> {
    const starts = this.counts.subarray(digit * buckets, (digit + 1) * buckets)
    if (starts[this.digit(0, digit)] === n) return
    let sum = 0
    for (let k = 0; k < buckets; k++) {
      const count = starts[k]
      starts[k] = sum
      sum += count
    }
    const { order, other } = this
    for (let start = 0; start < n; start += segmentLength) {
      const end = Math.min(n, start + segmentLength)
      for (let i = start; i < end; i++) other[starts[this.digit(order[i], digit)]++] = order[i]
      if (monitor.due()) yield
    }
    this.order = other
    this.other = order
  }

  /** Digit of the key of value i, little end first. */
  private digit(i: number, digit: number): number {
    const low = this.words[2 * i]
    const high = this.words[2 * i + 1]
    switch (digit) {
      case 0:
        return low & (buckets - 1)
      case 1:
        return (low >>> 11) & (buckets - 1)
      case 2:
        return ((low >>> 22) | (high << 10)) & (buckets - 1)
      case 3:
        return (high >>> 1) & (buckets - 1)
      case 4:
        return (high >>> 12) & (buckets - 1)
      default:
        return high >>> 23
    }
  }
}

function distance(x: number, y: number, order: number): number {
  const gap = Math.abs(x - y)
  if (order === 1) return gap
  return order === 2 ? gap * gap : gap ** order
}

/** d distance / dx */
function slope(x: number, y: number, order: number): number {
  const gap = Math.abs(x - y)
  if (gap === 0) return 0
  const size = order === 1 ? 1 : order === 2 ? 2 * gap : order * gap ** (order - 1)
  return x > y ? size : -size
}

/** Merges the masses: `arc(i, j, mass, nextRow)` for every arc from left to right. */
function* merge(
  xOrder: Int32Array,
  a: Float64Array,
  yOrder: Int32Array,
  b: Float64Array,
  arc: (i: number, j: number, mass: number, nextRow: boolean) => void,
  monitor: Watch,
): Work<void> {
  const n = a.length
  const m = b.length
  let i = 0
  let j = 0
  let left = a[xOrder[0]]
  let right = b[yOrder[0]]
  for (let count = 1; ; count++) {
    const lastRow = i + 1 === n
    const lastColumn = j + 1 === m
    if (lastColumn ? !lastRow : !lastRow && left <= right) {
      arc(xOrder[i], yOrder[j], left, true)
      right = Math.max(0, right - left)
      left = a[xOrder[++i]]
    } else {
      arc(xOrder[i], yOrder[j], right, false)
      if (lastColumn) return
      left = Math.max(0, left - right)
      right = b[yOrder[++j]]
    }
    if (count % segmentLength === 0 && monitor.due()) yield
  }
}

function* wasserstein1d(job: LineJob, monitor: Watch): Work<void> {
  const { x, y, order, f, g, rows, columns, mass } = job
  const xOrder = yield* new LineSort(x.length).run(x, monitor)
  const yOrder = yield* new LineSort(y.length).run(y, monitor)
  let value = 0
  let count = 0
  let advancedRow = false
  const arc = (i: number, j: number, moved: number, nextRow: boolean) => {
    const cost = distance(x[i], y[j], order)
    value += moved * cost
    rows[count] = i
    columns[count] = j
    mass[count] = moved
    if (count === 0) f[i] = 0
    if (count === 0 || !advancedRow) g[j] = cost - f[i]
    else f[i] = cost - g[j]
    count++
    advancedRow = nextRow
  }
  yield* merge(xOrder, job.a, yOrder, job.b, arc, monitor)
  job.report[0] = value
}

function project(points: Float64Array, d: number, directions: Float64Array, from: number, out: Float64Array): void {
  for (let i = 0; i < out.length; i++) {
    let sum = 0
    for (let k = 0; k < d; k++) sum += points[i * d + k] * directions[from + k]
    out[i] = sum
  }
}

function addGradient(slopes: Float64Array, count: number, job: SlicedJob, from: number, gradient: Float64Array): void {
  const { d, directions } = job
  for (let i = 0; i < slopes.length; i++) {
    const slope = slopes[i] / count
    for (let k = 0; k < d; k++) gradient[i * d + k] += slope * directions[from + k]
  }
}

function* slicedWasserstein(job: SlicedJob, monitor: Watch): Work<void> {
  const { d, a, b, order, directions, gradientX, gradientY } = job
  const count = job.values.length
  const x = new Float64Array(a.length)
  const y = new Float64Array(b.length)
  const xSort = new LineSort(x.length)
  const ySort = new LineSort(y.length)
  const slopesX = new Float64Array(gradientX === null ? 0 : x.length)
  const slopesY = new Float64Array(gradientY === null ? 0 : y.length)
  for (let l = 0; l < count; l++) {
    project(job.x, d, directions, l * d, x)
    project(job.y, d, directions, l * d, y)
    if (monitor.due()) yield
    const xOrder = yield* xSort.run(x, monitor)
    const yOrder = yield* ySort.run(y, monitor)
    slopesX.fill(0)
    slopesY.fill(0)
    let value = 0
    const arc = (i: number, j: number, mass: number) => {
      value += mass * distance(x[i], y[j], order)
      if (gradientX === null && gradientY === null) return
      const change = mass * slope(x[i], y[j], order)
      if (gradientX !== null) slopesX[i] += change
      if (gradientY !== null) slopesY[j] -= change
    }
    yield* merge(xOrder, a, yOrder, b, arc, monitor)
    job.values[l] = value
    if (gradientX !== null) addGradient(slopesX, count, job, l * d, gradientX)
    if (gradientY !== null) addGradient(slopesY, count, job, l * d, gradientY)
    job.report[0] = l + 1
    monitor.progress(l + 1, count - l - 1)
    if (monitor.expired()) return
    if (monitor.due()) yield
  }
}

export const portableLine: LineKernels = {
  wasserstein1d: portableKernel(wasserstein1d),
  slicedWasserstein: portableKernel(slicedWasserstein),
}
