import type { MatrixData, SketchData, SketchJob, SketchTransposeJob } from '../../linear-dense.js'
import { normalFromWord } from '../random/normal.js'
import { philox } from '../random/philox.js'
import type { Watch, Work } from '../work.js'
import { hadamardLevel, powerOfTwo } from './hadamard.js'
import { addScaled, scanMatrix, unitOf } from './matrix.js'
import { addRow, eachEntry } from './view.js'

// Random sketches, on the stream that native/linear/sketch.cc uses.

type Clock = Pick<Watch, 'due'>

/** The 64-bit words of a stream by their index, as two 32-bit halves. */
export class Words {
  high = 0
  low = 0
  private readonly block = new Int32Array(4)
  private at = -1

  constructor(private readonly key: Uint32Array) {}

  take(index: number): void {
    const counter = Math.floor(index / 2)
    if (counter !== this.at) {
      this.at = counter
      philox(this.key[0] | 0, this.key[1] | 0, (counter % 2 ** 32) | 0, Math.floor(counter / 2 ** 32), 0, 0, this.block)
    }
    const half = (index % 2) * 2
    this.high = this.block[half + 1]
    this.low = this.block[half]
  }

  /** A whole number below `count`, from the word taken last. */
  below(count: number): number {
    return Math.floor(((this.high >>> 0) * count) / 2 ** 32)
  }

  sign(): number {
    return (this.low & 1) === 1 ? -1 : 1
  }

  uniform(): number {
    return ((this.high >>> 0) * 2 ** 21 + (this.low >>> 11)) * 2 ** -53
  }
}

export function* sketch(job: SketchJob, monitor: Watch): Work<void> {
  const { matrix, out } = job
  if (matrix.dense !== null) yield* scanMatrix('matrix', matrix.dense, matrix.rows, matrix.columns, monitor)
  if (job.draw) yield* drawRows(job.sketch, matrix, monitor)
  yield* applySketch(job.sketch, matrix, out, monitor)
}

/** out = S A */
export function* applySketch(sketch: SketchData, a: MatrixData, out: Float64Array, clock: Clock): Work<void> {
  const n = a.columns
  out.fill(0)
  if (sketch.kind === 'srht') {
    yield* applySrht(sketch, a, out, clock)
    return
  }
  if (sketch.kind === 'rows' || sketch.kind === 'row-norms') {
    const [selection, scales] = [sketch.selection as Int32Array, sketch.scales as Float64Array]
    for (let i = 0; i < sketch.rows; i++) addRow(a, selection[i], scales[i], out, i * n)
    return
  }
  const column = columnsOf(sketch)
  for (let j = 0; j < a.rows; j++) {
    column(j, (i, value) => addRow(a, j, value, out, i * n))
    if (clock.due()) yield
  }
}

export function* sketchTranspose(job: SketchTransposeJob, monitor: Watch): Work<void> {
  const { sketch, y, columns: n, out } = job
  out.fill(0)
  if (sketch.kind === 'srht') {
    yield* applySrhtTransposed(sketch, y, n, out, monitor)
    return
  }
  if (sketch.kind === 'rows' || sketch.kind === 'row-norms') {
    const [selection, scales] = [sketch.selection as Int32Array, sketch.scales as Float64Array]
    for (let i = 0; i < sketch.rows; i++) addScaled(scales[i], y, i * n, out, selection[i] * n, n)
    return
  }
  const column = columnsOf(sketch)
  for (let j = 0; j < sketch.inputRows; j++) {
    column(j, (i, value) => addScaled(value, y, i * n, out, j * n, n))
    if (monitor.due()) yield
  }
}

/** Calls entry(row, value) for the nonzeros of column j of a Gaussian or sparse sign sketch. */
function columnsOf(sketch: SketchData): (j: number, entry: (row: number, value: number) => void) => void {
  const { rows, nonzeros: count } = sketch
  const words = new Words(sketch.key)
  if (sketch.kind === 'gaussian') {
    const pitch = rows + (rows % 2)
    const scale = 1 / Math.sqrt(rows)
    return (j, entry) => {
      for (let i = 0; i < rows; i++) {
        words.take(j * pitch + i)
        entry(i, scale * normalFromWord(words.high, words.low))
      }
    }
  }
  const scale = 1 / Math.sqrt(count)
  const taken = new Int32Array(count)
  return (j, entry) => {
    for (let t = 0; t < count; t++) {
      words.take(j * count + t)
      const left = rows - count + t + 1
      let row = words.below(left)
      for (let other = 0; other < t; other++) {
        if (taken[other] === row) {
          row = left - 1
          break
        }
      }
      taken[t] = row
      entry(row, words.sign() * scale)
    }
  }
}

