import type { CsrParts, Kernels } from '../backend/kernels.js'
import { assignmentField, assignmentReportLength } from '../backend/transport-assignment.js'
import { emd, emdSync } from './emd.js'
import type { GromovData } from './gromov-problem.js'
import { call, type Program, solver } from './program.js'
import type { Potentials } from './solve.js'

/** Vertices of the transport polytope at which <cost, .> is least, for costs that change little from one to the next. */
export class Vertices {
  private readonly isAssignment: boolean
  private potentials: Potentials | undefined

  constructor(
    private readonly data: GromovData,
    private readonly kernels: Kernels,
    private readonly threads: number,
  ) {
    const { n, m, a, b } = data
    // Then they are permutations.
    this.isAssignment = n === m && a.every((weight) => weight === a[0]) && b.every((weight) => weight === b[0])
  }

  /** Null if the time was over before. */
  *at(cost: Float64Array): Program<CsrParts | null> {
    return yield* this.isAssignment ? this.assigned(cost) : this.transported(cost)
  }

  private *assigned(cost: Float64Array): Program<CsrParts | null> {
    const { n, m, a } = this.data
    const columns = new Int32Array(n)
    const report = new Float64Array(assignmentReportLength)
    const potentials = { f: new Float64Array(n), g: new Float64Array(m) }
    yield call(this.kernels.transport.assignment, { n, m, cost, maximize: false, columns, ...potentials, report })
    if (report[assignmentField.timeLimit] !== 0) return null
    return { indptr: Int32Array.from({ length: n + 1 }, (_, i) => i), indices: columns, data: a }
  }

  /** From the potentials of the vertex before. */
  private *transported(cost: Float64Array): Program<CsrParts | null> {
    const { n, m, a, b } = this.data
    const problem = { cost: { data: cost, shape: [n, m] }, a, b }
    const options = { warmStart: this.potentials, threads: this.threads, backend: this.kernels.name }
    const solution = yield* solver(problem, options, emd, emdSync)
    if (solution.status === 'time-limit') return null
    this.potentials = solution.potentials
    return solution.sparsePlan()
  }
}
