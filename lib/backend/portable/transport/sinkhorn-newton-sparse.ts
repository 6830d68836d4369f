// Sinkhorn-Newton-Sparse (Tang, Shavlovsky, Rahmanian, Tardini, Thekumparampil, Xiao, Ying 2024, arXiv 2401.12253):
// Newton's method on the entropic dual with the Hessian sparsified, after Sinkhorn iterations. The adaptive form below
// replaces the fixed numbers of the paper: the Sinkhorn stage by a continuation in epsilon, the sparsity by a threshold
// that falls with the gradient. The paper's own form is in sinkhorn-newton-paper.ts.

import type { SolveJob } from '../../kernels.js'
import type { Watch, Work } from '../work.js'
import { certify, measure } from './certificate.js'
import { type Context, openContext, type Report, status } from './context.js'
import { Continuation } from './continuation.js'
import { DenseOperator } from './dense-operator.js'
import { Dual } from './dual.js'
import { KeptEntries } from './kept-entries.js'
import { LogSweep } from './log-sweep.js'
import { Progress } from './newton.js'
import {
  denseSweeps,
  entrySweeps,
  fallbackSweeps,
  leastShiftedStep,
  leastStep,
  mostBlocks,
  mostConjugateGradients,
  mostInexactness,
  mostShifts,
  stageIterations,
  stageTolerance,
  warmError,
} from './newton-limits.js'
import { RelaxedSweep } from './relaxed-sweep.js'
import { type NewtonSystem, type PlanOperator, SchurSolver } from './schur.js'
import { sinkhornNewtonPaper } from './sinkhorn-newton-paper.js'
import { SparseOperator } from './sparse-operator.js'
import { sum } from './sums.js'

class Adaptive {
  private readonly progress: Progress
  private readonly dual: Dual
  private readonly logSweep: LogSweep
  private readonly relaxedSweep: RelaxedSweep | null
  private sweepError = 0
  private readonly schur: SchurSolver
  private readonly diagonalA: Float64Array
  private readonly diagonalB: Float64Array
  private readonly logA: Float64Array
  private readonly logB: Float64Array
  private readonly beforeF: Float64Array
  private readonly beforeG: Float64Array
  private beforeEpsilon = 0
  private readonly continuation: Continuation
  private readonly kept = new KeptEntries()
  private useDense = false

  constructor(private readonly context: Context) {
    const { n, m, a, b } = context.problem
    this.progress = new Progress(context)
    this.dual = new Dual(context)
    this.logSweep = new LogSweep(n, m)
    this.relaxedSweep = this.dual.marginals.relaxed ? new RelaxedSweep(n, m) : null
    this.schur = new SchurSolver(n, m)
    this.diagonalA = new Float64Array(n)
    this.diagonalB = new Float64Array(m)
    this.logA = a.map(Math.log)
    this.logB = b.map(Math.log)
    this.beforeF = new Float64Array(n)
    this.beforeG = new Float64Array(m)
    this.continuation = new Continuation(context)
  }

  *run(): Work<void> {
    const { dual, progress, continuation } = this
    const { settings, range, cost, monitor } = this.context
    if (this.relaxedSweep !== null && range.forbids) yield* dual.marginals.leaveOutIsolated(cost, monitor)
    if (progress.over()) return
    for (let k = yield* this.start(); ; k++) {
      const last = k === continuation.last
      if (last) progress.watch(dual.point)
      yield* this.solveStage(last ? settings.tolerance : stageTolerance, last)
      if (progress.over() || last) break
      yield* this.enterStage(k + 1)
    }
    if (dual.epsilon !== settings.epsilon) {
      // Stopped on the way: potentials of a larger epsilon say little about the plan at this one.
      this.setEpsilon(settings.epsilon)
      yield* this.sweep()
    }
    progress.finish(dual.point)
  }

  private setEpsilon(epsilon: number): void {
    this.dual.epsilon = epsilon
    this.dual.marginals.setEpsilon(epsilon)
  }

