import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { type CompletionJson, type CompletionModel, completionModel } from '../../lowrank/index.js'
import { InputError } from '../errors.js'
import { loadPeers } from '../io/peer.js'

export const modelFormats = ['json', 'arrow', 'csv'] as const
export type ModelFormat = (typeof modelFormats)[number]

const metadataName = 'extrema'

export const loadArrow = (): Promise<typeof import('apache-arrow')> =>
  loadPeers('a model in .arrow', 'apache-arrow', () => import('apache-arrow'))

/** The factors as a table: a line for every row and column of the matrix, with its id, bias and factor. */
interface FactorTable {
  side: string[]
  id: string[]
  bias: Float64Array
  factors: Float64Array[]
}

function tableOf(model: CompletionModel): FactorTable {
  const [m, n] = model.shape
  const rank = model.u.shape[1]!
  const ids = (labels: string[] | undefined, count: number) =>
    labels ?? Array.from({ length: count }, (_, i) => String(i))
  const biases = model.biases
  const bias = new Float64Array(m + n)
  if (biases !== undefined) {
    bias.set(biases.rows)
    bias.set(biases.columns, m)
  }
  return {
    side: [...new Array<string>(m).fill('row'), ...new Array<string>(n).fill('column')],
    id: [...ids(model.labels?.rows, m), ...ids(model.labels?.columns, n)],
    bias,
    factors: Array.from({ length: rank }, (_, k) =>
      Float64Array.from({ length: m + n }, (_, i) =>
        i < m ? model.u.data[i * rank + k]! : model.v.data[(i - m) * rank + k]!,
      ),
    ),
  }
}

const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

export function* csvOf(model: CompletionModel): Generator<string> {
  const { side, id, bias, factors } = tableOf(model)
  yield `side,id,bias,${factors.map((_, k) => `f${k + 1}`).join(',')}\n`
  for (let i = 0; i < id.length; i++) {
    yield `${side[i]},${quoted(id[i]!)},${bias[i]},${factors.map((factor) => factor[i]).join(',')}\n`
  }
}

/** What is not in the table of factors goes into the schema's metadata. */
async function arrowOf(model: CompletionModel): Promise<Uint8Array> {
  const { makeVector, Schema, Table, tableToIPC, vectorFromArray, Utf8 } = await loadArrow()
  const { side, id, bias, factors } = tableOf(model)
  const columns = new Table({
    side: vectorFromArray(side, new Utf8()),
    id: vectorFromArray(id, new Utf8()),
    bias: makeVector(bias),
    ...Object.fromEntries(factors.map((factor, k) => [`f${k + 1}`, makeVector(factor)])),
  })
  const { u: _u, v: _v, labels, biases, ...rest } = model.toJSON()
  const more = { ...rest, mean: biases?.mean, isLabelled: labels !== undefined }
  const schema = new Schema(columns.schema.fields, new Map([[metadataName, JSON.stringify(more)]]))
  return tableToIPC(new Table(schema, columns.batches), 'file')
}

export async function modelContent(
  model: CompletionModel,
  format: ModelFormat,
): Promise<string | Uint8Array | Iterable<string>> {
  if (format === 'json') return `${JSON.stringify(model)}\n`
  return format === 'arrow' ? arrowOf(model) : csvOf(model)
}

/** Loads a model from JSON or Arrow. */
export async function readModel(path: string): Promise<CompletionModel> {
  const extension = extname(path).toLowerCase()
  if (extension === '.arrow') return completionModel(await arrowJson(path))
  if (extension !== '.json') throw new InputError(`${path}: expected a model ending in .json or .arrow`)
  const text = await readFile(path, 'utf8')
  let json: CompletionJson
  try {
    json = JSON.parse(text)
  } catch {
    throw new InputError(`${path}: expected the JSON of a completed matrix, got something else`)
  }
  return completionModel(json)
}

async function arrowJson(path: string): Promise<CompletionJson> {
  const { tableFromIPC } = await loadArrow()
  const bytes = await readFile(path)
  const table = (() => {
    try {
      return tableFromIPC(bytes)
    } catch {
      throw new InputError(`${path}: expected an Arrow file, got something else`)
    }
  })()
  const metadata = table.schema.metadata.get(metadataName)
  if (metadata === undefined) throw new InputError(`${path}: expected the factors of a completed matrix`)
  const { mean, isLabelled, ...rest } = JSON.parse(metadata)
  const [m, n]: [number, number] = rest.shape
  const column = (name: string) => Array.from(table.getChild(name)?.toArray() ?? []) as number[]
  const factors = Array.from({ length: rest.rank }, (_, k) => column(`f${k + 1}`))
  const part = (from: number, count: number) =>
    Array.from({ length: count * rest.rank }, (_, at) => factors[at % rest.rank]![from + Math.floor(at / rest.rank)]!)
  const json: CompletionJson = { ...rest, u: part(0, m), v: part(m, n) }
  const bias = column('bias')
  if (mean !== undefined) json.biases = { mean, rows: bias.slice(0, m), columns: bias.slice(m) }
  if (isLabelled) {
    const ids = Array.from(table.getChild('id') ?? [], String)
    json.labels = { rows: ids.slice(0, m), columns: ids.slice(m) }
  }
  return json
}

/** The best columns of rows as CSV, a few lines at a time. */
export function* recommendationsCsv(
  model: CompletionModel,
  rows: readonly number[],
  k: number,
  exclude: boolean | readonly ArrayLike<number>[],
): Generator<string> {
  const together = 1024
  const name = (labels: string[] | undefined, index: number) => quoted(labels?.[index] ?? String(index))
  yield 'row,column,score\n'
  for (let from = 0; from < rows.length; from += together) {
    const some = rows.slice(from, from + together)
    const lists = typeof exclude === 'boolean' ? exclude : exclude.slice(from, from + together)
    const { columns, scores } = model.topK(some, k, { exclude: lists })
    let text = ''
    for (let at = 0; at < columns.length; at++) {
      if (columns[at]! < 0) continue
      const row = name(model.labels?.rows, some[Math.floor(at / k)]!)
      text += `${row},${name(model.labels?.columns, columns[at]!)},${scores[at]}\n`
    }
    yield text
  }
}
