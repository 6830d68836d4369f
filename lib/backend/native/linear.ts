import type { LinearKernels } from '../linear.js'
import { nativeSparse } from './linear-sparse.js'
import type { Exports, Runtime } from './runtime.js'

export function nativeLinear(runtime: Runtime, room: Exports): LinearKernels {
  return { ...nativeSparse(runtime, room) }
}
