import type { LowrankKernels } from '../lowrank.js'
import { nativeDictionary } from './lowrank-dictionary.js'
import type { Exports, Runtime } from './runtime.js'

// biome-ignore lint/suspicious/noExplicitAny: the groups of the room have types of their own
export function nativeLowrank(runtime: Runtime, room: Record<string, any>): LowrankKernels {
  return { dictionary: nativeDictionary(runtime, room.dictionary as Exports) }
}
