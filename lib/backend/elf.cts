/**
 * Whether an ELF file is whole. The dynamic loader maps a truncated library without complaint and the process then dies
 * of SIGBUS, where an interrupted download or a full disk should only cost the native backend.
 */
import fs = require('node:fs')

const headerSize = 64
const stringTable = 3 // SHT_STRTAB

/** The reason why a 64-bit little-endian ELF file is not whole, or undefined. Says nothing about other formats. */
function elfProblem(file: string): string | undefined {
  const descriptor = fs.openSync(file, 'r')
  try {
    const size = fs.fstatSync(descriptor).size
    const header = read(descriptor, 0, headerSize)
    if (header.toString('latin1', 0, 4) !== '\x7fELF' || header[4] !== 2 || header[5] !== 1) return undefined
    if (header.length < headerSize) return `is cut off: ${size} bytes`
    // Linkers write the section table last, so a file that ends with a sane one was written to the end.
    const tableOffset = Number(header.readBigUInt64LE(0x28))
    const entrySize = header.readUInt16LE(0x3a)
    const entries = header.readUInt16LE(0x3c)
    const end = tableOffset + entrySize * entries
    if (size < end) return `is cut off: ${size} bytes of ${end}`
    const names = read(descriptor, tableOffset + entrySize * header.readUInt16LE(0x3e), entrySize)
    if (names.length < headerSize || names.readUInt32LE(4) !== stringTable) return 'has a damaged section table'
    return undefined
  } finally {
    fs.closeSync(descriptor)
  }
}

function read(descriptor: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length)
  return buffer.subarray(0, fs.readSync(descriptor, buffer, 0, length, position))
}

export = { elfProblem }
