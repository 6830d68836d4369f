import { type History, signOf } from './history.js'
import { nonDominatedSort } from './pareto.js'
import type { TrialRecord } from './study/record.js'

/** How much a trial breaks its outcome constraints: the sum of what is above 0. */
export function violationOf({ constraints = [] }: Pick<TrialRecord, 'constraints'>): number {
  return constraints.reduce((sum: number, c) => sum + Math.max(0, c), 0)
}

/** The best complete trial that keeps all constraints; if none does, the one that breaks them least. */
export function bestOf<P>({ trials, directions }: History<P>): TrialRecord<P> | undefined {
  const sign = signOf(directions[0])
  let best: TrialRecord<P> | undefined
  let bestViolation = Number.POSITIVE_INFINITY
  let bestValue = Number.POSITIVE_INFINITY
  for (const trial of trials) {
    if (trial.state !== 'complete') continue
    const violation = violationOf(trial)
    const value = sign * trial.values![0]
    if (violation > bestViolation || (violation === bestViolation && value >= bestValue)) continue
    best = trial
    bestViolation = violation
    bestValue = value
  }
  return best
}

/** The complete trials that keep all constraints and that no other such dominates, by number; if none keeps them, those that break them least. */
export function frontOf<P>({ trials, directions }: History<P>): TrialRecord<P>[] {
  const complete = trials.filter(({ state }) => state === 'complete')
  const violations = complete.map(violationOf)
  const least = violations.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const candidates = complete.filter((_, i) => violations[i] === least)
  const ranks = nonDominatedSort(
    candidates.map(({ values }) => values!),
    directions,
  )
  return candidates.filter((_, i) => ranks[i] === 0)
}
