import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { onlineDictionary } from '../../lib/lowrank/index.js'
import { type Generator, generator } from '../../lib/random/index.js'

/** Rows y = D x; each entry of x is normal with probability theta, else 0. */
export function sparseSamples(D: Float64Array, n: number, theta: number, rows: number, rng: Generator): Float64Array {
  const out = new Float64Array(rows * n)
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < n; k++) {
      if (rng.uniform() >= theta) continue
      const x = rng.normal()
      for (let i = 0; i < n; i++) out[r * n + i] += D[i * n + k] * x
    }
  }
  return out
}

/** 1 - ‖WᵀD‖₄⁴ / N of W as it is, not orthogonal: 0 if and only if W is D up to order and signs. */
export function relaxedError(W: ArrayLike<number>, D: Float64Array, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let z = 0
      for (let k = 0; k < n; k++) z += W[k * n + i] * D[k * n + j]
      sum += z ** 4
    }
  }
  return 1 - sum / n
}

/** The slope of log(running minimum of the gap) over log t, from step `first` on: G has full rank then. */
export function slope(gaps: Float64Array, first: number): number {
  const [xs, ys]: number[][] = [[], []]
  let least = Number.POSITIVE_INFINITY
  gaps.forEach((gap, t) => {
    if (t < first) return
    least = Math.min(least, gap)
    xs.push(Math.log(t + 1))
    ys.push(Math.log(least))
  })
  const mean = (list: number[]) => list.reduce((sum, x) => sum + x, 0) / list.length
  const [mx, my] = [mean(xs), mean(ys)]
  return xs.reduce((sum, x, k) => sum + (x - mx) * (ys[k] - my), 0) / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0)
}

/** Hourly temperatures of Seattle in windows of a day, each without its mean. */
export function temperatures(): Float64Array {
  const main = createRequire(import.meta.url).resolve('vega-datasets')
  const file = path.join(path.dirname(main), '..', 'data', 'seattle-weather-hourly-normals.csv')
  const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1)
  const hours = lines.map((line) => Number(line.split(',')[2]))
  const days = Math.floor(hours.length / 24)
  const out = new Float64Array(days * 24)
  for (let d = 0; d < days; d++) {
    const day = hours.slice(24 * d, 24 * (d + 1))
    const mean = day.reduce((sum, x) => sum + x, 0) / 24
    day.forEach((x, h) => {
      out[24 * d + h] = x - mean
    })
  }
  return out
}

/**
 * A simulation of sensors: windows of n readings, each a slow oscillation of random phase with a weaker faster one, and
 * now and then a step with an exponential decay.
 */
export function sensorTraces(n: number, rows: number, seed: number): Float64Array {
  const rng = generator(seed)
  const out = new Float64Array(rows * n)
  for (let r = 0; r < rows; r++) {
    const window = out.subarray(r * n, (r + 1) * n)
    for (const [cycles, size] of [
      [1.5, 1],
      [4.3, 0.5],
    ]) {
      const phase = 2 * Math.PI * rng.uniform()
      const amplitude = size * rng.normal()
      for (let i = 0; i < n; i++) window[i] += amplitude * Math.sin((2 * Math.PI * cycles * i) / n + phase)
    }
    if (rng.uniform() < 0.3) {
      const start = Math.floor(n * rng.uniform())
      const size = 2 * rng.normal()
      for (let i = start; i < n; i++) window[i] += size * Math.exp(-(i - start) / 3)
    }
    for (let i = 0; i < n; i++) window[i] += 0.02 * rng.normal()
  }
  return out
}

/** Relative error of samples from the `keep` largest of their coefficients in an orthogonal basis, atoms in columns. */
export function lostWith(basis: Float64Array, samples: Float64Array, n: number, keep: number): number {
  const coder = onlineDictionary({ atoms: n, initial: { data: basis, shape: [n, n] } })
  const codes = coder.encodeSync({ data: samples, shape: [samples.length / n, n] }, { keep }) as { data: Float64Array }
  const squares = (a: Float64Array) => a.reduce((sum, x) => sum + x * x, 0)
  return Math.sqrt(1 - squares(codes.data) / squares(samples))
}
