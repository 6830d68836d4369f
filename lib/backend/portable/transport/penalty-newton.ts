import type { Work } from '../work.js'
import type { Context } from './context.js'
import { Continuation } from './continuation.js'
import { DenseOperator } from './dense-operator.js'
import { DualPoint } from './dual.js'
import { KeptEntries } from './kept-entries.js'
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
import type { Penalty } from './penalty.js'
import { PenaltySweep } from './penalty-sweep.js'
import { PlanPass, planPass } from './plan-pass.js'
import { type NewtonSystem, type PlanOperator, SchurSolver } from './schur.js'
import { SparseOperator } from './sparse-operator.js'
import { sum } from './sums.js'

// Twin of native/transport/penalty-newton.cc.

const armijo = 1e-4
/** Of the mass, on the diagonal: no step. */
const held = 1e30
const hiddenShare = 1e-13

/**
 * Maximises the dual of entropic transport under the penalties: continuation in epsilon, scaling iterations, and sparse
 * Newton steps as those of `sinkhornNewtonAdaptive`. Potentials at a bound of total variation that the gradient holds there
 * stay out of a step, the others are projected on the bounds (Bertsekas 1982, "Projected Newton Methods for Optimization
 * Problems with Simple Constraints").
 */
export class PenaltyNewton {
  private readonly progress: Progress
  private readonly continuation: Continuation
  private readonly kept = new KeptEntries()
  private readonly scaling: PenaltySweep
  private readonly schur: SchurSolver
  private point: DualPoint
  private trial: DualPoint
  /** The gradient. */
  private readonly x: Float64Array
  private readonly y: Float64Array
  /** The direction. */
  private readonly p: Float64Array
  private readonly q: Float64Array
  private readonly diagonalA: Float64Array
  private readonly diagonalB: Float64Array
  private readonly work: Float64Array
  private readonly rows: Float64Array
  private epsilon = 0
  private gradientNorm = 0
  private magnitude = 0
  private useDense = false

  constructor(
    private readonly context: Context,
    private readonly a: Penalty,
    private readonly b: Penalty,
  ) {
    const { problem } = context
    const { n, m } = problem
    this.progress = new Progress(context)
    this.continuation = new Continuation(context)
    this.scaling = new PenaltySweep(n, m)
    this.schur = new SchurSolver(n, m)
    this.point = new DualPoint(problem, 0)
    this.trial = new DualPoint(problem, 0)
    this.x = new Float64Array(n)
    this.y = new Float64Array(m)
    this.p = new Float64Array(n)
    this.q = new Float64Array(m)
    this.diagonalA = new Float64Array(n)
    this.diagonalB = new Float64Array(m)
    this.work = new Float64Array(Math.max(n, m))
    this.rows = new Float64Array(4 * m)
  }

  *run(): Work<void> {
    const { progress, continuation } = this
    const { settings } = this.context
    if (progress.over()) return
    for (let k = yield* this.start(); ; k++) {
      const last = k === continuation.last
      if (last) progress.watch(this.point)
      yield* this.solveStage(last ? settings.tolerance : stageTolerance, last)
      if (progress.over() || last) break
      this.setEpsilon(continuation.epsilonOf(k + 1))
      yield* this.sweeps(entrySweeps, stageTolerance)
    }
    if (this.epsilon !== settings.epsilon) {
      // Stopped on the way: potentials of a larger epsilon say little about the plan at this one.
      this.setEpsilon(settings.epsilon)
      yield* this.sweep()
    }
    progress.finish(this.point)
  }

  /** Potentials less their offsets stay as they are. */
  private setEpsilon(epsilon: number): void {
    const { a, b, point } = this
    restage(a, point.f, epsilon)
    restage(b, point.g, epsilon)
    this.epsilon = epsilon
  }

