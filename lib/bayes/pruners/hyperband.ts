import { ExtremaError } from '../../core/errors.js'
import { checkNames, positive } from '../../core/options.js'
import { signOf } from '../history.js'
import type { Pruner } from '../pruner.js'
import { checkEta, fallsOut } from './rungs.js'

export interface HyperbandPrunerOptions {
  /** The step of the earliest rung. Default: 1. */
  minResource?: number
  /** The last step of a whole trial. */
  maxResource: number
  /** Default: 3. */
  reductionFactor?: number
}

const names: ReadonlySet<string> = new Set(['minResource', 'maxResource', 'reductionFactor'])

/**
 * Hyperband (L. Li et al., JMLR 18 (2018)): successive halving with several first rungs, for not knowing how early values
 * tell. With s_max = ⌊log_η(R / r)⌋, bracket s = s_max, …, 0 takes ⌈(s_max + 1) / (s + 1) · η^s⌉ trials in the order of their numbers, and then it
 * begins again; within a bracket trials fall out at the steps R η^-s, R η^(1-s), … below R asynchronously, as in `ashaPruner`.
 */
export function hyperbandPruner(options: HyperbandPrunerOptions): Pruner {
  checkNames('options', options, names)
  const r = positive('minResource', options.minResource, 1)
  const most = positive('maxResource', options.maxResource)
  const eta = checkEta(options.reductionFactor, 3)
  if (most < r) throw new ExtremaError('ERR_OPTION', `maxResource: expected at least minResource = ${r}, got ${most}`)
  // The rounding of the logarithms must not lose a bracket: log_3(243) is 4.999….
  const smax = Math.floor(Math.log(most / r) / Math.log(eta) + 1e-9)
  const sizes = Array.from({ length: smax + 1 }, (_, k) => {
    const s = smax - k
    return Math.ceil(((smax + 1) / (s + 1)) * eta ** s - 1e-9)
  })
  const round = sizes.reduce((sum, size) => sum + size, 0)
  const bracketOf = (number: number) => {
    let place = number % round
    let k = 0
    while (place >= sizes[k]) place -= sizes[k++]
    return smax - k
  }
  return {
    name: 'hyperband',
    shouldPrune(trial, { trials, directions }) {
      const s = bracketOf(trial.number)
      const peers = trials.filter(({ number }) => bracketOf(number) === s)
      // Below the whole: what has run to the end is not stopped any more.
      const rungs = Array.from({ length: s }, (_, k) => most / eta ** (s - k))
      return fallsOut(trial, peers, rungs, eta, signOf(directions[0]))
    },
  }
}
