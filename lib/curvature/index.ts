export { type GradientFileOptions, gradientFile } from './gradient-file.js'
export type { GradientPages } from './gradients.js'
export { type Mfac, type MfacOptions, type MfacProblem, mfac, mfacSync } from './mfac.js'
export { type MfacOptimizerOptions, type MfacOptimizerState, mfacOptimizer } from './mfac-optimizer.js'
export type { FactorStorage, FactorUpdate } from './mkor/factor.js'
export type { DenseLayer, LayerStatistics } from './mkor/layer.js'
export { type MkorEvent, type MkorOptimizer, type MkorOptions, type MkorState, mkor } from './mkor/mkor.js'
export {
  type HybridEvent,
  type MkorHybridOptimizer,
  type MkorHybridOptions,
  type MkorHybridState,
  mkorHybrid,
} from './mkor/mkor-hybrid.js'
export {
  type ConvolutionBatch,
  convolutionStatistics,
  denseStatistics,
  type StatisticsOptions,
} from './mkor/statistics.js'
export type { Product } from './product.js'
export { type PruneModel, type PruneOptions, type PruneRound, type PruneSolution, prune, pruneSync } from './prune.js'
export { type MfacWindow, type MfacWindowOptions, type MfacWindowState, mfacWindow } from './window.js'
