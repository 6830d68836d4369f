import { checkBuffer, type FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { dtypeOf } from './arena.js'
import type { LeafInfo } from './optimizer.js'
import { sameShape, shapeText, Tensor } from './tensor.js'
import { isPlainObject } from './tree.js'

/** The memory of one leaf of several trees of the same form. */
export interface LeafMemory extends LeafInfo {
  /** Of each tree. */
  data: FloatArray[]
}

/**
 * The leaves of trees of the same form, side by side: tensors or typed arrays in arrays and objects. Names may stand in any order.
 *
 * @throws {ExtremaError} `ERR_SHAPE` and `ERR_DTYPE` where they differ or hold something else, `ERR_TAPE` for traced tensors
 */
export function leavesOf(names: readonly string[], trees: readonly unknown[]): LeafMemory[] {
  const leaves: LeafMemory[] = []
  const visit = (parts: readonly unknown[], path: string): void => {
    const [first] = parts
    if (isLeaf(first)) {
      leaves.push(leafOf(names, parts, path))
    } else if (Array.isArray(first)) {
      parts.forEach((part, k) => {
        if (Array.isArray(part) && part.length === first.length) return
        const came = Array.isArray(part) ? `${part.length}` : describe(part)
        throw new ExtremaError('ERR_SHAPE', `${at(names[k], path)}: expected ${first.length} entries, got ${came}`)
      })
      first.forEach((_, i) => {
        visit(
          parts.map((part) => (part as unknown[])[i]),
          `${path}[${i}]`,
        )
      })
    } else if (typeof first === 'object' && first !== null && isPlainObject(first)) {
      const keys = Object.keys(first)
      parts.forEach((part, k) => {
        refuseOtherKeys(at(names[k], path), keys, part)
      })
      for (const key of keys) {
        visit(
          parts.map((part) => (part as Record<string, unknown>)[key]),
          path === '' ? key : `${path}.${key}`,
        )
      }
    } else {
      const expected = 'tensors or typed arrays in arrays and objects'
      throw new ExtremaError('ERR_SHAPE', `${at(names[0], path)}: expected ${expected}, got ${describe(first)}`)
    }
  }
  visit(trees, '')
  return leaves
}

/** The name of a part of a tree in messages. */
export function at(name: string, path: string): string {
  return path === '' || path.startsWith('[') ? `${name}${path}` : `${name}.${path}`
}

function isLeaf(part: unknown): part is Tensor | ArrayBufferView {
  return part instanceof Tensor || ArrayBuffer.isView(part)
}

function refuseOtherKeys(name: string, keys: readonly string[], part: unknown): void {
  const whole = typeof part === 'object' && part !== null && !isLeaf(part) && !Array.isArray(part)
  const came = whole ? Object.keys(part) : []
  if (whole && came.length === keys.length && keys.every((key) => Object.hasOwn(part, key))) return
  const text = whole ? `{ ${came.join(', ')} }` : describe(part)
  throw new ExtremaError('ERR_SHAPE', `${name}: expected { ${keys.join(', ')} }, got ${text}`)
}

function leafOf(names: readonly string[], parts: readonly unknown[], path: string): LeafMemory {
  const data = parts.map((part, k) => memoryOf(at(names[k], path), part))
  const shapes = parts.map((part, k) => (part instanceof Tensor ? part.shape : [data[k].length]))
  const dtype = dtypeOf(data[0]) as LeafInfo['dtype']
  for (let k = 1; k < parts.length; k++) {
    // A flat array fits any shape of its size.
    const bothShaped = parts[0] instanceof Tensor && parts[k] instanceof Tensor
    const fits = bothShaped ? sameShape(shapes[0], shapes[k]) : data[0].length === data[k].length
    if (fits && dtypeOf(data[k]) === dtype) continue
    const expected = `${dtype} of shape ${shapeText(shapes[0])}`
    const came = `${dtypeOf(data[k])} of shape ${shapeText(shapes[k])}`
    throw new ExtremaError(fits ? 'ERR_DTYPE' : 'ERR_SHAPE', `${at(names[k], path)}: expected ${expected}, got ${came}`)
  }
  return { path, dtype, shape: [...shapes[0]], data }
}

function memoryOf(name: string, part: unknown): FloatArray {
  if (part instanceof Tensor && part.level > 0) {
    throw new ExtremaError(
      'ERR_TAPE',
      `${name}: expected plain data, got a traced tensor of shape ${shapeText(part.shape)}`,
    )
  }
  const data = part instanceof Tensor ? part.data : part
  if (data instanceof Float64Array || data instanceof Float32Array) {
    checkBuffer(name, data)
    return data
  }
  const came = part instanceof Tensor ? part.dtype : describe(part)
  if (part instanceof Tensor || ArrayBuffer.isView(part)) {
    throw new ExtremaError('ERR_DTYPE', `${name}: expected float64 or float32, got ${came}`)
  }
  throw new ExtremaError('ERR_SHAPE', `${name}: expected a tensor or a typed array, got ${came}`)
}

interface Stretch {
  from: number
  to: number
  name: string
}

/** Refuses trees that are written to, the first `written` ones, where they share memory with themselves or another tree. */
export function refuseSharedMemory(names: readonly string[], leaves: readonly LeafMemory[], written = 1): void {
  const taken = new Map<ArrayBufferLike, Stretch[]>()
  const stretch = ({ data, path }: LeafMemory, k: number): Stretch => {
    const { byteOffset, byteLength } = data[k]
    return { from: byteOffset, to: byteOffset + byteLength, name: at(names[k], path) }
  }
  const refuseOverlap = (mine: Stretch, others: Stretch[]): void => {
    const other = others.find(({ from, to }) => mine.from < to && from < mine.to)
    if (other === undefined) return
    throw new ExtremaError('ERR_BUFFER', `${mine.name}: expected memory of its own, got that of ${other.name}`)
  }
  for (let k = 0; k < written; k++) {
    for (const leaf of leaves) {
      if (leaf.data[k].length === 0) continue
      const mine = stretch(leaf, k)
      const others = taken.get(leaf.data[k].buffer)
      if (others === undefined) taken.set(leaf.data[k].buffer, [mine])
      else {
        refuseOverlap(mine, others)
        others.push(mine)
      }
    }
  }
  for (let k = written; k < names.length; k++) {
    for (const leaf of leaves) {
      const others = taken.get(leaf.data[k].buffer)
      if (others !== undefined && leaf.data[k].length > 0) refuseOverlap(stretch(leaf, k), others)
    }
  }
}
