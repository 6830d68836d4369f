import { type FileHandle, open } from 'node:fs/promises'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, oneOf } from '../../core/options.js'
import { allocate, type DType } from '../arena.js'
import { sizeOf, Tensor } from '../tensor.js'
import { concrete } from '../trace.js'
import { littleEndian } from './bytes.js'
import { refuseFile } from './refuse-file.js'
import {
  headerBytes,
  mostHeaderBytes,
  parseHeader,
  type SafetensorsDType,
  type SafetensorsHeader,
  type SafetensorsInfo,
  widths,
} from './safetensors-header.js'
import { readingOf } from './safetensors-numbers.js'
import { refuseLost } from './save.js'
import { bfloat16, float16, toSmall } from './small-floats.js'
import { append, pieceBytes, readFully, writeAtomic } from './write-atomic.js'

export type { SafetensorsDType } from './safetensors-header.js'

const dtypes = ['float64', 'float32', 'int32'] as const

export interface SafetensorsReadOptions {
  /**
   * Default: float64 and float32 as they are, float32 for F16 and BF16, int32 for whole numbers and truth values. Whole numbers
   * must fit exactly.
   */
  dtype?: DType
  /** Only these along the first axis: [from, to). */
  rows?: readonly [number, number]
}

/** An open file: only its header is in memory. */
export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>
  /** In the order in which they lie in the file. */
  readonly names: readonly string[]
  info(name: string): { dtype: SafetensorsDType; shape: number[] }
  /** Reads one tensor, or rows of it, and nothing else. */
  read(name: string, options?: SafetensorsReadOptions): Promise<Tensor>
  close(): Promise<void>
}

/**
 * Opens a file in the safetensors layout and checks its header in full.
 *
 * @throws ExtremaError `ERR_FILE` (not such a file, cut off, repeated names, sizes that do not fit, overlaps, gaps),
 *   `ERR_DTYPE` (numbers that cannot be read as wanted), `ERR_OPTION` (no tensor of that name, rows beyond its length); errors
 *   of the file system as they come
 */
