import { kernels } from '../../backend/index.js'
import type { Control, Kernels } from '../../backend/kernels.js'
import type { Coding, OnlineJob } from '../../backend/lowrank-dictionary.js'
import { checkRunOptions } from '../../backend/options.js'
import type { FloatArray, NdArray, VectorLike } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { nonNegative, whole } from '../../core/options.js'
import { analysisOf, synthesisOf } from './analysis.js'
import {
  allCoefficients,
  type CodeOptions,
  checkCodeOptions,
  codesJob,
  codesResult,
  dataOf,
  type PolarResult,
  polarSync,
} from './codes.js'
import { gapJob, gapResult } from './held-out-gap.js'
import type { Settings } from './options.js'
import { type SampleBatch, type Samples, square, toSamples } from './samples.js'
import { type OnlineDictionaryState, type Progressed, toState } from './state.js'
import { never, type StopRule, stepJob, stepResult } from './step.js'
import { follow } from './stream.js'
import type { DictionaryGap, DictionaryUpdate, UpdateOptions, UpdateStreamOptions } from './update.js'

const streamNames: ReadonlySet<string> = new Set([
  ...['tolerance', 'patience', 'maxIterations', 'timeLimit', 'signal', 'onProgress'],
])
const updateNames: ReadonlySet<string> = new Set(['timeLimit', 'signal', 'onProgress'])
const noOptions: ReadonlySet<string> = new Set(['learn'])
const unlimited: Control = { timeLimit: Number.POSITIVE_INFINITY }

/** An orthogonal dictionary that is learned from a stream of samples: see {@link onlineDictionary}. */
export class OnlineDictionary {
  readonly #settings: Settings
  #now: Progressed
  #polar: PolarResult | undefined
  /** The calm steps that the last update ended with. */
  #calm = 0
  #comparedVariances = false
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
    const job = stepJob(this.#settings, this.#now, samples, never)
    const chosen = kernels(this.#settings.backend)
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
    return this.#code(this.#check('codes', codes), this.#synthesis(), allCoefficients(this.atoms))
  }

  /** {@link decode} on the calling thread. */
  decodeSync(codes: SampleBatch): FloatArray | NdArray<FloatArray> {
    return this.#codeSync(this.#check('codes', codes), this.#synthesis(), allCoefficients(this.atoms))
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
    const samples = this.#check('batch', batch)
    const whitening = this.#whitening()
    const job = gapJob(this.#settings, this.#now.relaxed, samples, whitening !== null)
    if (whitening !== null) job.samples = dataOf(await this.#code(samples, whitening, allCoefficients(this.atoms)))
    await kernels(this.#settings.backend).lowrank.dictionary.gap.run(job, unlimited)
    return gapResult(job, this.#settings.power)
  }

  /** {@link gap} on the calling thread. */
  gapSync(batch: SampleBatch): DictionaryGap {
    const samples = this.#check('batch', batch)
    const whitening = this.#whitening()
    const job = gapJob(this.#settings, this.#now.relaxed, samples, whitening !== null)
    if (whitening !== null) job.samples = dataOf(this.#codeSync(samples, whitening, allCoefficients(this.atoms)))
    kernels(this.#settings.backend).lowrank.dictionary.gap.runSync(job, unlimited)
    return gapResult(job, this.#settings.power)
  }

  /** Where the learner stands, for `onlineDictionary.fromState`. */
  state(): OnlineDictionaryState {
    return toState(this.#settings, this.#now)
  }

  #check(name: string, batch: SampleBatch): Samples {
    const { n, float32, invalid } = this.#settings
    return toSamples(batch, { name, n, float32, invalid })
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
    const job = stepJob(this.#settings, this.#now, samples, rule)
    const chosen = kernels(this.#settings.backend)
    if (samples.rows > 0) await chosen.lowrank.dictionary.online.run(job, control)
    return this.#commit(samples, job, chosen, start)
  }

  #commit(samples: Samples, job: OnlineJob, chosen: Kernels, start: number): DictionaryUpdate {
    const wasCompared = this.#comparedVariances
    const { now, calm, compared, update } = stepResult(this.#settings, this.#now, { samples, job, wasCompared })
    this.#now = now
    this.#calm = calm
    this.#comparedVariances ||= compared
    this.#polar = undefined
    return { ...update, elapsed: performance.now() - start, backend: chosen.name }
  }

  #orthogonal(): PolarResult {
    const { n, threads, backend } = this.#settings
    this.#polar ??= polarSync(kernels(backend), this.#now.relaxed, n, threads)
    return this.#polar
  }

  /** Null before the covariance could be inverted. */
  #whitening(): Float64Array | null {
    return this.#settings.whiten && this.#now.whitenedAt > 0 ? this.#now.whitening : null
  }

  #analysis(): Float64Array {
    return analysisOf(this.#orthogonal().data, this.#whitening(), this.atoms)
  }

  #synthesis(): Float64Array {
    return synthesisOf(this.#orthogonal().data, this.#whitening(), this.atoms)
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
}
