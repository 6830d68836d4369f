export { exportArrow, importArrow } from './exchange/arrow.js'
export { exportJsonLines, importJsonLines } from './exchange/json-lines.js'
export type { ExportedTrial } from './exchange/record-json.js'
export type { History } from './history.js'
export type { ImportanceOptions } from './importance/importance.js'
export { nonDominatedSort } from './pareto.js'
export type { Pruner } from './pruner.js'
export { type AshaPrunerOptions, ashaPruner } from './pruners/asha.js'
export { type HyperbandPrunerOptions, hyperbandPruner } from './pruners/hyperband.js'
export { type MedianPrunerOptions, medianPruner } from './pruners/median.js'
export type { Proposal, Sampler } from './sampler.js'
export { randomSampler } from './samplers/random.js'
export { sobolSampler } from './samplers/sobol.js'
export type { Dimension } from './space/dimensions.js'
export type { FeatureColumn } from './space/features.js'
export { searchSpace, spaceFromJSON } from './space/index.js'
export type { LinearConstraint } from './space/linear.js'
export {
  type Categorical,
  type Choice,
  type Conditional,
  categorical,
  conditional,
  type Fixed,
  fixed,
  type Integer,
  integer,
  type Ordinal,
  ordinal,
  type Parameter,
  type ParameterMap,
  type ParamsOf,
  type Real,
  real,
} from './space/parameters.js'
export type { SearchSpace, SpaceConstraints, SpaceJson } from './space/space.js'
export type { Storage } from './storage/storage.js'
export type { Direction, Reason } from './study/events.js'
export type { Explanation } from './study/explanation.js'
export type { Objective, OptimizeOptions, OptimizeSolution } from './study/optimize.js'
export type { StudyOptions } from './study/options.js'
export type { Report, TrialRecord, TrialState } from './study/record.js'
export type { TrialResult } from './study/result.js'
export { type Best, createStudy, type Study } from './study/study.js'
export type { Trial } from './study/trial.js'
export type { Posterior, Surrogate } from './surrogate.js'
