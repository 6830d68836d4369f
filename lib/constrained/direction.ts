import { factorField, type SystemMatrix, sketchField, sketchReportLength } from '../backend/constrained.js'
import { type IterativeJob, iterativeField, iterativeReportLength } from '../backend/linear-sparse.js'
import { System } from '../backend/portable/constrained/system.js'
import { statuses } from '../core/solution.js'
import { factorJob } from './curvature.js'
import { columnScales, withColumns } from './equilibrate.js'
import { frobenius } from './matrix.js'
import { squares } from './merit.js'
import { blockSizeFor, type CheckedOptions, checkBlocks } from './options.js'
import type { BlockFactors } from './row-blocks.js'
import { inKernel, inSlices, type Steps } from './steps.js'

/** Operations for an entry of the vectors in one iteration of MINRES. */
const vectorWork = 24

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
  /** D, where Γ D is sketched instead of Γ. */
  private scales: Float64Array | null = null
  private sketched: SystemMatrix | undefined

  constructor(
    private readonly options: CheckedOptions,
    private readonly kkt: SystemMatrix,
    private readonly n: number,
    gradient: Float64Array,
    /** Sketches drawn for the directions before. */
    private readonly drawn: number,
    /** For `sketch: 'blocks'`. */
    private readonly blockFactors: BlockFactors | null,
    readonly equilibrated: boolean,
  ) {
    this.b = gradient.map((value) => -value)
    this.z = new Float64Array(kkt.rows)
    this.norm = frobenius(kkt)
    if (options.linearSolver === 'sketch') checkBlocks(options, kkt.rows)
    this.residual = Math.sqrt(squares(gradient))
  }

  /** No sketch is left. */
  get isExhausted(): boolean {
    return this.options.linearSolver === 'sketch' && this.sketches >= this.options.maxSketches
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
    const { options, kkt, b } = this
    if (this.equilibrated) this.scales ??= yield* inSlices((monitor) => columnScales(kkt, monitor))
    const { scales } = this
    this.sketched ??= scales === null ? kkt : withColumns(kkt, scales)
    const factored = this.blockFactors === null ? null : yield* this.blockFactors.of(this.sketched)
    this.flops += factored?.flops ?? 0
    // z = D y
    const z = scales === null ? this.z : this.z.map((value, j) => value / scales[j])
    const job = {
      matrix: this.sketched,
      b,
      sketch: options.sketch,
      blockSize: blockSizeFor(options, kkt.rows),
      blocks: factored?.blocks ?? null,
      byNorm: options.byNorm,
      maxSketches: options.maxSketches - this.sketches,
      threshold,
      rounding: 2 ** -50 * frobenius(this.sketched),
      coarse,
      descent: !options.practical ? null : scales === null ? gradient : gradient.map((value, j) => value * scales[j]),
      descentBound: bound,
      key: options.key,
      drawn: this.drawn + this.sketches,
      threads: options.threads,
      z,
      report: new Float64Array(sketchReportLength),
    }
    yield* inKernel(options.kernels.constrained.sketchSolve, job)
    if (scales !== null) this.z.set(z.map((value, j) => value * scales[j]))
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

  /** On from the z before; b has length one for the kernel. */
  private *minres(threshold: number): Steps<void> {
    const { kkt, b, options } = this
    const size = Math.sqrt(squares(b))
    const { rows, columns, data, indptr, indices } = kkt
    const a = new System(kkt)
    // Rows of length one make the best diagonal there is without a factorization.
    const inverse = Float64Array.from({ length: rows }, (_, i) => 1 / (Math.sqrt(a.squaredNorm(i)) || 1))
    const isDense = indptr === null || indices === null
    const job: IterativeJob = {
      operator: isDense
        ? { kind: 'dense', rows, columns, data }
        : { kind: 'csr', rows, columns, indptr, indices, data },
      preconditioner: { kind: 'jacobi', inverse },
      b: b.map((value) => value / size),
      x: this.z.map((value) => value / size),
      nullVector: null,
      settings: {
        tolerance: threshold / size,
        maxIterations: options.maxSketches,
        threads: options.threads,
        omega: 1,
        restart: 1,
        damp: 0,
        checkSymmetry: false,
      },
      history: null,
      report: new Float64Array(iterativeReportLength),
    }
    yield* inKernel(options.kernels.linear.minres, job)
    const products = job.report[iterativeField.matvecs]
    this.z.set(job.x.map((value) => value * size))
    this.rows += products * rows
    this.flops += products * (2 * a.entries + vectorWork * rows)
    this.residual = job.report[iterativeField.residual] * size
    this.isOutOfTime = statuses[job.report[iterativeField.ended]] === 'time-limit'
  }
}
