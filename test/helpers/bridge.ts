import { type BackendName, kernels } from '../../lib/backend/index.js'
import type { BridgeData, LossJob } from '../../lib/backend/transport-light-bridge.js'
import { type LightBridge, lightBridgeFromJSON } from '../../lib/transport/index.js'
import { combined, diagonal, identity, inner, inverse, product, type Rows, squareRoot, times } from './matrices.js'
import { random, randomNormal } from './random.js'

/** v(x1) = sum_k alpha_k N(x1 | r_k, epsilon S_k), with S_k written out. */
export interface Potential {
  epsilon: number
  logWeights: number[]
  means: number[][]
  scales: Rows[]
}

/** A bridge with this potential; the S_k are taken to be diagonal unless `full`. */
export function bridgeWith(potential: Potential, full: boolean, backend: BackendName): LightBridge {
  const { epsilon, logWeights, means, scales } = potential
  return lightBridgeFromJSON(
    {
      type: 'light-bridge',
      version: 1,
      epsilon,
      covariance: full ? 'full' : 'diagonal',
      logWeights,
      means,
      scales: full ? scales.map(cholesky) : scales.map((s) => s.map((row, i) => row[i])),
    },
    { backend },
  )
}

export function cholesky(a: Rows): Rows {
  const l = identity(a.length, 0)
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j <= i; j++) {
      const rest = a[i][j] - inner(l[i].slice(0, j), l[j].slice(0, j))
      l[i][j] = i === j ? Math.sqrt(rest) : rest / l[j][j]
    }
  }
  return l
}

/** A potential of k components in d dimensions, S_k diagonal or not. */
export function randomPotential(k: number, d: number, epsilon: number, full: boolean, seed: number): Potential {
  const next = random(seed)
  const gaussian = randomNormal(seed + 1)
  const list = (draw: () => number) => Array.from({ length: d }, draw)
  const scales = Array.from({ length: k }, () => {
    if (!full) return diagonal(list(() => 0.3 + next()))
    const root = Array.from({ length: d }, () => list(() => next() - 0.5))
    return combined(
      product(
        root,
        root.map((_, i) => root.map((row) => row[i])),
      ),
      1,
      identity(d, 0.3),
    )
  })
  return {
    epsilon,
    logWeights: Array.from({ length: k }, () => next() - 0.5),
    means: Array.from({ length: k }, () => list(() => 2 * gaussian())),
    scales,
  }
}

/** log of a normal density. */
export function logNormal(x: ArrayLike<number>, mean: ArrayLike<number>, covariance: Rows): number {
  const offset = Array.from(mean, (m, i) => x[i] - m)
  const { inverse: precision, determinant } = inverse(covariance)
  return -(offset.length * Math.log(2 * Math.PI) + Math.log(determinant) + inner(offset, times(precision, offset))) / 2
}

export interface GaussianMixture {
  weights: number[]
  means: number[][]
  covariances: Rows[]
}

/** pi(. | x0), from its definition. */
export function conditionalOf({ epsilon, logWeights, means, scales }: Potential, x0: number[]): GaussianMixture {
  const logits = logWeights.map(
    (a, k) => a + (inner(x0, times(scales[k], x0)) + 2 * inner(means[k], x0)) / (2 * epsilon),
  )
  const most = Math.max(...logits)
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0)
  return {
    weights: logits.map((logit) => Math.exp(logit - most) / total),
    means: means.map((r, k) => times(scales[k], x0).map((value, i) => r[i] + value)),
    covariances: scales.map((s) => s.map((row) => row.map((value) => epsilon * value))),
  }
}

export function mixtureMoments({ weights, means, covariances }: GaussianMixture): { mean: number[]; covariance: Rows } {
  const d = means[0].length
  const mean = Array.from({ length: d }, (_, i) => weights.reduce((sum, w, k) => sum + w * means[k][i], 0))
  const covariance = identity(d, 0)
  weights.forEach((w, k) => {
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) {
        covariance[i][j] += w * (covariances[k][i][j] + (means[k][i] - mean[i]) * (means[k][j] - mean[j]))
      }
    }
  })
  return { mean, covariance }
}

export function logDensityOf(mixture: GaussianMixture, x: number[]): number {
  const terms = mixture.weights.map((w, k) => Math.log(w) + logNormal(x, mixture.means[k], mixture.covariances[k]))
  const most = Math.max(...terms)
  return most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0))
}

/** ½|m1 - m2|² + ½ tr C1 + ½ tr C2 - tr (C1^½ C2 C1^½)^½, half the squared Bures-Wasserstein distance. */
export function halfBures(
  first: { mean: number[]; covariance: Rows },
  second: { mean: number[]; covariance: Rows },
): number {
  const trace = (a: Rows) => a.reduce((sum, row, i) => sum + row[i], 0)
  const root = squareRoot(first.covariance)
  const cross = squareRoot(product(product(root, second.covariance), root))
  const squares = first.mean.reduce((sum, m, i) => sum + (m - second.mean[i]) ** 2, 0)
  return squares / 2 + trace(first.covariance) / 2 + trace(second.covariance) / 2 - trace(cross)
}

/** All rows as the kernels take them, without any to go round. */
export function dataOf(rows: number[][]): BridgeData {
  return { points: Float64Array.from(rows.flat()), rows: rows.length, evaluated: rows.length }
}

/** The loss at theta and its gradient, from a kernel. */
export function lossAt(
  backend: BackendName,
  job: Omit<LossJob, 'gradient' | 'value' | 'threads' | 'draws'> & { threads?: number },
): { value: number; gradient: Float64Array } {
  const gradient = new Float64Array(job.theta.length)
  const value = new Float64Array(1)
  const draws = Uint32Array.of(1, 2, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0)
  const control = { timeLimit: Number.POSITIVE_INFINITY }
  kernels(backend).transport.lightBridge.loss.runSync({ threads: 2, draws, ...job, gradient, value }, control)
  return { value: value[0], gradient }
}
