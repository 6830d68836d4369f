import { enterScope, leaveScope, type Scope } from './arena.js'
import { Tensor } from './tensor.js'

/**
 * Runs a function, which must be synchronous, and takes back the memory of all tensors made in it except those in its
 * result: arrays and plain objects of tensors and typed arrays. What an inner arena returns belongs to the outer one. The
 * next arena reuses the memory, so that the steps of a training loop allocate nothing. Any other tensor of the arena must
 * not be used afterwards: reading it is an `ERR_BUFFER`.
 */
export function withArena<T>(body: () => T): T {
  const scope = enterScope()
  const kept = new Set<ArrayBufferLike>()
  try {
    return keep(body(), scope, kept) as T
  } finally {
    leaveScope(scope, kept)
  }
}

/** The same value with tensors that outlive the arena. */
function keep(value: unknown, ending: Scope, kept: Set<ArrayBufferLike>): unknown {
  if (value instanceof Tensor) {
    const { level, scope, shape, dtype } = value
    // A tensor of an outer arena stays there. One without an arena may still be made of memory of this one (`fromData`).
    if (level > 0 || (scope !== ending && scope !== undefined)) return value
    kept.add(value.data.buffer)
    return scope === undefined ? value : new Tensor(value.data, shape, dtype, ending.outer)
  }
  if (ArrayBuffer.isView(value)) {
    kept.add(value.buffer)
    return value
  }
  if (Array.isArray(value)) return value.map((part) => keep(part, ending, kept))
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, keep(part, ending, kept)]))
  }
  return value
}
