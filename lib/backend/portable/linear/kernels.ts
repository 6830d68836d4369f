import type { LinearKernels } from '../../linear.js'
import { portableDense } from './dense-kernels.js'
import { portableSparse } from './sparse.js'

export const portableLinear: LinearKernels = { ...portableSparse, ...portableDense }
