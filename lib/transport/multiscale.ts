import {
  type ApplyJob,
  type CostData,
  type Kernels,
  reportField,
  reportLength,
  type SolveSettings,
  type TransportProblemData,
} from '../backend/kernels.js'
import { cellSize } from '../backend/transport-order.js'
import { call, type Program } from './program.js'

/** A side of the problem at one scale. */
interface Cloud {
  count: number
  points: Float64Array
  weights: Float64Array
}

/** A problem whose points are in an order in which aligned runs of 8, 16, 32, … are cells. */
export interface OrderedClouds {
  problem: TransportProblemData
  /** The number in the problem as it was of each source and target. */
  rows: Int32Array
  columns: Int32Array
  /** Its potentials, in that order. */
  f: Float64Array
  g: Float64Array
  /** The work of the coarser problems, in passes over the n × m entries. */
  passes: number
}

/** Sides of at most this many points are left as they are: their sweeps cost nothing. */
const fewest = 500
/** From so many points of so few coordinates on coarser clouds save more time than they take. */
const [scalesFrom, scalesDimension] = [4000, 3]
/** Boxes of points with more coordinates are too near to each other to tell them apart. */
const mostCoordinates = 11
/** Coarser solutions are a start only: an error below that of their cells would be wasted. */
const coarseTolerance = 1e-3
const coarseIterations = 1000

/** What the order of the points is good for. */
export interface OrderUses {
  multiscale: boolean
  truncation: boolean
}

/** Whether to start from coarser clouds, which tell nothing of angles, and whether to leave out what is negligible. */
export function orderUses(
  { metric, n, m, d }: CostData,
  wanted: { [use in keyof OrderUses]: boolean | undefined },
  started: boolean,
): OrderUses {
  const most = Math.max(n, m)
  const helps = most >= scalesFrom && d <= scalesDimension
  return {
    multiscale: metric !== 'dense' && metric !== 'cosine' && most > fewest && !started && (wanted.multiscale ?? helps),
    truncation: metric !== 'dense' && d <= mostCoordinates && (wanted.truncation ?? most > fewest),
  }
}

/**
 * Puts the points in order, with the potentials of the start, or for several scales with those from the problem of the weighted means of cells of 8 points, which is solved
 * from that of cells of 64, and so on. A potential goes from a scale to the
 * next by its own softmin, g_j = epsilon log b_j - epsilon log sum_I exp((F_I - c(X_I, y_j)) / epsilon); f is that of the
 * cell, as the first sweep replaces it.
 */
export function* orderClouds(
  kernels: Kernels,
  given: TransportProblemData,
  settings: SolveSettings,
  start: { f: Float64Array; g: Float64Array },
  scales: boolean,
): Program<OrderedClouds> {
  const { n, m, d, metric } = given
  // Our own, from the start: the caller may write to the points during the calls, or transfer them away.
  const x = Float64Array.from(given.x)
  const y = Float64Array.from(given.y!)
  const rows = new Int32Array(n)
  const columns = new Int32Array(m)
  const direction = (points: Float64Array) => (metric === 'cosine' ? normalized(points, d) : points)
  yield call(kernels.transport.cloudOrder, { points: direction(x), n, d, order: rows })
  yield call(kernels.transport.cloudOrder, { points: direction(y), n: m, d, order: columns })
  const sources = [ordered(x, given.a, rows, d)]
  const targets = [ordered(y, given.b, columns, d)]
  const problemAt = (level: number): TransportProblemData => {
    const [source, target] = [sources[level], targets[level]]
    return {
      ...{ n: source.count, m: target.count, metric, d, x: source.points, y: target.points },
      ...{ a: source.weights, b: target.weights },
    }
  }
  if (!scales) {
    const [f, g] = [gather(start.f, rows), gather(start.g, columns)]
    return { problem: problemAt(0), rows, columns, f, g, passes: 0 }
  }
  while (Math.max(sources.at(-1)!.count, targets.at(-1)!.count) > fewest) {
    sources.push(coarser(sources.at(-1)!, d))
    targets.push(coarser(targets.at(-1)!, d))
  }
  const coarse: SolveSettings = {
    ...settings,
    tolerance: Math.max(settings.tolerance, coarseTolerance),
    maxIterations: coarseIterations,
    certificate: false,
  }
  let level = sources.length - 1
  let problem = problemAt(level)
  let potentials: Pick<OrderedClouds, 'f' | 'g'> = { f: new Float64Array(problem.n), g: new Float64Array(problem.m) }
  let passes = 0
  for (; level > 0; level--) {
    const report = new Float64Array(reportLength)
    yield call(kernels.transport.sinkhorn, { problem, settings: coarse, ...potentials, report, history: null })
    const finer = problemAt(level - 1)
    potentials = yield* refine(kernels, problem, finer, settings, potentials)
    passes += ((report[reportField.passes] * problem.m + finer.m) / m) * (problem.n / n)
    problem = finer
  }
  return { problem, rows, columns, ...potentials, passes }
}

