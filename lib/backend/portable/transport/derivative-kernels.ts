import type { DerivativeKernels } from '../../transport-derivatives.js'
import { portableKernel } from '../driver.js'
import { planVjp, pointGradient, softTransform } from './derivatives.js'
import { symmetric } from './symmetric.js'

export const portableTransportDerivatives: DerivativeKernels = {
  symmetric: portableKernel(symmetric),
  softTransform: portableKernel(softTransform),
  pointGradient: portableKernel(pointGradient),
  planVjp: portableKernel(planVjp),
}
