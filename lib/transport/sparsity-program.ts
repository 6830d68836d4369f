import { kernels } from '../backend/index.js'
import type { Kernels } from '../backend/kernels.js'
import {
  sparsityField as field,
  mostStages,
  type SparsityJob,
  sparsityReportLength,
  stageFields,
} from '../backend/transport-sparsity.js'
import { ExtremaError } from '../core/errors.js'
import { whole } from '../core/options.js'
import { statuses } from '../core/solution.js'
import { startPotential } from './options.js'
import { checkKept } from './plan-view.js'
import { type CheckedProblem, checkProblem, type TransportProblem } from './problem.js'
import { call, type Program, runProgramSync } from './program.js'
import { expand, fillMissing, missingPotentials } from './solve.js'
import { entriesOf, type SparseEntries } from './sparse-plan.js'
import type { CheckedSparsity } from './sparsity-options.js'
import { countNonzeros, roundedEntries, valuesOf } from './sparsity-repair.js'
import { SparsePlanView, type SparsitySolution, type SparsityStage } from './sparsity-solution.js'

const noControl = { timeLimit: Number.POSITIVE_INFINITY }

/** k, checked against the length of a line. */
export function checkNonzeros(maxNonzeros: unknown, length: number): number {
  if (maxNonzeros !== undefined) return whole('maxNonzeros', maxNonzeros, length, 1, length)
  throw new ExtremaError('ERR_OPTION', `maxNonzeros: expected a whole number from 1 to ${length}, got undefined`)
}

/** A solve with at most `limit(length)` entries per line of that length. */
export function* sparsityProgram(
  problem: TransportProblem,
  checked: CheckedSparsity,
  limit: (length: number) => number,
): Program<SparsitySolution> {
  const start = performance.now()
  const { control, warmStart, repair } = checked
  control.signal?.throwIfAborted()
  const given = checkProblem(problem, true)
  const { full, reduced, n, m, rows, columns } = given
  const { byRows, threads } = checked.settings
  const maxNonzeros = Math.min(limit(byRows ? m : n), byRows ? reduced.m : reduced.n)
  const lines = byRows ? reduced.n : reduced.m
  const job: SparsityJob = {
    problem: reduced,
    settings: { ...checked.settings, maxNonzeros },
    f: startPotential('f', warmStart, n, rows),
    g: startPotential('g', warmStart, m, columns),
    nonzeros: new Int32Array(lines),
    ties: new Int32Array(lines),
    cut: new Float64Array(lines),
    report: new Float64Array(sparsityReportLength),
    stages: new Float64Array(mostStages * stageFields),
  }
  const chosen = kernels(checked.backend)
  yield call(chosen.transport.sparsityConstrained, job)
  checkKept(full)
  const { report } = job
  const residual = report[field.rowError] + report[field.columnError]
  // All input was finite when it was checked: NaN means that the caller wrote into borrowed memory since.
  if (Number.isNaN(residual) || Number.isNaN(report[field.dual])) {
    throw new ExtremaError('ERR_NOT_FINITE', 'cost: expected numbers that stay as they are during the call, got NaN')
  }
  job.settings.gamma = report[field.gamma]

  const { f, g } = expand(given, job.f, job.g)
  for (const transform of missingPotentials(given, f, g, threads)) {
    yield call(chosen.transport.transform, transform)
    fillMissing(transform, f, g)
  }
  const lineNumbers = byRows ? rows : columns
  const dualValue = report[field.dual]
  const solution = {
    status: statuses[report[field.status]],
    iterations: report[field.iterations],
    passes: report[field.passes],
    residual,
    value: report[field.value],
    primalValue: report[field.primal],
    dualValue,
    gap: report[field.primal] - dualValue,
    gamma: report[field.gamma],
    potentials: { f, g },
    rowError: report[field.rowError],
    columnError: report[field.columnError],
    nonzeros: spreadCounts(job.nonzeros, lineNumbers, byRows ? n : m),
    tieColumns: tiedLines(job.ties, lineNumbers),
    stages: stagesOf(job.stages, report[field.stages]),
    backend: chosen.name,
  }
  let read = () => {
    checkKept(full)
    return runProgramSync(readEntries(job, given, chosen, false), noControl)
  }
  if (repair === 'round') {
    const entries = roundedEntries(yield* readEntries(job, given, chosen, false), full.a, full.b)
    const values = yield* valuesOf(entries, given, chosen, job.settings, threads)
    const nonzeros = countNonzeros(entries, byRows)
    Object.assign(solution, values, { gap: values.primalValue - dualValue, nonzeros, repaired: true })
    read = () => entries
  }
  return Object.assign(new SparsePlanView(read), solution, { elapsed: performance.now() - start })
}

/** The entries of the plan; with ties also those that are as good, with mass 0. */
function* readEntries(
  job: SparsityJob,
  { n, m, rows, columns }: CheckedProblem,
  kernels: Kernels,
  withTies: boolean,
): Program<SparseEntries> {
  const { problem, settings, f, g, cut, nonzeros, ties } = job
  const indptr = new Int32Array(nonzeros.length + 1)
  nonzeros.forEach((count, line) => {
    indptr[line + 1] = indptr[line] + count + (withTies ? ties[line] : 0)
  })
  const count = indptr[nonzeros.length]
  // Not empty: the native side takes that for memory that has gone away.
  const room = Math.max(1, count)
  const lists = {
    indptr,
    indices: new Int32Array(room),
    data: new Float64Array(room),
    costs: new Float64Array(room),
  }
  yield call(kernels.transport.sparsityPlan, { problem, settings, f, g, cut, withTies, ...lists })
  return entriesOf([n, m], settings.byRows, lists, rows, columns)
}

function spreadCounts(counts: Int32Array, numbers: Int32Array | null, length: number): Int32Array {
  if (numbers === null) return counts
  const out = new Int32Array(length)
  numbers.forEach((line, k) => {
    out[line] = counts[k]
  })
  return out
}

function tiedLines(ties: Int32Array, numbers: Int32Array | null): Int32Array {
  const tied: number[] = []
  ties.forEach((count, line) => {
    if (count > 0) tied.push(numbers?.[line] ?? line)
  })
  return Int32Array.from(tied)
}

function stagesOf(fields: Float64Array, count: number): SparsityStage[] {
  return Array.from({ length: count }, (_, stage) => {
    const [maxNonzeros, smoothing, dualValue, iterations] = fields.subarray(stage * stageFields)
    return { maxNonzeros, smoothing, dualValue, iterations }
  })
}
