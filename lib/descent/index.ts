export type { Selection, Update } from '../backend/descent.js'
export {
  blockCoordinateDescent,
  blockCoordinateDescentSync,
  type DescentHistory,
  type DescentProblem,
  type DescentSolution,
} from './block-coordinate-descent.js'
export { type LabelProblem, type LabelPropagation, labelPropagation } from './label-propagation.js'
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
export { type ForestOptions, type ForestSolution, solveForest, solveForestSync } from './solve-forest.js'
