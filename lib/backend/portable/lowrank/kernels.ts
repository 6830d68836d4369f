import type { LowrankKernels } from '../../lowrank.js'
import { portableDictionary } from './dictionary-kernels.js'

export const portableLowrank: LowrankKernels = { dictionary: portableDictionary }
