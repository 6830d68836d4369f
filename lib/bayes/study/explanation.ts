import { type History, signOf } from '../history.js'
import { bestOf, violationOf } from '../incumbent.js'
import type { Reason } from './events.js'
import type { TrialRecord, TrialState } from './record.js'

/** Who proposed a trial and why, and how it compares. */
export interface Explanation {
  number: number
  state: TrialState
  /** The name of the sampler, `enqueued` or `imported`. */
  sampler: string
  /** What the sampler said of its proposal. */
  reason: Reason
  /** The sum of what its outcome constraints are above 0; undefined unless complete. */
  violation: number | undefined
  /** Of a single objective: its place among the complete trials, from 1, those that keep all constraints first. */
  rank: number | undefined
  /** Of a single objective: how much worse it is than the best, >= 0 if that keeps the same constraints. */
  regret: number | undefined
  /** The same in a sentence. */
  text: string
}

export function explanationOf<P>(record: TrialRecord<P>, history: History<P>): Explanation {
  const { number, state, sampler, reason } = record
  const complete = state === 'complete'
  const violation = complete ? violationOf(record) : undefined
  const sign = signOf(history.directions[0])
  let rank: number | undefined
  let regret: number | undefined
  if (complete && history.directions.length === 1) {
    const value = sign * record.values![0]
    const better = history.trials.filter((other) => {
      if (other.state !== 'complete') return false
      const theirs = violationOf(other)
      return theirs < violation! || (theirs === violation && sign * other.values![0] < value)
    })
    rank = 1 + better.length
    regret = value - sign * bestOf(history)!.values![0]
  }
  const why = Object.entries(reason).map(([name, value]) => `${name}: ${value}`)
  const origin = sampler === 'enqueued' || sampler === 'imported' ? sampler : `proposed by ${sampler}`
  const place = rank === undefined ? '' : `, number ${rank} of those that are complete`
  const breaks = violation !== undefined && violation > 0 ? ', breaks its constraints' : ''
  const text = `trial ${number} was ${origin}${why.length > 0 ? ` (${why.join(', ')})` : ''}; it is ${state}${place}${breaks}`
  return { number, state, sampler, reason, violation, rank, regret, text }
}
