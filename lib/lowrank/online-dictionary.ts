import { kernels } from '../backend/index.js'
import type { Control, Kernels } from '../backend/kernels.js'
import {
  type Coding,
  type GapJob,
  gapField,
  gapReportLength,
  type OnlineJob,
  onlineField,
  onlineReportLength,
} from '../backend/lowrank-dictionary.js'
import { checkRunOptions } from '../backend/options.js'
import type { FloatArray, NdArray, VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegative, type SolverOptions, whole } from '../core/options.js'
import { type Solution, statuses } from '../core/solution.js'
import { matrixFunction } from '../linear/dense.js'
import { generator } from '../random/index.js'
import {
  type CodeOptions,
  checkCodeOptions,
  codesJob,
  codesResult,
  type PolarResult,
  polarSync,
} from './dictionary/codes.js'
import { checkOptions, checkRun, type OnlineDictionaryOptions, type Settings } from './dictionary/options.js'
import { type SampleBatch, type Samples, square, toSamples } from './dictionary/samples.js'
import { values } from './dictionary/schedule.js'
import { eigen, startOf } from './dictionary/start.js'
import { fromState, type OnlineDictionaryState, type Progressed, toState } from './dictionary/state.js'
import { follow } from './dictionary/stream.js'
import { momentWarning, recentMoments, varianceWarning } from './dictionary/warnings.js'

export type { OnlineDictionaryOptions, OnlineDictionaryState }

export interface UpdateOptions extends Pick<SolverOptions, 'timeLimit' | 'signal' | 'onProgress'> {}

export interface UpdateStreamOptions extends UpdateOptions {
  /** Stop when the relative gap has been at most this for `patience` steps in a row. Default 1e-3. */
  tolerance?: number
  /** Default 10. */
  patience?: number
  /** Most steps to take. Default: none. */
  maxIterations?: number
}

/** What an update, or a stream of them, did. `iterations` counts its steps; `residual` is the relative gap of the last. */
export interface DictionaryUpdate extends Solution {
  /** Samples used. */
  samples: number
  /** <G, S - W> of the last step: the Frank-Wolfe gap by the averaged gradient; `residual` is it over ‖G‖_F. */
  gap: number
  /** Mean of ‖Wᵀ y‖_p^p over the samples, each by the W before its step. 0 if there was no step. */
  objective: number
  /** The gap of each step; after a stream, of the steps since its last pause for new samples. */
  gaps: Float64Array
  /** Batches without a step: of zeros, or while the covariance could not be inverted yet. */
  skipped: number
  /** Samples left out because they were not finite. */
  invalid: number
  /** Steps that left W as it was, since the averaged gradient was 0. */
  degenerate: number
  /** Steps whose averaged gradient was rank-deficient, as is usual before N samples were seen. */
  rankDeficient: number
  /** What looks wrong about the samples. */
  warnings: string[]
}

/** The dictionary measured on samples that it has not learned from. */
export interface DictionaryGap {
  gap: number
  relativeGap: number
  /** Mean of ‖Wᵀ y‖_p^p. */
  objective: number
  /** E z⁴ / (E z²)² of the coefficients: 3 for Gaussian ones, more for sparse ones. */
  kurtosis: number
}

const streamNames: ReadonlySet<string> = new Set([
  ...['tolerance', 'patience', 'maxIterations', 'timeLimit', 'signal', 'onProgress'],
])
const updateNames: ReadonlySet<string> = new Set(['timeLimit', 'signal', 'onProgress'])
const noOptions: ReadonlySet<string> = new Set(['learn'])
/** Samples for each dimension over which variances are compared. */
const comparedSamples = 20
const unlimited: Control = { timeLimit: Number.POSITIVE_INFINITY }

interface StopRule {
  tolerance: number
  patience: number
  calm: number
  mostSteps: number
}
const never: StopRule = { tolerance: -1, patience: 0, calm: 0, mostSteps: Number.POSITIVE_INFINITY }

/** An orthogonal dictionary that is learned from a stream of samples: see {@link onlineDictionary}. */
export class OnlineDictionary {
  readonly #settings: Settings
  #now: Progressed
  #polar: PolarResult | undefined
  /** The calm steps that the last update ended with. */
  #calm = 0
  #warnedOfVariances = false
  #pending = 0
  #tail: Promise<unknown> = Promise.resolve()

