import { checkNames, positive, whole } from '../../core/options.js'
import { signOf } from '../history.js'
import type { Pruner } from '../pruner.js'
import { checkEta, fallsOut } from './rungs.js'

export interface AshaPrunerOptions {
  /** The step of the first rung. Default: 1. */
  minResource?: number
  /** Of the trials at a rung, the best one in so many go on; the next rung is at so many times its step. Default: 4. */
  reductionFactor?: number
  /** Rungs left out at the beginning, for values that say little early. Default: 0. */
  minEarlyStoppingRate?: number
}

const names: ReadonlySet<string> = new Set(['minResource', 'reductionFactor', 'minEarlyStoppingRate'])

/**
 * Asynchronous successive halving (L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020), in the form
 * that stops trials instead of pausing them: at the steps r η^s, r η^(s+1), … a trial goes on only if it is among the best
 * 1/η of all that came there before, or the best of fewer than η. Report whole or fractional steps, in ascending order.
 */
export function ashaPruner(options: AshaPrunerOptions = {}): Pruner {
  checkNames('options', options, names)
  const r = positive('minResource', options.minResource, 1)
  const eta = checkEta(options.reductionFactor, 4)
  const s = whole('minEarlyStoppingRate', options.minEarlyStoppingRate, 0, 0, 1000)
  function* rungs() {
    for (let k = s; ; k++) yield r * eta ** k
  }
  return {
    name: 'asha',
    shouldPrune: (trial, { trials, directions }) => fallsOut(trial, trials, rungs(), eta, signOf(directions[0])),
  }
}
