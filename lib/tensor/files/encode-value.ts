import type { TensorData } from '../../backend/tensor.js'
import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { type DType, dtypeOf } from '../arena.js'
import { Tensor } from '../tensor.js'
import { concrete } from '../trace.js'

/** A tensor or typed array of a file. */
export interface Block {
  dtype: DType
  shape: number[]
}

export interface Encoded {
  /** JSON, in which `{ $tensor: i }` and `{ $array: i }` stand for block i, `$number` and `$bigint` for what JSON lacks. */
  skeleton: unknown
  blocks: Block[]
  memory: TensorData[]
}

/** Takes the numbers out of a value. Names that begin with $ get another one in front. */
export function encodeValue(value: unknown): Encoded {
  const blocks: Block[] = []
  const memory: TensorData[] = []
  const around = new Set<unknown>()
  const block = (data: TensorData, shape: readonly number[]): number => {
    memory.push(data)
    return blocks.push({ dtype: dtypeOf(data), shape: [...shape] }) - 1
  }
  const encode = (part: unknown, path: string): unknown => {
    if (part === null || typeof part === 'string' || typeof part === 'boolean') return part
    if (typeof part === 'number') {
      if (Number.isFinite(part) && !Object.is(part, -0)) return part
      return { $number: Object.is(part, -0) ? '-0' : String(part) }
    }
    if (typeof part === 'bigint') return { $bigint: String(part) }
    if (part instanceof Tensor) return { $tensor: block(concrete(part).data, part.shape) }
    if (part instanceof Float64Array || part instanceof Float32Array || part instanceof Int32Array) {
      return { $array: block(part, [part.length]) }
    }
    if (typeof part !== 'object' || around.has(part)) refuse(path, part)
    around.add(part)
    const encoded = encodeParts(part, path, encode)
    around.delete(part)
    return encoded
  }
  return { skeleton: encode(value, 'value'), blocks, memory }
}

function encodeParts(part: object, path: string, encode: (part: unknown, path: string) => unknown): unknown {
  if (Array.isArray(part)) return part.map((child, i) => encode(child, `${path}[${i}]`))
  const prototype = Object.getPrototypeOf(part)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) refuse(path, part)
  const entries = Object.entries(part).filter(([, child]) => child !== undefined)
  return Object.fromEntries(
    entries.map(([name, child]) => [name.startsWith('$') ? `$${name}` : name, encode(child, `${path}.${name}`)]),
  )
}

function refuse(path: string, part: unknown): never {
  const expected = 'tensors, typed arrays and plain values in arrays and objects without cycles'
  throw new ExtremaError('ERR_OPTION', `${path}: expected ${expected}, got ${describe(part)}`)
}

/** Puts the numbers back. */
export function decodeValue(
  skeleton: unknown,
  blocks: readonly Block[],
  memory: readonly TensorData[],
  fail: (expected: string, came: string) => never,
): unknown {
  const decode = (part: unknown): unknown => {
    if (typeof part !== 'object' || part === null) return part
    if (Array.isArray(part)) return part.map(decode)
    const entries = Object.entries(part)
    const [name, given] = entries.length === 1 ? entries[0] : ['', undefined]
    if (name === '$number') return Number(given)
    if (name === '$bigint') return BigInt(given)
    if (name === '$tensor' || name === '$array') {
      const data = memory[given as number]
      if (data === undefined) fail(`one of ${memory.length} blocks`, describe(given))
      if (name === '$array') return data
      return new Tensor(data, blocks[given as number].shape, blocks[given as number].dtype)
    }
    return Object.fromEntries(entries.map(([key, child]) => [key.startsWith('$') ? key.slice(1) : key, decode(child)]))
  }
  return decode(skeleton)
}
