import type { Control, Kernel } from '../backend/kernels.js'
import { Monitor } from '../backend/portable/driver.js'
import type { Step } from '../backend/portable/linear/step.js'
import { ExtremaError } from '../core/errors.js'

/** How a call runs: its steps are the same for both forms. */
export interface Run {
  control: Control
  sync: boolean
  monitor: Monitor
}

export function runOf(control: Control, sync: boolean): Run {
  return { control, sync, monitor: new Monitor(control, sync) }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Runs steps to their end, waiting for the promises of oracles and kernels. */
export async function drive<T>(steps: (run: Run) => Step<T>, control: Control): Promise<T> {
  const run = runOf(control, false)
  control.signal?.throwIfAborted()
  const running = steps(run)
  let came: unknown
  for (;;) {
    const { value, done } = running.next(came)
    if (done) return value
    came = undefined
    if (value === undefined) await turn()
    else came = await (value as PromiseLike<unknown>)
    if (control.signal?.aborted) {
      running.return(undefined as T)
      throw control.signal.reason
    }
    run.monitor.newSlice()
  }
}

export function driveSync<T>(steps: (run: Run) => Step<T>, control: Control): T {
  const running = steps(runOf(control, true))
  for (;;) {
    const { value, done } = running.next()
    if (done) return value
    if (value === undefined) continue
    // Nobody will wait for it: its failure must not count as unhandled.
    Promise.resolve(value as PromiseLike<unknown>).catch(() => {})
    throw new ExtremaError('ERR_ORACLE', 'oracle: expected numbers in the …Sync form, got a promise')
  }
}

/** A kernel as a step of a longer call. */
export function* callKernel<Job>(kernel: Kernel<Job>, job: Job, { control, sync }: Run, isWhole: boolean): Step<void> {
  // The progress of a part is nobody's business.
  const own = isWhole ? control : { ...control, onProgress: undefined }
  if (sync) kernel.runSync(job, own)
  else yield kernel.run(job, own)
}
