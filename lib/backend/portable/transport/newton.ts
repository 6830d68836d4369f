import type { Context } from './context.js'
import { status } from './context.js'
import type { DualPoint } from './dual.js'

// An error that falls by less than a tenth in this many iterations does not fall any more, the second if rounding
// explains it.
const patience = 100
const patienceAtRoundoff = 3
const roundoffs = 64

/** Counts the iterations of a Newton method, keeps the best point, and tells when to give up. */
export class Progress {
  private watching = false
  private stalled = false
  /** Error of the best point, and its potentials. */
  private best = Number.POSITIVE_INFINITY
  private readonly f: Float64Array
  private readonly g: Float64Array
  /** Error that `since` counts from. */
  private mark = Number.POSITIVE_INFINITY
  private since = 0

  constructor(private readonly context: Context) {
    this.f = new Float64Array(context.problem.n)
    this.g = new Float64Array(context.problem.m)
    context.report.status = status.converged // unless something stops it
  }

  /** From now on points belong to the problem's own epsilon: the best is kept, and a standstill noticed. */
  watch(at: DualPoint): void {
    this.watching = true
    this.keep(at)
  }

  record(at: DualPoint, roundoff: number): void {
    const { report, monitor } = this.context
    report.iterations++
    report.remember(at.error)
    monitor.progress(report.iterations, at.error)
    if (!this.watching) return
    this.keep(at)
    if (at.error < 0.9 * this.mark) {
      this.mark = at.error
      this.since = 0
    } else {
      this.since++
    }
    this.stalled = this.since >= (this.best <= roundoffs * roundoff ? patienceAtRoundoff : patience)
  }

  /** Out of time or iterations, or stalled; the report says which. */
  over(): boolean {
    const { report, settings, monitor } = this.context
    if (this.stalled) report.status = status.stalled
    else if (report.iterations >= settings.maxIterations) report.status = status.iterationLimit
    else if (monitor.expired()) report.status = status.timeLimit
    else return false
    return true
  }

  /** Takes the best of the watched points, or else `last`, for the result. */
  finish(last: DualPoint): void {
    const kept = this.watching && this.best < Number.POSITIVE_INFINITY
    this.context.f.set(kept ? this.f : last.f)
    this.context.g.set(kept ? this.g : last.g)
  }

  private keep(at: DualPoint): void {
    if (!(at.error < this.best)) return
    this.best = at.error
    this.f.set(at.f)
    this.g.set(at.g)
  }
}
