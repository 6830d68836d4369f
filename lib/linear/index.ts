export { bicgstab, bicgstabSync } from './bicgstab.js'
export { type CholeskyFactorization, cholesky, choleskySync } from './cholesky.js'
export {
  type ConjugateGradientOptions,
  conjugateGradient,
  conjugateGradientSync,
} from './conjugate-gradient.js'
export { type Csc, fromTriplets, type Triplets, transpose } from './csr.js'
export type { DirectOptions, Solved, VectorOrMatrix } from './direct.js'
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
export { type LanczosOptions, type LanczosSolution, lanczos, lanczosSync } from './lanczos.js'
export { type LsqrOptions, type LsqrSolution, lsqr, lsqrSync } from './lsqr.js'
export { type LuFactorization, lu, luSync } from './lu.js'
export type { MatrixOrCsr } from './matrix-data.js'
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
export { type QrFactorization, type QrOptions, qr, qrSync } from './qr.js'
export {
  type RandomizedSvdOptions,
  type RandomizedSvdSolution,
  randomizedSvd,
  randomizedSvdSync,
} from './randomized-svd.js'
export {
  type RelaxationMethod,
  type RelaxationTrial,
  type RelaxationTuner,
  type RelaxationTunerOptions,
  type RelaxationTunerState,
  relaxationTuner,
} from './relaxation-tuner.js'
export { type Sketch, type SketchOptions, sketch, sketchSync } from './sketch.js'
export type { SketchKind, SketchShape } from './sketch-data.js'
export {
  type SketchedLeastSquaresOptions,
  type SketchedLeastSquaresSolution,
  sketchedLeastSquares,
  sketchedLeastSquaresSync,
} from './sketched-least-squares.js'
export {
  type SketchedPreconditioner,
  type SketchedPreconditionerOptions,
  sketchedPreconditioner,
  sketchedPreconditionerSync,
} from './sketched-preconditioner.js'
export {
  type SolveAttempt,
  type SolveMethod,
  type SolveOptions,
  type SolveSolution,
  solve,
  solveSync,
} from './solve.js'
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
export { type SingularValues, type SvdOptions, svd, svdSync } from './svd.js'
export { type EigenDecomposition, type EigenOptions, symmetricEigen, symmetricEigenSync } from './symmetric-eigen.js'
