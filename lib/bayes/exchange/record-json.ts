import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe } from '../../core/options.js'
import { isRecord, type ParameterMap, type ParamsOf } from '../space/parameters.js'
import type { ImportedTrial, Outcome, Reason } from '../study/events.js'
import type { TrialRecord } from '../study/record.js'
import { checkResult, type TrialResult } from '../study/result.js'
import type { Study } from '../study/study.js'

/** A trial as it is exported: a line of JSON. */
export interface ExportedTrial<P = unknown> {
  number: number
  state: TrialRecord['state']
  params: P
  values?: readonly number[]
  constraints?: readonly number[]
  gradient?: Readonly<Record<string, number>>
  error?: string
  reports?: readonly (readonly [step: number, value: number])[]
  sampler: string
  reason?: Reason
}

const names: ReadonlySet<string> = new Set([
  ...['number', 'state', 'params', 'values', 'constraints', 'gradient', 'error', 'reports', 'sampler', 'reason'],
])

export function exported<P>(record: TrialRecord<P>): ExportedTrial<P> {
  const { number, state, params, values, constraints, gradient, error, reports, sampler, reason } = record
  return {
    ...{ number, state, params },
    ...(values === undefined ? {} : { values }),
    ...(constraints === undefined ? {} : { constraints }),
    ...(gradient === undefined ? {} : { gradient }),
    ...(error === undefined ? {} : { error }),
    ...(reports.length === 0 ? {} : { reports: reports.map(({ step, value }) => [step, value] as const) }),
    sampler,
    ...(Object.keys(reason).length === 0 ? {} : { reason }),
  }
}

/** An exported trial after its checks: undefined for one that had not ended. `place` names it in messages. */
export function imported<S extends ParameterMap>(
  given: unknown,
  place: string,
  study: Study<S>,
): ImportedTrial | undefined {
  if (!isRecord(given)) throw new ExtremaError('ERR_OPTION', `${place}: expected a trial, got ${describe(given)}`)
  checkNames(place, given, names)
  const {
    state,
    params,
    values,
    constraints,
    gradient,
    error,
    reports = [],
    sampler = 'imported',
    reason = {},
  } = given as unknown as ExportedTrial
  if (state === 'waiting' || state === 'running') return undefined
  const coordinates = study.space.toCoordinates(params as ParamsOf<S>)
  const result: TrialResult = {
    ...(state === 'complete' ? { values, constraints, gradient } : {}),
    ...(state === 'failed' ? { failed: error ?? true } : {}),
    ...(state === 'pruned' ? { pruned: true } : {}),
    ...(state === 'cancelled' ? { cancelled: true } : {}),
  }
  const outcome: Outcome = checkResult(result, study.directions.length, study.constraints, study.space.dimensions)
  if (typeof sampler !== 'string' || !isRecord(reason)) {
    throw new ExtremaError('ERR_OPTION', `${place}: expected text as sampler and an object as reason, got others`)
  }
  const right = (report: unknown) => Array.isArray(report) && report.length === 2 && report.every(Number.isFinite)
  if (!Array.isArray(reports) || !reports.every(right)) {
    throw new ExtremaError('ERR_OPTION', `${place}.reports: expected pairs of step and value, got others`)
  }
  return { coordinates, outcome, reports: reports.map(([step, value]) => [step, value]), sampler, reason }
}
