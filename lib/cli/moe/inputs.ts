import type { NdArray } from '../../core/arrays.js'
import type { ExpertTrace } from '../../moe/index.js'
import { InputError } from '../errors.js'
import { entryOf, isJsonLines, numbersOf, readJsonLines } from '../io/json-lines.js'
import { readMatrix, readWeights } from '../io/points.js'
import { numberAt, numericColumns, readTable } from '../io/table.js'

interface Source {
  path: string
  /** Read JSON lines whatever the name. */
  jsonl: boolean
  signal: AbortSignal
}

const wantsJson = ({ path, jsonl }: Source) => jsonl || isJsonLines(path)

/** Router scores: a row of numbers for each token, as CSV, Arrow or JSON lines `[…]` or `{"scores": […]}`. */
export async function readScores(source: Source): Promise<NdArray> {
  if (!wantsJson(source)) {
    const matrix = await readMatrix(source.path, source.signal)
    if (matrix.shape[1] === 0) throw new InputError(`${source.path}: expected columns of scores, got none`)
    return matrix
  }
  const { name, values, lines } = await readJsonLines(source.path, source.signal)
  const rows = values.map((value, i) => numbersOf(entryOf(value, 'scores'), `${name}:${lines[i]}`, 'scores'))
  const width = rows[0].length
  const uneven = rows.findIndex((row) => row.length !== width || width === 0)
  if (uneven >= 0) {
    throw new InputError(`${name}:${lines[uneven]}: expected ${width || 'some'} scores, got ${rows[uneven].length}`)
  }
  return { data: Float64Array.from(rows.flat()), shape: [rows.length, width] }
}

/** The load of each expert: the only numeric column of a CSV or Arrow file, a named one, or JSON lines of a number or `{"load": …}`. */
export async function readLoad(source: Source, column?: string): Promise<Float64Array> {
  if (!wantsJson(source)) {
    const measure = await readWeights(source.path, { signal: source.signal, weights: column })
    return measure.weights as Float64Array
  }
  const { name, values, lines } = await readJsonLines(source.path, source.signal)
  return Float64Array.from(values, (value, i) => {
    const load = entryOf(value, column ?? 'load')
    if (typeof load === 'number' && Number.isFinite(load)) return load
    throw new InputError(`${name}:${lines[i]}: expected a number as load, got ${JSON.stringify(load)}`)
  })
}

/**
 * Which experts each token used. CSV or Arrow: a row for each token and layer, with the columns `layer` (absent: one layer) and the
 * experts; `token` is left out. JSON lines: `[1, 4]` in one layer, `[[1, 4], [0, 2]]` a token's experts of all layers, or
 * `{"layer": 0, "experts": [1, 4]}`. Tokens in the order of the file.
 */
export async function readTrace(source: Source, experts: number | undefined): Promise<ExpertTrace> {
  const rows = wantsJson(source) ? await jsonRows(source) : await csvRows(source)
  const layers: number[][][] = []
  for (const { layer, list, place } of rows) {
    if (!Number.isSafeInteger(layer) || layer < 0) {
      throw new InputError(`${place}: expected the number of a layer, got ${layer}`)
    }
    while (layers.length <= layer) layers.push([])
    layers[layer].push(list)
    if (list.length !== rows[0].list.length || list.length === 0) {
      throw new InputError(`${place}: expected ${rows[0].list.length || 'some'} experts, got ${list.length}`)
    }
  }
  const tokens = layers[0].length
  const uneven = layers.findIndex((own) => own.length !== tokens)
  if (uneven >= 0) {
    throw new InputError(
      `${nameOf(source)}: expected equally many tokens in all layers, got ${tokens} in layer 0 and ${layers[uneven].length} in layer ${uneven}`,
    )
  }
  return { data: layers.flat(2), shape: [layers.length, tokens, rows[0].list.length], experts }
}

interface Row {
  layer: number
  list: number[]
  place: string
}

const nameOf = ({ path }: Source) => (path === '-' ? 'standard input' : path)

async function csvRows({ path, signal }: Source): Promise<Row[]> {
  const table = await readTable(path, signal)
  const layerColumn = table.header?.indexOf('layer') ?? -1
  const tokenColumn = table.header?.indexOf('token') ?? -1
  const columns = numericColumns(table).filter((column) => column !== layerColumn && column !== tokenColumn)
  if (columns.length === 0) throw new InputError(`${table.name}: expected at least one column of experts, got none`)
  return table.rows.map((_, row) => ({
    layer: layerColumn < 0 ? 0 : numberAt(table, row, layerColumn),
    list: columns.map((column) => numberAt(table, row, column)),
    place: `${table.name}:${table.lines[row]}`,
  }))
}

async function jsonRows(source: Source): Promise<Row[]> {
  const { name, values, lines } = await readJsonLines(source.path, source.signal)
  return values.flatMap((value, i) => {
    const place = `${name}:${lines[i]}`
    const list = entryOf(value, 'experts')
    if (Array.isArray(list) && Array.isArray(list[0])) {
      return list.map((own, layer) => ({ layer, list: numbersOf(own, place, 'experts'), place }))
    }
    const layer = value === list ? 0 : (entryOf(value, 'layer') ?? 0)
    return [{ layer: layer as number, list: numbersOf(list, place, 'experts'), place }]
  })
}

/** A placement as `extrema moe place --out` writes it: rows of device and expert. */
export async function readPlacement(path: string, devices: number, signal: AbortSignal): Promise<number[][]> {
  const table = await readTable(path, signal)
  const [device, expert] = ['device', 'expert'].map((name) => table.header?.indexOf(name) ?? -1)
  if (device < 0 || expert < 0) throw new InputError(`${table.name}: expected the columns device and expert`)
  const lists: number[][] = Array.from({ length: devices }, () => [])
  for (let row = 0; row < table.rows.length; row++) {
    const own = lists[numberAt(table, row, device)]
    if (own === undefined) {
      const came = table.rows[row]![device]
      throw new InputError(`${table.name}:${table.lines[row]}: expected a device from 0 to ${devices - 1}, got ${came}`)
    }
    own.push(numberAt(table, row, expert))
  }
  return lists
}
