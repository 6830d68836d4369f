import os from 'node:os'

const swapped = os.endianness() === 'BE'

/** The bytes of typed memory, little-endian: the memory itself where the machine is. */
export function littleEndian(data: ArrayBufferView & { BYTES_PER_ELEMENT: number }): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return swapped ? reversed(bytes.slice(), data.BYTES_PER_ELEMENT) : bytes
}

/** Turns little-endian bytes that were read into typed memory into the machine's order, in place. */
export function toHost(data: ArrayBufferView & { BYTES_PER_ELEMENT: number }): void {
  if (!swapped) return
  reversed(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), data.BYTES_PER_ELEMENT)
}

/** Every `width` bytes backward, in place. */
function reversed(bytes: Uint8Array, width: number): Uint8Array {
  for (let i = 0; i < bytes.length; i += width) bytes.subarray(i, i + width).reverse()
  return bytes
}
