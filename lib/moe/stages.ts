import type { Control, Kernel } from '../backend/kernels.js'
import { type Monitor, portableKernel } from '../backend/portable/driver.js'

/** A part of a solve that runs by itself: a kernel with its job, off the event loop or in slices between its turns. */
export interface Stage {
  run(control: Control): Promise<void>
  runSync(control: Control): void
}

/** A whole solve, written once: it yields its stages one after the other, on either way to call it. */
export type Stages<R> = Generator<Stage, R, void>

/** Runs a kernel. */
export function* inKernel<Job>(kernel: Kernel<Job>, job: Job): Stages<void> {
  yield { run: (control) => kernel.run(job, control), runSync: (control) => kernel.runSync(job, control) }
}

/** Runs steps in TypeScript; they yield when `monitor.due()`, so that the event loop is never held up. */
export function* inSteps<R>(steps: (monitor: Monitor) => Generator<void, R, void>): Stages<R> {
  let result: { value: R } | undefined
  const kernel = portableKernel(function* (_: null, monitor: Monitor) {
    result = { value: yield* steps(monitor) }
  })
  yield* inKernel(kernel, null)
  return (result as { value: R }).value
}

/** What is left of the time limit when a stage begins. */
function remaining(control: Control, start: number): Control {
  if (control.timeLimit === Number.POSITIVE_INFINITY) return control
  return { ...control, timeLimit: Math.max(0, control.timeLimit - (performance.now() - start)) }
}

export async function runStages<R>(stages: Stages<R>, control: Control): Promise<R> {
  const start = performance.now()
  control.signal?.throwIfAborted()
  for (;;) {
    const { done, value } = stages.next()
    if (done) return value
    await value.run(remaining(control, start))
  }
}

export function runStagesSync<R>(stages: Stages<R>, control: Control): R {
  const start = performance.now()
  control.signal?.throwIfAborted()
  for (;;) {
    const { done, value } = stages.next()
    if (done) return value
    value.runSync(remaining(control, start))
  }
}
