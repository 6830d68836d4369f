/** Castagnoli's polynomial, bits reversed. */
const polynomial = 0x82f63b78

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0)
  return crc
})

/** CRC-32C of the bytes from `from` up to `to` (RFC 3720, appendix B.4). Records are short: a call into zlib costs more. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = -1
  for (let k = from; k < to; k++) crc = (crc >>> 8) ^ table[(crc ^ bytes[k]) & 0xff]
  return ~crc >>> 0
}