  /** See `onlineDictionary` and `onlineDictionary.fromState` for the public ways to one. */
  constructor(settings: Settings, now: Progressed) {
    this.#settings = settings
    this.#now = now
  }

  /** N */
  get atoms(): number {
    return this.#settings.n
  }

  /** Steps taken. */
  get steps(): number {
    return this.#now.steps
  }

  /** Samples seen. */
  get samples(): number {
    return this.#now.samples
  }

  /** The orthogonal matrix nearest to W, N × N with an atom in each column. With `whiten` it is of whitened samples. */
  get dictionary(): NdArray {
    return square(this.#orthogonal().data.slice(), this.atoms)
  }

  /** Whether W is singular, so that its nearest orthogonal matrix is not unique. */
  get isSingular(): boolean {
    return !this.#orthogonal().full
  }

  /** W itself, of spectral norm at most 1. */
  get relaxed(): NdArray {
    return square(this.#now.relaxed.slice(), this.atoms)
  }

  /**
   * Learns from samples, off the event loop: a matrix with `atoms` columns, one sample, or samples one behind the other.
   * Updates run in the order of their calls. An update that is refused or aborted leaves the learner as it was.
   *
   * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE` (NaN, infinities, magnitudes over 1e70 or in float32 1e15),
   * `ERR_BUFFER`, `ERR_OPTION`; the reason of `signal` when aborted.
   */
  async update(batch: SampleBatch, options: UpdateOptions = {}): Promise<DictionaryUpdate> {
    const { control } = checkRunOptions(options, updateNames)
    control.signal?.throwIfAborted()
    const samples = this.#check('batch', batch)
    return this.#enqueue(() => this.#step(samples, control, never))
  }

  /** {@link update} on the calling thread. */
  updateSync(batch: SampleBatch, options: Pick<UpdateOptions, 'timeLimit'> = {}): DictionaryUpdate {
    const { control } = checkRunOptions(options, new Set(['timeLimit']))
    const samples = this.#check('batch', batch)
    this.#refusePending('updateSync')
    const start = performance.now()
    const { job, kernels: chosen } = this.#prepare(samples, never)
    if (samples.rows > 0) chosen.lowrank.dictionary.online.runSync(job, control)
    return this.#commit(samples, job, chosen, start)
  }

  /**
   * Learns from all batches of a stream (an async iterable, such as a Readable in object mode, or an iterable) until
   * the gap stays small or the stream ends: `status` is `'converged'` or `'iteration-limit'`. With `batchSize`, samples
   * are regrouped into batches of it. What was learned before an error or an abort stays.
   */
  async updateStream(
    stream: AsyncIterable<SampleBatch> | Iterable<SampleBatch>,
    options: UpdateStreamOptions = {},
  ): Promise<DictionaryUpdate> {
    const { control } = checkRunOptions(options, streamNames)
    control.signal?.throwIfAborted()
    const rule: StopRule = {
      tolerance: nonNegative('tolerance', options.tolerance, 1e-3),
      patience: whole('patience', options.patience, 10, 1),
      calm: 0,
      mostSteps: whole('maxIterations', options.maxIterations, Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER),
    }
    const { n, batchSize } = this.#settings
    return this.#enqueue(() =>
      follow(stream, {
        n,
        batchSize,
        control,
        backend: kernels(this.#settings.backend).name,
        mostSteps: rule.mostSteps,
        check: (item) => this.#check('stream', item),
        step: async (samples, timeLimit, mostSteps) => {
          const update = await this.#step(samples, { ...control, timeLimit }, { ...rule, calm: rule.calm, mostSteps })
          rule.calm = this.#calm
          return update
        },
      }),
    )
  }

  /** The sparse codes of samples: their coefficients Dᵀ y, with the small ones set to 0. A vector for a vector. */
  encode(batch: VectorLike, options?: CodeOptions): Promise<FloatArray>
  encode(batch: SampleBatch, options?: CodeOptions): Promise<FloatArray | NdArray<FloatArray>>
  async encode(batch: SampleBatch, options: CodeOptions = {}): Promise<FloatArray | NdArray<FloatArray>> {
    const coding = checkCodeOptions(options, this.atoms)
    return this.#code(this.#check('batch', batch), this.#analysis(), coding)
  }

  /** {@link encode} on the calling thread. */
  encodeSync(batch: VectorLike, options?: CodeOptions): FloatArray
  encodeSync(batch: SampleBatch, options?: CodeOptions): FloatArray | NdArray<FloatArray>
  encodeSync(batch: SampleBatch, options: CodeOptions = {}): FloatArray | NdArray<FloatArray> {
    const coding = checkCodeOptions(options, this.atoms)
    return this.#codeSync(this.#check('batch', batch), this.#analysis(), coding)
  }

  /** Samples from their codes: D x. */
  async decode(codes: SampleBatch): Promise<FloatArray | NdArray<FloatArray>> {
    return this.#code(this.#check('codes', codes), this.#synthesis(), checkCodeOptions({}, this.atoms))
  }

  /** {@link decode} on the calling thread. */
  decodeSync(codes: SampleBatch): FloatArray | NdArray<FloatArray> {
    return this.#codeSync(this.#check('codes', codes), this.#synthesis(), checkCodeOptions({}, this.atoms))
  }

  /**
   * The codes of every batch of a stream, after learning from it unless `learn` is false. Made for
   * `pipeline(source, (batches) => learner.encodeStream(batches), sink)` of node:stream.
   */
  async *encodeStream(
    stream: AsyncIterable<SampleBatch> | Iterable<SampleBatch>,
    options: CodeOptions & { learn?: boolean } = {},
  ): AsyncGenerator<FloatArray | NdArray<FloatArray>, void, void> {
    const coding = checkCodeOptions(options, this.atoms, noOptions)
    for await (const batch of stream) {
      const samples = this.#check('stream', batch)
      if (options.learn !== false) await this.#enqueue(() => this.#step(samples, unlimited, never))
      yield await this.#code(samples, this.#analysis(), coding)
    }
  }

  /** The Frank-Wolfe gap of W over the spectral ball, measured on samples that are not learned from. */
  async gap(batch: SampleBatch): Promise<DictionaryGap> {
    const { samples, job, kernels: chosen } = this.#gapJob(batch)
    if (this.#whitens()) job.samples = dataOf(await this.#code(samples, this.#whitening(), plain(this.atoms)))
    await chosen.lowrank.dictionary.gap.run(job, unlimited)
    return this.#gapResult(job)
  }

  /** {@link gap} on the calling thread. */
  gapSync(batch: SampleBatch): DictionaryGap {
    const { samples, job, kernels: chosen } = this.#gapJob(batch)
    if (this.#whitens()) job.samples = dataOf(this.#codeSync(samples, this.#whitening(), plain(this.atoms)))
    chosen.lowrank.dictionary.gap.runSync(job, unlimited)
    return this.#gapResult(job)
  }

  /** Where the learner stands, for `onlineDictionary.fromState`. */
  state(): OnlineDictionaryState {
    return toState(this.#settings, this.#now)
  }

  #check(name: string, batch: SampleBatch): Samples {
    const { n, float32, invalid } = this.#settings
    return toSamples(batch, { name, n, float32, invalid })
  }

  /** Powers of what is so much larger than the first samples would overflow. */
  #checkRange(largest: number, scale: number): void {
    const most = scale * (this.#settings.float32 ? 1e8 : 1e60)
    if (largest <= most) return
    const expected = `magnitudes of at most ${most.toPrecision(3)}, by those of the first samples`
    throw new ExtremaError('ERR_NOT_FINITE', `batch: expected ${expected}, got ${largest}`)
  }

  #refusePending(name: string): void {
    if (this.#pending === 0) return
    throw new ExtremaError('ERR_OPTION', `${name}: expected no update under way, got ${this.#pending}`)
  }

  /** After all that was asked before. */
  async #enqueue<T>(task: () => Promise<T>): Promise<T> {
    this.#pending++
    const turn = this.#tail.then(task)
    this.#tail = turn.catch(() => {})
    try {
      return await turn
    } finally {
      this.#pending--
    }
  }

  async #step(samples: Samples, control: Control, rule: StopRule): Promise<DictionaryUpdate> {
    control.signal?.throwIfAborted()
    const start = performance.now()
    const { job, kernels: chosen } = this.#prepare(samples, rule)
    if (samples.rows > 0) await chosen.lowrank.dictionary.online.run(job, control)
    return this.#commit(samples, job, chosen, start)
  }

  /** A job on copies of the state. */
  #prepare(samples: Samples, rule: StopRule): { job: OnlineJob; kernels: Kernels } {
    const { n, power, whiten, threads, backend } = this.#settings
    const now = this.#now
    const batch = this.#settings.batchSize === 0 ? Math.max(1, samples.rows) : this.#settings.batchSize
    const rows = Math.min(samples.rows, rule.mostSteps * batch)
    const steps = Math.ceil(rows / batch)
    const scale = now.scale || unitOf(samples.largest)
    this.#checkRange(samples.largest, scale)
    const compares = whiten || now.seen < comparedSamples * n
    const report = new Float64Array(onlineReportLength)
    report[onlineField.calm] = rule.calm
    report[onlineField.seen] = now.seen
    report[onlineField.whitenedAt] = now.whitenedAt
    const job: OnlineJob = {
      n,
      rows,
      samples: samples.data,
      coding: { shaping: power === 3 ? 'cube' : 'fourth', keep: 0, threshold: 0, scale },
      threads,
      batch,
      rho: values(this.#settings.rho, now.steps, steps),
      gamma: values(this.#settings.gamma, now.steps, steps),
      tolerance: rule.tolerance,
      patience: rule.patience,
      relaxed: now.relaxed.slice(),
      averaged: now.averaged.slice(),
      covariance: compares ? (now.covariance?.slice() ?? new Float64Array(n * n)) : null,
      whitening: whiten ? (now.whitening?.slice() ?? new Float64Array(n * n)) : null,
      gaps: new Float64Array(Math.max(1, steps)),
      report,
    }
    return { job, kernels: kernels(backend) }
  }

  #commit(samples: Samples, job: OnlineJob, chosen: Kernels, start: number): DictionaryUpdate {
    const { report, coding, n } = job
    const field = (name: keyof typeof onlineField) => report[onlineField[name]]
    const steps = field('steps')
    const unit = coding.scale ** this.#settings.power
    const now = this.#now
    const compared = !this.#settings.whiten && !this.#warnedOfVariances && field('seen') >= comparedSamples * n
    this.#now = {
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
    this.#polar = undefined
    this.#calm = field('calm')
    const warnings: string[] = []
    if (compared && job.covariance !== null) {
      this.#warnedOfVariances = true
      warnings.push(...varianceWarning(job.covariance, n))
    }
    warnings.push(...momentWarning(this.#now.moments, this.#now.steps))
    const used = (field('coefficients') / n) | 0
    return {
      status: statuses[field('status')] ?? 'iteration-limit',
      iterations: steps,
      residual: field('relativeGap'),
      elapsed: performance.now() - start,
      backend: chosen.name,
      samples: field('rows'),
      gap: field('gap') * unit,
      objective: used > 0 ? (field('objective') * unit) / used : 0,
      gaps: job.gaps.subarray(0, steps).map((gap) => gap * unit),
      skipped: field('skipped'),
      invalid: samples.invalid,
      degenerate: field('degenerate'),
      rankDeficient: field('rankDeficient'),
      warnings,
    }
  }

  #orthogonal(): PolarResult {
    const { n, threads, backend } = this.#settings
    this.#polar ??= polarSync(kernels(backend), this.#now.relaxed, n, threads)
    return this.#polar
  }

  #whitens(): boolean {
    return this.#settings.whiten && this.#now.whitenedAt > 0
  }

  #whitening(): Float64Array {
    return this.#now.whitening as Float64Array
  }

  /** What maps samples in rows to coefficients in rows. */
  #analysis(): Float64Array {
    const { data } = this.#orthogonal()
    return this.#whitens() ? product(this.#whitening(), data, this.atoms) : data
  }

