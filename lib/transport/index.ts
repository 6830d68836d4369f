export type { EntropicOptions, SinkhornNewtonSparseOptions } from './options.js'
export { type PartialOptions, type PartialSolution, partial, partialSync } from './partial.js'
export type { TransportPlan } from './plan-view.js'
export { type PlanCotangent, type PlanVjp, type PlanVjpOptions, planVjp, planVjpSync } from './plan-vjp.js'
export { type PointCloudCost, type PointMetric, pointCloud, type TransportProblem } from './problem.js'
export { sinkhorn, sinkhornBatch, sinkhornSync } from './sinkhorn.js'
export {
  type DivergenceGradient,
  type DivergencePotentials,
  type DivergenceProblem,
  type MatrixDivergenceProblem,
  type PointDivergenceProblem,
  type SinkhornDivergence,
  type SinkhornDivergenceOptions,
  sinkhornDivergence,
  sinkhornDivergenceSync,
} from './sinkhorn-divergence.js'
export {
  sinkhornNewtonSparse,
  sinkhornNewtonSparseBatch,
  sinkhornNewtonSparseSync,
} from './sinkhorn-newton-sparse.js'
export type { Certificate, TransportSolution } from './solution.js'
export { type UnbalancedOptions, type UnbalancedSolution, unbalanced, unbalancedSync } from './unbalanced.js'
export { type GradientOptions, type ValueGradient, valueGradient, valueGradientSync } from './value-gradient.js'
