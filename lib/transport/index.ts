export { type AssignmentOptions, type AssignmentSolution, assignment, assignmentSync } from './assignment.js'
export { type CrossoverOptions, type CrossoverSolution, crossover, crossoverSync } from './crossover.js'
export { emd, emdBatch, emdSync } from './emd.js'
export type { ExactTransportProblem } from './exact-problem.js'
export type { ExactSolution } from './exact-solution.js'
export type { ExactOptions } from './exact-solve.js'
export type { LineOptions } from './line.js'
export type { EntropicOptions, SinkhornNewtonSparseOptions } from './options.js'
export { type PointCloudCost, type PointMetric, pointCloud, type TransportProblem } from './problem.js'
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
export { type LineProblem, type LineSolution, wasserstein1d, wasserstein1dSync } from './wasserstein-1d.js'
