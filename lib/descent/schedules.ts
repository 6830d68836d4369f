import { ExtremaError } from '../core/errors.js'
import { describe, nonNegative, positive, whole } from '../core/options.js'
import type { Schedule } from '../tensor/optimizer.js'

// Functions of the step, counted from 0. Past their last step they keep the last value.

/** The same rate at every step. */
export function constant(rate: number): Schedule {
  positive('rate', rate)
  return () => rate
}

/** rate · factor^⌊step / every⌋ */
export function step(given: { rate: number; every: number; factor?: number }): Schedule {
  const rate = positive('rate', given.rate)
  const every = whole('every', given.every ?? null, 0, 1)
  const factor = positive('factor', given.factor, 0.1)
  return (step) => rate * factor ** Math.floor(step / every)
}

/** rate · decay^step */
export function exponential(given: { rate: number; decay: number }): Schedule {
  const rate = positive('rate', given.rate)
  const decay = positive('decay', given.decay)
  return (step) => rate * decay ** step
}

/** Half a cosine from `rate` at step 0 to `floor` (default 0) at step `steps` (Loshchilov, Hutter, arXiv 1608.03983, eq. 5). */
export function cosine(given: { rate: number; steps: number; floor?: number }): Schedule {
  const rate = positive('rate', given.rate)
  const steps = whole('steps', given.steps ?? null, 0, 1)
  const floor = nonNegative('floor', given.floor, 0)
  return (step) => floor + (rate - floor) * fall(step / steps)
}

/**
 * Cosine power annealing: from `rate` to `floor` (default 0) by (p^(w + 1) − p) / (p² − p), w the falling cosine from 1 to 0 and p
 * the `power` > 0 (default 10). p = 1 is the plain {@link cosine}; larger p spend more steps at small rates
 * (Hundt, Jain, Hager, *sharpDARTS*, arXiv 1903.09900).
 */
export function cosinePower(given: { rate: number; steps: number; power?: number; floor?: number }): Schedule {
  const rate = positive('rate', given.rate)
  const steps = whole('steps', given.steps ?? null, 0, 1)
  const power = positive('power', given.power, 10)
  const floor = nonNegative('floor', given.floor, 0)
  const logarithm = Math.log(power)
  // (p^w - 1) / (p - 1)
  const bend = (w: number) => (power === 1 ? w : Math.expm1(w * logarithm) / (power - 1))
  return (step) => floor + (rate - floor) * bend(fall(step / steps))
}

/**
 * One cycle: half a cosine from peak / start (default 25) up to `peak` within the share `rise` (default 0.3) of the steps, and half a
 * cosine down to peak / (start · end) (end by default 10,000) at the last one, step `steps` − 1 (Smith, Topin, arXiv 1708.07120).
 */
export function oneCycle(given: {
  peak: number
  steps: number
  rise?: number
  start?: number
  end?: number
}): Schedule {
  const peak = positive('peak', given.peak)
  const steps = whole('steps', given.steps ?? null, 0, 2)
  const rise = positive('rise', given.rise, 0.3)
  const low = peak / positive('start', given.start, 25)
  const least = low / positive('end', given.end, 1e4)
  if (rise >= 1) throw new ExtremaError('ERR_OPTION', `rise: expected a number in (0, 1), got ${rise}`)
  const top = rise * steps - 1
  return (step) => {
    if (top > 0 && step <= top) return peak + (low - peak) * fall(step / top)
    return least + (peak - least) * fall((step - Math.max(top, 0)) / (steps - 1 - Math.max(top, 0)))
  }
}

/** From `start` (default 0) times the schedule's first rate, linearly over `steps` steps, and then the schedule from its step 0. */
export function warmup(given: { steps: number; start?: number }, then: Schedule): Schedule {
  const steps = whole('steps', given.steps ?? null, 0, 1)
  const start = nonNegative('start', given.start, 0)
  if (typeof then !== 'function') {
    throw new ExtremaError('ERR_OPTION', `then: expected a schedule, got ${describe(then)}`)
  }
  return (step) => (step >= steps ? then(step - steps) : then(0) * (start + (1 - start) * (step / steps)))
}

/** rates[k] from step starts[k - 1] on, and rates[0] before: so there is one rate more than starts, which ascend. */
export function piecewise(starts: readonly number[], rates: readonly number[]): Schedule {
  if (!Array.isArray(starts) || !Array.isArray(rates) || rates.length !== starts.length + 1) {
    const expected = `one rate more than starts, which are ${starts?.length}`
    throw new ExtremaError('ERR_SHAPE', `rates: expected ${expected}, got ${rates?.length}`)
  }
  starts.forEach((start, k) => {
    whole(`starts[${k}]`, start ?? null, 0, k === 0 ? 1 : starts[k - 1] + 1)
  })
  rates.forEach((rate, k) => {
    positive(`rates[${k}]`, rate)
  })
  const [first, ...later] = [...rates]
  const from = [...starts]
  return (step) => {
    let rate = first
    for (let k = 0; k < from.length && step >= from[k]; k++) rate = later[k]
    return rate
  }
}

/** (1 + cos π t) / 2: from 1 at t = 0 to 0 at t = 1, and 0 beyond. */
function fall(t: number): number {
  return t >= 1 ? 0 : (1 + Math.cos(Math.PI * t)) / 2
}
