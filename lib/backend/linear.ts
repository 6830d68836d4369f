import type { DenseKernels } from './linear-dense.js'
import type { SparseKernels } from './linear-sparse.js'

export interface LinearKernels extends SparseKernels, DenseKernels {}
