import { kernels } from '../backend/index.js'
import type { Control } from '../backend/kernels.js'
import type { ProjectionJob } from '../backend/transport-barycenter.js'
import { emd, emdSync } from './emd.js'
import type { ExactSolution } from './exact-solution.js'
import type { CheckedMeasure, EntropicSettings, Planner, PlanRun, Step } from './free-barycenter.js'
import type { EntropicOptions } from './options.js'
import { pointCloud, type TransportProblem } from './problem.js'
import { sinkhorn, sinkhornSync } from './sinkhorn.js'
import { sinkhornNewtonSparse, sinkhornNewtonSparseSync } from './sinkhorn-newton-sparse.js'
import type { TransportSolution } from './solution.js'

/** Entropic plans from points with weights b to a measure, each from the potentials of the last one. */
export function entropicPlans(
  { points: y, n: m, weights }: CheckedMeasure,
  d: number,
  b: Float64Array,
  { epsilon, method, tolerance, threads, backend }: EntropicSettings,
): Planner {
  const n = b.length
  const { projection } = kernels(backend).transport
  let warmStart: TransportSolution['potentials'] | undefined

  const problemOf = (x: Float64Array): TransportProblem => ({
    cost: pointCloud({ data: x, shape: [n, d] }, { data: y, shape: [m, d] }),
    a: b,
    b: weights,
  })
  const optionsOf = ({ signal, timeLimit }: Control): EntropicOptions => ({
    epsilon,
    tolerance,
    threads,
    backend,
    signal,
    certificate: false,
    warmStart,
    ...(timeLimit < Number.POSITIVE_INFINITY && { timeLimit }),
  })
  const jobOf = (x: Float64Array, solution: TransportSolution): ProjectionJob => {
    warmStart = solution.potentials
    return {
      cost: { n, m, metric: 'sqeuclidean', x, y, d },
      epsilon,
      g: solution.potentials.g.map((value, j) => (weights[j] > 0 ? value : Number.NEGATIVE_INFINITY)),
      values: y,
      columns: d,
      threads,
      out: new Float64Array(n * d),
    }
  }
  const stepOf = ({ out }: ProjectionJob, { value, status }: TransportSolution): Step => ({
    projection: out,
    value,
    settled: status === 'converged',
  })
  return {
    async run(x, control) {
      const solve = method === 'sinkhorn' ? sinkhorn : sinkhornNewtonSparse
      const solution = await solve(problemOf(x), optionsOf(control))
      const job = jobOf(x, solution)
      await projection.run(job, { signal: control.signal, timeLimit: Number.POSITIVE_INFINITY })
      return stepOf(job, solution)
    },
    runSync(x, control) {
      const solve = method === 'sinkhorn' ? sinkhornSync : sinkhornNewtonSparseSync
      const solution = solve(problemOf(x), optionsOf(control))
      const job = jobOf(x, solution)
      projection.runSync(job, { timeLimit: Number.POSITIVE_INFINITY })
      return stepOf(job, solution)
    },
  }
}

/** Exact plans, each from the potentials of the last one. */
export function exactPlans(
  { points: y, n: m, weights }: CheckedMeasure,
  d: number,
  b: Float64Array,
  run: PlanRun,
): Planner {
  const n = b.length
  let warmStart: ExactSolution['potentials'] | undefined
  const problemOf = (x: Float64Array): TransportProblem => ({
    cost: pointCloud({ data: x, shape: [n, d] }, { data: y, shape: [m, d] }),
    a: b,
    b: weights,
  })
  const optionsOf = ({ signal, timeLimit }: Control) => ({
    ...run,
    signal,
    warmStart,
    ...(timeLimit < Number.POSITIVE_INFINITY && { timeLimit }),
  })
  const stepOf = (x: Float64Array, solution: ExactSolution): Step => {
    warmStart = solution.potentials
    const { indptr, indices, data } = solution.sparsePlan()
    const projection = x.slice() // a point whose mass has found no way in the time given stays
    for (let i = 0; i < n; i++) {
      const mass = data.subarray(indptr[i], indptr[i + 1]).reduce((sum, entry) => sum + entry, 0)
      if (mass === 0) continue
      projection.fill(0, i * d, (i + 1) * d)
      for (let k = indptr[i]; k < indptr[i + 1]; k++) {
        for (let c = 0; c < d; c++) projection[i * d + c] += (data[k] / mass) * y[indices[k] * d + c]
      }
    }
    return { projection, value: solution.value, settled: solution.status === 'converged' }
  }
  return {
    run: async (x, control) => stepOf(x, await emd(problemOf(x), optionsOf(control))),
    runSync: (x, control) => stepOf(x, emdSync(problemOf(x), optionsOf(control))),
  }
}
