import { factorField } from '../backend/constrained.js'
import { dot } from '../backend/portable/linear/vectors.js'
import { toFloat64 } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import type { Solution, Status } from '../core/solution.js'
import { inertiaJob, isPositive, jacobianEigenvalue } from './curvature.js'
import { Direction } from './direction.js'
import { kktMatrix } from './kkt.js'
import { addTransposed, frobenius, isSame, type SystemMatrix } from './matrix.js'
import { kktResidual, merit, meritGradient, squares } from './merit.js'
import type { CheckedOptions, IterationRecord } from './options.js'
import { type EqualityConstrainedProblem, type Evaluations, NotFinite, Oracles, type Point } from './problem.js'
import { BlockFactors } from './row-blocks.js'
import { inKernel, inSlices, type Steps } from './steps.js'

/** Why a solve stalled. */
export type StallReason = 'line-search' | 'no-descent' | 'singular-kkt'

export interface EqualityConstrainedSolution extends Solution {
  /** The last iterate, or where the tolerance was not reached the one with the least KKT residual. */
  x: Float64Array
  multipliers: Float64Array
  /** f(x) */
  value: number
  /** c(x) */
  constraints: Float64Array
  /**
   * Whether the second-order necessary condition holds: ∇²_x L >= -1e-6 max(1, ‖∇²_x L‖_F) on the kernel of G. Absent where
   * `curvature: 'assume'` or lack of time left it open.
   */
  secondOrder?: boolean
  /** What stopped a solve that is `'stalled'`. */
  reason?: StallReason
  /** One record per outer iteration. */
  history: IterationRecord[]
  /** Sums over the history; `checkFlops` are those of the factorizations that tested the curvature. */
  sketches: number
  rows: number
  flops: number
  checkFlops: number
  evaluations: Evaluations
}

/** Below this the paper's code stops; here the solve goes on, but what ends it then is an error and not a status. */
const leastJacobianEigenvalue = 1e-2
/** Part of ‖G‖_F² below which Γ says nothing. */
const singularPart = 1e-10
/** Steps down the merit function in a row, where there is no Newton direction or none that descends. */
const mostDescents = 20
const leastCurvature = 1e-6
const leastDelta = 1e-6
const mostEta1 = 1e8
const leastEta2 = 1e-8
const leastStep = 1e-12
const practicalResidual = 0.1
const progressInterval = 50

/** A direction with what the record tells of it. */
interface Found {
  direction: Pick<Direction, 'z' | 'sketches' | 'rows' | 'flops' | 'residual' | 'isOutOfTime' | 'equilibrated'>
  /** ∇L_η · z */
  slope: number
  modified: boolean
  psi: number
  adaptations: number
}

interface Iterate {
  point: Point
  multipliers: Float64Array
  /** (∇_x L, c) and its norm. */
  kkt: Float64Array
  residual: number
}

function iterateAt(point: Point, multipliers: Float64Array): Iterate {
  const kkt = kktResidual(point, multipliers)
  return { point, multipliers, kkt, residual: Math.sqrt(squares(kkt)) }
}

/** The solve, written once: what it yields is run by {@link runSteps} or {@link runStepsSync}. */
export function* adaSketchNewton(
  problem: EqualityConstrainedProblem,
  options: CheckedOptions,
  start: number,
): Steps<EqualityConstrainedSolution> {
  const solver = new Solver(problem, options, start)
  const status = yield* solver.solve()
  return yield* solver.solution(status)
}

class Solver {
  private readonly oracles: Oracles
  private readonly history: IterationRecord[] = []
  private eta1: number
  private eta2: number
  private delta: number
  private current!: Iterate
  private best!: Iterate
  private reason: StallReason | undefined
  private checkFlops = 0
  private sketches = 0
  private lastProgress = Number.NEGATIVE_INFINITY
  private known: { jacobian: SystemMatrix; eigenvalue: number } | undefined
  /** Steps down the merit function since the last along a Newton direction. */
  private descents = 0
  private readonly blockFactors: BlockFactors | null
  private equilibrate: boolean

