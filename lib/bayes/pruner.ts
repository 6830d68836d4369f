import type { History } from './history.js'
import type { TrialRecord } from './study/record.js'

/** Decides which trials are not worth finishing, from what they report on their way. One objective is needed. */
export interface Pruner {
  readonly name: string
  /** Whether to stop the trial, asked after each report; it follows from the arguments alone. */
  shouldPrune(trial: TrialRecord, history: History): boolean
}
