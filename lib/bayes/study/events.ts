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

/** An event and who caused it: `worker.serial`. */
export interface Entry {
  ticket: string
  event: StudyEvent
}

const kinds: ReadonlySet<unknown> = new Set<StudyEvent[0]>([
  ...(['study', 'worker', 'ask', 'enqueue', 'start', 'report', 'tell', 'release', 'import'] as const),
])

export function encodeEntry({ ticket, event }: Entry): string {
  return JSON.stringify([ticket, ...event])
}

/** @throws ExtremaError `ERR_STORAGE` for what no version of this package wrote */
export function decodeEntry(record: string): Entry {
  const [ticket, ...event] = parse(record)
  if (kinds.has(event[0])) return { ticket, event }
  throw new ExtremaError(
    'ERR_STORAGE',
    `storage: expected events that this version of extrema knows, got '${event[0]}'; a later version wrote it`,
  )
}

function parse(record: string): [string, ...StudyEvent] {
  try {
    return JSON.parse(record) as [string, ...StudyEvent]
  } catch (cause) {
    throw new ExtremaError('ERR_STORAGE', `storage: expected events as JSON, got '${record.slice(0, 40)}'`, { cause })
  }
}
