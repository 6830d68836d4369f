import type {
  BridgeMixture,
  BridgeShape,
  DriftJob,
  EvaluateJob,
  SampleJob,
  TrajectoriesJob,
} from '../../../transport-light-bridge.js'
import type { Watch, Work } from '../../work.js'
import { DiagonalDrift } from './diagonal-drift.js'
import { FullDrift } from './full-drift.js'
import { sourceSide, targetSide } from './loss.js'
import { BLOCK, type Drift, scaleSize, softmax } from './mixture.js'
import { Stream } from './stream.js'

function driftOf(shape: BridgeShape): Drift {
  return shape.full ? new FullDrift(shape) : new DiagonalDrift(shape)
}

/** Of n points: log c or log v, and the softmax of its terms. */
export function* evaluate(job: EvaluateJob, watch: Watch): Work<void> {
  const { mixture, x, logSum, weights } = job
  const { components, dimension } = mixture
  const side = job.side === 'source' ? sourceSide(mixture) : targetSide(mixture)
  const block = new Float64Array(components * BLOCK)
  const sums = new Float64Array(BLOCK)
  side.prepare(mixture)
  for (let i = 0; i < logSum.length; i += BLOCK) {
    const rows = Math.min(BLOCK, logSum.length - i)
    side.logits(x.subarray(i * dimension), rows, block)
    softmax(block, components, rows, sums)
    logSum.set(sums.subarray(0, rows), i)
    for (let b = 0; b < rows && weights !== null; b++) {
      for (let k = 0; k < components; k++) weights[(i + b) * components + k] = block[k * BLOCK + b]
    }
    if (watch.due()) yield
  }
}

export function* drift(job: DriftJob, watch: Watch): Work<void> {
  const { mixture, x, t, out } = job
  const { dimension } = mixture
  const drift = driftOf(mixture)
  drift.prepare(mixture, t)
  for (let i = 0; i < x.length; i += BLOCK * dimension) {
    const rows = Math.min(BLOCK, (x.length - i) / dimension)
    drift.evaluate(x.subarray(i), rows, out.subarray(i))
    if (watch.due()) yield
  }
}

/** The first k whose running sum (a column of a K × BLOCK matrix) exceeds `uniform` times the whole. */
function pick(sums: Float64Array, column: number, components: number, uniform: number): number {
  const level = uniform * sums[(components - 1) * BLOCK + column]
  let low = 0
  let high = components - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sums[middle * BLOCK + column] > level) high = middle
    else low = middle + 1
  }
  return low
}

/** A draw from N(r_k + S_k x0, epsilon S_k), given standard normals z, which are spent. */
function draw(
  mixture: BridgeMixture,
  k: number,
  x: Float64Array,
  x0: number,
  z: Float64Array,
  out: Float64Array,
  at: number,
): void {
  const { dimension: D, full, epsilon, means, scales } = mixture
  const root = Math.sqrt(epsilon)
  const s = k * scaleSize(mixture)
  if (!full) {
    for (let i = 0; i < D; i++) {
      out[at + i] = means[k * D + i] + scales[s + i] * x[x0 + i] + root * Math.sqrt(scales[s + i]) * z[i]
    }
    return
  }
  // r + L (Lᵀx0 + sqrt(epsilon) z)
  for (let i = 0; i < D; i++) z[i] *= root
  for (let i = 0; i < D; i++) {
    for (let l = 0; l <= i; l++) z[l] += scales[s + i * D + l] * x[x0 + i]
  }
  for (let i = 0; i < D; i++) {
    let sum = means[k * D + i]
    for (let l = 0; l <= i; l++) sum += scales[s + i * D + l] * z[l]
    out[at + i] = sum
  }
}

/** Blocks of draws, as in the native twin: draw j takes number j of `picks`, and the D numbers from j D on of `normals`. */
export function* sample(job: SampleJob, watch: Watch): Work<void> {
  const { mixture, x, count, out } = job
  const { components, dimension } = mixture
  const side = sourceSide(mixture)
  const sums = new Float64Array(components * BLOCK)
  const logSum = new Float64Array(BLOCK)
  const uniform = new Float64Array(BLOCK)
  const normal = new Float64Array(BLOCK * dimension)
  const picks = new Stream(job.picks)
  const normals = new Stream(job.normals)
  side.prepare(mixture)
  const total = out.length / dimension
  for (let first = 0; first < total; first += BLOCK) {
    const draws = Math.min(BLOCK, total - first)
    const point = Math.floor(first / count)
    const points = Math.floor((first + draws - 1) / count) - point + 1
    side.logits(x.subarray(point * dimension), points, sums)
    softmax(sums, components, points, logSum)
    for (let i = BLOCK; i < sums.length; i++) sums[i] += sums[i - BLOCK] // running sums, for inversion
    picks.uniform(first, uniform.subarray(0, draws))
    normals.normal(first * dimension, normal.subarray(0, draws * dimension))
    for (let j = 0; j < draws; j++) {
      const b = Math.floor((first + j) / count) - point
      const k = pick(sums, b, components, uniform[j])
      const z = normal.subarray(j * dimension, (j + 1) * dimension)
      draw(mixture, k, x, (point + b) * dimension, z, out, (first + j) * dimension)
    }
    if (watch.due()) yield
  }
}

/** Euler-Maruyama. Each step takes n D numbers of `normals`, rounded up to an even count. */
export function* trajectories(job: TrajectoriesJob, watch: Watch): Work<void> {
  const { mixture, x, grid, keep, out } = job
  const { dimension: D, epsilon } = mixture
  const n = x.length / D
  const drift = driftOf(mixture)
  const normals = new Stream(job.normals)
  const state = x.slice()
  const g = new Float64Array(BLOCK * D)
  const normal = new Float64Array(BLOCK * D)
  const count = keep.reduce((sum, kept) => sum + kept, 0)
  let kept = 0
  for (let s = 0; s < grid.length; s++) {
    if (keep[s] !== 0) {
      for (let i = 0; i < n; i++) out.set(state.subarray(i * D, (i + 1) * D), (i * count + kept) * D)
      kept++
    }
    if (s + 1 === grid.length) break
    const step = grid[s + 1] - grid[s]
    const noise = Math.sqrt(epsilon * step)
    const start = s * (n * D + ((n * D) % 2))
    drift.prepare(mixture, grid[s])
    for (let i = 0; i < n; i += BLOCK) {
      const rows = Math.min(BLOCK, n - i)
      const at = state.subarray(i * D, (i + rows) * D)
      drift.evaluate(at, rows, g)
      normals.normal(start + i * D, normal.subarray(0, rows * D))
      for (let l = 0; l < rows * D; l++) at[l] += step * g[l] + noise * normal[l]
      if (watch.due()) yield
    }
    watch.progress(s + 1, grid.length - s - 2)
  }
}