  /** Returns the first stage. A warm start skips those that are coarser than its error calls for. */
  private *start(): Work<number> {
    const { a, b, point, continuation } = this
    const { f, g, settings } = this.context
    const nonzero = (value: number) => value !== 0
    a.setEpsilon(settings.epsilon)
    b.setEpsilon(settings.epsilon)
    if (f.some(nonzero) || g.some(nonzero)) {
      point.f.set(f)
      point.g.set(g)
      this.setEpsilon(settings.epsilon)
      yield* this.evaluate(point)
      for (let k = continuation.last; k >= 0; k -= 2) {
        if (point.error <= warmError) return Math.min(k + 2, continuation.last)
        this.setEpsilon(continuation.epsilonOf(k))
        yield* this.sweep()
        yield* this.evaluate(point)
        if (point.error <= warmError) return k
      }
    }
    point.f.set(a.offset)
    point.g.set(b.offset)
    this.setEpsilon(continuation.epsilonOf(0))
    yield* this.sweeps(entrySweeps, stageTolerance)
    return 0
  }

  private *evaluate(at: DualPoint): Work<void> {
    const { cost, report, monitor } = this.context
    const pass = new PlanPass(this.epsilon, at.f, at.g, this.rows)
    pass.rowSum = at.rowSum
    pass.columnSum = at.columnSum
    yield* planPass(cost, pass, monitor)
    report.passes++
    const error = this.missed(this.a, at.f, at.rowSum, at.a) + this.missed(this.b, at.g, at.columnSum, at.b)
    at.mass = (sum(at.a) + sum(at.b)) / 2
    at.error = error === 0 ? 0 : error / at.mass
  }

  /** Writes what the potentials ask for; returns how far the totals are from it. */
  private missed(side: Penalty, potential: Float64Array, total: Float64Array, demand: Float64Array): number {
    const work = this.work.subarray(0, side.size)
    for (let i = 0; i < side.size; i++) {
      demand[i] = side.leftOut(i) ? total[i] : side.demand(i, potential[i], total[i])
      work[i] = side.leftOut(i) ? 0 : side.missed(i, potential[i], total[i])
    }
    return sum(work)
  }

  private differentiate(): void {
    const { point, x, y, epsilon } = this
    let squares = 0
    let terms = 0
    const side = (potential: Float64Array, total: Float64Array, demand: Float64Array, gradient: Float64Array) => {
      for (let i = 0; i < total.length; i++) {
        gradient[i] = demand[i] - total[i]
        squares += gradient[i] * gradient[i]
        terms += demand[i] * Math.abs(potential[i])
      }
    }
    side(point.f, point.rowSum, point.a, x)
    side(point.g, point.columnSum, point.b, y)
    this.gradientNorm = Math.sqrt(squares)
    this.magnitude = terms / epsilon + point.mass
  }

  private roundoff(): number {
    return (1.1e-16 * this.magnitude) / this.point.mass
  }

  private *solveStage(target: number, last: boolean): Work<void> {
    this.kept.reset()
    this.useDense = false
    for (let iteration = 0; last || iteration < stageIterations; iteration++) {
      if (this.point.error <= target || this.progress.over()) return
      yield* this.iterate(target)
      if (this.context.monitor.due()) yield // passes over few entries do not ask
    }
  }

  private *iterate(target: number): Work<void> {
    const { context, progress } = this
    const { error } = this.point
    this.differentiate()
    if (!this.useDense && !(yield* this.kept.select(context, this.point, this.epsilon))) {
      // Plans this smooth are what scaling is good at; if it is not, Newton with the whole plan.
      yield* this.sweeps(denseSweeps, 0)
      const now = this.point.error
      this.useDense = now > target && Math.log(target / now) < mostBlocks * Math.log(now / error)
      return
    }
    if (yield* this.newton(target)) {
      context.report.newtonIterations++
      progress.record(this.point, this.roundoff())
    } else {
      yield* this.sweeps(fallbackSweeps, 0)
    }
  }