  constructor(
    private readonly problem: EqualityConstrainedProblem,
    private readonly options: CheckedOptions,
    private readonly start: number,
  ) {
    this.oracles = new Oracles(problem)
    this.blockFactors = options.blocks === null ? null : new BlockFactors(options.kernels, options.blocks)
    this.equilibrate = options.scaling === 'equilibrate'
    this.eta1 = options.eta1
    this.eta2 = options.eta2
    this.delta = options.delta
  }

  *solve(): Steps<Status> {
    const { options, problem, history } = this
    const x0 = Float64Array.from(toFloat64('x0', problem.x0))
    const point = yield* this.oracles.point(x0)
    this.current = iterateAt(point, this.firstMultipliers(point.c.length))
    this.best = this.current
    for (;;) {
      const { residual } = this.current
      if (residual < this.best.residual) this.best = this.current
      this.progress(residual)
      if (residual <= options.tolerance) return 'converged'
      if (history.length >= options.maxIterations) return 'iteration-limit'
      if (this.isLate()) return 'time-limit'
      const ended = yield* this.iterate()
      if (ended === 'stalled') this.refuseDeficient()
      if (ended !== undefined) return ended
    }
  }

  private firstMultipliers(m: number): Float64Array {
    const given = this.problem.multipliers0
    if (given === undefined) return new Float64Array(m).fill(1)
    const multipliers = Float64Array.from(toFloat64('multipliers0', given))
    if (multipliers.length === m) return multipliers
    const expected = `${m} numbers, one for each constraint`
    throw new ExtremaError('ERR_SHAPE', `multipliers0: expected ${expected}, got ${multipliers.length}`)
  }

  private isLate(): boolean {
    return performance.now() - this.start >= this.options.control.timeLimit
  }

  private progress(residual: number): void {
    const { onProgress } = this.options.control
    const elapsed = performance.now() - this.start
    if (onProgress === undefined || elapsed - this.lastProgress < progressInterval) return
    this.lastProgress = elapsed
    onProgress({ iteration: this.history.length, residual, elapsed })
  }

  /** Steps 1 to 6; a status where the solve ends here. */
  private *iterate(): Steps<Status | undefined> {
    const { options, current, oracles } = this
    const { point, multipliers, kkt, residual } = current
    const eigenvalue = yield* this.jacobianEigenvalue(point)
    const hessian = yield* oracles.hessian(point.x, multipliers)
    const isSingular = eigenvalue < singularPart * frobenius(point.jacobian) ** 2
    if (isSingular && ++this.descents > mostDescents) this.refuseDeficient()
    const found = isSingular ? this.steepestDescent(hessian) : yield* this.newtonDirection(hessian, eigenvalue)
    if (found === undefined) return 'time-limit'
    const { direction, slope } = found
    this.sketches += direction.sketches
    const before = merit(point, multipliers, kkt, this.eta1, this.eta2)
    const record: IterationRecord = {
      iteration: this.history.length,
      value: point.f,
      residual,
      infeasibility: Math.sqrt(squares(point.c)),
      merit: before,
      jacobianEigenvalue: eigenvalue,
      modified: found.modified,
      psi: found.psi,
      eta1: this.eta1,
      eta2: this.eta2,
      delta: this.delta,
      adaptations: found.adaptations,
      equilibrated: direction.equilibrated,
      sketches: direction.sketches,
      rows: direction.rows,
      flops: direction.flops,
      relativeResidual: direction.residual / residual,
      slope,
      step: 0,
    }
    this.history.push(record)
    let ended = direction.isOutOfTime ? 'time-limit' : yield* this.lineSearch(direction.z, before, slope, record)
    if (ended === undefined && !isSingular) this.descents = 0
    if (ended === 'stalled' && !isSingular && ++this.descents <= mostDescents) {
      const instead = this.steepestDescent(hessian)
      record.slope = instead.slope
      ended = yield* this.lineSearch(instead.direction.z, before, instead.slope, record)
    }
    options.onIteration?.({ ...record })
    return ended
  }

