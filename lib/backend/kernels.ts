import type { FloatArray } from '../core/arrays.js'
import type { Progress } from '../core/options.js'
import type { ConstrainedKernels } from './constrained.js'
import type { CurvatureKernels } from './curvature.js'
import type { DescentKernels } from './descent.js'
import type { LinearKernels } from './linear.js'
import type { LowrankKernels } from './lowrank.js'
import type { MoeKernels } from './moe.js'
import type { RandomKernels } from './portable/random/kernels.js'
import type { TensorKernels } from './tensor.js'
import type { UpdateKernels } from './tensor-update.js'
import type { AssignmentJob } from './transport-assignment.js'
import type { BarycenterKernels } from './transport-barycenter.js'
import type { DerivativeKernels } from './transport-derivatives.js'
import type { ExactKernels } from './transport-exact.js'
import type { GromovKernels } from './transport-gromov.js'
import type { LightBridgeKernels } from './transport-light-bridge.js'
import type { LineKernels } from './transport-line.js'
import type { LowRankKernels } from './transport-low-rank.js'
import type { OrderKernels } from './transport-order.js'
import type { Border, Relaxation, RelaxedKernels } from './transport-relaxed.js'
import type { SparsityKernels } from './transport-sparsity.js'

/** What the façade hands over with every job. */
export interface Control {
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
  /** Milliseconds, Infinity for none. */
  timeLimit: number
}

/** A kernel fills the output arrays of its job. Jobs hold checked input only. */
export interface Kernel<Job> {
  /** Off the event loop (native) or in slices between its turns (portable). Rejects with `signal.reason` on abort. */
  run(job: Job, control: Control): Promise<void>
  /** Here and now. */
  runSync(job: Job, control: Control): void
}

export type Metric = 'dense' | 'sqeuclidean' | 'euclidean' | 'cosine' | 'cityblock'

/** In the order of the native enumeration. */
export const metrics: readonly Metric[] = ['dense', 'sqeuclidean', 'euclidean', 'cosine', 'cityblock']

/** The cost of an n × m transport problem. */
export interface CostData {
  n: number
  m: number
  metric: Metric
  /** The row-major matrix when `dense`, otherwise the n × d points. */
  x: FloatArray
  /** The m × d points, unless `dense`. */
  y: FloatArray | null
  d: number
}

/** A problem with positive weights: zero weights have been taken out. */
export interface TransportProblemData extends CostData {
  a: Float64Array
  b: Float64Array
  relaxation?: Relaxation
  border?: Border
}

export interface SolveSettings {
  epsilon: number
  tolerance: number
  maxIterations: number
  threads: number
  float32: boolean
  certificate: boolean
  /** Sinkhorn-Newton-Sparse as printed in the paper. */
  paper: boolean
  /** The paper's N1. */
  sinkhornIterations: number
  /** The paper's lambda, 0 for its default 2 / n. */
  sparsity: number
  /** Sinkhorn with Anderson acceleration. Default false. */
  anderson?: boolean
  /** Sinkhorn between points: pairs of blocks without mass are left out. Default false. */
  truncated?: boolean
}

export interface SolveJob {
  problem: TransportProblemData
  settings: SolveSettings
  /** Start and result. */
  f: Float64Array
  g: Float64Array
  report: Float64Array
  /** Marginal error after each iteration, as many as fit. */
  history: Float64Array | null
}

/** Indices into `SolveJob.report`, in the order of the native struct. */
export const reportField = {
  status: 0,
  iterations: 1,
  newtonIterations: 2,
  passes: 3,
  marginalError: 4,
  value: 5,
  regularizedValue: 6,
  primal: 7,
  dual: 8,
  historyLength: 9,
  skipped: 10,
} as const
export const reportLength = 11

/** Many problems side by side, one thread each. */
export interface BatchJob {
  method: 'sinkhorn' | 'sinkhornNewtonSparse'
  problems: TransportProblemData[]
  settings: SolveSettings
  /** Start and result of all problems, one behind the other. */
  f: Float64Array
  g: Float64Array
  /** A report per problem, one behind the other. */
  reports: Float64Array
}

/** The plan P_ij = exp((f_i + g_j - C_ij) / epsilon); potentials of nodes without weight are -Infinity. */
export interface PlanData {
  cost: CostData
  epsilon: number
  f: Float64Array
  g: Float64Array
  threads: number
}

export interface ApplyJob extends PlanData {
  /** P v (false) or P^T v (true). */
  transpose: boolean
  v: Float64Array
  out: Float64Array
}

/** out_i = min_j (C_ij - g_j), or with `transpose` out_j = min_i (C_ij - f_i). */
export interface TransformJob {
  cost: CostData
  threads: number
  transpose: boolean
  potential: Float64Array
  out: Float64Array
}

export interface CsrParts {
  indptr: Int32Array
  indices: Int32Array
  data: Float64Array
}

export interface TransportKernels
  extends ExactKernels,
    LineKernels,
    RelaxedKernels,
    BarycenterKernels,
    SparsityKernels,
    GromovKernels,
    LowRankKernels,
    DerivativeKernels,
    OrderKernels {
  assignment: Kernel<AssignmentJob>
  sinkhorn: Kernel<SolveJob>
  sinkhornNewtonSparse: Kernel<SolveJob>
  batch: Kernel<BatchJob>
  /** Writes the n × m plan, row-major. */
  plan: Kernel<PlanData & { out: Float64Array }>
  apply: Kernel<ApplyJob>
  transform: Kernel<TransformJob>
  /** Entries >= threshold. */
  sparsePlan(plan: PlanData, threshold: number): CsrParts
  lightBridge: LightBridgeKernels
}

/** The whole contract: both backends implement all of it. */
export interface Kernels {
  readonly name: 'native' | 'portable'
  readonly random: RandomKernels
  readonly tensor: TensorKernels
  readonly update: UpdateKernels
  readonly transport: TransportKernels
  readonly moe: MoeKernels
  readonly linear: LinearKernels
  readonly lowrank: LowrankKernels
  readonly constrained: ConstrainedKernels
  readonly curvature: CurvatureKernels
  readonly descent: DescentKernels
}
