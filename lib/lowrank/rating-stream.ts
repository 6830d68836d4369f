import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe } from '../core/options.js'
import type { CompletionProblem, Triplets } from './completion-problem.js'

/** Names of the columns of a chunk. Defaults: `row`, `column`, `value`, and no weights. */
export interface RatingFields {
  row?: string
  column?: string
  value?: string
  weight?: string
}

/** A record batch of Apache Arrow, or anything that hands out its columns by name. */
export interface ColumnBatch {
  numRows: number
  getChild(name: string): { length: number; get(index: number): unknown } | null
}

/** An object with the named fields, as CSV parsers give it, or [row, column, value, weight?]. */
export type RatingRecord = Readonly<Record<string, unknown>> | readonly unknown[]

/** Triplets, a record batch, records, or a single record. */
export type RatingChunk =
  | { rows: ArrayLike<number | string>; columns: ArrayLike<number | string>; values: VectorLike; weights?: VectorLike }
  | ColumnBatch
  | readonly RatingRecord[]
  | RatingRecord

/**
 * Ratings in chunks. Rows and columns are indices if they are numbers; if they are text they are names, numbered in the
 * order in which they come, and the solution has them in `labels`. Numbers may be written as text in values and weights.
 */
export type RatingStream =
  | AsyncIterable<RatingChunk>
  | {
      chunks: AsyncIterable<RatingChunk> | Iterable<RatingChunk>
      fields?: RatingFields
      /** Default: as large as the greatest indices ask for. */
      shape?: readonly [rows: number, columns: number]
    }

export function isStream(problem: unknown): problem is RatingStream {
  return typeof problem === 'object' && problem !== null && (Symbol.asyncIterator in problem || 'chunks' in problem)
}

const streamNames: ReadonlySet<string> = new Set(['chunks', 'fields', 'shape'])
const fieldNames: ReadonlySet<string> = new Set(['row', 'column', 'value', 'weight'])

/** Numbers that come one by one. */
class Growing<T extends Float64Array | Int32Array> {
  length = 0
  constructor(private data: T) {}

  push(value: number): void {
    if (this.length === this.data.length) {
      const larger = new (this.data.constructor as new (length: number) => T)(2 * this.data.length)
      larger.set(this.data)
      this.data = larger
    }
    this.data[this.length++] = value
  }

  done(): T {
    return this.data.slice(0, this.length) as T
  }
}

/** Indices as they come, or names that become indices. */
class Axis {
  readonly indices = new Growing(new Int32Array(1024))
  labels: Map<string, number> | undefined
  most = -1

  constructor(private readonly name: string) {}

  push(id: unknown, at: string): void {
    const isName = typeof id === 'string'
    if (this.indices.length === 0 && isName) this.labels = new Map()
    const { labels } = this
    if (isName !== (labels !== undefined) || (!isName && typeof id !== 'number' && typeof id !== 'bigint')) {
      const expected = labels === undefined ? 'an index' : 'a name, as the first was one'
      throw new ExtremaError('ERR_SHAPE', `${at}: expected ${expected} for the ${this.name}, got ${describe(id)}`)
    }
    let index = Number(id)
    if (isName && labels !== undefined) {
      index = labels.get(id) ?? labels.size
      if (index === labels.size) labels.set(id, index)
    } else if (!Number.isInteger(index) || index < 0 || index >= 2 ** 31) {
      throw new ExtremaError('ERR_SHAPE', `${at}: expected a whole number >= 0 for the ${this.name}, got ${index}`)
    }
    this.most = Math.max(this.most, index)
    this.indices.push(index)
  }
}

class Collector {
  readonly rows = new Axis('row')
  readonly columns = new Axis('column')
  private readonly values = new Growing(new Float64Array(1024))
  private readonly weights = new Growing(new Float64Array(1024))
  private readonly names: { row: string; column: string; value: string; weight: string | undefined }
  private count = 0

  constructor(fields: RatingFields) {
    const { row = 'row', column = 'column', value = 'value', weight } = fields
    this.names = { row, column, value, weight }
  }

  private number(value: unknown, at: string, what: string): number {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    if (typeof number === 'bigint') return Number(number)
    if (typeof number === 'number' && Number.isFinite(number)) return number
    const code = typeof number === 'number' && typeof value === 'number' ? 'ERR_NOT_FINITE' : 'ERR_SHAPE'
    throw new ExtremaError(code, `${at}: expected a finite number for the ${what}, got ${describe(value)}`)
  }

  private rating(row: unknown, column: unknown, value: unknown, weight: unknown): void {
    const at = `chunks[${this.count}]`
    this.rows.push(row, at)
    this.columns.push(column, at)
    this.values.push(this.number(value, at, 'value'))
    if (weight !== undefined) this.weights.push(this.number(weight, at, 'weight'))
    this.count++
    if (this.weights.length !== 0 && this.weights.length !== this.count) {
      throw new ExtremaError('ERR_SHAPE', `${at}: expected a weight for all ratings or none, got some`)
    }
  }

