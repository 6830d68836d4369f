import type { Control, Kernel } from '../backend/kernels.js'

/** A kernel with its job, ready to be called in either way. */
export interface KernelCall {
  run(control: Control): Promise<void>
  runSync(control: Control): void
}

/**
 * Several kernel calls with what lies between them, written once for the asynchronous and the synchronous form. What a call
 * throws is thrown where it was yielded.
 */
export type Program<T> = Generator<KernelCall, T, void>

export function call<Job>(kernel: Kernel<Job>, job: Job): KernelCall {
  return { run: (control) => kernel.run(job, control), runSync: (control) => kernel.runSync(job, control) }
}

/** A solver with hand-overs of its own, as one step. */
export function* solver<Problem, Options, T>(
  problem: Problem,
  options: Options,
  solve: (problem: Problem, options: Options) => Promise<T>,
  solveSync: (problem: Problem, options: Options) => T,
): Program<T> {
  let solution: T | undefined
  yield {
    run: async (control) => {
      solution = await solve(problem, { ...options, ...optionsOf(control) })
    },
    runSync: (control) => {
      solution = solveSync(problem, { ...options, ...optionsOf(control) })
    },
  }
  return solution as T
}

/** As solvers take it. */
export function optionsOf({ timeLimit, ...control }: Control): Partial<Control> {
  return timeLimit === Number.POSITIVE_INFINITY ? control : { ...control, timeLimit }
}

const nothing = () => undefined

/** Runs the calls off the event loop, one after the other. They share the time limit. */
export async function runProgram<T>(program: Program<T>, control: Control): Promise<T> {
  const start = performance.now()
  let step = program.next()
  while (!step.done) {
    const failure = await step.value.run(remaining(control, start)).then(nothing, (error) => ({ error }))
    step = failure === undefined ? program.next() : program.throw(failure.error)
  }
  return step.value
}

/** Runs the calls here and now. */
export function runProgramSync<T>(program: Program<T>, control: Control): T {
  const start = performance.now()
  let step = program.next()
  while (!step.done) {
    let failure: { error: unknown } | undefined
    try {
      step.value.runSync(remaining(control, start))
    } catch (error) {
      failure = { error }
    }
    step = failure === undefined ? program.next() : program.throw(failure.error)
  }
  return step.value
}

/** A limit that has passed leaves every kernel the moment that it takes to return something sound. */
export function remaining(control: Control, start: number): Control {
  if (control.timeLimit === Number.POSITIVE_INFINITY) return control
  return { ...control, timeLimit: Math.max(control.timeLimit - (performance.now() - start), Number.MIN_VALUE) }
}
