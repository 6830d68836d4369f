import type { LinearKernels } from '../../linear.js'
import { portableSparse } from './sparse.js'

export const portableLinear: LinearKernels = { ...portableSparse }
