import { type CompletionJob, completionReportLength, completionField as field } from '../backend/completion.js'
import { kernels } from '../backend/index.js'
import type { Kernels } from '../backend/kernels.js'
import { checkBuffer } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { type Solution, type Status, statuses } from '../core/solution.js'
import { generator } from '../random/index.js'
import { CompletionModel, type ModelData } from './completion-model.js'
import { type CheckedOptions, type CompletionOptions, checkOptions, checkRank } from './completion-options.js'
import { type CheckedEntries, type CompletionProblem, checkEntries, rowsOf, seenOf } from './completion-problem.js'
import { isStream, type RatingStream, readRatings } from './rating-stream.js'

/** What happened in every iteration. */
export interface CompletionHistory {
  /** |X_t - X_t-1| / |X_t| of the completed matrix, Frobenius norms. */
  residual: Float64Array
  trainRmse: Float64Array
  /** sum w (M - X)² + regularization (|U|² + |V|² + |biases|²), after the iteration. */
  objective: Float64Array
  validationRmse?: Float64Array
}

/**
 * A completed matrix, with its factors. `residual` is the change |X_t - X_t-1| / |X_t| of the whole matrix in the last
 * iteration. Status `'stalled'`: the held-out error has not fallen for `patience` iterations.
 */
export class CompletionSolution extends CompletionModel implements Solution {
  readonly status: Status
  readonly iterations: number
  readonly residual: number
  readonly elapsed: number
  readonly backend: 'native' | 'portable'
  /** Root of the weighted mean square of what is left at the observed entries; with `confidence`, at all entries. */
  readonly trainRmse: number
  /** The same, unweighted, at the held-out entries; with `confidence`, against 1 where the count is > 0 and else 0. */
  declare readonly validationRmse?: number
  readonly history: CompletionHistory
  /** The iteration, from 1, whose factors these are: the one with the least held-out error, or the last. */
  readonly bestIteration: number
  /** Rows and columns with fewer observations than unknowns; rows and columns without any have factors of zeros. */
  readonly underdetermined: { rows: Int32Array; columns: Int32Array }
  /**
   * Observations over k (m + n - k), the number of numbers that a matrix of rank k is made of. Below about 3 do not expect
   * that the matrix is recovered, whatever `trainRmse` says: look at held-out entries.
   */
  readonly observationsPerUnknown: number
  /** Mean number of steps per regression. */
  readonly innerIterations: number
  /** Regressions in which the gradient iteration diverged, and which conjugate gradients solved. */
  readonly diverged: number
  /** Regressions without a unique solution, solved with least norm. */
  readonly deficient: number

  constructor(prepared: Prepared) {
    const { job, entries, checked, kernels: backend, labels } = prepared
    const { settings, report, history } = job
    const data: ModelData = {
      shape: [job.m, job.n],
      rank: settings.rank,
      u: job.u,
      v: job.v,
      mean: report[field.mean],
      rowBias: job.rowBias,
      columnBias: job.columnBias,
      regularization: settings.regularization,
      confidence: settings.confidence,
      nonNegative: settings.nonNegative,
    }
    if (labels !== undefined) data.labels = labels
    let seen: ReturnType<typeof seenOf> | undefined
    super(data, checked.backend, () => {
      seen ??= seenOf(entries)
      return seen
    })
    const iterations = report[field.iterations]
    const column = (at: number) => Float64Array.from({ length: iterations }, (_, t) => history[4 * t + at])
    const held = job.held !== null
    this.status = statuses[report[field.status]]
    this.iterations = iterations
    this.residual = report[field.residual]
    this.elapsed = performance.now() - prepared.start
    this.backend = backend.name
    this.trainRmse = report[field.trainRmse]
    if (held) this.validationRmse = report[field.validationRmse]
    this.history = { residual: column(0), trainRmse: column(1), objective: column(3) }
    if (held) this.history.validationRmse = column(2)
    this.bestIteration = report[field.bestIteration]
    const unknowns = settings.rank + (settings.biases ? 1 : 0)
    const few = (counts: Int32Array) => Int32Array.from(counts.keys()).filter((i) => counts[i] < unknowns)
    this.underdetermined = { rows: few(job.rowCounts), columns: few(job.columnCounts) }
    this.observationsPerUnknown = report[field.observations] / (settings.rank * (job.m + job.n - settings.rank))
    this.innerIterations = report[field.innerIterations] / report[field.regressions]
    this.diverged = report[field.diverged]
    this.deficient = report[field.deficient]
  }
}

