import type { SolveJob } from '../../kernels.js'
import type { Watch, Work } from '../work.js'
import { certify, measure } from './certificate.js'
import { CloudSweep } from './cloud-sweep.js'
import { type Context, openContext, type Report, status } from './context.js'
import { KernelSweep } from './kernel-sweep.js'
import { LogSweep } from './log-sweep.js'
import { PointCloudRows } from './point-cloud.js'
import { SinkhornAcceleration } from './sinkhorn-acceleration.js'

interface SinkhornKernel {
  /** sum |P1 - a| before the last iteration. */
  error: number
  /** sum |Pᵀ1 - b| between its two updates. */
  columnError: number
  /** One iteration; the state is f, g and what `absorb` would add to them. Returns the passes it took. */
  iterate(context: Context): Work<number>
  absorb(context: Context): void
  /** The potentials of the state. */
  read(context: Context, f: Float64Array, g: Float64Array): void
  /** Puts g in place of the targets' potentials. */
  moveTo(context: Context, g: Float64Array): void
}

/**
 * Sinkhorn's iteration on a stored kernel matrix K = exp((f + g - C) / epsilon) with scalings u, v, absorbed into f, g
 * when they grow (Schmitzer 2019); where K under- or overflows, in the log domain. With precision 'float32' the matrix
 * is float32, everything else float64.
 */
class StabilizedKernel implements SinkhornKernel {
  error = 0
  columnError = 0
  /** Kernel values below the smallest normal number are lost; scalings stay so close to one that none mattered. */
  private readonly largestScaling: number
  private readonly logSweep: LogSweep
  private readonly sweep: KernelSweep
  private readonly scaled: Float64Array
  private valid = false

  constructor({ problem, settings }: Context) {
    const { n, m } = problem
    const kernel = settings.float32 ? new Float32Array(n * m) : new Float64Array(n * m)
    this.largestScaling = settings.float32 ? 1e8 : 1e100
    this.logSweep = new LogSweep(n, m)
    this.logSweep.store = kernel
    this.scaled = new Float64Array(m)
    this.sweep = new KernelSweep(kernel, problem.a, new Float64Array(n), new Float64Array(m), new Float64Array(m))
  }

  *iterate(context: Context): Work<number> {
    const { problem, settings, f, g, monitor } = context
    const { logSweep, sweep } = this
    const { u, v, columnSum } = sweep
    if (!this.valid) {
      const passes = yield* logSweep.run(context.cost, problem, settings.epsilon, f, g, monitor)
      this.error = logSweep.error
      this.columnError = logSweep.columnError
      this.valid = logSweep.stored && this.usable(logSweep.rowScale) && this.usable(logSweep.columnScale)
      if (this.valid) {
        // The stored rows belong to the potentials before the update: take the scalings out again.
        u.set(logSweep.rowScale)
        v.set(logSweep.columnScale)
        addLogs(f, -settings.epsilon, u)
        addLogs(g, -settings.epsilon, v)
      }
      return passes
    }
    yield* sweep.run(monitor)
    this.error = sweep.error
    let sound = !sweep.unsafe
    this.columnError = 0
    for (let j = 0; j < v.length && sound; j++) {
      this.columnError += Math.abs(v[j] * columnSum[j] - problem.b[j])
      const scaled = problem.b[j] / columnSum[j]
      sound = scaled > 0 && scaled < Number.MAX_VALUE
      if (sound) v[j] = scaled
    }
    if (!sound || !this.usable(u) || !this.usable(v)) this.absorb(context)
    return 1
  }

  /** Moves the scalings into the potentials; the kernel is formed anew by the next iteration. */
  absorb({ settings, f, g }: Context): void {
    if (!this.valid) return
    addLogs(f, settings.epsilon, this.sweep.u)
    addLogs(g, settings.epsilon, this.sweep.v)
    this.valid = false
  }

  read({ settings, f, g }: Context, fNow: Float64Array, gNow: Float64Array): void {
    fNow.set(f)
    gNow.set(g)
    if (!this.valid) return
    addLogs(fNow, settings.epsilon, this.sweep.u)
    addLogs(gNow, settings.epsilon, this.sweep.v)
  }

  moveTo(context: Context, moved: Float64Array): void {
    const { settings, g } = context
    const { scaled } = this
    if (this.valid) {
      for (let j = 0; j < g.length; j++) scaled[j] = Math.exp((moved[j] - g[j]) / settings.epsilon)
      if (this.usable(scaled)) {
        this.sweep.v.set(scaled)
        return
      }
      this.absorb(context)
    }
    g.set(moved)
  }

  private usable(scaling: Float64Array): boolean {
    const most = this.largestScaling
    for (let i = 0; i < scaling.length; i++) {
      if (!(scaling[i] > 1 / most && scaling[i] < most)) return false
    }
    return true
  }
}

