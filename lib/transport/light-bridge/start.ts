import type { BridgeShape } from '../../backend/transport-light-bridge.js'
import type { Generator } from '../../random/index.js'

/** Points that k-means++ chooses from: enough for its purpose, and few enough for the event loop. */
const mostCandidates = 5000

/**
 * The first theta: equal weights, means at target points, S_k = scale I. `target` are standardised points in random order.
 */
export function firstParameters(
  shape: BridgeShape,
  target: Float64Array,
  scale: number,
  floor: number,
  initialization: 'samples' | 'kmeans++',
  random: Generator,
): Float64Array {
  const { components, dimension, full, epsilon } = shape
  const perScale = full ? dimension * dimension : dimension
  const theta = new Float64Array(components * (1 + dimension + perScale))
  const chosen =
    initialization === 'samples'
      ? Int32Array.from({ length: components }, (_, k) => k)
      : spreadOut(target, dimension, components, random)
  const unit = Math.sqrt(epsilon)
  const logScale = full ? Math.log(Math.sqrt(scale) - Math.sqrt(floor)) : Math.log(scale - floor)
  theta.fill(-Math.log(components), 0, components)
  chosen.forEach((row, k) => {
    for (let i = 0; i < dimension; i++) {
      theta[components + k * dimension + i] = target[row * dimension + i] / unit
      const own = components * (1 + dimension) + k * perScale
      theta[own + (full ? i * dimension + i : i)] = logScale
    }
  })
  return theta
}

/** D. Arthur, S. Vassilvitskii, "k-means++", SODA 2007: each next point with probability as its squared distance. */
function spreadOut(points: Float64Array, dimension: number, count: number, random: Generator): Int32Array {
  const candidates = Math.min(points.length / dimension, Math.max(mostCandidates, count))
  const chosen = new Int32Array(count)
  const distance = new Float64Array(candidates).fill(Number.POSITIVE_INFINITY)
  chosen[0] = random.integer(0, candidates)
  for (let k = 1; k < count; k++) {
    let total = 0
    for (let j = 0; j < candidates; j++) {
      let squares = 0
      for (let i = 0; i < dimension; i++) {
        squares += (points[j * dimension + i] - points[chosen[k - 1] * dimension + i]) ** 2
      }
      if (squares < distance[j]) distance[j] = squares
      total += distance[j]
    }
    // Fewer different points than components: any will do.
    chosen[k] = total > 0 ? random.categorical(distance) : random.integer(0, candidates)
  }
  return chosen
}
