import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { TextDecoder, TextEncoder } from 'node:util'
import type { TensorData } from '../../backend/tensor.js'
import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { allocate } from '../arena.js'
import { sizeOf } from '../tensor.js'
import { littleEndian, toHost } from './bytes.js'
import { type Block, decodeValue, encodeValue } from './encode-value.js'
import { refuseFile } from './refuse-file.js'
import { append, pieceBytes, readFully, writeAtomic } from './write-atomic.js'

/**
 * The layout: the eight bytes of `magic`, the length of the header in eight bytes, the header in JSON padded with spaces to a
 * multiple of eight, the blocks in the order of the header, each padded with zeros to a multiple of eight, and the SHA-256
 * of all before it. Everything is little-endian.
 */
const magic = new TextEncoder().encode('EXTREMA1')
const digestBytes = 32
const mostHeaderBytes = 100 * 2 ** 20

interface Header {
  format: 'extrema'
  version: 1
  value: unknown
  blocks: Block[]
}

/**
 * Writes a value to a file: tensors, typed arrays of their kinds, numbers (also NaN and infinite ones), strings, booleans,
 * null and bigints, in arrays and plain objects nested at will, such as parameters or a checkpoint. What is `undefined` in
 * an object is left out.
 *
 * The file takes its name only when it is on the disk as a whole: whoever reads it finds the old one or the new one. The
 * tensors must not change until the promise is settled.
 *
 * @throws ExtremaError `ERR_OPTION` for values of other kinds, naming the place; errors of the file system as they come
 */
export async function save(file: string, value: unknown): Promise<void> {
  const { skeleton, blocks, memory } = encodeValue(value)
  const header: Header = { format: 'extrema', version: 1, value: skeleton, blocks }
  const bytes = padded(new TextEncoder().encode(JSON.stringify(header)), 0x20)
  if (bytes.length > mostHeaderBytes) {
    throw new ExtremaError(
      'ERR_OPTION',
      `value: expected at most ${mostHeaderBytes} bytes of structure, got ${bytes.length}`,
    )
  }
  await writeAtomic(file, async (handle) => {
    const hash = createHash('sha256')
    const put = async (part: Uint8Array): Promise<void> => {
      const { length } = part
      for (let at = 0; at < length; at += pieceBytes) {
        if (part.length !== length) refuseLost()
        const piece = part.subarray(at, at + pieceBytes)
        hash.update(piece)
        await append(handle, piece)
      }
    }
    await put(magic)
    await put(lengthBytes(bytes.length))
    await put(bytes)
    for (const [i, data] of memory.entries()) {
      if (data.length !== sizeOf(blocks[i].shape)) refuseLost()
      const block = littleEndian(data)
      await put(block)
      await put(new Uint8Array(paddingOf(block.length)))
    }
    await append(handle, hash.digest())
  })
}

/** Memory may be transferred away while the file is written. */
export function refuseLost(): never {
  throw new ExtremaError(
    'ERR_BUFFER',
    'value: expected memory that stays, got an array whose buffer was transferred away',
  )
}

/**
 * Reads what {@link save} wrote, in new memory, and checks every byte of it.
 *
 * @throws ExtremaError `ERR_FILE` if the file is of another kind, cut off or damaged, `ERR_MEMORY`; errors of the file system
 *   as they come
 */
export async function load<T = unknown>(file: string): Promise<T> {
  const handle = await open(file, 'r')
  try {
    return (await read(handle, file)) as T
  } finally {
    await handle.close()
  }
}

async function read(handle: FileHandle, file: string): Promise<unknown> {
  const { size } = await handle.stat()
  const hash = createHash('sha256')
  let position = 0
  const take = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes)
      if (!(await readFully(handle, piece, position)))
        refuseFile(file, 'as many bytes as at first', `an end at ${position}`)
      hash.update(piece)
      position += piece.length
    }
  }
  const start = new Uint8Array(magic.length + 8)
  if (size < start.length + digestBytes) refuseFile(file, 'a file written by save', `${size} bytes`)
  await take(start)
  if (magic.some((byte, i) => start[i] !== byte)) refuseFile(file, 'a file written by save', 'another beginning')
  const headerLength = Number(new DataView(start.buffer).getBigUint64(magic.length, true))
  const room = size - start.length - digestBytes
  if (headerLength > Math.min(room, mostHeaderBytes)) {
    refuseFile(file, `a header of at most ${Math.min(room, mostHeaderBytes)} bytes`, String(headerLength))
  }
  const headerBytes = new Uint8Array(headerLength)
  await take(headerBytes)
  const header = parseHeader(file, headerBytes)
  const lengths = header.blocks.map(({ dtype, shape }) => sizeOf(shape) * (dtype === 'float64' ? 8 : 4))
  const expected = lengths.reduce((total, length) => total + length + paddingOf(length), headerLength)
  if (expected !== room) refuseFile(file, `${expected + start.length + digestBytes} bytes`, String(size))
  const memory: TensorData[] = []
  for (const { dtype, shape } of header.blocks) {
    const data = allocate(dtype, sizeOf(shape))
    await take(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    await take(new Uint8Array(paddingOf(data.byteLength)))
    toHost(data)
    memory.push(data)
  }
  await checkDigest(handle, file, position, hash)
  return decodeValue(header.value, header.blocks, memory, (expected, came) => refuseFile(file, expected, came))
}

async function checkDigest(handle: FileHandle, file: string, position: number, hash: Hash): Promise<void> {
  const digest = new Uint8Array(digestBytes)
  const whole = await readFully(handle, digest, position)
  if (whole && hash.digest().equals(digest)) return
  refuseFile(file, 'the checksum that its contents have', 'another (it is damaged)')
}

function parseHeader(file: string, bytes: Uint8Array): Header {
  let header: Partial<Header> | null
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    return refuseFile(file, 'a header in JSON', 'another (it is damaged)', cause)
  }
  const right = typeof header === 'object' && header?.format === 'extrema' && header.version === 1
  if (!right || !Array.isArray(header?.blocks) || !header.blocks.every(isBlock)) {
    refuseFile(file, 'a header of version 1', describe(header?.version))
  }
  return header as Header
}

function isBlock(block: Partial<Block> | null): boolean {
  if (typeof block !== 'object' || block === null) return false
  const known = block.dtype === 'float64' || block.dtype === 'float32' || block.dtype === 'int32'
  return known && Array.isArray(block.shape) && block.shape.every((n) => Number.isSafeInteger(n) && n >= 0)
}

function paddingOf(length: number): number {
  return (8 - (length % 8)) % 8
}

function padded(bytes: Uint8Array, filler: number): Uint8Array {
  const out = new Uint8Array(bytes.length + paddingOf(bytes.length)).fill(filler)
  out.set(bytes)
  return out
}

function lengthBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  return bytes
}
