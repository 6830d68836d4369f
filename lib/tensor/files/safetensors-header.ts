import { describe } from '../../core/options.js'
import { refuseFile } from './refuse-file.js'
import { repeatedName } from './repeated-name.js'

/** Bytes of one number of each type. */
export const widths = {
  ...{ BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1, F8_E8M0: 1 },
  ...{ U16: 2, I16: 2, F16: 2, BF16: 2, U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8, C64: 8 },
} as const
export type SafetensorsDType = keyof typeof widths

export interface SafetensorsInfo {
  dtype: SafetensorsDType
  shape: number[]
  /** Where its bytes lie behind the header: [from, to). */
  offsets: [number, number]
}

export interface SafetensorsHeader {
  metadata: Record<string, string>
  /** In the order of their bytes. */
  tensors: Map<string, SafetensorsInfo>
}

/** The format allows no longer header. */
export const mostHeaderBytes = 100_000_000

/**
 * The header of a file whose data behind it are so many bytes. Refuses what the format does: repeated names, sizes that differ
 * from dtype and shape, overlaps, holes, and data beyond the last tensor.
 */
export function parseHeader(file: string, text: string, dataBytes: number): SafetensorsHeader {
  const refuse = (what: string, expected: string, came: string): never => refuseFile(file, `${expected}${what}`, came)
  if (!text.startsWith('{')) refuse('', 'a header that begins with {', describe(text.slice(0, 8)))
  let parsed: Record<string, unknown>
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    return refuseFile(file, 'a header in JSON', 'another', cause)
  }
  const repeated = repeatedName(text)
  if (repeated !== undefined) refuse('', 'every name once', `'${repeated}' again`)
  const metadata: Record<string, string> = {}
  const found: [string, SafetensorsInfo][] = []
  for (const [name, entry] of Object.entries(parsed)) {
    if (name === '__metadata__') {
      const isObject = typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      if (!isObject) refuse(' as metadata', 'an object', describe(entry))
      for (const [key, value] of Object.entries(entry as object)) {
        if (typeof value !== 'string') refuse(` for the metadata '${key}'`, 'a text', describe(value))
        metadata[key] = value
      }
      continue
    }
    found.push([name, readInfo(entry, (expected, came) => refuse(` for '${name}'`, expected, came))])
  }
  found.sort(([, a], [, b]) => a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1])
  let end = 0
  for (const [name, { offsets }] of found) {
    if (offsets[0] !== end) refuse(` for '${name}'`, `data from ${end} on, without gap and overlap`, String(offsets[0]))
    end = offsets[1]
  }
  if (end !== dataBytes) refuse('', `${end} bytes of data`, String(dataBytes))
  return { metadata, tensors: new Map(found) }
}

function readInfo(entry: unknown, refuse: (expected: string, came: string) => never): SafetensorsInfo {
  if (typeof entry !== 'object' || entry === null) return refuse('{ dtype, shape, data_offsets }', describe(entry))
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>
  if (typeof dtype !== 'string' || !Object.hasOwn(widths, dtype)) {
    return refuse(`a dtype among ${Object.keys(widths).join(', ')}`, describe(dtype))
  }
  if (!isWholeList(shape)) return refuse('a shape of whole numbers >= 0', JSON.stringify(shape) ?? 'none')
  if (!isWholeList(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    return refuse('data_offsets [from, to]', JSON.stringify(offsets) ?? 'none')
  }
  const known = dtype as SafetensorsDType
  const bytes = shape.reduce((product, length) => product * length, widths[known])
  if (offsets[1] - offsets[0] !== bytes) {
    return refuse(`${bytes} bytes (${dtype} [${shape.join(', ')}])`, String(offsets[1] - offsets[0]))
  }
  return { dtype: known, shape, offsets: [offsets[0], offsets[1]] }
}

function isWholeList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)
}

/** The header as bytes, padded with spaces so that the data begin at a multiple of eight. */
export function headerBytes({ metadata, tensors }: SafetensorsHeader): Uint8Array {
  const entries = [...tensors].map(([name, { dtype, shape, offsets }]): [string, unknown] => [
    name,
    { dtype, shape, data_offsets: offsets },
  ])
  const own = Object.keys(metadata).length > 0 ? [['__metadata__', metadata] as [string, unknown]] : []
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries([...own, ...entries])))
  const out = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20)
  out.set(text, 8)
  new DataView(out.buffer).setBigUint64(0, BigInt(out.length - 8), true)
  return out
}
