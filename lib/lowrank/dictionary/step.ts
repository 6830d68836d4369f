import { type OnlineJob, onlineField, onlineReportLength } from '../../backend/lowrank-dictionary.js'
import { ExtremaError } from '../../core/errors.js'
import { statuses } from '../../core/solution.js'
import type { Settings } from './options.js'
import { type Samples, unitOf } from './samples.js'
import { values } from './schedule.js'
import type { Progressed } from './state.js'
import type { DictionaryUpdate } from './update.js'
import { momentWarning, recentMoments, varianceWarning } from './warnings.js'

/** Samples for each dimension over which variances are compared. */
const comparedSamples = 20

/** When a run of steps ends before its samples do. */
export interface StopRule {
  tolerance: number
  patience: number
  /** Steps within the tolerance that came right before. */
  calm: number
  mostSteps: number
}

export const never: StopRule = { tolerance: -1, patience: 0, calm: 0, mostSteps: Number.POSITIVE_INFINITY }

/** A job on copies of the state. */
export function stepJob(settings: Settings, now: Progressed, samples: Samples, rule: StopRule): OnlineJob {
  const { n, power, whiten, threads, float32 } = settings
  const batch = settings.batchSize === 0 ? Math.max(1, samples.rows) : settings.batchSize
  const rows = Math.min(samples.rows, rule.mostSteps * batch)
  const steps = Math.ceil(rows / batch)
  const scale = now.scale || unitOf(samples.largest)
  checkRange(samples.largest, scale, float32)
  const compares = whiten || now.seen < comparedSamples * n
  const report = new Float64Array(onlineReportLength)
  report[onlineField.calm] = rule.calm
  report[onlineField.seen] = now.seen
  report[onlineField.whitenedAt] = now.whitenedAt
  return {
    n,
    rows,
    samples: samples.data,
    coding: { shaping: power === 3 ? 'cube' : 'fourth', keep: 0, threshold: 0, scale },
    threads,
    batch,
    rho: values(settings.rho, now.steps, steps),
    gamma: values(settings.gamma, now.steps, steps),
    tolerance: rule.tolerance,
    patience: rule.patience,
    relaxed: now.relaxed.slice(),
    averaged: now.averaged.slice(),
    covariance: compares ? (now.covariance?.slice() ?? new Float64Array(n * n)) : null,
    whitening: whiten ? (now.whitening?.slice() ?? new Float64Array(n * n)) : null,
    gaps: new Float64Array(Math.max(1, steps)),
    report,
  }
}

/** Powers of what is so much larger than the first samples would overflow. */
function checkRange(largest: number, scale: number, float32: boolean): void {
  const most = scale * (float32 ? 1e8 : 1e60)
  if (largest <= most) return
  const expected = `magnitudes of at most ${most.toPrecision(3)}, by those of the first samples`
  throw new ExtremaError('ERR_NOT_FINITE', `batch: expected ${expected}, got ${largest}`)
}

export interface Stepped {
  now: Progressed
  /** Steps within the tolerance at the end. */
  calm: number
  /** Whether the variances were compared, which is done once. */
  compared: boolean
  update: Omit<DictionaryUpdate, 'elapsed' | 'backend'>
}

/** What a finished job left: the next state, and what to tell of it. */
export function stepResult(
  settings: Settings,
  now: Progressed,
  { samples, job, wasCompared }: { samples: Samples; job: OnlineJob; wasCompared: boolean },
): Stepped {
  const { report, coding, n } = job
  const field = (name: keyof typeof onlineField) => report[onlineField[name]]
  const steps = field('steps')
  const unit = coding.scale ** settings.power
  const compared = !settings.whiten && !wasCompared && field('seen') >= comparedSamples * n
  const next: Progressed = {
    steps: now.steps + steps,
    samples: now.samples + field('rows'),
    scale: now.scale || (samples.largest > 0 ? coding.scale : 0),
    relaxed: withoutMinusZero(job.relaxed),
    averaged: withoutMinusZero(job.averaged),
    covariance: compared || job.covariance === null ? null : withoutMinusZero(job.covariance),
    whitening: job.whitening === null ? null : withoutMinusZero(job.whitening),
    seen: field('seen'),
    whitenedAt: field('whitenedAt'),
    moments: recentMoments(now.moments, [field('coefficients'), field('second'), field('fourth')]),
  }
  const warnings = compared && job.covariance !== null ? varianceWarning(job.covariance, n) : []
  const used = Math.floor(field('coefficients') / n)
  return {
    now: next,
    calm: field('calm'),
    compared,
    update: {
      status: statuses[field('status')] ?? 'iteration-limit',
      iterations: steps,
      residual: field('relativeGap'),
      samples: field('rows'),
      gap: field('gap') * unit,
      objective: used > 0 ? (field('objective') * unit) / used : 0,
      gaps: job.gaps.subarray(0, steps).map((gap) => gap * unit),
      skipped: field('skipped'),
      invalid: samples.invalid,
      degenerate: field('degenerate'),
      rankDeficient: field('rankDeficient'),
      warnings: [...warnings, ...momentWarning(next.moments, next.steps)],
    },
  }
}

/** JSON knows no -0. */
function withoutMinusZero(matrix: Float64Array): Float64Array {
  for (let k = 0; k < matrix.length; k++) matrix[k] += 0
  return matrix
}
