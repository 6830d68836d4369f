import type { MatrixData, SketchData, SketchKindName } from '../backend/linear-dense.js'
import { ExtremaError } from '../core/errors.js'
import { describe, oneOf, whole } from '../core/options.js'
import { type Generator, generator } from '../random/index.js'

/** What a random sketch is made of; see `sketch`. */
export type SketchKind = 'gaussian' | 'srht' | 'count-sketch' | 'sparse-sign' | 'rows' | 'row-norms'

const kinds: readonly SketchKind[] = ['gaussian', 'srht', 'count-sketch', 'sparse-sign', 'rows', 'row-norms']

/** Names of the options that `sketchData` reads. */
export const sketchNames = ['kind', 'nonzeros', 'seed'] as const

export interface SketchShape {
  /** Default 'sparse-sign'. */
  kind?: SketchKind
  /** Of each column of a sparse sign sketch. Default 8. */
  nonzeros?: number
  /** The sketch depends on it, on the shape and on nothing else. Default 0. */
  seed?: number | bigint
}

/** A sketch of so many rows for the rows of `a`, from child stream `index` of the seed. */
export function sketchData(options: SketchShape, rows: number, a: MatrixData, index = 0): SketchData {
  const kind = oneOf('kind', options.kind, kinds, 'sparse-sign')
  const nonzeros = whole('nonzeros', options.nonzeros, 8, 1, 256)
  if (options.nonzeros !== undefined && kind !== 'sparse-sign') {
    throw new ExtremaError('ERR_OPTION', `nonzeros: expected with kind 'sparse-sign' only, got ${describe(kind)}`)
  }
  const random = generator(options.seed ?? 0).split(index)
  const inputRows = a.rows
  const data: SketchData = {
    kind: kind === 'count-sketch' ? 'sparse-sign' : (kind as SketchKindName),
    rows,
    inputRows,
    nonzeros: kind === 'count-sketch' ? 1 : Math.min(nonzeros, rows),
    key: Uint32Array.from(random.state().key),
    selection: null,
    scales: null,
  }
  if (kind === 'srht') data.selection = hadamardRows(random.split(0), inputRows, rows)
  if (kind === 'rows') {
    const draws = random.split(0)
    data.selection = Int32Array.from({ length: rows }, () => draws.integer(0, inputRows))
    data.scales = new Float64Array(rows).fill(Math.sqrt(inputRows / rows))
  }
  if (kind === 'row-norms') {
    data.selection = new Int32Array(rows)
    data.scales = new Float64Array(rows)
  }
  return data
}

/** Rows of the Hadamard matrix of the next power of two: different ones, unless more are wanted than there are. */
function hadamardRows(random: Generator, inputRows: number, rows: number): Int32Array {
  let length = 1
  while (length < inputRows) length *= 2
  if (rows > length) {
    throw new ExtremaError('ERR_OPTION', `rows: expected at most ${length} for an 'srht' sketch, got ${rows}`)
  }
  return random.sample(length, rows)
}
