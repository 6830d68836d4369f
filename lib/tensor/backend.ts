import { type BackendName, kernels } from '../backend/index.js'
import { portableTensor } from '../backend/portable/tensor/kernels.js'
import type { TensorKernels } from '../backend/tensor.js'
import type { DType } from './arena.js'
import { smallSize } from './small.js'

let forced: TensorKernels | undefined
let chosen: TensorKernels | undefined

/**
 * Runs a function, which must be synchronous, with the tensor kernels of one backend instead of the one that
 * `extrema.backend()` names.
 */
export function withBackend<T>(name: BackendName, body: () => T): T {
  const before = forced
  forced = kernels(name).tensor
  try {
    return body()
  } finally {
    forced = before
  }
}

/** The kernels for an operation on n numbers of that type: whole numbers and small tensors stay in TypeScript. */
export function kernelsFor(dtype: DType, n: number): TensorKernels {
  if (n < smallSize || dtype === 'int32') return portableTensor
  if (forced !== undefined) return forced
  chosen ??= kernels().tensor
  return chosen
}