  add(chunk: RatingChunk): void {
    if (typeof chunk !== 'object' || chunk === null) {
      throw new ExtremaError('ERR_SHAPE', `chunks[${this.count}]: expected ratings, got ${describe(chunk)}`)
    }
    if (Array.isArray(chunk)) {
      if (chunk.length > 0 && (typeof chunk[0] !== 'object' || chunk[0] === null)) this.record(chunk)
      else for (const record of chunk) this.record(record)
    } else if ('getChild' in chunk && typeof chunk.getChild === 'function') {
      this.batch(chunk as ColumnBatch)
    } else if ('rows' in chunk && 'columns' in chunk && 'values' in chunk) {
      this.triplets(chunk as unknown as Triplets)
    } else {
      this.record(chunk as RatingRecord)
    }
  }

  private record(record: RatingRecord): void {
    if (Array.isArray(record)) {
      this.rating(record[0], record[1], record[2], record[3])
      return
    }
    if (typeof record !== 'object' || record === null) {
      throw new ExtremaError('ERR_SHAPE', `chunks[${this.count}]: expected a rating, got ${describe(record)}`)
    }
    const { row, column, value, weight } = this.names
    const fields = record as Readonly<Record<string, unknown>>
    for (const name of [row, column, value, ...(weight === undefined ? [] : [weight])]) {
      if (fields[name] !== undefined) continue
      throw new ExtremaError(
        'ERR_SHAPE',
        `chunks[${this.count}]: expected a field '${name}', got ${Object.keys(fields).join(', ') || 'none'}`,
      )
    }
    this.rating(fields[row], fields[column], fields[value], weight === undefined ? undefined : fields[weight])
  }

  private batch(batch: ColumnBatch): void {
    const { row, column, value, weight } = this.names
    const [rows, columns, values, weights] = [row, column, value, weight].map((name) => {
      const vector = name === undefined ? undefined : batch.getChild(name)
      if (vector !== null) return vector
      throw new ExtremaError('ERR_SHAPE', `chunks[${this.count}]: expected a column '${name}', got a batch without it`)
    })
    for (let k = 0; k < batch.numRows; k++) this.rating(rows?.get(k), columns?.get(k), values?.get(k), weights?.get(k))
  }

  private triplets({ rows, columns, values, weights }: Triplets): void {
    const length = values.length
    for (const [name, array] of Object.entries({ rows, columns, weights: weights ?? values })) {
      if (array.length === length) continue
      throw new ExtremaError(
        'ERR_SHAPE',
        `chunks[${this.count}].${name}: expected ${length} entries to match values, got ${array.length}`,
      )
    }
    for (let k = 0; k < length; k++) this.rating(rows[k], columns[k], values[k], weights?.[k])
  }

  problem(shape: readonly [number, number] | undefined): ReadProblem {
    const problem: CompletionProblem = {
      shape: shape ?? [this.rows.most + 1, this.columns.most + 1],
      rows: this.rows.indices.done(),
      columns: this.columns.indices.done(),
      values: this.values.done(),
    }
    if (this.count === 0) throw new ExtremaError('ERR_SHAPE', 'chunks: expected at least one rating, got none')
    if (this.weights.length > 0) problem.weights = this.weights.done()
    const [rows, columns] = [this.rows.labels, this.columns.labels]
    if (rows === undefined && columns === undefined) return { problem }
    const names = (labels: Map<string, number> | undefined, axis: number) =>
      labels === undefined ? Array.from({ length: problem.shape[axis] }, (_, i) => String(i)) : [...labels.keys()]
    return { problem, labels: { rows: names(rows, 0), columns: names(columns, 1) } }
  }
}

export interface ReadProblem {
  problem: CompletionProblem
  labels?: { rows: string[]; columns: string[] }
}

/** Gathers a stream of ratings. */
export async function readRatings(stream: RatingStream, signal: AbortSignal | undefined): Promise<ReadProblem> {
  const given = Symbol.asyncIterator in stream ? { chunks: stream } : stream
  if (given !== stream || !(Symbol.asyncIterator in stream)) checkNames('problem', given, streamNames)
  const { chunks, fields = {}, shape } = given as Exclude<RatingStream, AsyncIterable<RatingChunk>>
  if (typeof fields !== 'object' || fields === null) {
    throw new ExtremaError('ERR_OPTION', `fields: expected { row, column, value, weight }, got ${describe(fields)}`)
  }
  checkNames('fields', fields, fieldNames)
  if (typeof chunks !== 'object' || chunks === null || !(Symbol.asyncIterator in chunks || Symbol.iterator in chunks)) {
    throw new ExtremaError('ERR_SHAPE', `chunks: expected an iterable of ratings, got ${describe(chunks)}`)
  }
  const collector = new Collector(fields)
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    collector.add(chunk)
  }
  return collector.problem(shape)
}
