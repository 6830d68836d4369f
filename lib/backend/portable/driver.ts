import type { Control, Kernel } from '../kernels.js'

/** A portable kernel yields where the event loop may take over; it ends early when `monitor.cancelled`. */
export type Steps = Generator<void, void, void>

const sliceLength = 4 // milliseconds between turns of the event loop
const progressInterval = 50

/** The portable twin of the native Monitor. */
export class Monitor {
  cancelled = false
  readonly start = performance.now()
  private sliceEnd: number
  private lastReport = Number.NEGATIVE_INFINITY

  constructor(
    private readonly control: Control,
    sync: boolean,
  ) {
    this.sliceEnd = sync ? Number.POSITIVE_INFINITY : this.start + sliceLength
  }

  expired(): boolean {
    return this.control.timeLimit < Number.POSITIVE_INFINITY && performance.now() - this.start >= this.control.timeLimit
  }

  /** Whether the kernel should yield now. Cheap enough to ask after every few thousand operations. */
  due(): boolean {
    return this.sliceEnd !== Number.POSITIVE_INFINITY && performance.now() >= this.sliceEnd
  }

  newSlice(): void {
    this.sliceEnd = performance.now() + sliceLength
  }

  progress(iteration: number, residual: number): void {
    if (this.control.onProgress === undefined) return
    const elapsed = performance.now() - this.start
    if (elapsed - this.lastReport < progressInterval) return
    this.lastReport = elapsed
    this.control.onProgress({ iteration, residual, elapsed })
  }
}

/** Lets the event loop have its turn. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A kernel from its steps: run through at once, or in slices that leave the event loop its turns. */
export function portableKernel<Job>(steps: (job: Job, monitor: Monitor) => Steps): Kernel<Job> {
  return {
    async run(job, control) {
      const monitor = new Monitor(control, false)
      const running = steps(job, monitor)
      while (!running.next().done) {
        await turn()
        if (control.signal?.aborted) break
        monitor.newSlice()
      }
      // Also when it was the progress callback that aborted, in the last slice.
      if (control.signal?.aborted) {
        running.return()
        throw control.signal.reason
      }
    },
    runSync(job, control) {
      const running = steps(job, new Monitor({ timeLimit: control.timeLimit }, true))
      while (!running.next().done) {
        // A synchronous monitor is never due; whatever yields all the same goes on.
      }
    },
  }
}
