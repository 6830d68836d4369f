import type { RelaxedKernels } from '../../transport-relaxed.js'
import { portableKernel } from '../driver.js'
import { partial } from './partial.js'
import { unbalanced } from './unbalanced.js'

export const portableRelaxedTransport: RelaxedKernels = {
  unbalanced: portableKernel(unbalanced),
  partial: portableKernel(partial),
}
