/** Memory that can change its length. (TypeScript's library does not know the second argument yet.) */
export function resizable(length: number): Float64Array {
  const options = { maxByteLength: 16 * length }
  return new Float64Array(Reflect.construct(ArrayBuffer, [8 * length, options]) as ArrayBuffer)
}

/** Shared memory that can grow. */
export function growable(length: number): Float64Array {
  const options = { maxByteLength: 16 * length }
  return new Float64Array(Reflect.construct(SharedArrayBuffer, [8 * length, options]) as SharedArrayBuffer)
}

/** The array after its buffer was transferred away, as `postMessage` does it. */
export function transferred<T extends Float64Array | Float32Array>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] })
  return array
}
