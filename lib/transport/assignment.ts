import { kernels } from '../backend/index.js'
import type { Control, Kernels } from '../backend/kernels.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import { type AssignmentJob, assignmentField, assignmentReportLength } from '../backend/transport-assignment.js'
import { checkBuffer, copyIfSmall, type MatrixLike, shapeText, toDenseMatrix } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { flag, type SolverOptions } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import type { Certificate } from './solution.js'

export interface AssignmentOptions extends Pick<SolverOptions, 'timeLimit' | 'signal' | 'onProgress' | 'backend'> {
  /** Assign at greatest instead of least total cost; forbidden arcs are then those of cost -Infinity. Default false. */
  maximize?: boolean
}

export interface AssignmentSolution extends Solution {
  /** The column of each row; -1 for rows left out, of which there are n - m where n > m. */
  columns: Int32Array
  /** Total cost of the assignment. */
  value: number
  /**
   * Dual potentials with f_i + g_j <= C_ij (>= if `maximize`), equal where i is assigned to j, and 0 where a node is left
   * out: those of the longer side are <= 0 (>= 0).
   */
  potentials: { f: Float64Array; g: Float64Array }
  /**
   * The proof: `primal` is the cost of the assignment (infinite if the time limit left it incomplete), `dual` is sum f + sum
   * g, which none can beat, and `gap` >= 0 (up to rounding) is how far they are apart.
   */
  certificate: Certificate
}

const names: ReadonlySet<string> = new Set(['maximize', ...runNames.filter((name) => name !== 'threads')])

/**
 * Linear assignment: pair the rows and columns of an n × m cost matrix one to one, min(n, m) pairs, at least total cost.
 *
 * Exact, by shortest augmenting paths (Jonker and Volgenant); O(min(n, m)² max(n, m)) at worst, much less on most
 * matrices. `iterations` counts the paths searched for, `residual` is the certificate's gap. With a time limit that runs
 * out the rest is assigned greedily, `status` is `'time-limit'`, and the gap says how far off that may be.
 *
 * @param cost n × m, finite, or Infinity for a forbidden arc; a contiguous typed array is used in place
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE` (NaN, -Infinity), `ERR_INFEASIBLE` (naming rows that forbidden
 * arcs leave with too few columns), `ERR_OPTION`, `ERR_BUFFER`, `ERR_MEMORY`; the reason of `signal` when aborted.
 *
 * Source: R. Jonker, A. Volgenant, Computing 38 (1987), 325-340.
 */
export async function assignment(cost: MatrixLike, options: AssignmentOptions = {}): Promise<AssignmentSolution> {
  const prepared = prepare(cost, options)
  await prepared.kernels.transport.assignment.run(prepared.job, prepared.control)
  checkBuffer('cost', prepared.job.cost)
  return finish(prepared)
}

/** {@link assignment} on the calling thread. */
export function assignmentSync(cost: MatrixLike, options: AssignmentOptions = {}): AssignmentSolution {
  const prepared = prepare(cost, options)
  prepared.kernels.transport.assignment.runSync(prepared.job, prepared.control)
  return finish(prepared)
}

interface Prepared {
  job: AssignmentJob
  control: Control
  kernels: Kernels
  start: number
}

function prepare(cost: MatrixLike, options: AssignmentOptions): Prepared {
  const start = performance.now()
  const { control, backend } = checkRunOptions(options, names, '{ maximize, … }')
  const maximize = flag('maximize', options.maximize, false)
  control.signal?.throwIfAborted()
  const { data, rows: n, columns: m } = toDenseMatrix('cost', cost)
  if (n === 0 || m === 0) {
    throw new ExtremaError('ERR_SHAPE', `cost: expected a non-empty matrix, got ${shapeText(n, m)}`)
  }
  const job: AssignmentJob = {
    n,
    m,
    cost: copyIfSmall(data),
    maximize,
    columns: new Int32Array(n),
    f: new Float64Array(n),
    g: new Float64Array(m),
    report: new Float64Array(assignmentReportLength),
  }
  return { job, control, kernels: kernels(backend), start }
}

function finish({ job, kernels, start }: Prepared): AssignmentSolution {
  const { columns, f, g, report } = job
  const primal = report[assignmentField.primal]
  const dual = report[assignmentField.dual]
  const gap = job.maximize ? dual - primal : primal - dual
  return {
    status: report[assignmentField.timeLimit] === 0 ? 'converged' : 'time-limit',
    iterations: report[assignmentField.searches],
    residual: gap,
    elapsed: performance.now() - start,
    backend: kernels.name,
    columns,
    value: primal,
    potentials: { f, g },
    certificate: { primal, dual, gap },
  }
}
