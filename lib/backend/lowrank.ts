import type { CompletionKernels } from './completion.js'

export interface LowrankKernels extends CompletionKernels {}
