export { type AssignmentOptions, type AssignmentSolution, assignment, assignmentSync } from './assignment.js'
export {
  type BarycenterOptions,
  type BarycenterProblem,
  type BarycenterSolution,
  barycenter,
  barycenterSync,
} from './barycenter.js'
export { type GridCost, type GridOptions, gridCost } from './grid-cost.js'
export type { LineOptions } from './line.js'
export type { EntropicOptions, SinkhornNewtonSparseOptions } from './options.js'
export { type PartialOptions, type PartialSolution, partial, partialSync } from './partial.js'
export type { TransportPlan } from './plan-view.js'
export { type PointCloudCost, type PointMetric, pointCloud, type TransportProblem } from './problem.js'
export { quadraticRegularized, quadraticRegularizedSync } from './quadratic-regularized.js'
export { sinkhorn, sinkhornBatch, sinkhornSync } from './sinkhorn.js'
export {
  sinkhornNewtonSparse,
  sinkhornNewtonSparseBatch,
  sinkhornNewtonSparseSync,
} from './sinkhorn-newton-sparse.js'
export {
  type SamplesProblem,
  type SlicedOptions,
  type SlicedSolution,
  slicedWasserstein,
  slicedWassersteinSync,
} from './sliced-wasserstein.js'
export type { Certificate, TransportSolution } from './solution.js'
export { sparsityConstrained, sparsityConstrainedSync } from './sparsity-constrained.js'
export type { QuadraticOptions, SparsityOptions } from './sparsity-options.js'
export type { SparsitySolution, SparsityStage } from './sparsity-solution.js'
export { type UnbalancedOptions, type UnbalancedSolution, unbalanced, unbalancedSync } from './unbalanced.js'
export { type LineProblem, type LineSolution, wasserstein1d, wasserstein1dSync } from './wasserstein-1d.js'
