import { segmentLength, type Watch, type Work } from '../work.js'

// Twin of native/transport/anderson.cc.

const depth = 5
/** Keeps steps that hardly differ apart. */
const shift = 1e-10

/**
 * Anderson acceleration of a fixed-point iteration x <- g(x): the next x is the combination of the last steps whose
 * residual g - x is least, in a norm that weighs entry j of each of `arrays` arrays by weight_j.
 */
export class Anderson {
  private steps = 0
  private readonly lastResidual: Float64Array
  private readonly lastG: Float64Array
  /** Differences of successive residuals and of successive g. */
  private readonly residuals: Float64Array[] = []
  private readonly images: Float64Array[] = []
  private readonly matrix = new Float64Array(depth * depth)
  private readonly gamma = new Float64Array(depth)
  private readonly scale = new Float64Array(depth)

  constructor(
    private arrays: number,
    private readonly n: number,
  ) {
    const length = arrays * n
    this.lastResidual = new Float64Array(length)
    this.lastG = new Float64Array(length)
    for (let c = 0; c < depth; c++) {
      this.residuals.push(new Float64Array(length))
      this.images.push(new Float64Array(length))
    }
  }

  clear(): void {
    this.steps = 0
  }

  /** Clears, and takes the first `arrays` of them into account from now on. */
  restart(arrays: number): void {
    this.arrays = arrays
    this.steps = 0
  }

  /**
   * Remembers the step from x to g and puts the next x in its place. Entries with a weight of at most `least`, which the
   * combination does not know, go to g. False: there is nothing to combine, or no way to; all go to g.
   */
  *advance(x: Float64Array, g: Float64Array, weight: Float64Array, least: number, monitor: Watch): Work<boolean> {
    const slot = (this.steps + depth - 1) % depth
    this.difference(x, g, this.residuals[slot], this.images[slot])
    this.steps++
    const columns = Math.min(this.steps - 1, depth)
    x.set(g)
    if (columns === 0 || !(yield* this.combine(columns, weight, monitor))) return false
    for (let a = 0; a < columns; a++) {
      const gamma = this.gamma[a]
      const image = this.images[a]
      for (let array = 0; array < this.arrays; array++) {
        addWhere(x, array * this.n, gamma, image, weight, least)
        if (monitor.due()) yield
      }
    }
    return true
  }

  private difference(x: Float64Array, g: Float64Array, residual: Float64Array, image: Float64Array): void {
    const { lastResidual, lastG } = this
    for (let i = 0; i < x.length; i++) {
      const r = g[i] - x[i]
      residual[i] = r - lastResidual[i]
      image[i] = g[i] - lastG[i]
      lastResidual[i] = r
      lastG[i] = g[i]
    }
  }

  /** gamma minimises |r - sum_a gamma_a dr_a|² by the normal equations of columns scaled to length one. */
  private *combine(m: number, weight: Float64Array, monitor: Watch): Work<boolean> {
    const { matrix, gamma, scale, residuals, lastResidual } = this
    matrix.fill(0)
    gamma.fill(0)
    for (let a = 0; a < m; a++) {
      for (let b = 0; b <= a; b++) matrix[a * depth + b] = yield* this.dot(weight, residuals[a], residuals[b], monitor)
      gamma[a] = yield* this.dot(weight, residuals[a], lastResidual, monitor)
      scale[a] = Math.sqrt(matrix[a * depth + a])
      if (!(scale[a] > 0 && scale[a] < Number.POSITIVE_INFINITY)) return false
    }
    for (let a = 0; a < m; a++) {
      for (let b = 0; b <= a; b++) {
        let value = matrix[a * depth + b] / (scale[a] * scale[b]) + (a === b ? shift : 0)
        for (let k = 0; k < b; k++) value -= matrix[a * depth + k] * matrix[b * depth + k]
        if (a === b && !(value > 0)) return false
        matrix[a * depth + b] = a === b ? Math.sqrt(value) : value / matrix[b * depth + b]
      }
    }
    for (let a = 0; a < m; a++) {
      let value = gamma[a] / scale[a]
      for (let k = 0; k < a; k++) value -= matrix[a * depth + k] * gamma[k]
      gamma[a] = value / matrix[a * depth + a]
    }
    for (let a = m - 1; a >= 0; a--) {
      let value = gamma[a]
      for (let k = a + 1; k < m; k++) value -= matrix[k * depth + a] * gamma[k]
      gamma[a] = value / matrix[a * depth + a]
    }
    for (let a = 0; a < m; a++) {
      gamma[a] /= scale[a]
      if (!Number.isFinite(gamma[a])) return false
    }
    return true
  }

  /** sum_j w_j x_j y_j over all arrays. */
  private *dot(w: Float64Array, x: Float64Array, y: Float64Array, monitor: Watch): Work<number> {
    const { arrays, n } = this
    let total = 0
    for (let array = 0; array < arrays; array++) {
      for (let start = 0; start < n; start += segmentLength) {
        total += weightedDot(w, x, y, array * n, start, Math.min(start + segmentLength, n))
        if (monitor.due()) yield
      }
    }
    return total
  }
}

/** x_j -= gamma y_j where w_j > least. */
function addWhere(x: Float64Array, at: number, gamma: number, y: Float64Array, w: Float64Array, least: number): void {
  for (let j = 0; j < w.length; j++) if (w[j] > least) x[at + j] -= gamma * y[at + j]
}

function weightedDot(
  w: Float64Array,
  x: Float64Array,
  y: Float64Array,
  at: number,
  start: number,
  end: number,
): number {
  let sum = 0
  for (let j = start; j < end; j++) sum += w[j] * x[at + j] * y[at + j]
  return sum
}
