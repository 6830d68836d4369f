import { type GapJob, gapField, gapReportLength } from '../../backend/lowrank-dictionary.js'
import { ExtremaError } from '../../core/errors.js'
import type { Settings } from './options.js'
import { type Samples, unitOf } from './samples.js'
import type { DictionaryGap } from './update.js'

/** The gap of w on samples; whitened ones have magnitudes near 1. */
export function gapJob({ n, power, threads }: Settings, w: Float64Array, samples: Samples, whitened: boolean): GapJob {
  if (samples.rows === 0) throw new ExtremaError('ERR_NOT_FINITE', 'batch: expected a finite sample, got none')
  const scale = whitened ? 1 : unitOf(samples.largest)
  return {
    n,
    rows: samples.rows,
    samples: samples.data,
    coding: { shaping: power === 3 ? 'cube' : 'fourth', keep: 0, threshold: 0, scale },
    threads,
    w,
    report: new Float64Array(gapReportLength),
  }
}

export function gapResult({ report, rows, n, coding }: GapJob, power: number): DictionaryGap {
  const unit = coding.scale ** power
  const count = rows * n
  const second = report[gapField.second] / count
  return {
    gap: report[gapField.gap] * unit,
    relativeGap: report[gapField.relativeGap],
    objective: (report[gapField.objective] * unit) / rows,
    kurtosis: second > 0 ? report[gapField.fourth] / count / second ** 2 : 0,
  }
}