  /** Steps 2 to 5; undefined where time ran out before there was any. */
  private *newtonDirection(hessian: SystemMatrix, eigenvalue: number): Steps<Found | undefined> {
    const { options, current, oracles } = this
    const { point, kkt, residual } = current
    const size = frobenius(hessian)
    const modified = !(yield* this.isConvex(hessian, point.jacobian))
    if (this.isLate()) return undefined
    const shift = modified ? options.xiB + size : 0
    const gamma = kktMatrix(hessian, point.jacobian, shift)
    const jacobianSize = frobenius(point.jacobian)
    // ‖B‖_F² from Γ's own.
    const modelSize = Math.max(frobenius(gamma) ** 2 - 2 * jacobianSize ** 2, 1)
    const psi = (20 * modelSize) / (Math.min(eigenvalue, 1) * Math.min(options.xiB, 1))
    const upsilon = Math.max(jacobianSize, size, 1)
    const accuracy = () => ((0.5 - options.beta) * this.eta2) / ((1 + this.eta1 + this.eta2) * (upsilon * psi) ** 2)
    this.delta = Math.max(leastDelta, Math.min(this.delta, accuracy()))
    const theta = options.forcing === 'residual' ? Math.min(1, residual) : options.forcing
    const spent = { sketches: 0, rows: 0, flops: 0 }
    const begin = () => {
      const { equilibrate, blockFactors } = this
      return new Direction(options, gamma, oracles.n, kkt, this.sketches + spent.sketches, blockFactors, equilibrate)
    }
    let direction = begin()
    let adaptations = 0
    let coarse = practicalResidual * theta * residual
    let slope: number
    for (;;) {
      const gradient = meritGradient(point, hessian, kkt, this.eta1, this.eta2)
      const bound = (-this.eta2 / 2) * residual ** 2
      const threshold = (theta * this.delta * residual) / (direction.norm * psi)
      yield* direction.refine({ threshold, coarse, gradient, bound })
      slope = dot(gradient, direction.z)
      if (direction.isOutOfTime || slope <= bound) break
      if (direction.isExhausted && options.scaling === 'auto' && !this.equilibrate) {
        this.equilibrate = true
        spent.sketches = direction.sketches
        spent.rows = direction.rows
        spent.flops = direction.flops
        direction = begin()
        continue
      }
      if (this.eta1 > mostEta1 || this.eta2 < leastEta2) break
      const { nu } = options
      this.eta1 *= nu ** 2
      this.eta2 /= nu
      this.delta = Math.max(leastDelta, Math.min(this.delta / nu ** 4, accuracy()))
      coarse /= nu ** 4
      adaptations++
    }
    const { z, residual: rest, isOutOfTime, equilibrated } = direction
    const [sketches, rows, flops] = (['sketches', 'rows', 'flops'] as const).map((of) => direction[of] + spent[of])
    const whole = { z, sketches, rows, flops, residual: rest, isOutOfTime, equilibrated }
    return { direction: whole, slope, modified, psi, adaptations }
  }

  /** -∇L_η, which descends whatever the rank of G, and leads away from where constraints cannot be told apart. */
  private steepestDescent(hessian: SystemMatrix): Found {
    const { point, kkt, residual } = this.current
    const z = meritGradient(point, hessian, kkt, this.eta1, this.eta2).map((value) => -value)
    const direction = { z, sketches: 0, rows: 0, flops: 0, residual, isOutOfTime: false, equilibrated: false }
    return { direction, slope: -squares(z), modified: false, psi: 0, adaptations: 0 }
  }

  /** ξ_G */
  private *jacobianEigenvalue({ jacobian }: Point): Steps<number> {
    if (this.known === undefined || !isSame(this.known.jacobian, jacobian)) {
      this.known = { jacobian, eigenvalue: yield* inSlices((monitor) => jacobianEigenvalue(jacobian, monitor)) }
    }
    return this.known.eigenvalue
  }