function ordered(points: Float64Array, weights: Float64Array, order: Int32Array, d: number): Cloud {
  const out = new Float64Array(points.length)
  for (let i = 0, at = 0; i < order.length; i++) {
    for (let k = order[i] * d; k < (order[i] + 1) * d; k++) out[at++] = points[k]
  }
  return { count: order.length, points: out, weights: gather(weights, order) }
}

/** Points on the unit sphere, which is where angles are distances. */
function normalized(points: Float64Array, d: number): Float64Array {
  const out = new Float64Array(points.length)
  for (let i = 0; i < points.length; i += d) {
    let squares = 0
    for (let k = i; k < i + d; k++) squares += points[k] * points[k]
    for (let k = i; k < i + d; k++) out[k] = points[k] / Math.sqrt(squares)
  }
  return out
}

function gather(values: Float64Array, order: Int32Array): Float64Array {
  return Float64Array.from(order, (i) => values[i])
}

/** Puts values that are in the order of a cloud where its points were. */
export function scatter(values: Float64Array, order: Int32Array, out: Float64Array): void {
  for (let i = 0; i < order.length; i++) out[order[i]] = values[i]
}

/** The weighted means of the cells, and their weights; a small cloud as it is. */
function coarser(cloud: Cloud, d: number): Cloud {
  if (cloud.count <= fewest) return cloud
  const count = Math.ceil(cloud.count / cellSize)
  const points = new Float64Array(count * d)
  const weights = new Float64Array(count)
  for (let i = 0; i < cloud.count; i++) weights[Math.floor(i / cellSize)] += cloud.weights[i]
  for (let i = 0; i < cloud.count; i++) {
    const cell = Math.floor(i / cellSize)
    const share = cloud.weights[i] / weights[cell]
    for (let k = 0; k < d; k++) points[cell * d + k] += share * cloud.points[i * d + k]
  }
  return { count, points, weights }
}

/** Sums out of this range have lost digits, or overflown. */
const [leastSum, mostSum] = [1e-280, 1e280]

/** The potentials of `fine` from those of `coarse`, whose points are its cells on either side, or the same points. */
function* refine(
  kernels: Kernels,
  coarse: TransportProblemData,
  fine: TransportProblemData,
  { epsilon, threads }: SolveSettings,
  potentials: { f: Float64Array; g: Float64Array },
): Program<{ f: Float64Array; g: Float64Array }> {
  const f = shared(potentials.f, coarse.a, fine.a, epsilon)
  const g = shared(potentials.g, coarse.b, fine.b, epsilon)
  const cost: CostData = { ...coarse, m: fine.m, y: fine.y }
  const job: ApplyJob = {
    ...{ cost, epsilon, threads, f: potentials.f, g },
    ...{ transpose: true, v: new Float64Array(coarse.n).fill(1), out: new Float64Array(fine.m) },
  }
  yield call(kernels.transport.apply, job)
  if (!job.out.every((sum) => sum > leastSum && sum < mostSum)) {
    // With their extreme exponent at zero no sum can be lost.
    yield call(kernels.transport.transform, { cost, threads, transpose: true, potential: potentials.f, out: g })
    yield call(kernels.transport.apply, job)
  }
  for (let j = 0; j < g.length; j++) g[j] += epsilon * (Math.log(fine.b[j]) - Math.log(job.out[j]))
  return { f, g }
}

/** The potential of the cell at its points, less the part of the weight that they do not have. */
function shared(potential: Float64Array, of: Float64Array, weights: Float64Array, epsilon: number): Float64Array {
  const size = potential.length < weights.length ? cellSize : 1
  return weights.map((weight, i) => {
    const cell = Math.floor(i / size)
    return potential[cell] + epsilon * (Math.log(weight) - Math.log(of[cell]))
  })
}
