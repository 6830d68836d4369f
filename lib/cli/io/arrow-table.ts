import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Field } from 'apache-arrow'
import { InputError } from '../errors.js'
import { loadPeers } from './peer.js'
import type { Table } from './table.js'

/** Whether a file holds Arrow columns, by its name. */
export function isArrow(path: string): boolean {
  return extname(path).toLowerCase() === '.arrow'
}

/**
 * An Arrow file as the table that a CSV file of its columns would give, rows numbered from 1. A column of lists becomes a
 * column for each of their entries, so lists must be equally long.
 */
export async function readArrowTable(path: string, signal: AbortSignal): Promise<Table> {
  const { DataType, tableFromIPC } = await loadPeers('reading .arrow', 'apache-arrow', () => import('apache-arrow'))
  const bytes = await readFile(path, { signal })
  let fields: Field[]
  let columns: Column[]
  try {
    const source = tableFromIPC(bytes)
    fields = source.schema.fields
    columns = fields.map(({ name }, k) => ({ name, values: [...(source.getChildAt(k) ?? [])] }))
  } catch (error) {
    throw new InputError(`${path}: expected an Arrow file, got ${(error as Error).message}`)
  }
  const odd = fields.find(({ type }) => DataType.isDecimal(type) || DataType.isStruct(type) || DataType.isMap(type))
  if (odd !== undefined) {
    throw new InputError(`${path}, column '${odd.name}': expected numbers, text or lists, got ${odd.type}`)
  }
  const flat = columns.flatMap((column) => entriesOf(column, path))
  const count = flat[0]?.values.length ?? 0
  if (count === 0) throw new InputError(`${path}: expected rows of numbers, got none`)
  return {
    name: path,
    header: flat.map(({ name }) => name),
    rows: Array.from({ length: count }, (_, row) => flat.map(({ values }) => text(values[row]))),
    lines: Array.from({ length: count }, (_, row) => row + 1),
  }
}

interface Column {
  name: string
  values: unknown[]
}

function entriesOf({ name, values }: Column, path: string): Column[] {
  if (!values.some(isList)) return [{ name, values }]
  const lists = values.map((value) => (isList(value) ? [...value] : []))
  const width = lists[values.findIndex(isList)].length
  const uneven = lists.findIndex((list) => list.length !== width)
  if (uneven >= 0) {
    throw new InputError(
      `${path}:${uneven + 1}, column '${name}': expected ${width} entries, got ${lists[uneven].length}`,
    )
  }
  return Array.from({ length: width }, (_, k) => ({
    name: `${name}[${k}]`,
    values: lists.map((list) => list[k]),
  }))
}

const isList = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value

const text = (value: unknown) => (value === null || value === undefined ? '' : String(value))
