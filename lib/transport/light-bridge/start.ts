import type { BridgeShape } from '../../backend/transport-light-bridge.js'
import type { Generator } from '../../random/index.js'

/** Points that k-means++ chooses from: enough for its purpose, and few enough for the event loop. */
const mostCandidates = 5000
/** Points that the spread about the centres is measured on. */
const mostMeasured = 2000
const leastScale = 0.1
/** Means at one place would stay together. */
const leastSpread = 0.01

/** How a fit begins. */
export interface Start {
  variant: 'adaptive' | 'paper'
  initialization: 'samples' | 'kmeans++'
  /** S_k, times the identity; undefined for a default. */
  scale: number | undefined
  /** Least S_k. */
  floor: number
  random: Generator
}

/**
 * The first theta, from standardised target points y in random order.
 *
 * The paper starts with r_k = y_k, S_k = I and equal weights. At small epsilon that gives each source point to the component
 * that lies farthest in its direction, and fits end with components that nothing reaches. Ours starts from the plan between two
 * standard Gaussians, x1 = c x0 + noise with c = 2 / (sqrt(epsilon² + 4) + epsilon), and from s, the part of the variance that
 * is left about the nearest y_k: S_k = s c I, r_k = (1 - s c (2 - c)) y_k, log alpha_k = -(1 - s c (2 - c)) c |y_k|² / (2 epsilon).
 * For small epsilon, c = 1: component k takes the points nearest to y_k, maps y_k to itself and leaves points about where
 * they are. For large epsilon, c = 1 / epsilon: a mixture of variances s about the y_k, which forgets x0. Starts from r_k near 0
 * there ended with one component for everything.
 */
export function firstParameters(shape: BridgeShape, target: Float64Array, start: Start): Float64Array {
  const { components, dimension, full, epsilon } = shape
  const { variant, initialization, floor, random } = start
  const chosen =
    initialization === 'samples'
      ? differentRows(target, dimension, components)
      : spreadOut(target, dimension, components, random)
  const paper = variant === 'paper'
  const kept = 2 / (Math.sqrt(epsilon * epsilon + 4) + epsilon)
  const scale = start.scale ?? (paper ? 1 : kept * Math.max(leastScale, varianceLeft(target, dimension, chosen)))
  const spread = paper ? 1 : Math.max(leastSpread, 1 - scale * (2 - kept))
  const logScale = full ? Math.log(Math.sqrt(scale) - Math.sqrt(floor)) : Math.log(scale - floor)
  const perScale = full ? dimension * dimension : dimension
  const theta = new Float64Array(components * (1 + dimension + perScale))
  chosen.forEach((row, k) => {
    let squares = 0
    for (let i = 0; i < dimension; i++) {
      const y = target[row * dimension + i]
      squares += y * y
      theta[components + k * dimension + i] = (spread * y) / Math.sqrt(epsilon)
      const own = components * (1 + dimension) + k * perScale
      theta[own + (full ? i * dimension + i : i)] = logScale
    }
    theta[k] = paper ? -Math.log(components) : (-spread * kept * squares) / (2 * epsilon)
  })
  return theta
}

/** The first `most` rows of which no two are the same, or all there are: components at one place would stay together. */
export function differentRows(data: Float64Array, columns: number, most: number): Int32Array {
  const seen = new Set<string>()
  const rows: number[] = []
  for (let i = 0; i < data.length / columns && rows.length < most; i++) {
    const key = data.subarray(i * columns, (i + 1) * columns).join()
    if (seen.has(key)) continue
    seen.add(key)
    rows.push(i)
  }
  return Int32Array.from(rows)
}

/** D. Arthur, S. Vassilvitskii, "k-means++", SODA 2007: each next point with probability as its squared distance. */
function spreadOut(points: Float64Array, dimension: number, count: number, random: Generator): Int32Array {
  const candidates = Math.min(points.length / dimension, Math.max(mostCandidates, count))
  const chosen = new Int32Array(count)
  const nearest = new Float64Array(candidates).fill(Number.POSITIVE_INFINITY)
  chosen[0] = random.integer(0, candidates)
  for (let k = 1; k < count; k++) {
    let total = 0
    for (let j = 0; j < candidates; j++) {
      nearest[j] = Math.min(nearest[j], squaredDistance(points, dimension, j, chosen[k - 1]))
      total += nearest[j]
    }
    // Fewer different candidates than components: any will do.
    chosen[k] = total > 0 ? random.categorical(nearest) : random.integer(0, candidates)
  }
  return chosen
}

/** The mean squared distance of points from their nearest centre over that from the mean, which is 0; at most 1. */
function varianceLeft(points: Float64Array, dimension: number, centres: Int32Array): number {
  const isCentre = new Set(centres)
  const end = Math.min(points.length / dimension, mostMeasured + centres.length)
  let left = 0
  let all = 0
  for (let j = 0; j < end; j++) {
    if (isCentre.has(j)) continue
    let nearest = Number.POSITIVE_INFINITY
    for (const centre of centres) nearest = Math.min(nearest, squaredDistance(points, dimension, j, centre))
    left += nearest
    for (let i = j * dimension; i < (j + 1) * dimension; i++) all += points[i] * points[i]
  }
  return all > 0 ? Math.min(1, left / all) : 0
}

function squaredDistance(points: Float64Array, dimension: number, a: number, b: number): number {
  let squares = 0
  for (let i = 0; i < dimension; i++) squares += (points[a * dimension + i] - points[b * dimension + i]) ** 2
  return squares
}
