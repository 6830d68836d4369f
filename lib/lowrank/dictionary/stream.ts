import type { Control } from '../../backend/kernels.js'
import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import type { SampleBatch, Samples } from './samples.js'
import type { DictionaryUpdate } from './update.js'

interface Following {
  n: number
  /** 0: every item is a batch. */
  batchSize: number
  control: Control
  backend: DictionaryUpdate['backend']
  mostSteps: number
  check(item: SampleBatch): Samples
  step(samples: Samples, timeLimit: number, mostSteps: number): Promise<DictionaryUpdate>
}

/** Milliseconds. */
const turnLength = 4

type Items = AsyncIterable<SampleBatch> | Iterable<SampleBatch>

/** Steps through all items of a stream, and sums up. */
export async function follow(stream: Items, following: Following): Promise<DictionaryUpdate> {
  const { n, batchSize, control, mostSteps } = following
  const start = performance.now()
  const total = new Total(following.backend, start)
  const iterator = iteratorOf(stream)
  const ending = new Ending(control)
  const waiting = new Waiting(n, batchSize)
  const left = () => control.timeLimit - (performance.now() - start)
  /** False when the stream need not be read on. */
  const take = async (samples: Samples): Promise<boolean> => {
    if (left() <= 0) return total.end('time-limit')
    const update = await following.step(samples, left(), mostSteps - total.sum.iterations)
    total.add(update)
    if (update.status !== 'iteration-limit') return total.end(update.status)
    return total.sum.iterations < mostSteps
  }
  let isOpen = true
  let turn = start
  try {
    for (;;) {
      // A stream and steps that never wait would leave the event loop no turn, and the signal unheard.
      if (performance.now() - turn > turnLength) {
        await new Promise((resolve) => setImmediate(resolve))
        turn = performance.now()
      }
      const next = await ending.orNext(iterator)
      if (next === 'time-limit') {
        total.end('time-limit')
        return total.sum
      }
      if (next.done) {
        isOpen = false
        break
      }
      const given = following.check(next.value)
      total.sum.invalid += given.invalid
      const batches = waiting.add({ ...given, invalid: 0 })
      if (batches !== null && !(await take(batches))) return total.sum
    }
    const rest = waiting.all()
    if (rest !== null) await take(rest)
    return total.sum
  } finally {
    ending.close()
    // Not awaited where it hangs on a stream that does not answer.
    if (isOpen) Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

function iteratorOf(stream: Items): AsyncIterator<SampleBatch> | Iterator<SampleBatch> {
  const given = stream as Partial<AsyncIterable<SampleBatch> & Iterable<SampleBatch>> | null
  if (typeof given === 'object' && given !== null) {
    if (typeof given[Symbol.asyncIterator] === 'function') return given[Symbol.asyncIterator]!()
    if (typeof given[Symbol.iterator] === 'function') return given[Symbol.iterator]!()
  }
  throw new ExtremaError('ERR_SHAPE', `stream: expected an iterable of batches, got ${describe(stream)}`)
}

/** Samples that wait for their batch to be full. */
class Waiting {
  private pieces: Samples[] = []
  private rows = 0

  constructor(
    private readonly n: number,
    private readonly batchSize: number,
  ) {}

  /** Whole batches, once there is one. What waits on is copied: the stream may use its memory again. */
  add(samples: Samples): Samples | null {
    const { n, batchSize } = this
    const rows = this.rows + samples.rows
    const whole = batchSize === 0 ? rows : rows - (rows % batchSize)
    if (whole === 0) {
      this.keep(samples, 0)
      return null
    }
    const joined = this.joined(samples)
    this.pieces = []
    this.rows = 0
    this.keep(joined, whole)
    return { ...joined, data: joined.data.subarray(0, whole * n), rows: whole }
  }

  /** All that wait, if any. */
  all(): Samples | null {
    const last = this.pieces.pop()
    return last === undefined ? null : this.joined(last)
  }

  private keep(samples: Samples, begin: number): void {
    const rows = samples.rows - begin
    if (rows === 0) return
    this.pieces.push({ ...samples, data: samples.data.slice(begin * this.n, samples.rows * this.n), rows })
    this.rows += rows
  }

  /** The pieces with one more behind them. */
  private joined(last: Samples): Samples {
    if (this.pieces.length === 0) return last
    const all = [...this.pieces, last]
    const rows = all.reduce((sum, piece) => sum + piece.rows, 0)
    const Same = last.data instanceof Float32Array ? Float32Array : Float64Array
    const data = new Same(rows * this.n)
    let at = 0
    for (const piece of all) {
      data.set(piece.data.subarray(0, piece.rows * this.n), at)
      at += piece.rows * this.n
    }
    return { ...last, data, rows, largest: all.reduce((most, piece) => Math.max(most, piece.largest), 0) }
  }
}

/** Abort and time while a stream lets us wait. Each wait has a promise of its own: a lasting one would keep them all. */
class Ending {
  private timer: NodeJS.Timeout | undefined
  private readonly onAbort: () => void
  private isOver = false
  private resolve: ((ended: 'time-limit') => void) | undefined
  private reject: ((reason: unknown) => void) | undefined

  constructor(private readonly control: Control) {
    const { signal, timeLimit } = control
    if (timeLimit < Number.POSITIVE_INFINITY) {
      this.timer = setTimeout(
        () => {
          this.isOver = true
          this.resolve?.('time-limit')
        },
        Math.min(timeLimit, 2 ** 31 - 1),
      )
    }
    this.onAbort = () => this.reject?.(signal?.reason)
    signal?.addEventListener('abort', this.onAbort)
  }

  async orNext(
    iterator: AsyncIterator<SampleBatch> | Iterator<SampleBatch>,
  ): Promise<'time-limit' | IteratorResult<SampleBatch>> {
    this.control.signal?.throwIfAborted()
    if (this.isOver) return 'time-limit'
    return new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
      Promise.resolve(iterator.next()).then(resolve, reject)
    })
  }

  close(): void {
    clearTimeout(this.timer)
    this.control.signal?.removeEventListener('abort', this.onAbort)
  }
}

class Total {
  readonly sum: DictionaryUpdate

  constructor(
    backend: DictionaryUpdate['backend'],
    private readonly start: number,
  ) {
    const zeros = { iterations: 0, residual: 0, elapsed: 0, samples: 0, gap: 0, objective: 0, skipped: 0, invalid: 0 }
    const none = { degenerate: 0, rankDeficient: 0, warnings: [], gaps: new Float64Array(0) }
    this.sum = { status: 'iteration-limit', backend, ...zeros, ...none }
  }

  add(update: DictionaryUpdate): void {
    const { sum } = this
    const samples = sum.samples + update.samples
    if (samples > 0) sum.objective += ((update.objective - sum.objective) * update.samples) / samples
    sum.samples = samples
    for (const name of ['iterations', 'skipped', 'degenerate', 'rankDeficient'] as const) sum[name] += update[name]
    if (update.iterations > 0) {
      sum.gap = update.gap
      sum.residual = update.residual
      sum.gaps = update.gaps
    }
    // Figures in warnings change from step to step: the latest of each kind.
    for (const warning of update.warnings) {
      const kind = warning.slice(0, 20)
      sum.warnings = [...sum.warnings.filter((known) => !known.startsWith(kind)), warning]
    }
    sum.elapsed = performance.now() - this.start
  }

  end(status: DictionaryUpdate['status']): false {
    this.sum.status = status
    this.sum.elapsed = performance.now() - this.start
    return false
  }
}
