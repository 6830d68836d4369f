export type { CompletionSketch, CompletionSolver } from '../backend/completion.js'
export {
  type CompletionHistory,
  type CompletionSolution,
  completeMatrix,
  completeMatrixSync,
} from './complete-matrix.js'
export {
  type CompletionJson,
  type CompletionModel,
  completionModel,
  type FoldedRow,
  type NewRow,
  type TopK,
  type TopKOptions,
} from './completion-model.js'
export type { CompletionOptions } from './completion-options.js'
export type { CompletionProblem, CsrEntries, Triplets } from './completion-problem.js'
export type { ColumnBatch, RatingChunk, RatingFields, RatingRecord, RatingStream } from './rating-stream.js'
