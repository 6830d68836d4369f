import { checkFinite, type FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, positive, whole } from '../core/options.js'
import type { LeafInfo, OptimizerState, Schedule } from '../tensor/optimizer.js'
import type { LeafMemory } from '../tensor/parameters.js'
import { shapeText, sizeOf } from '../tensor/tensor.js'

// What the optimizers of this room check alike.

export function readRate(rate: number | Schedule): number | Schedule {
  return typeof rate === 'function' ? rate : positive('learningRate', rate)
}

export function rateAt(rate: number | Schedule, step: number): number {
  if (typeof rate === 'number') return rate
  const value: unknown = rate(step)
  if (typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY) return value
  throw new ExtremaError(
    'ERR_OPTION',
    `learningRate: expected a finite number >= 0 at step ${step}, got ${describe(value)}`,
  )
}

export function momentumRate(value: unknown): number {
  if (value === undefined) return 0
  if (typeof value === 'number' && value >= 0 && value < 1) return value
  throw new ExtremaError('ERR_OPTION', `momentum: expected a number in [0, 1), got ${describe(value)}`)
}

/** Refuses another tree than before; before the first step there is none. */
export function matchLeaves(known: readonly LeafInfo[], memory: readonly LeafMemory[]): void {
  if (known.length === 0) return
  if (memory.length !== known.length) {
    throw new ExtremaError('ERR_SHAPE', `params: expected ${known.length} leaves as before, got ${memory.length}`)
  }
  memory.forEach(({ path, dtype, shape, data }, k) => {
    const leaf = known[k]
    if (leaf.path === path && leaf.dtype === dtype && sizeOf(leaf.shape) === data[0].length) return
    const expected = `'${leaf.path}' ${leaf.dtype} ${shapeText(leaf.shape)} as leaf ${k} as before`
    throw new ExtremaError('ERR_SHAPE', `params: expected ${expected}, got '${path}' ${dtype} ${shapeText(shape)}`)
  })
}

/** The slots of a state of this method, copied, with so many arrays behind them. */
export function readSlots(
  method: string,
  slots: readonly string[],
  { header, arrays }: OptimizerState,
  more: number,
): Record<string, FloatArray[]> {
  if (header?.method !== method || header.slots?.join() !== slots.join()) {
    const expected = `one of '${method}' with slots [${slots.join(', ')}]`
    const came = `'${header?.method}' with slots [${header?.slots?.join(', ')}]`
    throw new ExtremaError('ERR_OPTION', `state: expected ${expected}, got ${came}`)
  }
  whole('state.header.steps', header.steps, -1, 0, Number.MAX_SAFE_INTEGER)
  const count = slots.length * header.leaves.length + more
  if (!Array.isArray(arrays) || arrays.length !== count) {
    throw new ExtremaError('ERR_SHAPE', `state.arrays: expected ${count} arrays, got ${arrays?.length}`)
  }
  const out: Record<string, FloatArray[]> = {}
  slots.forEach((slot, s) => {
    out[slot] = header.leaves.map((leaf, k) => copySlot(arrays[s * header.leaves.length + k], leaf, slot))
  })
  return out
}

function copySlot(array: unknown, { path, dtype, shape }: LeafInfo, slot: string): FloatArray {
  const name = `state ${slot} of ${path === '' ? 'params' : path}`
  const isRight = dtype === 'float64' ? array instanceof Float64Array : array instanceof Float32Array
  const size = sizeOf(shape)
  if (!isRight || (array as FloatArray).length !== size) {
    const came = ArrayBuffer.isView(array) ? `${(array as FloatArray).length} numbers of another` : describe(array)
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${size} numbers in ${dtype}, got ${came}`)
  }
  return checkFinite(name, array as FloatArray).slice()
}