/** x <- H x */
function* transform(x: Float64Array, clock: Clock): Work<void> {
  for (let half = 1; half < x.length; half *= 2) {
    hadamardLevel(x, half)
    if (clock.due()) yield
  }
}

function signsOf({ key, inputRows }: SketchData): Float64Array {
  const words = new Words(key)
  return Float64Array.from({ length: inputRows }, (_, j) => {
    words.take(j)
    return words.sign()
  })
}

function* applySrht(sketch: SketchData, a: MatrixData, out: Float64Array, clock: Clock): Work<void> {
  const n = a.columns
  const scale = 1 / Math.sqrt(sketch.rows)
  const signs = signsOf(sketch)
  const selection = sketch.selection as Int32Array
  const columns = transposedEntries(a)
  const x = new Float64Array(powerOfTwo(a.rows))
  for (let j = 0; j < n; j++) {
    x.fill(0)
    columns(j, (i, value) => {
      x[i] = signs[i] * value
    })
    yield* transform(x, clock)
    for (let i = 0; i < sketch.rows; i++) out[i * n + j] = scale * x[selection[i]]
  }
}

function* applySrhtTransposed(
  sketch: SketchData,
  y: Float64Array,
  n: number,
  out: Float64Array,
  clock: Clock,
): Work<void> {
  const scale = 1 / Math.sqrt(sketch.rows)
  const signs = signsOf(sketch)
  const selection = sketch.selection as Int32Array
  const x = new Float64Array(powerOfTwo(sketch.inputRows))
  for (let j = 0; j < n; j++) {
    x.fill(0)
    for (let i = 0; i < sketch.rows; i++) x[selection[i]] += scale * y[i * n + j]
    yield* transform(x, clock)
    for (let i = 0; i < sketch.inputRows; i++) out[i * n + j] = signs[i] * x[i]
  }
}

/** The entries of a matrix column by column. */
function transposedEntries(a: MatrixData): (j: number, entry: (row: number, value: number) => void) => void {
  const { rows, columns, dense } = a
  if (dense !== null) {
    return (j, entry) => {
      for (let i = 0; i < rows; i++) entry(i, dense[i * columns + j])
    }
  }
  const lists: [number, number][][] = Array.from({ length: columns }, () => [])
  for (let i = 0; i < rows; i++) eachEntry(a, i, (j, value) => lists[j].push([i, value]))
  return (j, entry) => {
    for (const [i, value] of lists[j]) entry(i, value)
  }
}

/** Draws the rows of a 'row-norms' sketch. */
export function* drawRows(sketch: SketchData, a: MatrixData, clock: Clock): Work<void> {
  const { rows: m } = a
  const [selection, scales] = [sketch.selection as Int32Array, sketch.scales as Float64Array]
  let largest = 0
  for (let i = 0; i < m; i++) {
    eachEntry(a, i, (_, value) => {
      largest = Math.max(largest, Math.abs(value))
    })
    if (clock.due()) yield
  }
  const unit = largest > 0 ? unitOf(largest) : 1
  const sums = new Float64Array(m)
  for (let i = 0; i < m; i++) {
    let sum = 0
    eachEntry(a, i, (_, value) => {
      sum += (value / unit) * (value / unit)
    })
    sums[i] = (largest > 0 ? sum : 1) + (i > 0 ? sums[i - 1] : 0)
    if (clock.due()) yield
  }
  const total = sums[m - 1]
  const words = new Words(sketch.key)
  for (let i = 0; i < sketch.rows; i++) {
    words.take(i)
    const wanted = words.uniform() * total
    let low = 0
    let high = m - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle] > wanted) high = middle
      else low = middle + 1
    }
    selection[i] = low
    const own = sums[low] - (low > 0 ? sums[low - 1] : 0)
    scales[i] = Math.sqrt(total / (own * sketch.rows))
  }
}
