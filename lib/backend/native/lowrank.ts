import type { LowrankKernels } from '../lowrank.js'
import { nativeCompletion } from './completion.js'
import type { Exports, Runtime } from './runtime.js'

export function nativeLowrank(runtime: Runtime, room: Exports): LowrankKernels {
  return { ...nativeCompletion(runtime, room) }
}