  /** Returns the first stage. A warm start skips those that are coarser than its error calls for. */
  private *start(): Work<number> {
    const { dual, continuation } = this
    const { f, g } = this.context
    const { point } = dual
    if (f.some(nonzero) || g.some(nonzero)) {
      point.f.set(f)
      point.g.set(g)
      if (dual.marginals.relaxed) this.center()
      yield* dual.evaluate(point)
      let first = continuation.last
      for (let k = continuation.last; k >= 0 && !(point.error <= warmError); k -= 2) {
        point.f.set(f)
        point.g.set(g)
        this.setEpsilon(continuation.epsilonOf(k))
        if (dual.marginals.relaxed) this.center()
        yield* this.sweep()
        yield* dual.evaluate(point)
        first = k
      }
      if (point.error <= warmError) return first
      point.f.fill(0)
      point.g.fill(0)
    }
    this.setEpsilon(continuation.epsilonOf(0))
    yield* this.sinkhorn(entrySweeps, stageTolerance)
    return 0
  }

  /**
   * Potentials over the weights, f - epsilon log a and g - epsilon log b, are nearly linear in epsilon: they are
   * extrapolated along the line through the last two stages.
   */
  private *enterStage(k: number): Work<void> {
    const { dual, beforeEpsilon } = this
    const from = dual.epsilon
    const to = this.continuation.epsilonOf(k)
    const t = beforeEpsilon > 0 ? (from - to) / (beforeEpsilon - from) : 0
    extrapolate(dual.point.f, this.logA, this.beforeF, from, to, t)
    extrapolate(dual.point.g, this.logB, this.beforeG, from, to, t)
    this.center()
    this.beforeEpsilon = from
    this.setEpsilon(to)
    yield* this.sinkhorn(entrySweeps, stageTolerance)
  }

  /** Potentials of one size round least: (f + t, g - t) has the same plan. */
  private center(): void {
    const { f, g } = this.dual.point
    const { a, b } = this.context.problem
    const { mass } = this.context
    const { marginals } = this.dual
    const massB = marginals.relaxed ? sum(b) : mass
    let fMean = 0
    let gMean = 0
    for (let i = 0; i < f.length; i++) fMean += (a[i] / mass) * f[i]
    for (let j = 0; j < g.length; j++) gMean += (b[j] / massB) * g[j]
    const t = (gMean - fMean) / 2
    for (let i = 0; i < f.length; i++) f[i] += t
    for (let j = 0; j < g.length; j++) g[j] -= t
    if (marginals.relaxed) marginals.translate(f, g)
  }

  private *solveStage(target: number, last: boolean): Work<void> {
    const { dual, progress } = this
    this.kept.reset()
    this.useDense = false
    dual.store = null
    for (let iteration = 0; last || iteration < stageIterations; iteration++) {
      if (dual.point.error <= target || progress.over()) return
      yield* this.iterate(target)
      if (this.context.monitor.due()) yield // passes over few entries do not ask
    }
  }

  private *iterate(target: number): Work<void> {
    const { dual, progress } = this
    const { error } = dual.point
    dual.differentiate()
    if (!this.useDense && !(yield* this.kept.select(this.context, dual.point, dual.epsilon))) {
      // Plans this smooth are what Sinkhorn is good at; if it is not, Newton with the whole plan.
      yield* this.sinkhorn(denseSweeps, 0)
      const now = dual.point.error
      if (now > target && Math.log(target / now) < mostBlocks * Math.log(now / error)) yield* this.switchToDense()
      return
    }
    if (yield* this.newton(target)) {
      this.context.report.newtonIterations++
      progress.record(dual.point, dual.roundoff())
    } else {
      yield* this.sinkhorn(fallbackSweeps, 0)
    }
  }