  /** Ends a solve that cannot go on where G is (nearly) rank-deficient. */
  private refuseDeficient(): void {
    const { eigenvalue } = this.known!
    if (eigenvalue >= leastJacobianEigenvalue) return
    const { c, jacobian } = this.current.point
    const violation = Math.sqrt(squares(c))
    const pull = new Float64Array(this.oracles.n)
    addTransposed(jacobian, c, 1, pull)
    const isStationary = Math.sqrt(squares(pull)) <= Math.sqrt(leastJacobianEigenvalue) * violation
    const cause = { x: this.best.point.x, multipliers: this.best.multipliers, residual: this.best.residual }
    const place = `after ${this.history.length} iterations`
    if (violation > this.options.tolerance && isStationary) {
      const message = `constraints: expected a point with c(x) = 0, got ‖c‖ = ${violation} where ‖Gᵀc‖ is ${Math.sqrt(squares(pull))}, ${place}`
      throw new ExtremaError('ERR_INFEASIBLE', message, { cause })
    }
    const expected = `full row rank, least eigenvalue of GGᵀ >= ${leastJacobianEigenvalue}`
    throw new ExtremaError('ERR_SINGULAR', `jacobian: expected ${expected}, got ${eigenvalue} ${place}`, { cause })
  }

  private *isConvex(hessian: SystemMatrix, jacobian: SystemMatrix): Steps<boolean> {
    const { curvature } = this.options
    if (curvature === 'assume') return true
    return yield* this.isAbove(hessian, jacobian, leastCurvature)
  }

  /** Whether the eigenvalues of ZᵀHZ are above `level`. */
  private *isAbove(hessian: SystemMatrix, jacobian: SystemMatrix, level: number): Steps<boolean> {
    const n = this.oracles.n
    if (jacobian.rows === n) return true
    const job = inertiaJob(hessian, jacobian, -level)
    yield* inKernel(this.options.kernels.constrained.factor, job)
    this.checkFlops += job.report[factorField.flops]
    return isPositive(job, n)
  }

  /** Step 6, Armijo's rule. */
  private *lineSearch(
    z: Float64Array,
    before: number,
    slope: number,
    record: IterationRecord,
  ): Steps<Status | undefined> {
    const { point, multipliers } = this.current
    const { n } = this.oracles
    if (!Number.isFinite(slope) || squares(z) === 0) return this.stall('singular-kkt')
    if (!(slope < 0)) return this.stall('no-descent')
    // What adding up L_η leaves of it.
    const rounding = 8 * Number.EPSILON * (Math.abs(before) + Math.abs(point.f))
    let failure: NotFinite | undefined
    for (let step = 1; step >= leastStep; step /= 2) {
      if (this.isLate()) return 'time-limit'
      const x = point.x.map((value, i) => value + step * z[i])
      const y = multipliers.map((value, j) => value + step * z[n + j])
      let trial: Iterate
      try {
        trial = iterateAt(yield* this.oracles.point(x), y)
      } catch (error) {
        // Outside the domain of the problem, say of a logarithm: nearer then.
        if (!(error instanceof NotFinite)) throw error
        failure = error
        continue
      }
      const after = merit(trial.point, y, trial.kkt, this.eta1, this.eta2)
      if (!(after <= before + step * this.options.beta * slope + rounding)) continue
      this.current = trial
      record.step = step
      return undefined
    }
    if (failure !== undefined) throw failure
    return this.stall('line-search')
  }

  private stall(reason: StallReason): Status {
    this.reason = reason
    return 'stalled'
  }

  *solution(status: Status): Steps<EqualityConstrainedSolution> {
    const { options, oracles, history } = this
    const { point, multipliers, residual } = status === 'converged' ? this.current : this.best
    let secondOrder: boolean | undefined
    if (options.curvature !== 'assume' && !this.isLate()) {
      const hessian = yield* oracles.hessian(point.x, multipliers)
      const level = -leastCurvature * Math.max(1, frobenius(hessian))
      secondOrder = yield* this.isAbove(hessian, point.jacobian, level)
    }
    const sum = (field: 'sketches' | 'rows' | 'flops') => history.reduce((total, record) => total + record[field], 0)
    return {
      status,
      iterations: history.length,
      residual,
      elapsed: performance.now() - this.start,
      backend: options.kernels.name,
      x: point.x,
      multipliers,
      value: point.f,
      constraints: point.c,
      ...(secondOrder === undefined ? {} : { secondOrder }),
      ...(status === 'stalled' ? { reason: this.reason } : {}),
      history,
      sketches: sum('sketches'),
      rows: sum('rows'),
      flops: sum('flops'),
      checkFlops: this.checkFlops,
      evaluations: oracles.evaluations,
    }
  }
}
