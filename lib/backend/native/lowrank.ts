import type { LowrankKernels } from '../lowrank.js'
import { nativeCompletion } from './completion.js'
import { nativeDictionary } from './lowrank-dictionary.js'
import type { Exports, Runtime } from './runtime.js'

// biome-ignore lint/suspicious/noExplicitAny: the groups of the room have types of their own
export function nativeLowrank(runtime: Runtime, room: Record<string, any>): LowrankKernels {
  return { ...nativeCompletion(runtime, room), dictionary: nativeDictionary(runtime, room.dictionary as Exports) }
}
