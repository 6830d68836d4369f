import { crc32 } from 'node:zlib'
import { ExtremaError } from '../../core/errors.js'

// A record in a journal is a line that begins with its newline:
//
//   \n <length: 8> <CRC-32 of the payload: 8> <CRC-32 of these 16: 8> <space> <payload>
//
// all numbers in hexadecimal digits, the length in bytes. The payload has no newline. So a record that a dying process left
// incomplete ends where the next begins, and is told from a damaged one: its head is right and there is less than it announces.

const newline = 10
const headLength = 25

const hex = (value: number) => value.toString(16).padStart(8, '0')

/** The record as it is written. */
export function frame(record: string): Buffer {
  const payload = Buffer.from(record)
  const numbers = hex(payload.length) + hex(crc32(payload))
  return Buffer.concat([Buffer.from(`\n${numbers}${hex(crc32(numbers))} `), payload])
}

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
  const head = bytes.toString('latin1', from, Math.min(end, from + headLength))
  if (head.length < headLength) {
    if (!/^[0-9a-f]*$/.test(head)) damaged(place)
    return undefined
  }
  const numbers = head.slice(0, 16)
  if (head.slice(16) !== `${hex(crc32(numbers))} `) damaged(place)
  const length = Number.parseInt(head.slice(0, 8), 16)
  const begin = from + headLength
  if (end - begin < length) return undefined
  const payload = bytes.subarray(begin, to)
  if (payload.length !== length || hex(crc32(payload)) !== head.slice(8, 16)) damaged(place)
  return payload.toString()
}

function damaged(place: number): never {
  throw new ExtremaError(
    'ERR_STORAGE',
    `storage: expected a record of a study at byte ${place}, got bytes that are none or were damaged`,
  )
}
