import { checkFinite, type FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, oneOf, positive, whole } from '../core/options.js'
import type { LeafInfo, OptimizerState, Schedule } from './optimizer.js'
import type { LeafMemory } from './parameters.js'
import { checkShape, shapeText, sizeOf } from './tensor.js'

// What optimizers check alike: the learning rate, the tree of a step, the state of another run.

export function checkRate(rate: number | Schedule): number | Schedule {
  return typeof rate === 'function' ? rate : positive('learningRate', rate)
}

/** The learning rate of a step, which a schedule may refuse to tell. */
export function rateAt(rate: number | Schedule, step: number): number {
  if (typeof rate === 'number') return rate
  const value: unknown = rate(step)
  if (typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY) return value
  const expected = `a finite number >= 0 at step ${step}`
  throw new ExtremaError('ERR_OPTION', `learningRate: expected ${expected}, got ${describe(value)}`)
}

/** A number in [0, 1): a decay rate of averages. */
export function decayRate(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value === 'number' && value >= 0 && value < 1) return value
  throw new ExtremaError('ERR_OPTION', `${name}: expected a number in [0, 1), got ${describe(value)}`)
}

/** Refuses another tree than that of the steps before. */
export function checkSameLeaves(known: readonly LeafInfo[], memory: readonly LeafMemory[]): void {
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

/** What a state of this method holds, copied: `slots[s][k]` is slot s of leaf k. `more` arrays stand behind them. */
export function readState(
  method: string,
  slots: readonly string[],
  { header, arrays }: OptimizerState,
  more = 0,
): { steps: number; leaves: LeafInfo[]; slots: FloatArray[][] } {
  if (header?.method !== method || header.slots?.join() !== slots.join()) {
    const expected = `one of '${method}' with slots [${slots.join(', ')}]`
    const came = `'${header?.method}' with slots [${header?.slots?.join(', ')}]`
    throw new ExtremaError('ERR_OPTION', `state: expected ${expected}, got ${came}`)
  }
  const steps = whole('state.header.steps', header.steps, -1, 0, Number.MAX_SAFE_INTEGER)
  const leaves = readLeaves(header.leaves)
  const count = leaves.length * slots.length + more
  if (!Array.isArray(arrays) || arrays.length !== count) {
    throw new ExtremaError('ERR_SHAPE', `state.arrays: expected ${count} arrays, got ${arrays?.length}`)
  }
  const copies = slots.map((slot, s) => leaves.map((leaf, k) => copySlot(arrays[s * leaves.length + k], leaf, slot)))
  return { steps, leaves, slots: copies }
}

/** What a header says about the leaves, which may come from a file. */
function readLeaves(leaves: unknown): LeafInfo[] {
  if (!Array.isArray(leaves)) {
    throw new ExtremaError('ERR_OPTION', `state.header.leaves: expected an array, got ${describe(leaves)}`)
  }
  return leaves.map((leaf: Partial<LeafInfo> | null, k) => {
    const name = `state.header.leaves[${k}]`
    const dtype = oneOf(`${name}.dtype`, leaf?.dtype ?? null, ['float64', 'float32'] as const, 'float64')
    if (typeof leaf?.path !== 'string') {
      throw new ExtremaError('ERR_OPTION', `${name}.path: expected text, got ${describe(leaf?.path)}`)
    }
    return { path: leaf.path, dtype, shape: checkShape(`${name}.shape`, leaf.shape as number[]) }
  })
}

function copySlot(array: unknown, { path, dtype, shape }: LeafInfo, slot: string): FloatArray {
  const name = `state ${slot} of ${path === '' ? 'params' : path}`
  const right = dtype === 'float64' ? array instanceof Float64Array : array instanceof Float32Array
  const size = sizeOf(shape)
  if (!right || (array as FloatArray).length !== size) {
    const came = ArrayBuffer.isView(array) ? `${(array as FloatArray).length} numbers of another` : describe(array)
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${size} numbers in ${dtype}, got ${came}`)
  }
  return checkFinite(name, array as FloatArray).slice()
}
