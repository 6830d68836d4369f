/** A pivot at most this part of its diagonal entry is a null one, and minus that part the limit of what rounding makes of it. */
const nullPivot = 1e-13

/**
 * H = L Lᵀ, size × size row-major, into the lower half of `factor`. Rows of null pivots are taken out (a diagonal 0): a
 * consistent system is then solved by a basic solution. Returns the place of a negative pivot, or -1. Without
 * `semidefinite` a null pivot counts as negative.
 */
export function factorize(factor: Float64Array, size: number, semidefinite: boolean): number {
  for (let j = 0; j < size; j++) {
    const row = j * size
    const diagonal = factor[row + j]
    let pivot = diagonal
    for (let k = 0; k < j; k++) pivot -= factor[row + k] * factor[row + k]
    const least = nullPivot * Math.max(1, size) * diagonal
    if (!(pivot > least)) {
      if (!semidefinite || pivot < -1e-6 * diagonal || Number.isNaN(pivot)) return j
      factor[row + j] = 0
      for (let i = j + 1; i < size; i++) factor[i * size + j] = 0
      continue
    }
    const root = Math.sqrt(pivot)
    factor[row + j] = root
    for (let i = j + 1; i < size; i++) {
      const at = i * size
      let sum = factor[at + j]
      for (let k = 0; k < j; k++) sum -= factor[at + k] * factor[row + k]
      factor[at + j] = sum / root
    }
  }
  return -1
}

/** L z = v, in place; a taken-out row gives 0. */
export function forward(factor: Float64Array, at: number, size: number, v: Float64Array): void {
  for (let i = 0; i < size; i++) {
    const row = at + i * size
    const root = factor[row + i]
    if (root === 0) {
      v[i] = 0
      continue
    }
    let sum = v[i]
    for (let k = 0; k < i; k++) sum -= factor[row + k] * v[k]
    v[i] = sum / root
  }
}

/** Lᵀ z = v, in place. */
export function backward(factor: Float64Array, at: number, size: number, v: Float64Array): void {
  for (let i = size - 1; i >= 0; i--) {
    const root = factor[at + i * size + i]
    if (root === 0) {
      v[i] = 0
      continue
    }
    let sum = v[i]
    for (let k = i + 1; k < size; k++) sum -= factor[at + k * size + i] * v[k]
    v[i] = sum / root
  }
}

/** Blocks beyond this size take a bound of their norm. */
const mostForNorm = 256

/** The norm of a positive semidefinite matrix from above: to rounding, or its largest row sum for large ones. Spoils it. */
export function normAbove(h: Float64Array, size: number): number {
  if (size === 1) return h[0]
  let rows = 0
  let trace = 0
  for (let a = 0; a < size; a++) {
    let sum = 0
    for (let b = 0; b < size; b++) sum += Math.abs(h[a * size + b])
    rows = Math.max(rows, sum)
    trace += h[a * size + a]
  }
  const bound = Math.min(rows, trace)
  return size > mostForNorm ? bound : Math.min(bound, largestEigenvalue(h, size))
}

/** By Householder's tridiagonal form and bisection on Sturm sequences; from above, within rounding. Spoils h. */
function largestEigenvalue(h: Float64Array, n: number): number {
  const off = new Float64Array(n)
  const w = new Float64Array(n)
  for (let k = 0; k + 2 < n; k++) {
    const row = k * n
    let squares = 0
    for (let j = k + 1; j < n; j++) squares += h[row + j] * h[row + j]
    const first = h[row + k + 1]
    const rest = squares - first * first
    if (!(rest > 1e-32 * squares)) {
      off[k] = first
      continue
    }
    const alpha = first > 0 ? -Math.sqrt(squares) : Math.sqrt(squares)
    off[k] = alpha
    h[row + k + 1] = first - alpha
    const factor = 1 / (squares - alpha * first)
    let inner = 0
    for (let i = k + 1; i < n; i++) {
      let sum = 0
      for (let j = k + 1; j < n; j++) sum += h[i * n + j] * h[row + j]
      w[i] = factor * sum
      inner += w[i] * h[row + i]
    }
    for (let i = k + 1; i < n; i++) w[i] -= 0.5 * factor * inner * h[row + i]
    for (let i = k + 1; i < n; i++) {
      for (let j = k + 1; j < n; j++) h[i * n + j] -= h[row + i] * w[j] + w[i] * h[row + j]
    }
  }
  off[n - 2] = h[(n - 2) * n + n - 1]
  let high = 0
  for (let i = 0; i < n; i++) {
    const left = i > 0 ? Math.abs(off[i - 1]) : 0
    const right = i + 1 < n ? Math.abs(off[i]) : 0
    high = Math.max(high, h[i * n + i] + left + right)
  }
  let low = 0
  // Whether some eigenvalue exceeds x: the pivots of T - x I are not all negative.
  const exceeds = (x: number) => {
    let pivot = h[0] - x
    if (pivot >= 0) return true
    for (let i = 1; i < n; i++) {
      pivot = h[i * n + i] - x - (off[i - 1] * off[i - 1]) / pivot
      if (pivot >= 0) return true
    }
    return false
  }
  for (let k = 0; k < 80 && high - low > 1e-15 * high; k++) {
    const middle = 0.5 * (low + high)
    if (exceeds(middle)) low = middle
    else high = middle
  }
  return high
}
