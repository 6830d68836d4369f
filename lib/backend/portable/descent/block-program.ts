import { backward, factorize, forward } from './dense.js'
import type { Terms } from './terms.js'

const mostRounds = 500

/**
 * The least of g·d + ½ dᵀH d + Σ l1_i |x_i + d_i| within the bounds, for positive semidefinite H of block size: sweeps of
 * exact coordinate steps, each followed by the exact solution for the coordinates that it left free, up to the first
 * that changes its piece.
 */
export class BlockProgram {
  private readonly slopes: Float64Array
  private readonly free: Int32Array
  private readonly factor: Float64Array
  private readonly move: Float64Array

  constructor(
    capacity: number,
    private readonly terms: Terms,
  ) {
    this.slopes = new Float64Array(capacity)
    this.free = new Int32Array(capacity)
    this.factor = new Float64Array(capacity * capacity)
    this.move = new Float64Array(capacity)
  }

  solve(block: Int32Array, size: number, x: Float64Array, g: Float64Array, h: Float64Array, d: Float64Array): void {
    const { terms, slopes, free, factor, move } = this
    let scale = 0
    for (let a = 0; a < size; a++) {
      d[a] = 0
      slopes[a] = g[a]
      scale = Math.max(scale, Math.abs(g[a]))
    }
    for (let round = 0; round < mostRounds; round++) {
      let worst = 0
      for (let a = 0; a < size; a++) {
        const i = block[a]
        const curvature = h[a * size + a]
        if (!(curvature > 0)) continue
        const next = terms.prox(i, x[i] + d[a] - slopes[a] / curvature, curvature) - x[i]
        const step = next - d[a]
        if (step === 0) continue
        worst = Math.max(worst, curvature * Math.abs(step))
        d[a] = next
        for (let b = 0; b < size; b++) slopes[b] += step * h[a * size + b]
      }
      if (worst <= 1e-15 * scale) return
      let count = 0
      for (let a = 0; a < size; a++) {
        if (h[a * size + a] > 0 && !terms.isActive(block[a], x[block[a]] + d[a])) free[count++] = a
      }
      if (count < 2) continue
      for (let p = 0; p < count; p++) {
        const a = free[p]
        for (let q = 0; q <= p; q++) factor[p * count + q] = h[a * size + free[q]]
        move[p] = -(slopes[a] + terms.l1[block[a]] * Math.sign(x[block[a]] + d[a]))
      }
      if (factorize(factor, count, true) >= 0) continue
      forward(factor, 0, count, move)
      backward(factor, 0, count, move)
      let length = 1
      let first = -1
      let end = 0
      for (let p = 0; p < count; p++) {
        const i = block[free[p]]
        const z = x[i] + d[free[p]]
        const low = terms.l1[i] > 0 && z > 0 ? Math.max(0, terms.lower[i]) : terms.lower[i]
        const high = terms.l1[i] > 0 && z < 0 ? Math.min(0, terms.upper[i]) : terms.upper[i]
        const border = move[p] > 0 ? high : low
        if ((move[p] > 0 && z + length * move[p] <= high) || (move[p] <= 0 && z + length * move[p] >= low)) continue
        length = (border - z) / move[p]
        first = p
        end = border
      }
      for (let p = 0; p < count; p++) {
        const a = free[p]
        const step = p === first ? end - x[block[a]] - d[a] : length * move[p]
        d[a] += step
        for (let b = 0; b < size; b++) slopes[b] += step * h[a * size + b]
      }
    }
  }
}
