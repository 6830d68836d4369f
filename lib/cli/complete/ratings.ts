import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { addAbortSignal } from 'node:stream'
import { parse } from 'csv-parse'
import { codeOf, InputError } from '../errors.js'

/** Which columns of the file hold what, by name or by number from 1. */
export interface RatingColumns {
  row?: string
  column?: string
  value?: string
  weight?: string
}

/** Row, column, value and perhaps weight, as text. */
export type TextRating = [row: string, column: string, value: string, weight?: string]

const chunkLength = 4096

/**
 * Reads ratings from a CSV file, or from standard input for `-`, a few thousand at a time. The first line is a header if
 * its value is not a number. By default the first three columns are the row, the column and the value.
 */
export async function* readRatings(
  path: string,
  columns: RatingColumns,
  signal: AbortSignal,
): AsyncGenerator<TextRating[]> {
  const name = path === '-' ? 'standard input' : path
  if (path !== '-' && (await stat(path)).isDirectory()) {
    throw new InputError(`${name}: expected a CSV file, got a folder`)
  }
  const parser = parse({ bom: true, trim: true, skip_empty_lines: true, relax_column_count: true, info: true })
  addAbortSignal(signal, parser)
  const source = path === '-' ? process.stdin : createReadStream(path)
  source.on('error', (error: Error) => parser.destroy(error))
  source.pipe(parser)
  let places: number[] | undefined
  let width = 0
  let chunk: TextRating[] = []
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      const at = `${name}:${info.lines}`
      if (places === undefined) {
        width = record.length
        const isHeader = !isNumber(record[Math.min(2, width - 1)])
        places = placesOf(name, record, isHeader, columns)
        if (isHeader) continue
      }
      if (record.length !== width) throw new InputError(`${at}: expected ${width} columns, got ${record.length}`)
      const rating = places.map((place) => record[place]) as TextRating
      for (const number of rating.slice(2)) {
        if (!isNumber(number)) throw new InputError(`${at}: expected a finite number, got '${number}'`)
      }
      chunk.push(rating)
      if (chunk.length < chunkLength) continue
      yield chunk
      chunk = []
    }
  } catch (error) {
    if (codeOf(error).startsWith('CSV_')) throw new InputError(`${name}: ${(error as Error).message}`)
    throw error
  } finally {
    source.destroy() // an open standard input would keep the process alive after a bad line
  }
  if (chunk.length > 0) yield chunk
}

function isNumber(text: string | undefined): boolean {
  return text !== undefined && text !== '' && Number.isFinite(Number(text))
}

function placesOf(name: string, record: string[], isHeader: boolean, columns: RatingColumns): number[] {
  const place = (wanted: string | undefined, fallback: number) => {
    if (wanted === undefined) {
      if (fallback < record.length) return fallback
      throw new InputError(`${name}: expected columns of rows, columns and values, got ${record.length}`)
    }
    const byName = isHeader ? record.indexOf(wanted) : -1
    if (byName >= 0) return byName
    const byNumber = Number(wanted)
    if (Number.isInteger(byNumber) && byNumber >= 1 && byNumber <= record.length) return byNumber - 1
    const known = isHeader ? record.join(', ') : `1 to ${record.length}, as it has no header`
    throw new InputError(`${name}: no column '${wanted}'; its columns are ${known}`)
  }
  const places = [place(columns.row, 0), place(columns.column, 1), place(columns.value, 2)]
  if (columns.weight !== undefined) places.push(place(columns.weight, 0))
  return places
}
