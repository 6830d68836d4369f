import { enterScope, leaveScope } from './arena.js'
import { Tensor } from './tensor.js'

/**
 * Runs a function, which must be synchronous, and takes back the memory of all tensors made in it except those in its
 * result: arrays and plain objects of tensors. The next arena reuses it, so that the steps of a training loop allocate
 * nothing. Any other tensor of the arena must not be used afterwards: reading it is an `ERR_BUFFER`.
 */
export function withArena<T>(body: () => T): T {
  const scope = enterScope()
  const kept = new Set<ArrayBufferLike>()
  try {
    return keep(body(), kept) as T
  } finally {
    leaveScope(scope, kept)
  }
}

/** The same value with tensors that outlive the arena. */
function keep(value: unknown, kept: Set<ArrayBufferLike>): unknown {
  if (value instanceof Tensor) {
    if (value.level > 0 || value.scope === undefined) return value
    kept.add(value.data.buffer)
    return value.escaped()
  }
  if (Array.isArray(value)) return value.map((part) => keep(part, kept))
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, keep(part, kept)]))
  }
  return value
}
