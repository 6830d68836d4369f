import { ExtremaError } from '../../core/errors.js'
import type { Coordinate } from '../space/dimensions.js'
import type { SpaceJson } from '../space/space.js'
import type { Owner } from './owner.js'

export type Direction = 'minimize' | 'maximize'

/** What a study is: the first record of its storage. */
export interface Definition {
  format: 1
  space: SpaceJson
  /** Whether the space has a `where`, which no file can hold. */
  where: boolean
  directions: Direction[]
  constraints: number
  seed: number
}

/** How a trial ended. */
export interface Outcome {
  state: 'complete' | 'pruned' | 'failed' | 'cancelled'
  values?: number[]
  constraints?: number[]
  gradient?: Record<string, number>
  error?: string
}

/** Why a sampler proposed what it did, as plain JSON. */
export type Reason = Readonly<Record<string, string | number | boolean | null>>

/** A trial that was evaluated elsewhere. */
export interface ImportedTrial {
  coordinates: Coordinate[]
  outcome: Outcome
  reports: [step: number, value: number][]
  sampler: string
  reason: Reason
}

/** What happens to a study. Attempts number the times a trial was begun. */
export type StudyEvent =
  | ['study', Definition]
  | ['worker', Owner]
  | ['ask', number: number, coordinates: Coordinate[], sampler: string, reason: Reason, time: number]
  | ['enqueue', number: number, coordinates: Coordinate[], time: number]
  | ['start', number: number, attempt: number, time: number]
  | ['report', number: number, attempt: number, step: number, value: number]
  | ['tell', number: number, attempt: number, outcome: Outcome, time: number]
  | ['release', number: number, attempt: number]
  | ['import', number: number, trial: ImportedTrial, time: number]

/** An event as it is stored: after who caused it, as `worker.serial`. */
export type Entry = WithTicket<StudyEvent>

type WithTicket<E> = E extends readonly unknown[] ? [ticket: string, ...E] : never

const kinds: ReadonlySet<unknown> = new Set<StudyEvent[0]>([
  ...(['study', 'worker', 'ask', 'enqueue', 'start', 'report', 'tell', 'release', 'import'] as const),
])

export function encodeEntry(ticket: string, event: StudyEvent): string {
  return JSON.stringify([ticket, ...event])
}

/** @throws ExtremaError `ERR_STORAGE` for what this version of the package does not know */
export function decodeEntries(records: readonly string[]): Entry[] {
  const entries = parse(records)
  for (const entry of entries) {
    if (kinds.has(entry[1])) continue
    throw new ExtremaError(
      'ERR_STORAGE',
      `storage: expected events that this version of extrema knows, got '${entry[1]}'; a later version wrote it`,
    )
  }
  return entries
}

/** All at once, which takes half the time of one by one. */
function parse(records: readonly string[]): Entry[] {
  try {
    return JSON.parse(`[${records.join()}]`) as Entry[]
  } catch (cause) {
    throw new ExtremaError('ERR_STORAGE', `storage: expected events as JSON, got ${(cause as Error).message}`, {
      cause,
    })
  }
}
