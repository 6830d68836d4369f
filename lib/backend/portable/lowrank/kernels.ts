import type { LowrankKernels } from '../../lowrank.js'
import { portableCompletion } from './completion/kernels.js'
import { portableDictionary } from './dictionary-kernels.js'

export const portableLowrank: LowrankKernels = { ...portableCompletion, dictionary: portableDictionary }
