import type { CompletionKernels } from '../../../completion.js'
import { portableKernel } from '../../driver.js'
import { complete } from './complete.js'
import { topK } from './top-k.js'

export const portableCompletion: CompletionKernels = { complete: portableKernel(complete), topK: portableKernel(topK) }
