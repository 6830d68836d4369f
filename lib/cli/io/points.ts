import { InputError } from '../errors.js'
import { columnName, findColumn, numberAt, numericColumns, readTable, type Table } from './table.js'

/** Weighted points, or weights alone (`dimension` 0). */
export interface Measure {
  name: string
  count: number
  dimension: number
  /** count × dimension, row-major. */
  points: Float64Array
  /** Names of the coordinates, if the file has a header. */
  axes?: string[]
  /** Absent: uniform. */
  weights?: Float64Array
  /** Sum of the weights; 1 if uniform. */
  mass: number
}

export interface MeasureOptions {
  signal: AbortSignal
  /** Column of weights, by name or by number from 1. */
  weights?: string
  /** Columns of coordinates; without it all numeric columns but the weights. */
  columns?: string[]
}

/** Reads points from a CSV file: numeric columns are coordinates, columns of text are labels and left out. */
export async function readPoints(path: string, options: MeasureOptions): Promise<Measure> {
  const table = await readTable(path, options.signal)
  const weightColumn = options.weights === undefined ? undefined : findColumn(table, options.weights)
  const columns =
    options.columns?.map((column) => findColumn(table, column)) ??
    numericColumns(table).filter((column) => column !== weightColumn)
  if (columns.length === 0) throw new InputError(`${table.name}: expected at least one column of coordinates, got none`)
  const points = new Float64Array(table.rows.length * columns.length)
  let k = 0
  for (let row = 0; row < table.rows.length; row++) {
    for (const column of columns) points[k++] = numberAt(table, row, column)
  }
  return {
    name: table.name,
    count: table.rows.length,
    dimension: columns.length,
    points,
    ...(table.header && { axes: columns.map((column) => table.header![column]!) }),
    ...weightsOf(table, weightColumn),
  }
}

/** Reads a vector of weights: the named column, or the only numeric one. */
export async function readWeights(path: string, { weights: column, signal }: MeasureOptions): Promise<Measure> {
  const table = await readTable(path, signal)
  const numeric = numericColumns(table)
  if (column === undefined && numeric.length !== 1) {
    const came = numeric.map((c) => columnName(table, c)).join(', ') || 'none'
    throw new InputError(`${table.name}: expected one column of weights, got ${came}; choose one with --weights`)
  }
  const chosen = column === undefined ? numeric[0]! : findColumn(table, column)
  return {
    name: table.name,
    count: table.rows.length,
    dimension: 0,
    points: new Float64Array(0),
    ...weightsOf(table, chosen),
  }
}

function weightsOf(table: Table, column: number | undefined): Pick<Measure, 'weights' | 'mass'> {
  if (column === undefined) return { mass: 1 }
  const weights = new Float64Array(table.rows.length)
  let mass = 0
  for (let row = 0; row < weights.length; row++) {
    const value = numberAt(table, row, column)
    if (value < 0) {
      const place = `${table.name}:${table.lines[row]}, column ${columnName(table, column)}`
      throw new InputError(`${place}: expected a weight >= 0, got ${value}`)
    }
    weights[row] = value
    mass += value
  }
  if (mass > 0 && Number.isFinite(mass)) return { weights, mass }
  throw new InputError(`${table.name}, column ${columnName(table, column)}: expected a finite sum > 0, got ${mass}`)
}

/** Reads a cost matrix: all numeric columns, a row per source; `inf` forbids a pair. */
export async function readMatrix(
  path: string,
  signal: AbortSignal,
): Promise<{ data: Float64Array; shape: [number, number] }> {
  const table = await readTable(path, signal)
  const columns = numericColumns(table)
  const data = new Float64Array(table.rows.length * columns.length)
  let k = 0
  for (let row = 0; row < table.rows.length; row++) {
    for (const column of columns) data[k++] = numberAt(table, row, column, true)
  }
  return { data, shape: [table.rows.length, columns.length] }
}

/**
 * Gives both sides the same total: a uniform side takes the total of the other, `normalize` scales both to 1, and
 * otherwise totals that differ are an error, as mass would have to appear or vanish.
 */
export function balance(source: Measure, target: Measure, normalize: boolean): void {
  if (normalize) {
    rescale(source, 1)
    rescale(target, 1)
  }
  if (source.weights === undefined) source.mass = target.mass
  if (target.weights === undefined) target.mass = source.mass
  if (Math.abs(source.mass - target.mass) <= 1e-6 * Math.max(source.mass, target.mass)) return
  throw new InputError(
    `weights: expected equal totals, got ${source.mass} (${source.name}) and ${target.mass} (${target.name}); --normalize scales both to 1`,
  )
}

function rescale(measure: Measure, mass: number): void {
  const { weights } = measure
  if (weights !== undefined) for (let i = 0; i < weights.length; i++) weights[i]! *= mass / measure.mass
  measure.mass = mass
}

/** The weights written out, uniform ones too. */
export function weightVector(measure: Measure): Float64Array {
  return measure.weights ?? new Float64Array(measure.count).fill(measure.mass / measure.count)
}
