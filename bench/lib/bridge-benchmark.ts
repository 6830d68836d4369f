import { generator } from '../../lib/random/index.js'
import { gaussianTransportSync, type LightBridge, type LightBridgeJson } from '../../lib/transport/index.js'

/**
 * The Gaussian-mixture benchmark of entropic transport (Gushchin et al., arXiv 2306.10161) as the Light Schrödinger Bridge
 * paper uses it, rebuilt: p0 = N(0, I); p1 is what the plan with the potential u(y) = sum_k N(y | mu_k, Sigma_k) / 5 makes of
 * it, with mu_k on the sphere of radius 5 and Sigma_k diagonal in [0.5, 1.5]. u in its adjusted form is a mixture as well:
 * S_k = (epsilon / Sigma_k + I)^-1, r_k = epsilon S_k mu_k / Sigma_k. So the true plan is known in closed form.
 */
export function bridgeBenchmark(d: number, epsilon: number, seed: number): LightBridgeJson {
  const random = generator(seed)
  const json: LightBridgeJson = {
    type: 'light-bridge',
    version: 1,
    epsilon,
    covariance: 'diagonal',
    logWeights: [],
    means: [],
    scales: [],
  }
  for (let k = 0; k < 5; k++) {
    const direction = random.normal(d)
    const length = Math.hypot(...direction)
    const mu = Array.from(direction, (x) => (5 * x) / length)
    const sigma = Array.from(random.uniform(d), (u) => 0.5 + u)
    const scale = sigma.map((s) => 1 / (epsilon / s + 1))
    const mean = mu.map((m, i) => (epsilon * scale[i] * m) / sigma[i])
    let logWeight = Math.log(1 / 5)
    for (let i = 0; i < d; i++) {
      logWeight += Math.log((epsilon * scale[i]) / sigma[i]) / 2
      logWeight += (mean[i] ** 2 / (epsilon * scale[i]) - mu[i] ** 2 / sigma[i]) / 2
    }
    json.logWeights.push(logWeight)
    json.means.push(mean)
    ;(json.scales as number[][]).push(scale)
  }
  return json
}

interface Gaussians {
  means: Float64Array
  covariances: Float64Array
}

function conditionals(bridge: LightBridge, x0: { data: Float64Array; shape: number[] }): Gaussians {
  return { means: bridge.conditionalMean(x0).data, covariances: bridge.conditionalCovariance(x0).data }
}

/**
 * cBW2²-UVP in percent: the mean over x0 of half the squared Bures-Wasserstein distance between the conditional plans, over
 * half the variance of p1. `independent` is that of the plan which forgets x0.
 */
export function unexplained(
  truth: LightBridge,
  fits: LightBridge[],
  points: number,
): { fitted: number[]; independent: number } {
  const d = truth.dimension
  const random = generator(77)
  const x0 = { data: random.normal(points * d), shape: [points, d] }
  const expected = conditionals(truth, x0)
  const found = fits.map((fit) => conditionals(fit, x0))
  const draws = truth.sample({ data: random.normal(20_000 * d), shape: [20_000, d] }, { seed: 78 }).data
  const marginal = momentsOf(draws, d)
  let variance = 0
  for (let i = 0; i < d; i++) variance += marginal.covariance[i * d + i]
  const percent = 100 / (variance * points)
  const fitted = fits.map(() => 0)
  let independent = 0
  for (let b = 0; b < points; b++) {
    const target = gaussian(expected, b, d)
    for (const [k, one] of found.entries()) {
      fitted[k] += percent * gaussianTransportSync({ source: gaussian(one, b, d), target }).value
    }
    const source = { mean: marginal.mean, covariance: { data: marginal.covariance, shape: [d, d] } }
    independent += percent * gaussianTransportSync({ source, target }).value
  }
  return { fitted, independent }
}

function gaussian({ means, covariances }: Gaussians, b: number, d: number) {
  const covariance = { data: covariances.subarray(b * d * d, (b + 1) * d * d), shape: [d, d] }
  return { mean: means.subarray(b * d, (b + 1) * d), covariance }
}

function momentsOf(rows: Float64Array, d: number): { mean: Float64Array; covariance: Float64Array } {
  const n = rows.length / d
  const mean = new Float64Array(d)
  const covariance = new Float64Array(d * d)
  for (let k = 0; k < rows.length; k++) mean[k % d] += rows[k] / n
  for (let i = 0; i < rows.length; i += d) {
    for (let k = 0; k < d; k++) {
      for (let l = 0; l < d; l++) covariance[k * d + l] += ((rows[i + k] - mean[k]) * (rows[i + l] - mean[l])) / n
    }
  }
  return { mean, covariance }
}

/** Points of the plane along a spiral: scikit-learn's make_swiss_roll with noise 0.8, without its width, over 7.5. */
export function swissRoll(n: number, seed: number): { data: Float64Array; shape: [number, number] } {
  const random = generator(seed)
  const turns = random.uniform(n)
  const data = random.normal(2 * n)
  turns.forEach((u, i) => {
    const t = 1.5 * Math.PI * (1 + 2 * u)
    data[2 * i] = (t * Math.cos(t) + 0.8 * data[2 * i]) / 7.5
    data[2 * i + 1] = (t * Math.sin(t) + 0.8 * data[2 * i + 1]) / 7.5
  })
  return { data, shape: [n, 2] }
}

/** 2 E|X - Y| - E|X - X'| - E|Y - Y'| between two sets of points, as sums over all pairs. */
export function energyDistance(x: Float64Array, y: Float64Array, d: number): number {
  return 2 * meanDistance(x, y, d) - meanDistance(x, x, d) - meanDistance(y, y, d)
}

function meanDistance(x: Float64Array, y: Float64Array, d: number): number {
  let sum = 0
  for (let i = 0; i < x.length; i += d) {
    for (let j = 0; j < y.length; j += d) {
      let squares = 0
      for (let k = 0; k < d; k++) squares += (x[i + k] - y[j + k]) ** 2
      sum += Math.sqrt(squares)
    }
  }
  return sum / ((x.length / d) * (y.length / d))
}
