import type { Control, Kernel } from '../backend/kernels.js'
import { type Monitor, portableKernel } from '../backend/portable/driver.js'
import { ExtremaError } from '../core/errors.js'

/** A part of a solve: an oracle call, a kernel, or steps in TypeScript. */
export interface Step {
  run(control: Control): unknown
  runSync(control: Control): unknown
}

/** A whole solve, written once: it yields its parts, and gets back what they came to, on either way to call it. */
export type Steps<R> = Generator<Step, R, unknown>

/** What an oracle returns, now or as a promise; what it throws becomes the cause of an `ERR_ORACLE`. */
export function* fromOracle(name: string, call: () => unknown): Steps<unknown> {
  const failed = (cause: unknown) =>
    new ExtremaError('ERR_ORACLE', `${name}: expected a result, got an exception (${String(cause)})`, { cause })
  const attempt = () => {
    try {
      return call()
    } catch (cause) {
      throw failed(cause)
    }
  }
  return yield {
    run() {
      const result = attempt()
      if (!isPromise(result)) return result
      return Promise.resolve(result).catch((cause) => {
        throw failed(cause)
      })
    },
    runSync() {
      const result = attempt()
      if (!isPromise(result)) return result
      // Nobody awaits it: its failure must not end the process.
      Promise.resolve(result).catch(() => {})
      throw new ExtremaError('ERR_ORACLE', `${name}: expected a result at once in the Sync form, got a promise`)
    },
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

export function* inKernel<Job>(kernel: Kernel<Job>, job: Job): Steps<void> {
  yield { run: (control) => kernel.run(job, control), runSync: (control) => kernel.runSync(job, control) }
}

/** Runs steps that yield when `monitor.due()`, so that the event loop is never held up. */
export function* inSlices<R>(steps: (monitor: Monitor) => Generator<void, R, void>): Steps<R> {
  let result: { value: R } | undefined
  const kernel = portableKernel(function* (_: null, monitor: Monitor) {
    result = { value: yield* steps(monitor) }
  })
  yield* inKernel(kernel, null)
  return (result as { value: R }).value
}

/** What the parts see of the control: their own progress is nobody's business, and the time is what is left. */
function partOf({ signal, timeLimit }: Control, start: number): Control {
  return { signal, timeLimit: Math.max(0, timeLimit - (performance.now() - start)) }
}

/** Milliseconds after which the event loop gets a turn, also where every oracle answers at once. */
const sliceLength = 4

export async function runSteps<R>(steps: Steps<R>, control: Control): Promise<R> {
  const start = performance.now()
  control.signal?.throwIfAborted()
  let turn = start
  let result: unknown
  for (;;) {
    const { done, value } = steps.next(result)
    if (done) return value
    result = value.run(partOf(control, start))
    if (isPromise(result)) {
      result = await result
    }
    if (performance.now() - turn >= sliceLength) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      turn = performance.now()
    }
    control.signal?.throwIfAborted()
  }
}

export function runStepsSync<R>(steps: Steps<R>, control: Control): R {
  const start = performance.now()
  control.signal?.throwIfAborted()
  let result: unknown
  for (;;) {
    const { done, value } = steps.next(result)
    if (done) return value
    result = value.runSync(partOf(control, start))
  }
}