  /** The Newton direction, shifted if the line search calls for it, and a step along it. */
  private *newton(target: number): Work<boolean> {
    const { dual, schur, diagonalA, diagonalB, continuation, useDense } = this
    const { problem, monitor } = this.context
    const { error, rowSum, columnSum, a, b, mass } = dual.point
    const bendA = dual.marginals.a.curvature
    const bendB = dual.marginals.b.curvature
    const inexactness = Math.min(mostInexactness, Math.max(error, (1e-3 * target) / error))
    // In units of the Hessian times epsilon.
    const firstShift = 0.1 * dual.gradientNorm * Math.min(1, dual.epsilon / continuation.range)
    let shift = (1e-14 * mass) / Math.max(problem.n, problem.m)
    for (let attempt = 0; attempt <= mostShifts; attempt++) {
      for (let i = 0; i < diagonalA.length; i++) diagonalA[i] = rowSum[i] + bendA * a[i] + shift
      for (let j = 0; j < diagonalB.length; j++) diagonalB[j] = columnSum[j] + bendB * b[j] + shift
      const system = { diagonalA, diagonalB, x: dual.x, y: dual.y }
      const plan = yield* this.planOf(system)
      yield* schur.solve(plan, system, inexactness * error * mass, mostConjugateGradients, dual.p, dual.q, monitor)
      if (dual.setSlope()) {
        const least = attempt === mostShifts ? leastStep : leastShiftedStep
        const alpha = useDense ? 1 : yield* dual.allowedStep(this.kept.entries!, least)
        if (alpha > 0 && (yield* dual.search(alpha, least)) > 0) return true
        if (dual.atRoundoff()) return false
        if (dual.store !== null && alpha > 0) yield* dual.evaluate(dual.point) // it holds a trial's plan
      }
      shift = Math.max(10 * shift, firstShift)
    }
    return false
  }

  private *planOf(system: NewtonSystem): Work<PlanOperator> {
    const { context, dual } = this
    if (this.useDense) return new DenseOperator(context, dual, system)
    return yield* SparseOperator.of(this.kept.entries!, context.problem.n, context.problem.m, system, context.monitor)
  }

  private *switchToDense(): Work<void> {
    const { problem } = this.context
    this.useDense = true
    if (problem.metric !== 'dense') return
    this.dual.store = new Float64Array(problem.n * problem.m)
    yield* this.dual.evaluate(this.dual.point)
  }

  private *sweep(): Work<void> {
    const { cost, problem, report, monitor } = this.context
    const { epsilon, point, marginals } = this.dual
    const { logSweep, relaxedSweep } = this
    report.passes +=
      relaxedSweep === null
        ? yield* logSweep.run(cost, problem, epsilon, point.f, point.g, monitor)
        : yield* relaxedSweep.run(cost, marginals, epsilon, point.f, point.g, monitor)
    this.sweepError = (relaxedSweep ?? logSweep).error
  }

  /** A block of Sinkhorn iterations, cut short once the error before one of them was small enough. */
  private *sinkhorn(count: number, target: number): Work<void> {
    const { dual } = this
    for (let k = 0; k < count; k++) {
      yield* this.sweep()
      if (this.sweepError <= target * dual.point.mass) break
    }
    yield* dual.evaluate(dual.point)
    this.progress.record(dual.point, dual.roundoff())
  }
}

function nonzero(value: number): boolean {
  return value !== 0
}

function extrapolate(
  potential: Float64Array,
  logWeight: Float64Array,
  before: Float64Array,
  from: number,
  to: number,
  t: number,
): void {
  for (let i = 0; i < potential.length; i++) {
    const relative = potential[i] - from * logWeight[i]
    potential[i] = relative + t * (relative - before[i]) + to * logWeight[i]
    before[i] = relative
  }
}

/** The adaptive form, also for relaxed marginals. */
export function* sinkhornNewtonAdaptive(context: Context): Work<void> {
  yield* new Adaptive(context).run()
}

export function* sinkhornNewtonSparse(job: Omit<SolveJob, 'report'>, monitor: Watch): Work<Report> {
  const context = yield* openContext(job, monitor)
  const { settings, report } = context
  if (settings.paper) yield* sinkhornNewtonPaper(context)
  else yield* sinkhornNewtonAdaptive(context)
  yield* measure(context)
  if (report.marginalError <= settings.tolerance) report.status = status.converged
  else if (report.status === status.converged) report.status = status.stalled
  if (settings.certificate) yield* certify(context)
  return report
}
