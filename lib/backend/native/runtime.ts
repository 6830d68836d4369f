import { type ErrorCode, ExtremaError } from '../../core/errors.js'
import type { Control, Kernel } from '../kernels.js'

/** The native side of running jobs. */
export interface JobBinding {
  connect(
    settled: (job: number, code?: string, message?: string) => void,
    progressed: (job: number, iteration: number, residual: number) => void,
  ): void
  cancel(job: number): void
  shutdown(): void
  /** One runtime per binding, kept here because the two module formats share the binding but not this module. */
  runtime?: Runtime
}

interface LiveJob {
  resolve(): void
  reject(reason: unknown): void
  start: number
  control: Control
  /** Keeps the memory that the kernel works on, and lets it be checked at the end. */
  buffers: readonly unknown[]
}

/** The jobs that a signal aborts, by one listener however many they are: Node warns of more than ten. */
interface AbortGroup {
  jobs: Set<number>
  onAbort: () => void
}

/** Starts native jobs and settles their promises. */
export class Runtime {
  private readonly live = new Map<number, LiveJob>()
  private readonly groups = new Map<AbortSignal, AbortGroup>()
  private next = 1

  private constructor(private readonly binding: JobBinding) {
    binding.connect(
      (job, code, message) => this.settle(job, code, message),
      (job, iteration, residual) => this.report(job, iteration, residual),
    )
    // Cleanup hooks do not run on process.exit(): without this, exit would wait for running kernels.
    process.once('exit', () => binding.shutdown())
  }

  static of(binding: JobBinding): Runtime {
    binding.runtime ??= new Runtime(binding)
    return binding.runtime
  }

  /** `start` calls the native function with a job number and all of `buffers`. */
  run(
    control: Control,
    buffers: readonly unknown[],
    start: (job: number, wantsProgress: boolean) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const job = this.next
      this.next = job === 0xffffffff ? 1 : job + 1
      this.live.set(job, { resolve, reject, start: performance.now(), control, buffers })
      try {
        start(job, control.onProgress !== undefined)
      } catch (error) {
        this.live.delete(job)
        reject(asExtremaError(error))
        return
      }
      if (control.signal !== undefined) this.listen(control.signal, job)
    })
  }

  private listen(signal: AbortSignal, job: number): void {
    let group = this.groups.get(signal)
    if (group === undefined) {
      const jobs = new Set<number>()
      const onAbort = () => {
        for (const job of jobs) this.binding.cancel(job)
      }
      group = { jobs, onAbort }
      this.groups.set(signal, group)
      signal.addEventListener('abort', onAbort)
    }
    group.jobs.add(job)
  }

  private unlisten(signal: AbortSignal, job: number): void {
    const group = this.groups.get(signal)
    if (group === undefined || !group.jobs.delete(job) || group.jobs.size > 0) return
    this.groups.delete(signal)
    signal.removeEventListener('abort', group.onAbort)
  }

  private settle(job: number, code?: string, message?: string): void {
    const ended = this.live.get(job)
    if (ended === undefined) return
    this.live.delete(job)
    const { signal } = ended.control
    if (signal !== undefined) this.unlisten(signal, job)
    if (signal?.aborted) {
      ended.reject(signal.reason)
    } else if (code !== undefined) {
      ended.reject(new ExtremaError(code as ErrorCode, message ?? code))
    } else if (ended.buffers.some(wasDetached)) {
      ended.reject(new ExtremaError('ERR_BUFFER', 'an input or output buffer was transferred away during the call'))
    } else {
      ended.resolve()
    }
  }

  private report(job: number, iteration: number, residual: number): void {
    const running = this.live.get(job)
    if (running?.control.onProgress === undefined) return
    try {
      running.control.onProgress({ iteration, residual, elapsed: performance.now() - running.start })
    } catch (error) {
      // The caller's own callback failed: stop the kernel and hand the error to whoever awaits the solution.
      running.reject(error)
      running.control.onProgress = undefined
      this.binding.cancel(job)
    }
  }
}

/** Non-empty arrays only are ever passed, so an empty one has lost its buffer. */
function wasDetached(buffer: unknown): boolean {
  return Array.isArray(buffer) ? buffer.some(wasDetached) : ArrayBuffer.isView(buffer) && buffer.byteLength === 0
}

export function asExtremaError(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code
  if (error instanceof Error && typeof code === 'string' && code.startsWith('ERR_')) {
    return new ExtremaError(code as ErrorCode, error.message, { cause: error })
  }
  return error
}

/** The functions of a room; their argument layouts, beside the kernels, are the types. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Exports = Record<string, (...args: any[]) => any>

type NativeCall = (job: number, wantsProgress: boolean, timeLimit: number, ...rest: unknown[]) => void

/** A kernel from a native export and the layout of its arguments. */
export function nativeKernel<Job>(
  runtime: Runtime,
  call: NativeCall,
  layout: (job: Job) => readonly unknown[],
): Kernel<Job> {
  return {
    run(job, control) {
      const rest = layout(job)
      return runtime.run(control, rest, (number, wantsProgress) => {
        call(number, wantsProgress, control.timeLimit, ...rest)
      })
    },
    runSync(job, control) {
      try {
        call(0, false, control.timeLimit, ...layout(job))
      } catch (error) {
        throw asExtremaError(error)
      }
    },
  }
}
