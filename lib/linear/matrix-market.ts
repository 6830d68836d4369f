import { type Csr, type MatrixLike, toDenseMatrix } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, oneOf } from '../core/options.js'
import { type Csc, checkCompressed, flip, fromTriplets } from './csr.js'

const fields = ['real', 'double', 'integer', 'pattern'] as const
const symmetries = ['general', 'symmetric', 'skew-symmetric'] as const

/**
 * The CSR matrix of a text in Matrix Market's format (`coordinate` or `array`; `real`, `integer` or `pattern`; `general`,
 * `symmetric` or `skew-symmetric`, of which both triangles come out). Entries at the same place are added.
 *
 * @throws {ExtremaError} `ERR_SHAPE` naming the line, `ERR_NOT_FINITE`.
 */
export function parseMatrixMarket(text: string): Csr {
  if (typeof text !== 'string') {
    throw new ExtremaError('ERR_SHAPE', `text: expected a string, got ${describe(text)}`)
  }
  const reader = new Lines(text)
  const [banner, object, format, field, symmetry] = (reader.next() ?? '').trim().toLowerCase().split(/\s+/)
  const isKnown =
    banner === '%%matrixmarket' &&
    object === 'matrix' &&
    (format === 'coordinate' || format === 'array') &&
    fields.includes(field as 'real') &&
    symmetries.includes(symmetry as 'general') &&
    !(format === 'array' && field === 'pattern')
  if (!isKnown) {
    reader.refuse("'%%MatrixMarket matrix coordinate|array real|integer|pattern general|symmetric|skew-symmetric'")
  }
  const sizes = reader.numbers()
  const [rows, columns] = sizes ?? []
  if (
    sizes === null ||
    sizes.length !== (format === 'array' ? 2 : 3) ||
    !sizes.every(isCount) ||
    rows * columns === 0
  ) {
    return reader.refuse(
      format === 'array' ? 'the numbers of rows and columns' : 'the numbers of rows, columns and entries',
    )
  }
  const isGeneral = symmetry === 'general'
  if (!isGeneral && rows !== columns) reader.refuse('a square matrix')
  const list: Entries = { rows: [], columns: [], values: [] }
  const sign = symmetry === 'skew-symmetric' ? -1 : 1
  const put = (i: number, j: number, value: number) => {
    add(list, i, j, value)
    if (!isGeneral && i !== j) add(list, j, i, sign * value)
  }
  if (format === 'array') {
    // By columns; of a symmetric matrix the lower triangle, without the diagonal if skew.
    for (let j = 0; j < columns; j++) {
      for (let i = isGeneral ? 0 : sign < 0 ? j + 1 : j; i < rows; i++) {
        const entry = reader.numbers()
        if (entry === null || entry.length !== 1) return reader.refuse('a number')
        if (entry[0] !== 0) put(i, j, entry[0])
      }
    }
  } else {
    for (let k = 0; k < sizes[2]; k++) {
      const entry = reader.numbers()
      if (entry === null || entry.length !== (field === 'pattern' ? 2 : 3)) return reader.refuse('an entry')
      const [i, j, value = 1] = entry
      if (!isCount(i) || !isCount(j) || i < 1 || j < 1 || i > rows || j > columns) {
        return reader.refuse(`a place within ${rows}×${columns}`)
      }
      if (!isGeneral && j > i) reader.refuse('an entry of the lower triangle')
      put(i - 1, j - 1, value)
    }
  }
  if (reader.numbers() !== null) reader.refuse('the end')
  return fromTriplets({ shape: [rows, columns], ...list })
}

interface Entries {
  rows: number[]
  columns: number[]
  values: number[]
}

function add(list: Entries, i: number, j: number, value: number): void {
  list.rows.push(i)
  list.columns.push(j)
  list.values.push(value)
}

const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0

/** The lines of a text, one at a time. */
class Lines {
  private at = 0
  private line = 0
  private text = ''

  constructor(private readonly all: string) {}

  next(): string | null {
    if (this.at >= this.all.length) {
      this.text = 'the end'
      return null
    }
    let end = this.all.indexOf('\n', this.at)
    if (end < 0) end = this.all.length
    this.text = this.all.slice(this.at, end)
    this.at = end + 1
    this.line++
    return this.text
  }

  /** The numbers of the next line that is neither empty nor a comment; null at the end. */
  numbers(): number[] | null {
    for (;;) {
      const text = this.next()?.trim()
      if (text === undefined) return null
      if (text === '' || text.startsWith('%')) continue
      const numbers = text.split(/\s+/).map(Number)
      if (numbers.some(Number.isNaN)) this.refuse('numbers')
      return numbers
    }
  }

  refuse(expected: string): never {
    const came = this.text.length > 40 ? `${this.text.slice(0, 40)}…` : this.text.trim()
    throw new ExtremaError(
      'ERR_SHAPE',
      `line ${this.line}: expected ${expected}, got ${came === 'the end' ? came : `'${came}'`}`,
    )
  }
}

export interface MatrixMarketOptions {
  /** `'symmetric'` writes the lower triangle only, of a matrix that must be symmetric. Default `'general'`. */
  symmetry?: 'general' | 'symmetric'
}

const optionNames: ReadonlySet<string> = new Set(['symmetry'])

/** The text of a matrix in Matrix Market's coordinate format, with all digits; `parseMatrixMarket` reads it back exactly. */
export function formatMatrixMarket(matrix: Csr | Csc | MatrixLike, options: MatrixMarketOptions = {}): string {
  checkNames('options', options, optionNames)
  const symmetry = oneOf('symmetry', options.symmetry, ['general', 'symmetric'] as const, 'general')
  if (typeof matrix !== 'object' || matrix === null) {
    throw new ExtremaError('ERR_SHAPE', `matrix: expected a matrix, got ${describe(matrix)}`)
  }
  const { rows, columns, indptr, indices, data } = compressed(matrix)
  if (symmetry === 'symmetric') checkTriangles({ rows, columns, indptr, indices, data })
  const lines: string[] = []
  for (let i = 0; i < rows; i++) {
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      if (symmetry === 'symmetric' && indices[k] > i) continue
      lines.push(`${i + 1} ${indices[k] + 1} ${data[k]}\n`)
    }
  }
  const banner = `%%MatrixMarket matrix coordinate real ${symmetry}\n`
  return `${banner}${rows} ${columns} ${lines.length}\n${lines.join('')}`
}

function compressed(matrix: Csr | Csc | MatrixLike) {
  if ('indptr' in matrix) {
    const lines = checkCompressed('matrix', matrix)
    return (matrix as Csc).format === 'csc' ? flip(lines) : lines
  }
  const { data, rows, columns } = toDenseMatrix('matrix', matrix)
  const places = Array.from({ length: data.length }, (_, k) => k).filter((k) => data[k] !== 0)
  const csr = fromTriplets({
    shape: [rows, columns],
    rows: places.map((k) => Math.floor(k / columns)),
    columns: places.map((k) => k % columns),
    values: places.map((k) => data[k]),
  })
  return { rows, columns, indptr: csr.indptr, indices: csr.indices, data: csr.data }
}

/** The lower triangle alone must tell all. */
function checkTriangles(matrix: ReturnType<typeof compressed>): void {
  const other = matrix.rows === matrix.columns ? flip(matrix) : null
  const isSame =
    other?.indptr.every((at, i) => at === matrix.indptr[i]) &&
    other.indices.every((j, k) => j === matrix.indices[k] && other.data[k] === matrix.data[k])
  if (isSame) return
  throw new ExtremaError('ERR_SHAPE', 'matrix: expected a symmetric one to write its lower triangle only, got another')
}
