import type { CompletionKernels } from './completion.js'
import type { DictionaryKernels } from './lowrank-dictionary.js'

export interface LowrankKernels extends CompletionKernels {
  dictionary: DictionaryKernels
}
