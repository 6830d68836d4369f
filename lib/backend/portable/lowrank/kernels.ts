import type { LowrankKernels } from '../../lowrank.js'
import { portableCompletion } from './completion/kernels.js'

export const portableLowrank: LowrankKernels = { ...portableCompletion }