export async function openSafetensors(file: string): Promise<SafetensorsFile> {
  const handle = await open(file, 'r')
  try {
    const { header, start } = await readHeader(handle, file)
    return reader(handle, file, header, start)
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** All tensors of a file in the safetensors layout by name; see {@link openSafetensors}. */
export async function loadSafetensors(
  file: string,
  options: Pick<SafetensorsReadOptions, 'dtype'> = {},
): Promise<Record<string, Tensor>> {
  const opened = await openSafetensors(file)
  try {
    const entries: [string, Tensor][] = []
    for (const name of opened.names) entries.push([name, await opened.read(name, options)])
    return Object.fromEntries(entries)
  } finally {
    await opened.close()
  }
}

async function readHeader(handle: FileHandle, file: string): Promise<{ header: SafetensorsHeader; start: number }> {
  const { size } = await handle.stat()
  const first = new Uint8Array(8)
  if (size < 8 || !(await readFully(handle, first, 0))) refuseFile(file, 'at least 8 bytes', `${size}`)
  const length = new DataView(first.buffer).getBigUint64(0, true)
  const most = Math.min(mostHeaderBytes, size - 8)
  if (length > most) refuseFile(file, `a header of at most ${most} bytes`, String(length))
  const bytes = new Uint8Array(Number(length))
  if (!(await readFully(handle, bytes, 8))) refuseFile(file, `a header of ${length} bytes`, 'an end before')
  const start = 8 + bytes.length
  return { header: parseHeader(file, decodeText(file, bytes), size - start), start }
}

function decodeText(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    return refuseFile(file, 'a header in UTF-8', 'other bytes', cause)
  }
}

const readNames: ReadonlySet<string> = new Set(['dtype', 'rows'])

function reader(handle: FileHandle, file: string, header: SafetensorsHeader, start: number): SafetensorsFile {
  const infoOf = (name: string): SafetensorsInfo => {
    const info = header.tensors.get(name)
    if (info !== undefined) return info
    throw new ExtremaError('ERR_OPTION', `name: expected a tensor of ${file}, got ${describe(name)}`)
  }
  return {
    metadata: header.metadata,
    names: [...header.tensors.keys()],
    info(name) {
      const { dtype, shape } = infoOf(name)
      return { dtype, shape: [...shape] }
    },
    async read(name, options = {}) {
      checkNames('options', options, readNames)
      const { dtype, shape, offsets } = infoOf(name)
      const wanted = options.dtype === undefined ? undefined : oneOf('dtype', options.dtype, dtypes, 'float64')
      const reading = readingOf(name, dtype, wanted)
      const [from, to] = rowsOf(shape, options.rows)
      const perRow = sizeOf(shape.slice(1)) * widths[dtype]
      const wantedShape = options.rows === undefined ? shape : [to - from, ...shape.slice(1)]
      const out = allocate(reading.dtype, sizeOf(wantedShape))
      const position = start + offsets[0] + from * perRow
      const total = out.length * widths[dtype]
      for (let at = 0; at < total; at += pieceBytes) {
        const piece = new Uint8Array(Math.min(pieceBytes, total - at))
        if (!(await readFully(handle, piece, position + at))) refuseFile(file, 'as many bytes as at first', 'fewer')
        reading.convert(piece.buffer, out, at / widths[dtype])
      }
      return new Tensor(out, wantedShape, reading.dtype)
    },
    close: () => handle.close(),
  }
}

function rowsOf(shape: readonly number[], rows: readonly [number, number] | undefined): readonly [number, number] {
  if (rows === undefined) return [0, shape[0] ?? 1]
  const right = Array.isArray(rows) && rows.length === 2 && rows.every((row) => Number.isSafeInteger(row))
  if (right && shape.length > 0 && rows[0] >= 0 && rows[0] <= rows[1] && rows[1] <= shape[0]) return rows
  const expected = shape.length === 0 ? 'none for a scalar' : `[from, to] within 0 and ${shape[0]}`
  throw new ExtremaError('ERR_OPTION', `rows: expected ${expected}, got ${JSON.stringify(rows)}`)
}

export interface SafetensorsWriteOptions {
  /** Texts by name. */
  metadata?: Record<string, string>
  /** For the floating-point tensors: round them to 16 bits, to the nearest even. Default: as they are. */
  dtype?: 'F16' | 'BF16'
}

const writeNames: ReadonlySet<string> = new Set(['metadata', 'dtype'])
const own = { float64: 'F64', float32: 'F32', int32: 'I32' } as const

/**
 * Writes tensors to a file in the safetensors layout, in pieces of a megabyte, and as a whole or not at all: see `save`. The
 * tensors must not change until the promise is settled.
 *
 * @throws ExtremaError `ERR_OPTION` for a name or metadata that the format does not allow, `ERR_SHAPE` for what is no tensor;
 *   errors of the file system as they come
 */
export async function saveSafetensors(
  file: string,
  tensors: Record<string, Tensor>,
  options: SafetensorsWriteOptions = {},
): Promise<void> {
  checkNames('options', options, writeNames)
  const short = options.dtype === undefined ? undefined : oneOf('dtype', options.dtype, ['F16', 'BF16'] as const, 'F16')
  const metadata = checkMetadata(options.metadata ?? {})
  const entries = Object.entries(tensors).map(([name, x]) => {
    if (name === '__metadata__') {
      throw new ExtremaError('ERR_OPTION', `tensors: expected other names than __metadata__, got ${name}`)
    }
    if (!(x instanceof Tensor)) {
      throw new ExtremaError('ERR_SHAPE', `tensors.${name}: expected a tensor, got ${describe(x)}`)
    }
    const dtype: SafetensorsDType = short !== undefined && x.dtype !== 'int32' ? short : own[x.dtype]
    return { name, dtype, x: concrete(x) }
  })
  // Wide numbers first, so that all of them are aligned.
  entries.sort((a, b) => widths[b.dtype] - widths[a.dtype] || (a.name < b.name ? -1 : 1))
  let end = 0
  const infos = entries.map(({ name, dtype, x }): [string, SafetensorsInfo] => {
    const from = end
    end += x.size * widths[dtype]
    return [name, { dtype, shape: [...x.shape], offsets: [from, end] }]
  })
  const header = headerBytes({ metadata, tensors: new Map(infos) })
  await writeAtomic(file, async (handle) => {
    await append(handle, header)
    for (const { dtype, x } of entries) {
      const { data } = x
      const step = pieceBytes / 8
      for (let at = 0; at < x.size; at += step) {
        if (data.length !== x.size) refuseLost()
        const piece = data.subarray(at, at + step)
        await append(handle, littleEndian(dtype === 'F16' || dtype === 'BF16' ? shortened(piece, dtype) : piece))
      }
    }
  })
}

function shortened(piece: ArrayLike<number>, dtype: 'F16' | 'BF16'): Uint16Array {
  return toSmall(piece, dtype === 'F16' ? float16 : bfloat16)
}

function checkMetadata(metadata: Record<string, string>): Record<string, string> {
  if (typeof metadata !== 'object' || metadata === null) {
    throw new ExtremaError('ERR_OPTION', `metadata: expected texts by name, got ${describe(metadata)}`)
  }
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value === 'string') continue
    throw new ExtremaError('ERR_OPTION', `metadata.${name}: expected a text, got ${describe(value)}`)
  }
  return { ...metadata }
}