function addLogs(potential: Float64Array, epsilon: number, scaling: Float64Array): void {
  for (let i = 0; i < potential.length; i++) potential[i] += epsilon * Math.log(scaling[i])
}

/** Points: nothing of size n × m is kept, every iteration is one pass in the log domain, in float64 always. */
class StreamedKernel implements SinkhornKernel {
  error = 0
  columnError = 0
  private readonly cloud: CloudSweep | null
  private readonly logSweep: LogSweep

  constructor({ problem, settings, cost }: Context) {
    this.cloud =
      settings.truncated === true && cost instanceof PointCloudRows ? new CloudSweep(cost, problem.a, problem.b) : null
    this.logSweep = new LogSweep(problem.n, problem.m, this.cloud)
  }

  /** Share of the entries that were left out. */
  get skipped(): number {
    return this.cloud?.skipped ?? 0
  }

  *iterate({ cost, problem, settings, f, g, monitor }: Context): Work<number> {
    const passes = yield* this.logSweep.run(cost, problem, settings.epsilon, f, g, monitor)
    this.error = this.logSweep.error
    this.columnError = this.logSweep.columnError
    return passes
  }

  absorb(): void {}

  read({ f, g }: Context, fNow: Float64Array, gNow: Float64Array): void {
    fNow.set(f)
    gNow.set(g)
  }

  moveTo({ g }: Context, moved: Float64Array): void {
    g.set(moved)
  }
}

/** Tells slow progress from the floor of the arithmetic: Sinkhorn's row error never grows but by rounding. */
class StallTest {
  private best = Number.POSITIVE_INFINITY
  private since = 0
  constructor(private readonly floor: number) {}

  stalled(error: number): boolean {
    if (error < this.best * (1 - 1e-3)) {
      this.best = error
      this.since = 0
      return false
    }
    return ++this.since >= 200 && this.best < this.floor
  }
}

function* iterate(context: Context, kernel: SinkhornKernel): Work<void> {
  const { settings, range, mass, report, monitor } = context
  const unit = settings.float32 ? 6e-8 : 1.2e-16
  const span = (range.most - range.least) / settings.epsilon
  const stall = new StallTest(1e3 * unit * (16 + span))
  const acceleration = settings.anderson ? new SinkhornAcceleration(context.problem, unit, context.g) : null
  const fNow = new Float64Array(acceleration === null ? 0 : context.f.length)
  const gNow = new Float64Array(acceleration === null ? 0 : context.g.length)
  let target = settings.tolerance
  for (;;) {
    report.status = status.iterationLimit
    while (report.iterations < settings.maxIterations) {
      report.passes += yield* kernel.iterate(context)
      report.iterations++
      const error = (acceleration === null ? kernel.error : kernel.columnError) / mass
      report.remember(error)
      monitor.progress(report.iterations, error)
      if (error <= target) {
        report.status = status.converged
        break
      }
      if (Number.isNaN(error) || stall.stalled(error)) {
        // NaN: somebody writes to the cost
        report.status = status.stalled
        break
      }
      const expired = monitor.expired()
      if (acceleration !== null) {
        kernel.read(context, fNow, gNow)
        const sound = acceleration.sound(fNow, gNow, error)
        // The last iteration starts from a plain step, so that it need not be taken back.
        if (sound && (expired || report.iterations + 1 >= settings.maxIterations)) {
          acceleration.keep(gNow)
        } else {
          yield* acceleration.advance(sound, gNow, monitor)
          kernel.moveTo(context, gNow)
          if (expired && !sound) report.passes += yield* kernel.iterate(context)
        }
      }
      if (expired) {
        report.status = status.timeLimit
        break
      }
      if (monitor.due()) yield // passes over few entries do not ask
    }
    kernel.absorb(context)
    yield* measure(context)
    if (report.marginalError <= settings.tolerance) report.status = status.converged
    if (report.status !== status.converged || report.marginalError <= settings.tolerance) return
    // The kernel's own rounding hid an error above the tolerance: form it anew and ask for more, while that helps.
    acceleration?.keep(context.g)
    target /= 4
    if (target < settings.tolerance / 64) {
      report.status = status.stalled
      return
    }
  }
}

export function* sinkhorn(job: Omit<SolveJob, 'report'>, monitor: Watch): Work<Report> {
  const context = yield* openContext(job, monitor)
  if (job.problem.metric === 'dense') {
    yield* iterate(context, new StabilizedKernel(context))
  } else {
    const kernel = new StreamedKernel(context)
    yield* iterate(context, kernel)
    context.report.skipped = kernel.skipped
  }
  if (job.settings.certificate) yield* certify(context)
  return context.report
}