  /** Its inverse. */
  #synthesis(): Float64Array {
    const n = this.atoms
    const { data } = this.#orthogonal()
    const turned = Float64Array.from({ length: n * n }, (_, k) => data[(k % n) * n + Math.floor(k / n)])
    if (!this.#whitens()) return turned
    const work = matrixFunction(eigen(this.#whitening(), n), (value) => 1 / value, { due: () => false })
    for (;;) {
      const { done, value } = work.next()
      if (done) return product(turned, value, n)
    }
  }

  async #code(samples: Samples, w: Float64Array, coding: Coding): Promise<FloatArray | NdArray<FloatArray>> {
    const { n, threads, backend } = this.#settings
    const job = codesJob(samples, n, w, coding, threads)
    if (job.rows > 0) await kernels(backend).lowrank.dictionary.codes.run(job, unlimited)
    return codesResult(job, samples.single)
  }

  #codeSync(samples: Samples, w: Float64Array, coding: Coding): FloatArray | NdArray<FloatArray> {
    const { n, threads, backend } = this.#settings
    const job = codesJob(samples, n, w, coding, threads)
    if (job.rows > 0) kernels(backend).lowrank.dictionary.codes.runSync(job, unlimited)
    return codesResult(job, samples.single)
  }

  #gapJob(batch: SampleBatch): { samples: Samples; job: GapJob; kernels: Kernels } {
    const { n, power, threads, backend } = this.#settings
    const samples = this.#check('batch', batch)
    if (samples.rows === 0) throw new ExtremaError('ERR_NOT_FINITE', 'batch: expected a finite sample, got none')
    const scale = this.#whitens() ? 1 : unitOf(samples.largest)
    const job: GapJob = {
      n,
      rows: samples.rows,
      samples: samples.data,
      coding: { shaping: power === 3 ? 'cube' : 'fourth', keep: 0, threshold: 0, scale },
      threads,
      w: this.#now.relaxed,
      report: new Float64Array(gapReportLength),
    }
    return { samples, job, kernels: kernels(backend) }
  }

  #gapResult({ report, rows, n, coding }: GapJob): DictionaryGap {
    const unit = coding.scale ** this.#settings.power
    const count = rows * n
    const second = report[gapField.second] / count
    return {
      gap: report[gapField.gap] * unit,
      relativeGap: report[gapField.relativeGap],
      objective: (report[gapField.objective] * unit) / rows,
      kurtosis: second > 0 ? report[gapField.fourth] / count / second ** 2 : 0,
    }
  }
}

