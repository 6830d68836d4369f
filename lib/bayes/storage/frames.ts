import { ExtremaError } from '../../core/errors.js'
import { crc32c } from './crc32c.js'

// A record in a journal is a line that begins with its newline:
//
//   \n <length: 8> <CRC-32C of the payload: 8> <CRC-32C of these 16: 8> <space> <payload>
//
// all numbers in hexadecimal digits, the length in bytes. The payload has no newline. So a record that a dying process left
// incomplete ends where the next begins, and is told from a damaged one: its head is right and there is less than it announces.

const newline = 10
const space = 32
const headLength = 25

/** The record as it is written. */
export function frame(record: string): Buffer {
  const payload = Buffer.from(record)
  const numbers = Buffer.from(hex(payload.length) + hex(crc32c(payload)))
  return Buffer.concat([Buffer.from('\n'), numbers, Buffer.from(`${hex(crc32c(numbers))} `), payload])
}

const hex = (value: number) => value.toString(16).padStart(8, '0')

export interface Unframed {
  records: string[]
  /** Bytes that are settled; what comes after may be a record that is still being written. */
  consumed: number
}

/**
 * The records in `bytes`, which begin with a record at `offset` of the file.
 *
 * @throws ExtremaError `ERR_STORAGE` where they are damaged
 */
export function unframe(bytes: Buffer, offset: number): Unframed {
  const records: string[] = []
  let start = 0
  while (start < bytes.length) {
    // Zeros were never written; see recordOf.
    let filled = start
    while (bytes[filled] === 0) filled++
    if (filled === bytes.length) break
    start = filled
    if (bytes[start] !== newline) damaged(offset + start)
    const next = bytes.indexOf(newline, start + 1)
    const end = next < 0 ? bytes.length : next
    const record = recordOf(bytes, start + 1, end, offset + start)
    if (record === undefined && next < 0) break
    if (record !== undefined) records.push(record)
    start = end
  }
  return { records, consumed: start }
}

/** The payload of a line; undefined if it is the beginning of one. */
function recordOf(bytes: Buffer, from: number, to: number, place: number): string | undefined {
  // After a loss of power the file may have grown without its bytes, which are then zero.
  let end = to
  while (end > from && bytes[end - 1] === 0) end--
  if (end - from < headLength) {
    for (let k = from; k < end; k++) {
      if (digit(bytes[k]) < 0 && !(k - from === headLength - 1 && bytes[k] === space)) damaged(place)
    }
    return undefined
  }
  const length = word(bytes, from)
  const crc = word(bytes, from + 8)
  const begin = from + headLength
  if (word(bytes, from + 16) !== crc32c(bytes, from, from + 16) || bytes[begin - 1] !== space) damaged(place)
  if (end - begin < length) return undefined
  if (end - begin !== length || crc32c(bytes, begin, end) !== crc) damaged(place)
  return bytes.toString('utf8', begin, end)
}

/** Eight hexadecimal digits as a number; -1 if they are none. */
function word(bytes: Buffer, from: number): number {
  let value = 0
  for (let k = from; k < from + 8; k++) {
    const next = digit(bytes[k])
    if (next < 0) return -1
    value = 16 * value + next
  }
  return value
}

/** Of small letters only, so that no flipped bit goes unnoticed. */
function digit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  return byte >= 97 && byte <= 102 ? byte - 87 : -1
}

function damaged(place: number): never {
  throw new ExtremaError(
    'ERR_STORAGE',
    `storage: expected a record of a study at byte ${place}, got bytes that are none or were damaged`,
  )
}
