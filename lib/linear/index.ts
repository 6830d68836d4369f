export { bicgstab, bicgstabSync } from './bicgstab.js'
export {
  type ConjugateGradientOptions,
  conjugateGradient,
  conjugateGradientSync,
} from './conjugate-gradient.js'
export { type Csc, fromTriplets, type Triplets, transpose } from './csr.js'
export { type GmresOptions, gmres, gmresSync } from './gmres.js'
export {
  type IncompleteCholesky,
  type IncompleteCholeskyFactor,
  type IncompleteCholeskyOptions,
  incompleteCholesky,
  incompleteCholeskySync,
} from './incomplete-cholesky.js'
export type {
  IterativeOptions,
  LinearProblem,
  LinearSolution,
  PreconditionedProblem,
  SymmetricOptions,
} from './iterative.js'
export { jacobi, jacobiSync } from './jacobi.js'
export { type LsqrOptions, type LsqrSolution, lsqr, lsqrSync } from './lsqr.js'
export { formatMatrixMarket, type MatrixMarketOptions, parseMatrixMarket } from './matrix-market.js'
export { type MinresOptions, minres, minresSync } from './minres.js'
export { type MultiplyOptions, multiply, multiplySync } from './multiply.js'
export type { NullspaceOptions } from './nullspace.js'
export {
  type Block,
  type BuiltInOperator,
  type Kronecker,
  type LinearOperator,
  type LowRankPlusDiagonal,
  type OperatorLike,
  type PreparedOperator,
  prepare,
  type Transposed,
} from './operator.js'
export type { Preconditioner } from './preconditioner.js'
export {
  type RelaxationMethod,
  type RelaxationTrial,
  type RelaxationTuner,
  type RelaxationTunerOptions,
  type RelaxationTunerState,
  relaxationTuner,
} from './relaxation-tuner.js'
export { type SolveMethod, type SolveOptions, type SolveSolution, solve, solveSync } from './solve.js'
export { sor, sorSync } from './sor.js'
export {
  type SparseCholesky,
  type SparseCholeskyOptions,
  sparseCholesky,
  sparseCholeskySync,
} from './sparse-cholesky.js'
export { ssor, ssorSync } from './ssor.js'
export type { JacobiOptions, RelaxationOptions } from './stationary.js'
export type { Stencil } from './stencil.js'
