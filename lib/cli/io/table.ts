import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { addAbortSignal } from 'node:stream'
import { parse } from 'csv-parse'
import { codeOf, InputError } from '../errors.js'
import { isArrow, readArrowTable } from './arrow-table.js'

/** A CSV file, or what other tables are as one, as text, with what is needed to point at a cell. */
export interface Table {
  /** What messages call it: the path, or `standard input`. */
  name: string
  /** Column names, if the first row holds no number. */
  header?: string[]
  rows: string[][]
  /** Line of the file on which each row begins. */
  lines: number[]
}

const finiteNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const infinity = /^\+?inf(inity)?$/i
const brokenNumber = /^[+-]?(nan|inf|infinity)$/i

/**
 * Reads a CSV file, or standard input for `-`. The first row is a header if none of its cells is a number. A name ending in
 * `.arrow` is that of an Arrow file.
 */
export async function readTable(path: string, signal: AbortSignal): Promise<Table> {
  const name = path === '-' ? 'standard input' : path
  if (path !== '-' && (await stat(path)).isDirectory())
    throw new InputError(`${name}: expected a CSV file, got a folder`)
  if (isArrow(path)) return readArrowTable(path, signal)
  const table: Table = { name, rows: [], lines: [] }
  const parser = parse({ bom: true, trim: true, skip_empty_lines: true, relax_column_count: true, info: true })
  addAbortSignal(signal, parser)
  const source = path === '-' ? process.stdin : createReadStream(path)
  source.on('error', (error: Error) => parser.destroy(error))
  source.pipe(parser)
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      addRow(table, record, info.lines)
    }
  } catch (error) {
    if (codeOf(error).startsWith('CSV_')) throw new InputError(`${name}: ${(error as Error).message}`)
    throw error
  } finally {
    source.destroy() // an open standard input would keep the process alive after a bad line
  }
  if (table.rows.length === 0) throw new InputError(`${name}: expected rows of numbers, got none`)
  return table
}

function addRow(table: Table, record: string[], line: number): void {
  const width = table.header?.length ?? table.rows[0]?.length
  if (width === undefined && !record.some((cell) => finiteNumber.test(cell) || brokenNumber.test(cell))) {
    table.header = record
    return
  }
  if (width !== undefined && record.length !== width) {
    throw new InputError(`${table.name}:${line}: expected ${width} columns, got ${record.length}`)
  }
  table.rows.push(record)
  table.lines.push(line)
}

/** `'x'` with a header, `2` without. */
export function columnName(table: Table, column: number): string {
  return table.header === undefined ? String(column + 1) : `'${table.header[column]}'`
}

/** The column with this name, or with this number counted from 1. */
export function findColumn(table: Table, wanted: string): number {
  const byName = table.header?.indexOf(wanted) ?? -1
  if (byName >= 0) return byName
  const width = table.rows[0]!.length
  const byNumber = Number(wanted)
  if (Number.isInteger(byNumber) && byNumber >= 1 && byNumber <= width) return byNumber - 1
  const known = table.header === undefined ? `1 to ${width}, as it has no header` : table.header.join(', ')
  throw new InputError(`${table.name}: no column '${wanted}'; its columns are ${known}`)
}

/**
 * Columns that hold numbers. Columns of text are labels and left out, and so is a column without a name in the header,
 * which is how data frames write their row numbers. A column with both numbers and text counts as numbers, so that
 * reading it fails rather than loses a coordinate.
 */
export function numericColumns(table: Table): number[] {
  const columns = Array.from(table.rows[0]!, (_, column) => column)
  return columns.filter((column) => table.header?.[column] !== '' && isNumeric(table, column))
}

function isNumeric({ rows }: Table, column: number): boolean {
  if (rows.some((row) => finiteNumber.test(row[column]!))) return true
  const written = rows.filter((row) => row[column] !== '')
  return written.length > 0 && written.every((row) => brokenNumber.test(row[column]!))
}

/** One cell as a finite number, or, where it has a meaning, as plus infinity. */
export function numberAt(table: Table, row: number, column: number, allowInfinity = false): number {
  const cell = table.rows[row]![column]!
  if (allowInfinity && infinity.test(cell)) return Number.POSITIVE_INFINITY
  const value = finiteNumber.test(cell) ? Number(cell) : Number.NaN
  if (Number.isFinite(value)) return value
  const place = `${table.name}:${table.lines[row]}, column ${columnName(table, column)}`
  throw new InputError(`${place}: expected a ${allowInfinity ? 'number or inf' : 'finite number'}, got '${cell}'`)
}
