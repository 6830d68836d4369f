import type { DictionaryKernels } from './lowrank-dictionary.js'

export interface LowrankKernels {
  dictionary: DictionaryKernels
}
