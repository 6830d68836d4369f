import type { ConstrainedKernels } from '../../constrained.js'
import { portableKernel } from '../driver.js'
import { factor } from './factor.js'
import { minres } from './minres.js'
import { sketchSolve } from './sketch-solve.js'

export const portableConstrained: ConstrainedKernels = {
  sketchSolve: portableKernel(sketchSolve),
  factor: portableKernel(factor),
  minres: portableKernel(minres),
}
