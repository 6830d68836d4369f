import {
  factorField,
  minresField,
  minresReportLength,
  type SystemMatrix,
  sketchField,
  sketchReportLength,
} from '../backend/constrained.js'
import { System } from '../backend/portable/constrained/system.js'
import { statuses } from '../core/solution.js'
import { factorJob } from './curvature.js'
import { frobenius } from './matrix.js'
import { squares } from './merit.js'
import { blockSizeFor, type CheckedOptions } from './options.js'
import { inKernel, type Steps } from './steps.js'

/** What step 5 asks of a direction. */
export interface Demand {
  /** ‖r‖ that satisfies the theory. */
  threshold: number
  /** ‖r‖ with which descent is enough, in practical mode. */
  coarse: number
  /** ∇L_η, and what its product with z is to be at most. */
  gradient: Float64Array
  bound: number
}

/** One Newton direction Γ z = -∇L, found to rising accuracy: every call of `refine` goes on from the z before. */
export class Direction {
  readonly z: Float64Array
  readonly norm: number
  sketches = 0
  rows = 0
  flops = 0
  residual: number
  isOutOfTime = false
  private readonly b: Float64Array

  constructor(
    private readonly options: CheckedOptions,
    private readonly kkt: SystemMatrix,
    private readonly n: number,
    gradient: Float64Array,
    /** Sketches drawn for the directions before. */
    private readonly drawn: number,
  ) {
    this.b = gradient.map((value) => -value)
    this.z = new Float64Array(kkt.rows)
    this.norm = frobenius(kkt)
    this.residual = Math.sqrt(squares(gradient))
  }

  *refine(demand: Demand): Steps<void> {
    const { linearSolver, practical } = this.options
    // Below this no arithmetic gets.
    const floor = 2 ** -50 * Math.sqrt(squares(this.b))
    const threshold = Math.max(demand.threshold, floor)
    if (linearSolver === 'exact') yield* this.factor()
    else if (linearSolver === 'minres') yield* this.minres(practical ? Math.max(demand.coarse, threshold) : threshold)
    else yield* this.sketch({ ...demand, threshold })
  }

  private *sketch({ threshold, coarse, gradient, bound }: Demand): Steps<void> {
    const { options, kkt, b, z } = this
    const job = {
      matrix: kkt,
      b,
      sketch: options.sketch,
      blockSize: blockSizeFor(options, kkt.rows),
      byNorm: options.byNorm,
      maxSketches: options.maxSketches - this.sketches,
      threshold,
      rounding: 2 ** -50 * this.norm,
      coarse,
      descent: options.practical ? gradient : null,
      descentBound: bound,
      key: options.key,
      drawn: this.drawn + this.sketches,
      threads: options.threads,
      z,
      report: new Float64Array(sketchReportLength),
    }
    yield* inKernel(options.kernels.constrained.sketchSolve, job)
    this.sketches += job.report[sketchField.sketches]
    this.rows += job.report[sketchField.rows]
    this.flops += job.report[sketchField.flops]
    this.residual = job.report[sketchField.residual]
    this.isOutOfTime = statuses[job.report[sketchField.ended]] === 'time-limit'
  }

  private *factor(): Steps<void> {
    if (this.flops > 0) return
    const job = factorJob(this.kkt, this.n, this.b)
    yield* inKernel(this.options.kernels.constrained.factor, job)
    this.flops += job.report[factorField.flops]
    this.isOutOfTime = statuses[job.report[factorField.ended]] === 'time-limit'
    this.residual = job.report[factorField.residual]
    this.z.set(job.z)
  }

  private *minres(threshold: number): Steps<void> {
    const { kkt, b, options } = this
    const a = new System(kkt)
    const scale = new Float64Array(kkt.rows)
    // Rows of length one make the best diagonal there is without a factorization.
    for (let i = 0; i < scale.length; i++) scale[i] = 1 / (Math.sqrt(a.squaredNorm(i)) || 1)
    const job = {
      matrix: kkt,
      b,
      scale,
      threshold,
      maxIterations: options.maxSketches,
      z: this.z,
      report: new Float64Array(minresReportLength),
    }
    yield* inKernel(options.kernels.constrained.minres, job)
    this.rows += (job.report[minresField.iterations] + 1) * kkt.rows
    this.flops += job.report[minresField.flops]
    this.residual = job.report[minresField.residual]
    this.isOutOfTime = statuses[job.report[minresField.ended]] === 'time-limit'
  }
}
