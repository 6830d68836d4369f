/**
 * Least squares within bounds, min ½ θᵀ G θ - bᵀ θ for |θ_j| <= most_j, by the active set of Stark and Parker (Bounded-variable
 * least squares, Computational Statistics 10, 1995), from θ: what is at a bound stays there until its slope says
 * otherwise. Memory for m unknowns; a fit allocates nothing.
 */
export class BoundedFit {
  readonly #m: number
  readonly #free: Uint8Array
  /** The unknowns of a step, and how many. */
  readonly #chosen: Int32Array
  #count = 0
  readonly #l: Float64Array
  readonly #step: Float64Array

  constructor(m: number) {
    this.#m = m
    this.#free = new Uint8Array(m)
    this.#chosen = new Int32Array(m)
    this.#l = new Float64Array(m * m)
    this.#step = new Float64Array(m)
  }

  fit(gram: ArrayLike<number>, moment: ArrayLike<number>, most: ArrayLike<number>, theta: number[]): void {
    const m = this.#m
    for (let j = 0; j < m; j++) {
      const bounded = Math.max(-most[j], Math.min(most[j], theta[j]))
      theta[j] = bounded
      this.#free[j] = Math.abs(bounded) < most[j] ? 1 : 0
    }
    // Each change of the set lowers the sum of squares, so that none comes again; the limit is for rounding errors.
    for (let change = 0; change < 10 * m + 10; change++) {
      this.#newton(gram, moment, theta)
      if (this.#move(most, theta)) continue
      if (!this.#release(gram, moment, theta)) return
    }
  }

  /** The step to the best θ of the free unknowns, without those that depend on others before them. */
  #newton(gram: ArrayLike<number>, moment: ArrayLike<number>, theta: number[]): void {
    const m = this.#m
    const l = this.#l
    const step = this.#step
    this.#count = 0
    for (let j = 0; j < m; j++) {
      if (this.#free[j] === 0) continue
      const row = this.#count
      let pivot = gram[j * m + j]
      for (let c = 0; c < row; c++) {
        const i = this.#chosen[c]
        let sum = gram[j * m + i]
        for (let k = 0; k < c; k++) sum -= l[row * m + k] * l[c * m + k]
        sum /= l[c * m + c]
        l[row * m + c] = sum
        pivot -= sum * sum
      }
      if (!(pivot > 1e-12 * gram[j * m + j])) continue
      l[row * m + row] = Math.sqrt(pivot)
      let slope = slopeOf(gram, moment, theta, j)
      for (let k = 0; k < row; k++) slope -= l[row * m + k] * step[k]
      step[row] = slope / l[row * m + row]
      this.#chosen[row] = j
      this.#count++
    }
    for (let r = this.#count - 1; r >= 0; r--) {
      for (let k = r + 1; k < this.#count; k++) step[r] -= l[k * m + r] * step[k]
      step[r] /= l[r * m + r]
    }
  }

  /** Takes the step as far as the bounds let it; true if one ended it, whose unknown is free no more. */
  #move(most: ArrayLike<number>, theta: number[]): boolean {
    let share = 1
    let blocked = -1
    for (let r = 0; r < this.#count; r++) {
      const j = this.#chosen[r]
      const step = this.#step[r]
      if (Math.abs(theta[j] + step) <= most[j]) continue
      const reach = ((step > 0 ? most[j] : -most[j]) - theta[j]) / step
      if (reach < share || blocked < 0) {
        share = Math.max(0, Math.min(share, reach))
        blocked = j
      }
    }
    for (let r = 0; r < this.#count; r++) {
      const j = this.#chosen[r]
      theta[j] = Math.max(-most[j], Math.min(most[j], theta[j] + share * this.#step[r]))
      if (j !== blocked) continue
      theta[j] = this.#step[r] > 0 ? most[j] : -most[j]
      this.#free[j] = 0
    }
    return blocked >= 0
  }

  /** Frees the unknown whose slope leads away from its bound most steeply, if there is one. */
  #release(gram: ArrayLike<number>, moment: ArrayLike<number>, theta: number[]): boolean {
    const m = this.#m
    let steepest = 0
    let freed = -1
    for (let j = 0; j < m; j++) {
      if (this.#free[j] === 1) continue
      const inward = -Math.sign(theta[j]) * slopeOf(gram, moment, theta, j)
      const rounding = 1e-12 * (Math.abs(moment[j]) + gram[j * m + j] * Math.abs(theta[j]))
      if (inward - rounding > steepest) {
        steepest = inward - rounding
        freed = j
      }
    }
    if (freed >= 0) this.#free[freed] = 1
    return freed >= 0
  }
}

/** b_j - (G θ)_j */
function slopeOf(gram: ArrayLike<number>, moment: ArrayLike<number>, theta: number[], j: number): number {
  const m = theta.length
  let slope = moment[j]
  for (let k = 0; k < m; k++) slope -= gram[j * m + k] * theta[k]
  return slope
}
