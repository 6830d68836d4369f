import { type BackendName, kernels } from '../../lib/backend/index.js'
import {
  mostStages,
  type SparsityJob,
  type SparsitySettings,
  sparsityField,
  sparsityReportLength,
  stageFields,
} from '../../lib/backend/transport-sparsity.js'
import { type Dense, transposed } from './transport.js'

export type Settings = Partial<SparsitySettings> & { maxNonzeros: number; gamma: number }

/** Runs the kernel itself, which may be asked for less than the functions allow: no iterations at all, or k = 1. */
export function runKernel(backend: BackendName, dense: Dense, settings: Settings, f?: Float64Array, g?: Float64Array) {
  const { n, m, cost, a, b } = dense
  const lines = settings.byRows ? n : m
  const job: SparsityJob = {
    problem: { n, m, metric: 'dense', x: cost, y: null, d: 0, a, b },
    settings: {
      byRows: false,
      entropy: false,
      dual: false,
      method: 'lbfgs',
      continuation: 'none',
      tolerance: 1e-9,
      maxIterations: 500,
      learningRate: 0.01,
      batchSize: 1,
      seed: new Uint32Array(2),
      threads: 2,
      ...settings,
    },
    f: f?.slice() ?? new Float64Array(n),
    g: g?.slice() ?? new Float64Array(m),
    nonzeros: new Int32Array(lines),
    ties: new Int32Array(lines),
    cut: new Float64Array(lines),
    report: new Float64Array(sparsityReportLength),
    stages: new Float64Array(mostStages * stageFields),
  }
  const chosen = kernels(backend).transport
  chosen.sparsityConstrained.runSync(job, { timeLimit: Number.POSITIVE_INFINITY })
  const report = Object.fromEntries(
    Object.entries(sparsityField).map(([name, at]) => [name, job.report[at]]),
  ) as unknown as Record<keyof typeof sparsityField, number>
  return { job, report, plan: planOf(backend, job) }
}

function planOf(backend: BackendName, job: SparsityJob): Float64Array {
  const { problem, settings, f, g, cut, nonzeros } = job
  const { n, m } = problem
  const indptr = new Int32Array(nonzeros.length + 1)
  nonzeros.forEach((count, line) => {
    indptr[line + 1] = indptr[line] + count
  })
  const room = Math.max(1, indptr[nonzeros.length])
  const data = new Float64Array(room)
  const indices = new Int32Array(room)
  const costs = new Float64Array(room)
  kernels(backend).transport.sparsityPlan.runSync(
    { problem, settings, f, g, cut, withTies: false, indptr, indices, data, costs },
    { timeLimit: Number.POSITIVE_INFINITY },
  )
  const plan = new Float64Array(n * m)
  for (let line = 0; line < nonzeros.length; line++) {
    for (let k = indptr[line]; k < indptr[line + 1]; k++) {
      plan[settings.byRows ? line * m + indices[k] : indices[k] * m + line] = data[k]
    }
  }
  return plan
}

/** The dual value and its plan at given potentials, without any iteration. */
export function dualAt(backend: BackendName, dense: Dense, settings: Settings, f: Float64Array, g?: Float64Array) {
  const { report, plan, job } = runKernel(backend, dense, { ...settings, maxIterations: 0 }, f, g)
  return { value: report.dual, plan, report, job }
}

/** The problem with sources and targets exchanged. */
export function exchanged({ n, m, cost, a, b }: Dense): Dense {
  return { n: m, m: n, cost: transposed(cost, n, m), a: b, b: a }
}

/** The example of 32 bins: one bump into two. */
export function histograms(): Dense {
  const n = 32
  const bins = Float64Array.from({ length: n }, (_, i) => i)
  const normalized = (weights: Float64Array) => {
    const sum = weights.reduce((x, y) => x + y)
    return weights.map((w) => w / sum)
  }
  const bump = (i: number, centre: number, width: number) => Math.exp(-((i - centre) ** 2) / width)
  return {
    n,
    m: n,
    cost: Float64Array.from({ length: n * n }, (_, k) => ((Math.floor(k / n) - (k % n)) / 31) ** 2),
    a: normalized(bins.map((i) => bump(i, 10, 32))),
    b: normalized(bins.map((i) => 0.6 * bump(i, 20, 18) + 0.4 * bump(i, 8, 8))),
  }
}

/** <C,P> + (gamma/2) sum P² */
export function quadraticValue({ cost }: Dense, plan: Float64Array, gamma: number): number {
  return plan.reduce((sum, p, k) => sum + (p === 0 ? 0 : p * cost[k] + 0.5 * gamma * p * p), 0)
}

/** Entries > 0 of each column. */
export function columnCounts(plan: Float64Array, n: number, m: number): number[] {
  return Array.from({ length: m }, (_, j) => {
    let count = 0
    for (let i = 0; i < n; i++) if (plan[i * m + j] > 0) count++
    return count
  })
}