  /** The Newton direction, shifted if the line search calls for it, and a step along it. */
  private *newton(target: number): Work<boolean> {
    const { schur, diagonalA, diagonalB, point, x, y, p, q } = this
    const { problem, monitor } = this.context
    const { error, mass } = point
    const inexactness = Math.min(mostInexactness, Math.max(error, (1e-3 * target) / error))
    const firstShift = 0.1 * this.gradientNorm * Math.min(1, this.epsilon / this.continuation.range)
    let shift = (1e-14 * mass) / Math.max(problem.n, problem.m)
    for (let attempt = 0; attempt <= mostShifts; attempt++) {
      diagonalOf(this.a, point.f, point.rowSum, shift, held * mass, diagonalA)
      diagonalOf(this.b, point.g, point.columnSum, shift, held * mass, diagonalB)
      const system = { diagonalA, diagonalB, x, y }
      const plan = yield* this.planOf(system)
      yield* schur.solve(plan, system, inexactness * error * mass, mostConjugateGradients, p, q, monitor)
      if (yield* this.search(attempt === mostShifts ? leastStep : leastShiftedStep)) return true
      shift = Math.max(10 * shift, firstShift)
    }
    return false
  }

  private *planOf(system: NewtonSystem): Work<PlanOperator> {
    const { context, epsilon, point } = this
    if (this.useDense) return new DenseOperator(context, { epsilon, store: null, point }, system)
    const { n, m } = context.problem
    return yield* SparseOperator.of(this.kept.entries!, n, m, system, context.monitor)
  }

  /** Armijo's rule along the projected direction, with the steps 1, 1/2, … >= least; `point` moves. */
  private *search(least: number): Work<boolean> {
    const { a, b, point, trial, x, y, p, q, epsilon, work } = this
    for (let alpha = 1; alpha >= least; alpha /= 2) {
      let slope = 0 // in units of epsilon
      const move = (
        side: Penalty,
        from: Float64Array,
        gradient: Float64Array,
        direction: Float64Array,
        to: Float64Array,
      ) => {
        for (let i = 0; i < side.size; i++) {
          to[i] = side.leftOut(i) ? from[i] : side.clamped(i, from[i] + alpha * epsilon * direction[i])
          slope += (gradient[i] * (to[i] - from[i])) / epsilon
          work[i] = to[i] === from[i] ? 0 : side.gain(i, from[i], to[i]) / epsilon
        }
        return sum(work.subarray(0, side.size))
      }
      let gain = move(a, point.f, x, p, trial.f)
      gain += move(b, point.g, y, q, trial.g)
      if (!(slope > 0 && Number.isFinite(slope))) continue
      yield* this.evaluate(trial)
      if (!Number.isFinite(trial.error)) continue
      for (let i = 0; i < trial.rowSum.length; i++) work[i] = trial.rowSum[i] - point.rowSum[i]
      gain -= sum(work.subarray(0, trial.rowSum.length))
      const hidden = slope < hiddenShare * this.magnitude
      if (hidden ? trial.error < point.error : gain >= armijo * slope) {
        this.point = trial
        this.trial = point
        return true
      }
      if (hidden) return false
    }
    return false
  }

  private *sweep(): Work<void> {
    const { a, b, epsilon, point, scaling } = this
    const { cost, report, monitor } = this.context
    report.passes += yield* scaling.run(cost, a, b, epsilon, point.f, point.g, monitor)
  }

  /** A block of scaling iterations, cut short once the error before one of them was small enough. */
  private *sweeps(count: number, target: number): Work<void> {
    for (let k = 0; k < count; k++) {
      yield* this.sweep()
      if (this.scaling.error <= target * this.point.mass) break
    }
    yield* this.evaluate(this.point)
    this.differentiate()
    this.progress.record(this.point, this.roundoff())
  }
}

function restage(side: Penalty, potential: Float64Array, epsilon: number): void {
  for (let i = 0; i < side.size; i++) potential[i] -= side.offset[i]
  side.setEpsilon(epsilon)
  for (let i = 0; i < side.size; i++) {
    potential[i] = side.leftOut(i) ? side.nothing(i) : side.clamped(i, potential[i] + side.offset[i])
  }
}

function diagonalOf(
  side: Penalty,
  potential: Float64Array,
  total: Float64Array,
  shift: number,
  heldAt: number,
  out: Float64Array,
): void {
  for (let i = 0; i < side.size; i++) {
    const bend = side.leftOut(i) ? Number.POSITIVE_INFINITY : side.bend(i, potential[i], total[i])
    out[i] = Number.isFinite(bend) ? total[i] + bend + shift : heldAt
  }
}
