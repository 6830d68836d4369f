import type { GromovScanJob } from '../backend/transport-gromov.js'
import { scanField, scanReportLength } from '../backend/transport-gromov.js'
import { checkBuffer, type MatrixLike, shapeText, toDenseMatrix, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe } from '../core/options.js'
import { balance, readWeights } from './problem.js'

/** Two sets of weighted points that are known by the distances within each. */
export interface GromovWassersteinProblem {
  /** n × n, symmetric: distances, similarities or any other relation within the source. A Float64Array is used in place. */
  source: MatrixLike
  /** m × m, symmetric. */
  target: MatrixLike
  /** Weights of the source points, >= 0. Default: 1/n each. */
  a?: VectorLike
  /** Weights of the target points, >= 0, with the same total as `a` (to 1e-6 relative; they are rescaled to it). Default: 1/m each. */
  b?: VectorLike
  /** n × m costs between the features of source and target points, for the fused distance. */
  features?: MatrixLike
}

/** The nodes with weight, as the kernels take them. */
export interface GromovData {
  n: number
  m: number
  source: Float64Array
  target: Float64Array
  a: Float64Array
  b: Float64Array
  features: Float64Array | null
}

export interface CheckedGromov {
  /** Everything, for looking for what is wrong with it. */
  full: GromovData
  reduced: GromovData
  /** Original number of each reduced row and column; null when nothing was taken out. */
  rows: Int32Array | null
  columns: Int32Array | null
  mass: number
}

const names: ReadonlySet<string> = new Set(['source', 'target', 'a', 'b', 'features'])

/** Below this many bytes a matrix is copied, so that the caller may go on using the memory. */
const copiedBytes = 2 ** 20

export function checkGromovProblem(problem: GromovWassersteinProblem): CheckedGromov {
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { source, target, … }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, names)
  const source = readSquare('source', problem.source)
  const target = readSquare('target', problem.target)
  const n = source.size
  const m = target.size
  const a = readWeights('a', problem.a, n, () => `the ${n} points of source`)
  const b = readWeights('b', problem.b, m, () => `the ${m} points of target`)
  balance(a.total, b)
  const features = problem.features === undefined ? null : readRectangle('features', problem.features, n, m)
  const full = { n, m, source: source.data, target: target.data, a: a.weights, b: b.weights, features }
  if (!a.zeros && !b.zeros) return { full, reduced: full, rows: null, columns: null, mass: a.total }
  const rows = positive(a.weights)
  const columns = positive(b.weights)
  const reduced = {
    n: rows.length,
    m: columns.length,
    source: part(source.data, n, rows, rows),
    target: part(target.data, m, columns, columns),
    a: Float64Array.from(rows, (i) => a.weights[i]),
    b: Float64Array.from(columns, (j) => b.weights[j]),
    features: features === null ? null : part(features, m, rows, columns),
  }
  return { full, reduced, rows, columns, mass: a.total }
}

function readSquare(name: string, given: MatrixLike): { data: Float64Array; size: number } {
  const { data, rows, columns } = toDenseMatrix(name, given)
  if (rows !== columns || rows === 0) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a square matrix, got ${shapeText(rows, columns)}`)
  }
  return { data: own(data), size: rows }
}

/** An n × m matrix of finite numbers; that they are finite is for a scan to find out. */
export function readRectangle(name: string, given: MatrixLike, n: number, m: number): Float64Array {
  const { data, rows, columns } = toDenseMatrix(name, given)
  if (rows === n && columns === m) return own(data)
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${shapeText(n, m)}, got ${shapeText(rows, columns)}`)
}

function own(data: Float64Array | Float32Array): Float64Array {
  if (data instanceof Float32Array) return new Float64Array(data)
  return data.byteLength > copiedBytes || !(data.buffer instanceof ArrayBuffer) ? data : data.slice()
}

/** Large matrices are borrowed: whoever has transferred them away in the meantime gets an error. */
export function checkGromovKept({ source, target, features }: GromovData): void {
  checkBuffer('source', source)
  checkBuffer('target', target)
  if (features !== null) checkBuffer('features', features)
}

function positive(weights: Float64Array): Int32Array {
  const indices: number[] = []
  for (let i = 0; i < weights.length; i++) if (weights[i] > 0) indices.push(i)
  return Int32Array.from(indices)
}

/** Rows and columns of a matrix of `width` columns. */
export function part(data: Float64Array, width: number, rows: Int32Array, columns: Int32Array): Float64Array {
  const out = new Float64Array(rows.length * columns.length)
  for (let i = 0, k = 0; i < rows.length; i++) {
    for (let j = 0; j < columns.length; j++) out[k++] = data[rows[i] * width + columns[j]]
  }
  return out
}

export function scanJob(data: Float64Array, rows: number, columns: number, threads: number): GromovScanJob {
  return {
    rows,
    columns,
    data,
    symmetric: false,
    threads,
    weights: null,
    squares: null,
    rowSums: null,
    columnSums: null,
    report: new Float64Array(scanReportLength),
  }
}

/** Relative to the largest entry: what a matrix that was computed as symmetric may miss. */
const symmetryTolerance = 1e-9

/** Throws what a scan has found to be wrong; returns the largest size of an entry. */
export function checkScan(name: string, { data, columns, symmetric, report }: GromovScanJob): number {
  const place = (k: number) => `${name}[${Math.floor(k / columns)}][${k % columns}]`
  const notFinite = report[scanField.notFinite]
  if (notFinite >= 0) {
    const value = data[notFinite]
    throw new ExtremaError('ERR_NOT_FINITE', `${place(notFinite)}: expected a finite number, got ${value}`)
  }
  const largest = report[scanField.largest]
  if (symmetric && report[scanField.asymmetry] > symmetryTolerance * largest) {
    const k = report[scanField.asymmetric]
    const mirrored = data[(k % columns) * columns + Math.floor(k / columns)]
    throw new ExtremaError(
      'ERR_SHAPE',
      `${place(k)}: expected a symmetric matrix, got ${data[k]} and in its mirror place ${mirrored}`,
    )
  }
  return largest
}
