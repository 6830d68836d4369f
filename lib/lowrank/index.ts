export type { CodeOptions } from './dictionary/codes.js'
export type { SampleBatch } from './dictionary/samples.js'
export type { Schedule } from './dictionary/schedule.js'
export type { InitialDictionary } from './dictionary/start.js'
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
