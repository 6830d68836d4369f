import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { addAbortSignal } from 'node:stream'
import { InputError } from '../errors.js'

/** A value of each line of a file, with what is needed to point at it. */
export interface JsonLines {
  /** What messages call it: the path, or `standard input`. */
  name: string
  values: unknown[]
  /** Line of the file that each value is on. */
  lines: number[]
}

/** Whether a file holds JSON lines, by its name. */
export function isJsonLines(path: string): boolean {
  return /\.(jsonl|ndjson)$/i.test(path)
}

/** Reads JSON lines (a JSON value on each line that is not empty), from standard input for `-`. */
export async function readJsonLines(path: string, signal: AbortSignal): Promise<JsonLines> {
  const name = path === '-' ? 'standard input' : path
  if (path !== '-' && (await stat(path)).isDirectory()) {
    throw new InputError(`${name}: expected a file of JSON lines, got a folder`)
  }
  const source = path === '-' ? process.stdin : createReadStream(path)
  addAbortSignal(signal, source)
  const result: JsonLines = { name, values: [], lines: [] }
  let number = 0
  try {
    for await (const line of createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++
      const text = line.trim()
      if (text === '') continue
      result.values.push(parse(text, `${name}:${number}`))
      result.lines.push(number)
    }
  } finally {
    source.destroy() // an open standard input would keep the process alive after a bad line
  }
  signal.throwIfAborted()
  if (result.values.length === 0) throw new InputError(`${name}: expected lines of JSON, got none`)
  return result
}

function parse(text: string, place: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new InputError(`${place}: expected JSON, got ${(error as Error).message}`)
  }
}

/** The entry of that name of an object, the value itself if it is none. */
export function entryOf(value: unknown, name: string): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>)[name] : value
}

/** A list of finite numbers on a line. */
export function numbersOf(value: unknown, place: string, what: string): number[] {
  if (!Array.isArray(value)) throw new InputError(`${place}: expected a list of ${what}, got ${JSON.stringify(value)}`)
  const bad = value.findIndex((x) => typeof x !== 'number' || !Number.isFinite(x))
  if (bad >= 0) throw new InputError(`${place}: expected numbers as ${what}, got ${JSON.stringify(value[bad])}`)
  return value as number[]
}
