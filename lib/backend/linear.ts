import type { SparseKernels } from './linear-sparse.js'

export interface LinearKernels extends SparseKernels {}