/** A power of two near the magnitude. */
const unitOf = (largest: number) => (largest > 0 ? 2 ** Math.max(-900, Math.round(Math.log2(largest))) : 1)

const plain = (n: number) => checkCodeOptions({}, n)

function dataOf(codes: FloatArray | NdArray<FloatArray>): FloatArray {
  return 'shape' in codes ? codes.data : codes
}

/** JSON knows no -0. */
function withoutMinusZero(matrix: Float64Array): Float64Array {
  for (let k = 0; k < matrix.length; k++) matrix[k] += 0
  return matrix
}

function product(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) out[i * n + j] += a[i * n + k] * b[k * n + j]
  }
  return out
}

/**
 * Learns, from a stream of vectors y = D x with sparse x, an orthogonal N × N dictionary D: a basis in which samples such as
 * sensor windows or small patches are sparse, up to order and signs. Nothing of the stream is kept: a step costs O(N² B +
 * N³) for B samples, the state O(N²).
 *
 * The orthogonal group is relaxed to its convex hull, the matrices W of spectral norm at most 1, over which E ‖Wᵀ y‖_p^p is
 * made large by Frank-Wolfe steps: with the average gradient G <- (1 - rho_t) G + rho_t g_t and its polar factor S, the
 * best vertex, W <- W + gamma_t (S - W). A maximum of a convex function is at a vertex, an orthogonal matrix. Samples should
 * have mean 0, and without `whiten` about equal variances in all directions.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_NOT_POSITIVE`, `ERR_SHAPE`, `ERR_NOT_FINITE` (`initial`), `ERR_BACKEND`
 *
 * Source: Xue, Lau, Online Orthogonal Dictionary Learning Based on Frank-Wolfe Method, arXiv 2103.01484.
 */
export function onlineDictionary(options: OnlineDictionaryOptions): OnlineDictionary {
  const settings = checkOptions(options)
  const { n } = settings
  kernels(settings.backend)
  const random = generator(options.seed ?? 0)
  return new OnlineDictionary(settings, {
    steps: 0,
    samples: 0,
    scale: 0,
    relaxed: startOf(options.initial, n, random),
    averaged: new Float64Array(n * n),
    covariance: null,
    whitening: null,
    seen: 0,
    whitenedAt: 0,
    moments: [0, 0, 0],
  })
}

/**
 * A learner that goes on where the one that gave `state` stood.
 *
 * @throws {ExtremaError} `ERR_OPTION`, `ERR_SHAPE`, `ERR_NOT_FINITE` if it is not such a state
 */
onlineDictionary.fromState = (
  state: OnlineDictionaryState,
  options: Pick<OnlineDictionaryOptions, 'threads' | 'backend'> = {},
): OnlineDictionary => {
  const run = checkRun(options)
  const { settings, now } = fromState(state)
  return new OnlineDictionary({ ...settings, ...run }, now)
}
