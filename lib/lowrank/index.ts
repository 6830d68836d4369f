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
export type { CodeOptions } from './dictionary/codes.js'
export type { SampleBatch } from './dictionary/samples.js'
export type { Schedule } from './dictionary/schedule.js'
export type { InitialDictionary } from './dictionary/start.js'
export { type AtomMatch, type MatchOptions, matchAtoms, matchAtomsSync } from './match-atoms.js'
export {
  type DictionaryGap,
  type DictionaryUpdate,
  type OnlineDictionary,
  type OnlineDictionaryOptions,
  type OnlineDictionaryState,
  onlineDictionary,
  type UpdateOptions,
  type UpdateStreamOptions,
} from './online-dictionary.js'
export {
  type OrthogonalDictionaryOptions,
  type OrthogonalDictionarySolution,
  orthogonalDictionary,
  orthogonalDictionarySync,
} from './orthogonal-dictionary.js'
export type { ColumnBatch, RatingChunk, RatingFields, RatingRecord, RatingStream } from './rating-stream.js'
