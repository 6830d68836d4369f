import { costEntry } from '../backend/cost-entry.js'
import type { CostData } from '../backend/kernels.js'
import { type MatrixLike, toDenseMatrix, type VectorLike } from '../core/arrays.js'
import { sampleCosts } from './cost-sample.js'
import { type ExactTransportProblem, isCsr } from './exact-problem.js'
import type { PointCloudCost } from './problem.js'
import type { CheckedTransport, EntropicMethod, ExactMethod, TransportMethod } from './transport-options.js'

/** A problem as far as the choice of a method looks at it; the methods check the rest. */
export interface Outline {
  /** The problem, with a cost that does not have to be converted once more. */
  problem: ExactTransportProblem
  /** Null for a list of arcs. */
  cost: CostData | null
  /** All sources weigh the same, and all targets. */
  equal: boolean
}

export function outlineOf(problem: ExactTransportProblem): Outline {
  const given = typeof problem === 'object' && problem !== null ? problem.cost : undefined
  if (given === undefined || given === null || isCsr(given)) return { problem, cost: null, equal: false }
  const equal = isConstant(problem.a) && isConstant(problem.b)
  if ((given as PointCloudCost).kind === 'points') {
    const { metric, x, y } = given as PointCloudCost
    // Whatever is no cloud, or one no longer, is for the method to refuse.
    const isWhole = [x, y].every((side) => side?.data?.length > 0 && side.data.length === side.rows * side.columns)
    if (!isWhole) return { problem, cost: null, equal: false }
    const cost = { n: x.rows, m: y.rows, metric, x: x.data, y: y.data, d: x.columns }
    return { problem, cost, equal }
  }
  const { data, rows: n, columns: m } = toDenseMatrix('cost', given as MatrixLike)
  const cost: CostData = { n, m, metric: 'dense', x: data, y: null, d: 0 }
  return { problem: { ...problem, cost: { data, shape: [n, m] } }, cost, equal }
}

function isConstant(weights: VectorLike | undefined): boolean {
  if (weights === undefined) return true
  for (let i = 0; i < weights?.length; i++) if (weights[i] !== weights[0]) return false
  return weights?.length > 0 && weights[0] > 0
}

// Measured with bench/transport/transport.ts.

/** Nodes a side up to which shortest augmenting paths find a permutation sooner than the simplex method. */
const mostAssigned = 700
/** The same for points, whose costs have to be stored for it first. */
const mostAssignedPoints = 200
/** Nodes from which on the pivots that the crossover saves are worth its entropic solve, for points of few dimensions. */
const leastCrossed = 12_000
/** For matrices, of which nobody knows whether they are distances: those gain from it earlier, random costs never. */
const leastCrossedMatrix = 20_000
const mostCrossedDimension = 3

/** Epsilon, as part of the range of the cost, from which on Sinkhorn's iteration is mostly the faster one. */
const largeShare = 1e-3
const largeShareLoose = 5e-4
const loose = 1e-4
/** Sweeps after which it is not, and what it has reached is where the other method starts. */
export const mostSweeps = 300

/** The methods to try, the best first; those behind it are for when it stalls. */
export function methodsFor(outline: Outline, options: CheckedTransport): TransportMethod[] {
  if (options.method !== 'auto') return [options.method]
  if (options.exact) return exactMethodsFor(outline, options)
  const first = entropicMethodFor(outline, options)
  // Sinkhorn's iteration was only cut short the first time.
  return first === 'sinkhorn' ? [first, 'sinkhornNewtonSparse', first] : [first, 'sinkhorn']
}

function exactMethodsFor(outline: Outline, { rest }: CheckedTransport): ExactMethod[] {
  const { cost, equal } = outline
  if (cost === null) return ['emd']
  const free = rest.warmStart === undefined && rest.maxIterations === undefined
  if (free && lineOrder(cost) !== null) return ['wasserstein1d', 'emd']
  const { n, m, d } = cost
  const isMatrix = cost.metric === 'dense'
  if (free && equal && n === m && n <= (isMatrix ? mostAssigned : mostAssignedPoints)) return ['assignment', 'emd']
  const crossed = isMatrix ? n + m >= leastCrossedMatrix : n + m >= leastCrossed && d <= mostCrossedDimension
  if (rest.warmStart === undefined && !equal && (crossed || areSmoothHistograms(outline))) return ['crossover', 'emd']
  return ['emd', 'crossover']
}

/** Nodes from which on mass that has far to go between histograms takes the simplex method longer than the crossover. */
const leastHistogram = 400
/** Places where their difference is looked at, and the nodes around each. */
const places = 24
const neighbours = 12
/** Numbers that may be read at once on the event loop. */
const mostRead = 4e6
/** Of independent differences about a third is left in the mean of a neighbourhood, of smooth ones nearly all. */
const smooth = 0.7

/**
 * Histograms on one support, whose difference has the same sign over whole neighbourhoods: mass has to go far, and the
 * simplex method makes ten times the pivots that it makes for noise.
 */
function areSmoothHistograms({ cost, problem: { a, b } }: Outline): boolean {
  if (cost === null || cost.n !== cost.m || cost.n < leastHistogram) return false
  const { n } = cost
  if (places * n * Math.max(1, cost.d) > mostRead) return false
  const weightA = a === undefined ? () => 1 / n : (i: number) => a[i]
  const weightB = b === undefined ? () => 1 / n : (i: number) => b[i]
  if ((a ?? b)!.length !== n || (b ?? a)!.length !== n) return false
  const entry = costEntry(cost)
  let left = 0
  let all = 0
  for (let place = 0; place < places; place++) {
    const i = Math.floor(((place + 0.5) * n) / places)
    if (entry(i, i) !== 0) return false
    let sum = 0
    for (const j of nearest(n, (k) => entry(i, k))) {
      const difference = weightA(j) - weightB(j)
      sum += difference
      all += Math.abs(difference)
    }
    left += Math.abs(sum)
  }
  return left > smooth * all
}

/** The nodes of least cost. */
function nearest(n: number, cost: (j: number) => number): number[] {
  const found: { j: number; cost: number }[] = []
  for (let j = 0; j < n; j++) {
    const one = { j, cost: cost(j) }
    if (found.length === neighbours && !(one.cost < found[neighbours - 1].cost)) continue
    if (found.length === neighbours) found.pop()
    let at = found.length
    while (at > 0 && found[at - 1].cost > one.cost) at--
    found.splice(at, 0, one)
  }
  return found.map(({ j }) => j)
}

function entropicMethodFor({ cost }: Outline, { epsilon, rest, precision }: CheckedTransport): EntropicMethod {
  if (cost === null || !(cost.n > 0 && cost.m > 0)) return 'sinkhornNewtonSparse'
  const tolerance = rest.tolerance ?? (precision === 'float32' ? 1e-5 : 1e-9)
  const costs = sampleCosts(cost)
  const range = costs.length === 0 ? 0 : costs[costs.length - 1] - costs[0]
  const share = tolerance >= loose ? largeShareLoose : largeShare
  return (epsilon as number) >= share * range ? 'sinkhorn' : 'sinkhornNewtonSparse'
}

/** The p of the cost |x - y|^p between points of the line; null for other costs. */
export function lineOrder({ metric, d }: Pick<CostData, 'metric' | 'd'>): number | null {
  if (d !== 1) return null
  if (metric === 'sqeuclidean') return 2
  return metric === 'euclidean' || metric === 'cityblock' ? 1 : null
}
