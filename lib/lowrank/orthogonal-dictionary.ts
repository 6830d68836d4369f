import { kernels } from '../backend/index.js'
import type { Kernels } from '../backend/kernels.js'
import { type OfflineJob, offlineField, offlineReportLength } from '../backend/lowrank-dictionary.js'
import { checkRunOptions, type RunOptions, runNames } from '../backend/options.js'
import type { NdArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, oneOf, type SolverOptions, whole } from '../core/options.js'
import { type Solution, statuses } from '../core/solution.js'
import { generator } from '../random/index.js'
import { checkAtoms, checkPower } from './dictionary/options.js'
import { type SampleBatch, type Samples, square, toSamples } from './dictionary/samples.js'
import { type InitialDictionary, startOf } from './dictionary/start.js'

export interface OrthogonalDictionaryOptions extends SolverOptions {
  /** N: numbers of a sample, and atoms. */
  atoms: number
  /**
   * `'power'` (the default): W <- polar(∇ E ‖Wᵀ y‖_p^p), the generalised power method. `'threshold'`: hard thresholding
   * of the codes in turn with Procrustes' problem, which needs `keep` or `threshold`.
   */
  method?: 'power' | 'threshold'
  /** p. Default 3. */
  power?: 3 | 4
  /** Coefficients of a sample that stay, for `'threshold'`. */
  keep?: number
  /** Or the least magnitude of those that stay. */
  threshold?: number
  /** Default `'random'`: Haar-distributed by `seed`. */
  initial?: InitialDictionary
  precision?: 'float64' | 'float32'
  /** Default 0. */
  seed?: number
}

/**
 * `residual`: for `'power'` the Frank-Wolfe gap over the gradient's Frobenius norm, for `'threshold'` ‖W' - W‖_F / √N of
 * the next step.
 */
export interface OrthogonalDictionarySolution extends Solution {
  /** N × N, orthogonal, an atom in each column. */
  dictionary: NdArray
  /** Mean over samples of ‖Wᵀ y‖_p^p, or of ‖y - W x‖² with the thresholded codes x. */
  objective: number
  /** The objective before each iteration: never falls (`'power'`) or never rises. */
  history: Float64Array
}

const names: ReadonlySet<string> = new Set([
  ...['atoms', 'method', 'power', 'keep', 'threshold', 'initial', 'precision', 'seed', 'tolerance', 'maxIterations'],
  ...runNames,
])

interface Prepared {
  job: OfflineJob
  run: RunOptions
  chosen: Kernels
  start: number
  /** Objective of the sums that the kernel reports. */
  objective(sum: number): number
}

function prepare(samples: SampleBatch, options: OrthogonalDictionaryOptions): Prepared {
  const start = performance.now()
  const run = checkRunOptions(options, names, '{ atoms, … }')
  run.control.signal?.throwIfAborted()
  const n = checkAtoms(options.atoms)
  const method = oneOf('method', options.method, ['power', 'threshold'], 'power')
  const power = checkPower(options.power)
  checkCodes(method, options)
  const keep = whole('keep', options.keep, n, 1, n)
  const threshold = nonNegative('threshold', options.threshold, 0)
  const float32 = oneOf('precision', options.precision, ['float64', 'float32'], 'float64') === 'float32'
  const tolerance = nonNegative('tolerance', options.tolerance, float32 ? 1e-5 : 1e-10)
  const maxIterations = whole('maxIterations', options.maxIterations, 500, 1, 1e6)
  const dictionary = startOf(options.initial, n, generator(options.seed ?? 0))
  const given = toSamples(samples, { name: 'samples', n, float32, invalid: 'error' })
  if (given.largest === 0) throw new ExtremaError('ERR_SINGULAR', 'samples: expected one that is not 0, got zeros')
  const scale = method === 'power' ? 2 ** Math.max(-900, Math.round(Math.log2(given.largest))) : 1
  const shaping =
    method === 'power' ? (power === 3 ? 'cube' : 'fourth') : options.keep === undefined ? 'threshold' : 'keep'
  const job: OfflineJob = {
    n,
    rows: given.rows,
    samples: given.data,
    coding: { shaping, keep, threshold, scale },
    threads: run.threads,
    tolerance,
    maxIterations,
    dictionary,
    history: new Float64Array(maxIterations),
    report: new Float64Array(offlineReportLength),
  }
  const energy = method === 'power' ? 0 : squares(given)
  const objective = (sum: number) =>
    method === 'power' ? (sum * scale ** power) / given.rows : Math.max(0, energy - sum) / given.rows
  return { job, run, chosen: kernels(run.backend), start, objective }
}

function checkCodes(method: string, { keep, threshold }: OrthogonalDictionaryOptions): void {
  const count = Number(keep !== undefined) + Number(threshold !== undefined)
  if (method === 'threshold' && count !== 1) {
    throw new ExtremaError('ERR_OPTION', `keep: expected one of keep and threshold for 'threshold', got ${count}`)
  }
  if (method === 'power' && count > 0) {
    throw new ExtremaError('ERR_OPTION', "keep: expected none for method 'power', got keep or threshold")
  }
}

function squares({ data }: Samples): number {
  let sum = 0
  for (const entry of data) sum += entry * entry
  return sum
}

function finish({ job, chosen, start, objective }: Prepared): OrthogonalDictionarySolution {
  const { report, n } = job
  const iterations = report[offlineField.iterations]
  return {
    status: statuses[report[offlineField.status]],
    iterations,
    residual: report[offlineField.residual],
    elapsed: performance.now() - start,
    backend: chosen.name,
    dictionary: square(job.dictionary, n),
    objective: objective(report[offlineField.objective]),
    history: job.history.slice(0, iterations).map(objective),
  }
}

/**
 * An orthogonal dictionary from samples that are all at hand: the offline methods that {@link onlineDictionary} is
 * measured against. With `'power'` an iteration is a full Frank-Wolfe step on a convex function, so the objective never
 * falls; p = 4 is matching, stretching and projection (Zhai, Yang, Liao, Wright, Ma, arXiv 1906.02435).
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_SINGULAR` (only zeros), `ERR_OPTION`, `ERR_BUFFER`; the
 * reason of `signal` when aborted.
 */
export async function orthogonalDictionary(
  samples: SampleBatch,
  options: OrthogonalDictionaryOptions,
): Promise<OrthogonalDictionarySolution> {
  const prepared = prepare(samples, options)
  await prepared.chosen.lowrank.dictionary.offline.run(prepared.job, prepared.run.control)
  return finish(prepared)
}

/** {@link orthogonalDictionary} on the calling thread. */
export function orthogonalDictionarySync(
  samples: SampleBatch,
  options: OrthogonalDictionaryOptions,
): OrthogonalDictionarySolution {
  const prepared = prepare(samples, options)
  prepared.chosen.lowrank.dictionary.offline.runSync(prepared.job, prepared.run.control)
  return finish(prepared)
}
