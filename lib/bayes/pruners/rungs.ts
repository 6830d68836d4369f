import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import type { Report, TrialRecord } from '../study/record.js'

/** The value at a rung: the first report at its step or later. */
export function valueAtRung(reports: readonly Report[], step: number): number | undefined {
  return reports.find((report) => report.step >= step)?.value
}

/**
 * Whether a trial falls out at one of the rungs, ascending, that its latest report is the first to reach: unless it is
 * among the best max(1, ⌊n / eta⌋) of the n trials that have reached the rung, itself among them.
 */
export function fallsOut(
  trial: TrialRecord,
  peers: readonly TrialRecord[],
  rungs: Iterable<number>,
  eta: number,
  sign: 1 | -1,
): boolean {
  const latest = trial.reports.at(-1)
  if (latest === undefined) return false
  const before = trial.reports.slice(0, -1).reduce((most, { step }) => Math.max(most, step), -1)
  const own = sign * latest.value
  for (const rung of rungs) {
    if (rung > latest.step) break
    if (rung <= before) continue
    let better = 0
    let n = 1
    for (const peer of peers) {
      if (peer.number === trial.number) continue
      const value = valueAtRung(peer.reports, rung)
      if (value === undefined) continue
      n++
      if (sign * value < own) better++
    }
    if (better >= Math.max(1, Math.floor(n / eta))) return true
  }
  return false
}

/** The reduction factor. */
export function checkEta(value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value === 'number' && value > 1 && Number.isFinite(value)) return value
  throw new ExtremaError('ERR_OPTION', `reductionFactor: expected a number > 1, got ${describe(value)}`)
}
