import { type BackendName, kernels } from '../backend/index.js'
import type { Kernels } from '../backend/kernels.js'
import { portableTensor } from '../backend/portable/tensor/kernels.js'
import { portableUpdate } from '../backend/portable/tensor/update/kernels.js'
import type { TensorKernels } from '../backend/tensor.js'
import type { UpdateKernels } from '../backend/tensor-update.js'
import type { DType } from './arena.js'
import { smallSize } from './small.js'

let forced: Kernels | undefined
let chosen: Kernels | undefined

/**
 * Runs a function, which must be synchronous, with the tensor kernels of one backend instead of the one that
 * `extrema.backend()` names.
 */
export function withBackend<T>(name: BackendName, body: () => T): T {
  const before = forced
  forced = kernels(name)
  try {
    return body()
  } finally {
    forced = before
  }
}

function current(): Kernels {
  if (forced !== undefined) return forced
  chosen ??= kernels()
  return chosen
}

/** The kernels for an operation on n numbers of that type: whole numbers and small tensors stay in TypeScript. */
export function kernelsFor(dtype: DType, n: number): TensorKernels {
  return n < smallSize || dtype === 'int32' ? portableTensor : current().tensor
}

/** The kernels of optimizers for n numbers. */
export function updateKernels(n: number): UpdateKernels {
  return n < smallSize ? portableUpdate : current().update
}
