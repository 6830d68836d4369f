import { expect } from 'chai'
import { random, randomNormal } from '../helpers/random.js'

// Square matrices are flat, row-major; samples are rows.

export const at = (a: ArrayLike<number>, n: number, i: number, j: number) => a[i * n + j]

/** An orthogonal matrix of many plane rotations. */
export function rotations(n: number, seed: number): Float64Array {
  const next = random(seed)
  const q = Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 : 0))
  for (let turn = 0; turn < 4 * n * n; turn++) {
    const [i, j] = [Math.floor(next() * n), Math.floor(next() * n)]
    if (i === j) continue
    const angle = 2 * Math.PI * next()
    const [c, s] = [Math.cos(angle), Math.sin(angle)]
    for (let k = 0; k < n; k++) {
      const [x, y] = [q[i * n + k], q[j * n + k]]
      q[i * n + k] = c * x - s * y
      q[j * n + k] = s * x + c * y
    }
  }
  return q
}

export function times(a: ArrayLike<number>, b: ArrayLike<number>, n: number): Float64Array {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) out[i * n + j] += at(a, n, i, k) * at(b, n, k, j)
  return out
}

/** Rows y = D x of Bernoulli-Gaussian x. */
export function sparseSamples(D: Float64Array, n: number, rows: number, theta: number, seed: number): Float64Array {
  const next = random(seed)
  const normal = randomNormal(seed + 1)
  const out = new Float64Array(rows * n)
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < n; k++) {
      if (next() >= theta) continue
      const x = normal()
      for (let i = 0; i < n; i++) out[r * n + i] += at(D, n, i, k) * x
    }
  }
  return out
}

/** 0 if and only if W is D up to order and signs. */
export function distance(W: ArrayLike<number>, D: ArrayLike<number>, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let z = 0
      for (let k = 0; k < n; k++) z += at(W, n, k, i) * at(D, n, k, j)
      sum += z ** 4
    }
  }
  return 1 - sum / n
}

/** F(W) = mean of ‖Wᵀ y‖_p^p. */
export function objective(W: ArrayLike<number>, Y: Float64Array, n: number, p: number): number {
  let sum = 0
  for (let r = 0; r < Y.length / n; r++) {
    for (let j = 0; j < n; j++) {
      let z = 0
      for (let i = 0; i < n; i++) z += Y[r * n + i] * at(W, n, i, j)
      sum += Math.abs(z) ** p
    }
  }
  return (sum * n) / Y.length
}

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, x, k) => sum + x * b[k], 0)
export const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, x, k) => Math.max(most, Math.abs(x - b[k])), 0)

export function expectOrthogonal(W: ArrayLike<number>, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let z = 0
      for (let k = 0; k < n; k++) z += at(W, n, k, i) * at(W, n, k, j)
      expect(z).to.be.closeTo(i === j ? 1 : 0, 1e-11)
    }
  }
}
