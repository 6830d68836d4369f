export type { Selection, Update } from '../backend/descent.js'
export { type AdamOptions, adam, adamW } from './adam.js'
export {
  blockCoordinateDescent,
  blockCoordinateDescentSync,
  type DescentHistory,
  type DescentProblem,
  type DescentSolution,
} from './block-coordinate-descent.js'
export type { DecaySettings } from './decay.js'
export { type LabelProblem, type LabelPropagation, labelPropagation } from './label-propagation.js'
export { lamb } from './lamb.js'
export { type LbfgsOptions, type LbfgsSolution, lbfgs, lbfgsSync } from './lbfgs.js'
export {
  type LionKOptions,
  type LionOptimizer,
  type LionOptions,
  type LionSettings,
  lion,
  lionK,
} from './lion.js'
export {
  type LionFlowOptions,
  type LionFlowProblem,
  type LionFlowSolution,
  lionFlow,
  lionFlowSync,
} from './lion-flow.js'
export type { CustomFunction, LionFunction } from './lion-k/potential.js'
export type { LionLeafReport, LionReport } from './lion-k/report.js'
export type { BlockCoordinateDescentOptions, Partition } from './options.js'
export type { OracleProblem } from './oracle.js'
export type {
  LeastSquaresProblem,
  LogisticProblem,
  QuadraticProblem,
  SeparableTerms,
  SoftmaxProblem,
  TemplateProblem,
} from './problem.js'
export { type RmspropOptions, rmsprop } from './rmsprop.js'
export {
  type OptimizerTrace,
  type RunOptimizerOptions,
  type RunOptimizerSolution,
  runOptimizer,
  runOptimizerSync,
} from './run-optimizer.js'
export * as schedules from './schedules.js'
export { type SgdOptions, sgd } from './sgd.js'
export type { JointOracle, SeparateOracles, SmoothProblem } from './smooth-problem.js'
export { type ForestOptions, type ForestSolution, solveForest, solveForestSync } from './solve-forest.js'
