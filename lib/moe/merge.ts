import { type BackendName, kernels } from '../backend/index.js'
import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import { type AssignmentJob, assignmentReportLength } from '../backend/transport-assignment.js'
import { type MatrixLike, shapeText, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { flag, oneOf, type SolverOptions, whole } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { generator, type Generator as RandomGenerator } from '../random/index.js'
import { moeRunNames, nonNegativeVector } from './checks.js'
import { distances, hierarchical, kMeans, type Linkage, randomGroups } from './merging/cluster.js'
import {
  type Activation,
  activations,
  average,
  type CheckedExpert,
  forward,
  type MergedExpert,
  type MlpExpert,
  readExperts,
  toMerged,
  unitsOf,
} from './merging/expert.js'
import { readFinite } from './quantize.js'
import { inKernel, inSteps, runStages, runStagesSync, type Stages } from './stages.js'

export type { MergedExpert, MlpExpert } from './merging/expert.js'

const methods = ['hierarchical', 'k-means', 'random'] as const
const linkages = ['average', 'single', 'complete'] as const

export interface MergeOptions extends Pick<SolverOptions, 'signal' | 'onProgress' | 'backend'> {
  /** How many experts to merge them into. */
  groups: number
  /** Calibration inputs, rows × inputs: experts with nearby mean outputs on them are merged. This or `features`. */
  inputs?: MatrixLike
  /** Instead of `inputs`: experts × any, what to compare experts by. */
  features?: MatrixLike
  /** Between w1 and w2, for `inputs`. Default `'relu'`. */
  activation?: Activation
  /** How often each expert is used: its weight in the average. Default 1. */
  frequency?: VectorLike
  /** How to find the groups; `'k-means'` and `'random'` are baselines. Default `'hierarchical'`. */
  method?: (typeof methods)[number]
  /** What the distance of two clusters is: of all pairs the mean (default), the least or the greatest. */
  linkage?: Linkage
  /** Bring hidden units into the order of the group's most frequent expert before averaging. Default true. */
  align?: boolean
  /** Of `'k-means'` and `'random'`. Default 0. */
  seed?: number | bigint
}

export interface MergeSolution extends Solution {
  /** Group of each expert: the router keeps its rows and sends what it sent to expert e to experts[groupOf[e]]. */
  groupOf: Int32Array
  /** The merged experts. */
  experts: MergedExpert[]
  /** For each expert the unit that stands for unit h of its merged expert. */
  orders: Int32Array[]
  /**
   * With `inputs`: root mean square over tokens and experts, weighted by frequency, of the change of an expert's outputs, and
   * the same over the outputs themselves.
   */
  error?: number
  relative?: number
}

const names: ReadonlySet<string> = new Set([
  ...moeRunNames.filter((name) => name !== 'timeLimit'),
  ...['groups', 'inputs', 'features', 'activation', 'frequency', 'method', 'linkage', 'align', 'seed'],
])

/**
 * Merges the experts of a layer into fewer: clusters them by their mean outputs, brings the hidden units of each expert of
 * a cluster into the same order, and averages their weights in proportion to how often they are used.
 *
 * Exchanging hidden units does not change an expert, so before averaging they are matched with those of the group's most
 * frequent expert by linear assignment, at the squared distance of what makes them: rows of w1, b1 and gate, column of w2.
 * `residual` is the relative change of the outputs, 0 without `inputs`.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_OPTION`; the reason of `signal` when aborted.
 *
 * Source: Chen et al. 2024, "Retraining-free Merging of Sparse MoE via Hierarchical Clustering" (arXiv 2410.08589), for
 * the clustering; Ainsworth et al. 2022, "Git Re-Basin" (arXiv 2209.04836), for the assignment.
 */
export async function merge(experts: readonly MlpExpert[], options: MergeOptions): Promise<MergeSolution> {
  const start = performance.now()
  const checked = check(experts, options)
  return runStages(solve(checked, start), checked.control)
}

/** {@link merge} on the calling thread. */
export function mergeSync(experts: readonly MlpExpert[], options: MergeOptions): MergeSolution {
  const start = performance.now()
  const checked = check(experts, options)
  return runStagesSync(solve(checked, start), checked.control)
}

interface Checked {
  experts: CheckedExpert[]
  groups: number
  inputs: Float64Array | undefined
  features: Float64Array | undefined
  activation: Activation
  frequency: Float64Array
  method: (typeof methods)[number]
  linkage: Linkage
  align: boolean
  random: RandomGenerator
  control: Control
  backend: BackendName | undefined
}

function check(given: readonly MlpExpert[], options: MergeOptions): Checked {
  const { control, backend } = checkRunOptions(options, names, '{ groups, … }')
  const experts = readExperts(given)
  const count = experts.length
  const groups = whole('groups', options.groups ?? null, 0, 1, count)
  const method = oneOf('method', options.method, methods, 'hierarchical')
  if (options.inputs !== undefined && options.features !== undefined) {
    throw new ExtremaError('ERR_OPTION', 'inputs, features: expected one of them, got both')
  }
  if (options.inputs === undefined && options.features === undefined && method !== 'random') {
    throw new ExtremaError('ERR_OPTION', `inputs, features: expected one of them with method '${method}', got neither`)
  }
  const inputs = matrixOf('inputs', options.inputs, undefined, experts[0].inputs)
  const features = matrixOf('features', options.features, count, undefined)
  const frequency =
    options.frequency === undefined
      ? new Float64Array(count).fill(1)
      : nonNegativeVector('frequency', options.frequency, 'number').slice()
  if (frequency.length !== count) {
    throw new ExtremaError('ERR_SHAPE', `frequency: expected ${count} numbers, got ${frequency.length}`)
  }
  const activation = oneOf('activation', options.activation, Object.keys(activations) as Activation[], 'relu')
  const linkage = oneOf('linkage', options.linkage, linkages, 'average')
  const align = flag('align', options.align, true)
  const random = generator(options.seed ?? 0)
  return { experts, groups, inputs, features, activation, frequency, method, linkage, align, random, control, backend }
}

function matrixOf(
  name: string,
  given: MatrixLike | undefined,
  rows: number | undefined,
  columns: number | undefined,
): Float64Array | undefined {
  if (given === undefined) return undefined
  const matrix = readFinite(name, given)
  if (matrix.rows === (rows ?? matrix.rows) && matrix.columns === (columns ?? matrix.columns)) return matrix.data
  const wanted = rows === undefined ? `rows of ${columns} numbers` : `${rows} rows, one for each expert`
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${wanted}, got ${shapeText(matrix.rows, matrix.columns)}`)
}

function* solve(checked: Checked, start: number): Stages<MergeSolution> {
  const { experts, frequency, align, inputs, activation, backend } = checked
  const outputs = inputs === undefined ? undefined : yield* outputsOf(experts, inputs, activation)
  const groupOf = cluster(checked, outputs)
  const groups = Array.from({ length: checked.groups }, (_, g) => membersOf(groupOf, g))
  const orders: Int32Array[] = new Array(experts.length)
  const merged: CheckedExpert[] = []
  for (const members of groups) {
    const reference = members.reduce((best, e) => (frequency[e] > frequency[best] ? e : best))
    for (const e of members) {
      orders[e] =
        align && e !== reference
          ? yield* matchUnits(experts[reference], experts[e], backend)
          : Int32Array.from({ length: experts[e].hidden }, (_, h) => h)
    }
    const total = members.reduce((sum, e) => sum + frequency[e], 0)
    const weights = members.map((e) => (total === 0 ? 1 / members.length : frequency[e] / total))
    merged.push(
      yield* inSteps(function* () {
        return average(
          members.map((e) => experts[e]),
          weights,
          members.map((e) => orders[e]),
        )
      }),
    )
  }
  const change =
    inputs === undefined || outputs === undefined
      ? undefined
      : changeOf(outputs, yield* outputsOf(merged, inputs, activation), groupOf, frequency)
  return {
    status: 'converged',
    iterations: 1,
    residual: change?.relative ?? 0,
    elapsed: performance.now() - start,
    backend: kernels(backend).name,
    groupOf,
    experts: merged.map(toMerged),
    orders,
    ...change,
  }
}

function membersOf(groupOf: Int32Array, group: number): number[] {
  const members: number[] = []
  groupOf.forEach((g, e) => {
    if (g === group) members.push(e)
  })
  return members
}

function* outputsOf(experts: CheckedExpert[], inputs: Float64Array, activation: Activation): Stages<Float64Array[]> {
  return yield* inSteps(function* (monitor) {
    const outputs: Float64Array[] = []
    for (const expert of experts) {
      const y = new Float64Array((inputs.length / expert.inputs) * expert.outputs)
      for (let n = 0; n < inputs.length / expert.inputs; n++) {
        const x = inputs.subarray(n * expert.inputs, (n + 1) * expert.inputs)
        y.set(forward(expert, x, activation), n * expert.outputs)
        if (monitor.due()) yield
      }
      outputs.push(y)
    }
    return outputs
  })
}

function cluster({ experts, groups, features, method, linkage, random }: Checked, outputs: Float64Array[] | undefined) {
  const count = experts.length
  if (method === 'random') return randomGroups(count, groups, random)
  const compared = features ?? meanOutputs(outputs as Float64Array[], experts[0].outputs)
  if (method === 'k-means') return kMeans(compared, count, groups, random)
  return hierarchical(distances(compared, count), count, groups, linkage)
}

function meanOutputs(outputs: Float64Array[], width: number): Float64Array {
  const means = new Float64Array(outputs.length * width)
  outputs.forEach((y, e) => {
    y.forEach((value, i) => {
      means[e * width + (i % width)] += (value * width) / y.length
    })
  })
  return means
}

/** The unit of `expert` for each of `reference`, at least total squared distance. */
function* matchUnits(
  reference: CheckedExpert,
  expert: CheckedExpert,
  backend: BackendName | undefined,
): Stages<Int32Array> {
  const n = reference.hidden
  const cost = yield* inSteps(function* (monitor) {
    const [a, b] = [unitsOf(reference), unitsOf(expert)]
    const width = a.length / n
    const cost = new Float64Array(n * n)
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let k = 0; k < width; k++) sum += (a[i * width + k] - b[j * width + k]) ** 2
        cost[i * n + j] = sum
      }
      if (monitor.due()) yield
    }
    return cost
  })
  const job: AssignmentJob = {
    n,
    m: n,
    cost,
    maximize: false,
    columns: new Int32Array(n),
    f: new Float64Array(n),
    g: new Float64Array(n),
    report: new Float64Array(assignmentReportLength),
  }
  yield* inKernel(kernels(backend).transport.assignment, job)
  return job.columns
}

function changeOf(before: Float64Array[], after: Float64Array[], groupOf: Int32Array, frequency: Float64Array) {
  let squares = 0
  let norm = 0
  let weight = 0
  before.forEach((y, e) => {
    const z = after[groupOf[e]]
    for (let i = 0; i < y.length; i++) {
      squares += frequency[e] * (y[i] - z[i]) ** 2
      norm += frequency[e] * y[i] ** 2
    }
    weight += frequency[e] * y.length
  })
  const error = weight === 0 ? 0 : Math.sqrt(squares / weight)
  return { error, relative: norm === 0 ? 0 : Math.sqrt(squares / norm) }
}
