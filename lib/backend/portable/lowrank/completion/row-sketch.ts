import type { CompletionSketch } from '../../../completion.js'
import { hadamardLevel, powerOfTwo } from '../../linear/hadamard.js'
import { portableRandomKernels } from '../../random/kernels.js'
import { philox } from '../../random/philox.js'
import type { Clock, Work } from '../../work.js'

// Random sketches of the rows of a regression, on the stream that native/lowrank/completion/row-sketch.cc uses.

const nonzeros = 8 // of a column of the sparse sign sketch
const selectionWord = 0x40000000
/** Rows between two looks at the clock. */
const rowsAtOnce = 64

/** The matrix A of a regression: rows of `features`, each times the root of its weight. */
export interface RowList {
  /** Rows of `rank` numbers. */
  features: Float64Array
  rank: number
  /** Those from `from` on are of the regression; weights begin at 0. */
  index: Int32Array
  from: number
  weights: Float64Array
  count: number
}

/** Which random matrix S of `rows` rows. */
export interface RowSketch {
  kind: CompletionSketch
  rows: number
  key: Uint32Array
  line: number
  number: number
}

/** out (rows × (rank + 1)) += S A */
export function* sketchRows(a: RowList, sketch: RowSketch, out: Float64Array, watch: Clock): Work<void> {
  if (sketch.kind === 'srht') yield* subsampledHadamard(a, sketch, out, watch)
  else if (sketch.kind === 'gaussian') yield* gaussian(a, sketch, out, watch)
  else yield* signs(a, sketch, out, watch)
}

function addRow({ features, rank, index, from }: RowList, e: number, factor: number, out: Float64Array, at: number) {
  const row = index[from + e] * rank
  for (let c = 0; c < rank; c++) out[at * (rank + 1) + c] += factor * features[row + c]
}

function* gaussian(a: RowList, { rows, key, line, number }: RowSketch, out: Float64Array, watch: Clock): Work<void> {
  const normals = new Float64Array(rows)
  for (let e = 0; e < a.count; e++) {
    const counter = Uint32Array.of(0, line, number, (0x80000000 | e) >>> 0)
    portableRandomKernels.fillNormal(key, counter, normals)
    const root = Math.sqrt(a.weights[e] / rows)
    for (let i = 0; i < rows; i++) addRow(a, e, root * normals[i], out, i)
    if (e % rowsAtOnce === 0 && watch.due()) yield
  }
}

/** One nonzero in each of 8 equal ranges of rows, or in one range of all. */
function* signs(a: RowList, { kind, rows, key, line, number }: RowSketch, out: Float64Array, watch: Clock): Work<void> {
  const parts = kind === 'count-sketch' ? 1 : Math.min(nonzeros, rows)
  const words = new Int32Array(4)
  for (let e = 0; e < a.count; e++) {
    philox(key[0], key[1], e, line, number, 0, words)
    const root = Math.sqrt(a.weights[e] / parts)
    for (let part = 0; part < parts; part++) {
      const half = (words[part >> 1] >>> ((part % 2) * 16)) & 0xffff
      const from = Math.floor((rows * part) / parts)
      const to = Math.floor((rows * (part + 1)) / parts)
      const at = from + Math.floor(((half >> 1) * (to - from)) / 32768)
      addRow(a, e, (half & 1) === 0 ? root : -root, out, at)
    }
    if (e % rowsAtOnce === 0 && watch.due()) yield
  }
}

/** Different rows of H D, D of random signs: Tropp 2011 (arXiv 1011.1595), section 1. */
function* subsampledHadamard(
  a: RowList,
  { rows, key, line, number }: RowSketch,
  out: Float64Array,
  watch: Clock,
): Work<void> {
  const { features, rank, index, from, weights, count } = a
  const length = powerOfTwo(count)
  const words = new Int32Array(4)
  // Each row of H in turn is taken with the probability that as many as are wanted are taken in the end.
  const selection: number[] = []
  for (let i = 0; i < length && selection.length < rows; i++) {
    if (i % 4 === 0) philox(key[0], key[1], i / 4, line, number, selectionWord, words)
    if ((words[i % 4] >>> 0) * (length - i) < (rows - selection.length) * 2 ** 32) selection.push(i)
  }
  const factors = new Float64Array(count)
  for (let e = 0; e < count; e++) {
    if (e % 4 === 0) philox(key[0], key[1], e / 4, line, number, 0, words)
    factors[e] = (words[e % 4] & 1) === 0 ? Math.sqrt(weights[e]) : -Math.sqrt(weights[e])
  }
  const x = new Float64Array(length)
  const scale = 1 / Math.sqrt(rows)
  for (let c = 0; c < rank; c++) {
    for (let e = 0; e < count; e++) x[e] = factors[e] * features[index[from + e] * rank + c]
    x.fill(0, count)
    for (let half = 1; half < length; half *= 2) {
      hadamardLevel(x, half)
      if (watch.due()) yield
    }
    for (let i = 0; i < rows; i++) out[i * (rank + 1) + c] += scale * x[selection[i]]
  }
}