/**
 * Completes a matrix of low rank of which some entries were observed: finds U (m × k) and V (n × k), by alternating
 * regressions, such that (U Vᵀ)_ij is near M_ij at the observed (i, j): recommendations, sensor grids, price tables.
 *
 * min sum_ij w_ij (M_ij - mean - a_i - b_j - u_i · v_j)² + regularization (|U|² + |V|² + |a|² + |b|²)
 *
 * The problem is triplets, CSR, or an (async) iterable of chunks of ratings: rows of a CSV file, Arrow record batches,
 * triplets. Without regularization the factors come balanced, U = P √S and V = W √S for the singular value decomposition
 * P S Wᵀ of U Vᵀ; with it VᵀV is diagonal.
 *
 * Stops when the completed matrix changes by at most `tolerance` (default 1e-6) of its norm in an iteration, or after
 * `maxIterations` (default 40).
 *
 * @throws {ExtremaError} `ERR_SHAPE` (also for indices out of range and entries that come twice), `ERR_NOT_FINITE`,
 * `ERR_NOT_POSITIVE`, `ERR_OPTION`, `ERR_BUFFER`; the reason of `signal` when aborted.
 *
 * Source: Gu, Song, Yin, Zhang, "Low rank matrix completion via robust alternating minimization in nearly linear time"
 * (arXiv 2302.11068), algorithms 2 and 3; Hu, Koren, Volinsky 2008 for `confidence`.
 */
export async function completeMatrix(
  problem: CompletionProblem | RatingStream,
  options: CompletionOptions,
): Promise<CompletionSolution> {
  const start = performance.now()
  const checked = checkOptions(options)
  checked.control.signal?.throwIfAborted()
  const read = isStream(problem) ? await readRatings(problem, checked.control.signal) : { problem }
  const prepared = prepare(read.problem, checked, start, read.labels)
  const { job, entries, control } = prepared
  await prepared.kernels.lowrank.complete.run(job, control)
  for (const array of [entries.columns, entries.values]) checkBuffer('problem', array)
  return new CompletionSolution(prepared)
}

/** {@link completeMatrix} on the calling thread. */
export function completeMatrixSync(problem: CompletionProblem, options: CompletionOptions): CompletionSolution {
  const start = performance.now()
  const checked = checkOptions(options)
  checked.control.signal?.throwIfAborted()
  const prepared = prepare(problem, checked, start)
  prepared.kernels.lowrank.complete.runSync(prepared.job, prepared.control)
  return new CompletionSolution(prepared)
}

interface Prepared {
  checked: CheckedOptions
  entries: CheckedEntries
  job: CompletionJob
  control: CheckedOptions['control']
  kernels: Kernels
  start: number
  labels: { rows: string[]; columns: string[] } | undefined
}

function prepare(
  problem: CompletionProblem,
  checked: CheckedOptions,
  start: number,
  labels?: { rows: string[]; columns: string[] },
): Prepared {
  const all = checkEntries(problem)
  const { settings, share } = checked
  checkRank(settings.rank, all.m, all.n)
  const { entries, held } = share > 0 ? split(all, share, checked.seed) : { entries: all, held: checked.held }
  const { m, n } = entries
  const job: CompletionJob = {
    m,
    n,
    entries,
    held,
    settings,
    u: new Float64Array(m * settings.rank),
    v: new Float64Array(n * settings.rank),
    rowBias: settings.biases ? new Float64Array(m) : null,
    columnBias: settings.biases ? new Float64Array(n) : null,
    rowCounts: new Int32Array(m),
    columnCounts: new Int32Array(n),
    history: new Float64Array(4 * settings.maxIterations),
    report: new Float64Array(completionReportLength),
  }
  const { control, backend } = checked
  return { checked, entries: all, job, control, kernels: kernels(backend), start, labels }
}

/** Holds out a random share of the entries. */
function split(all: CheckedEntries, share: number, seed: number | bigint) {
  const draws = generator(seed).split(1).uniform(all.count)
  const rows = rowsOf(all)
  const part = (chosen: (k: number) => boolean): CheckedEntries => {
    let count = 0
    for (let k = 0; k < all.count; k++) if (chosen(k)) count++
    const out = {
      ...{ m: all.m, n: all.n, count, indptr: null, rows: new Int32Array(count), columns: new Int32Array(count) },
      values: all.values instanceof Float32Array ? new Float32Array(count) : new Float64Array(count),
      weights: all.weights === null ? null : new Float64Array(count),
    }
    for (let k = 0, at = 0; k < all.count; k++) {
      if (!chosen(k)) continue
      out.rows[at] = rows[k]
      out.columns[at] = all.columns[k]
      out.values[at] = all.values[k]
      if (out.weights !== null && all.weights !== null) out.weights[at] = all.weights[k]
      at++
    }
    return out
  }
  const held = part((k) => draws[k] < share)
  const entries = part((k) => draws[k] >= share)
  if (held.count === 0 || entries.count === 0) {
    const came = `${held.count} of ${all.count} entries`
    throw new ExtremaError('ERR_OPTION', `validation: expected a share that leaves entries on both sides, got ${came}`)
  }
  return { entries, held }
}
