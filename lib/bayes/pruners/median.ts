import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, whole } from '../../core/options.js'
import { signOf } from '../history.js'
import type { Pruner } from '../pruner.js'

export interface MedianPrunerOptions {
  /** The share of completed trials, in percent, that a trial must keep up with. Default: 50, the median. */
  percentile?: number
  /** Completed trials before any is stopped. Default: 5. */
  startupTrials?: number
  /** No trial is stopped at steps below this. Default: 0. */
  warmupSteps?: number
}

const names: ReadonlySet<string> = new Set(['percentile', 'startupTrials', 'warmupSteps'])

/**
 * Stops a trial whose best value so far is worse than the median of what the completed trials had reported at the same
 * step: the rule of D. Golovin et al., "Google Vizier" (KDD 2017), with the trial's best in place of its mean, so that a
 * single bad report stops nothing. Other percentiles keep the best p percent. Steps that no completed trial reported stop nothing.
 */
export function medianPruner(options: MedianPrunerOptions = {}): Pruner {
  checkNames('options', options, names)
  const { percentile = 50 } = options
  if (typeof percentile !== 'number' || !(percentile > 0 && percentile < 100)) {
    throw new ExtremaError('ERR_OPTION', `percentile: expected a number between 0 and 100, got ${describe(percentile)}`)
  }
  const startup = whole('startupTrials', options.startupTrials, 5, 0)
  const warmup = whole('warmupSteps', options.warmupSteps, 0, 0)
  return {
    name: 'median',
    shouldPrune(trial, { trials, directions }) {
      const last = trial.reports.at(-1)
      if (last === undefined || last.step < warmup) return false
      const complete = trials.filter(({ state }) => state === 'complete')
      if (complete.length < Math.max(1, startup)) return false
      const sign = signOf(directions[0])
      const others: number[] = []
      for (const { reports } of complete) {
        const there = reports.findLast(({ step }) => step === last.step)
        if (there !== undefined) others.push(sign * there.value)
      }
      if (others.length === 0) return false
      const best = Math.min(...trial.reports.map(({ value }) => sign * value))
      return best > quantile(others, percentile / 100)
    },
  }
}

/** Linear between the order statistics, as NumPy's default. */
function quantile(values: number[], q: number): number {
  const sorted = values.sort((a, b) => a - b)
  const place = q * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (place - below) * (sorted[above] - sorted[below])
}
