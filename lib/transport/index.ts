export { type AssignmentOptions, type AssignmentSolution, assignment, assignmentSync } from './assignment.js'
export {
  type BarycenterOptions,
  type BarycenterProblem,
  type BarycenterSolution,
  barycenter,
  barycenterSync,
} from './barycenter.js'
export { type CostMatrixOptions, costMatrix, costMatrixSync, type PairCost } from './cost-matrix.js'
export { type CrossoverOptions, type CrossoverSolution, crossover, crossoverSync } from './crossover.js'
export { emd, emdBatch, emdSync } from './emd.js'
export { type EntropicMap, entropicMap, type MapOptions } from './entropic-map.js'
export type { ExactTransportProblem } from './exact-problem.js'
export type { ExactSolution } from './exact-solution.js'
export type { ExactOptions } from './exact-solve.js'
export {
  type FreeBarycenterOptions,
  type FreeBarycenterProblem,
  type FreeBarycenterSolution,
  freeBarycenter,
  freeBarycenterSync,
  type Measure,
} from './free-barycenter.js'
export type { Gaussian, GaussianOptions } from './gaussian.js'
export {
  type GaussianBarycenterOptions,
  type GaussianBarycenterProblem,
  type GaussianBarycenterSolution,
  gaussianBarycenter,
  gaussianBarycenterSync,
} from './gaussian-barycenter.js'
export {
  type GaussianProblem,
  type GaussianSolution,
  gaussianTransport,
  gaussianTransportSync,
} from './gaussian-transport.js'
export { type GridCost, type GridOptions, gridCost } from './grid-cost.js'
export {
  type GromovWassersteinOptions,
  type GromovWassersteinProblem,
  type GromovWassersteinSolution,
  gromovWasserstein,
  gromovWassersteinSync,
} from './gromov-wasserstein.js'
export type { LightBridgeJson } from './light-bridge/json.js'
export type {
  AsyncControl,
  ConditionalPlan,
  LightBridge,
  LightBridgeParameters,
  LightBridgeSolution,
  SampleOptions,
  TrajectoryOptions,
} from './light-bridge/model.js'
export type { LightBridgeOptions } from './light-bridge/options.js'
export type { PointsLike } from './light-bridge/points.js'
export type { LightBridgeProblem, Sampler, SamplerSync } from './light-bridge/problem.js'
export { lightBridge, lightBridgeFromJSON, lightBridgeSync } from './light-bridge.js'
export type { LineOptions } from './line.js'
export {
  type LowRankOptions,
  type LowRankSolution,
  lowRankSinkhorn,
  lowRankSinkhornSync,
} from './low-rank-sinkhorn.js'
export {
  type GaussianMixture,
  type MixtureOptions,
  type MixtureProblem,
  type MixtureSolution,
  mixtureTransport,
  mixtureTransportSync,
} from './mixture-transport.js'
export type { EntropicOptions, SinkhornNewtonSparseOptions, SinkhornOptions } from './options.js'
export { partial, partialSync } from './partial.js'
export type { PartialOptions, PartialSolution } from './partial-entropic.js'
export type { ExactPartialOptions, ExactPartialSolution } from './partial-exact.js'
export type { TransportPlan } from './plan-view.js'
export { type PlanCotangent, type PlanVjp, type PlanVjpOptions, planVjp, planVjpSync } from './plan-vjp.js'
export { type PointCloudCost, type PointMetric, pointCloud, type TransportProblem } from './problem.js'
export { quadraticRegularized, quadraticRegularizedSync } from './quadratic-regularized.js'
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
export { type TransportAttempt, type TransportResult, transport, transportBatch, transportSync } from './transport.js'
export type { TransportMethod, TransportOptions } from './transport-options.js'
export { type UnbalancedOptions, type UnbalancedSolution, unbalanced, unbalancedSync } from './unbalanced.js'
export { type GradientOptions, type ValueGradient, valueGradient, valueGradientSync } from './value-gradient.js'
export { type LineProblem, type LineSolution, wasserstein1d, wasserstein1dSync } from './wasserstein-1d.js'
