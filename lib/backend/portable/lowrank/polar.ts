import type { Watch, Work } from '../work.js'
import { addTransposed, inner, multiply } from './products.js'
import { Svd } from './svd.js'

// The constants of native/lowrank/polar.cc, which says what they are.
const products = 64
const nullShare = 1e-12
const faint = 1e-4
const leastRatio = 1e-4
const powerSteps = 8
const spareIterations = 6
const almost = 1e-8

/** The orthogonal factor of square matrices: native/lowrank/polar.cc, step by step. */
export class Polar {
  private readonly svd: Svd
  /** Singular vectors taken so far, in rows. */
  private readonly left: Float64Array
  private readonly right: Float64Array
  private readonly product: Float64Array
  private readonly scratch: Float64Array
  private x: Float64Array
  private next: Float64Array

  constructor(
    private readonly n: number,
    private readonly watch: Watch,
  ) {
    const room = () => new Float64Array(n * n)
    this.svd = new Svd(n, watch)
    this.left = room()
    this.right = room()
    this.product = room()
    this.scratch = room()
    this.x = n < products ? this.scratch : room()
    this.next = n < products ? this.scratch : room()
  }

  /** out = the factor of a. False if a was rank-deficient. */
  *factor(a: Float64Array, near: Float64Array, out: Float64Array): Work<boolean> {
    const { n, svd, left, right, product, watch } = this
    if (n >= products && (yield* this.byProducts(a, out))) return true
    yield* svd.decompose(a)
    let filled = this.append(0, svd.s[0] * nullShare)
    const full = filled === n
    let seed = 1
    for (let candidate = 0; filled < n; candidate++) {
      // What the candidate does between the spaces that are still free.
      if (candidate === 0) product.set(near)
      else if (candidate === 1) for (let k = 0; k < n * n; k++) product[k] = k % (n + 1) === 0 ? 1 : 0
      else {
        for (let k = 0; k < n * n; k++) {
          seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
          product[k] = seed / 2 ** 31 - 1
        }
      }
      yield* this.projectOut(filled)
      yield* svd.decompose(product)
      filled = this.append(filled, faint)
    }
    out.fill(0)
    yield* addTransposed(left, right, n, n, out, watch)
    return full
  }

  /** Takes the first `filled` left and right vectors out of the product. */
  private *projectOut(filled: number): Work<void> {
    const { n, left, right, product, watch } = this
    for (let k = 0; k < filled; k++) {
      const at = k * n
      // product -= l (lᵀ product), then product -= (product r) rᵀ
      const row = this.scratch.subarray(0, n).fill(0)
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) row[j] += left[at + i] * product[i * n + j]
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) product[i * n + j] -= left[at + i] * row[j]
      for (let i = 0; i < n; i++) {
        let sum = 0
        for (let j = 0; j < n; j++) sum += product[i * n + j] * right[at + j]
        for (let j = 0; j < n; j++) product[i * n + j] -= sum * right[at + j]
      }
      if (watch.due()) yield
    }
  }

  private append(filled: number, least: number): number {
    const { n, svd, left, right } = this
    let next = filled
    for (let k = 0; k < n && next < n && svd.s[k] > least; k++, next++) {
      left.set(svd.u.subarray(k * n, (k + 1) * n), next * n)
      right.set(svd.v.subarray(k * n, (k + 1) * n), next * n)
    }
    return next
  }

  /** Of a positive semidefinite matrix: out = a^(-1/2), eigenvalues held above `least` of the greatest. */
  *inverseRoot(a: Float64Array, least: number, out: Float64Array): Work<void> {
    const { n, svd, product, watch } = this
    yield* svd.decompose(a)
    const floor = svd.s[0] > 0 ? svd.s[0] * least : 1
    for (let k = 0; k < n; k++) {
      const factor = 1 / Math.sqrt(Math.max(svd.s[k], floor))
      for (let i = k * n; i < (k + 1) * n; i++) product[i] = factor * svd.u[i]
    }
    out.fill(0)
    yield* addTransposed(product, svd.u, n, n, out, watch)
  }

  /** Scaled Newton-Schulz iteration. */
  private *byProducts(a: Float64Array, out: Float64Array): Work<boolean> {
    const { n, product: gram, watch } = this
    const norm = Math.sqrt(inner(a, a))
    if (!(norm > 0)) return false
    for (let k = 0; k < n * n; k++) this.x[k] = a[k] / norm
    gram.fill(0)
    yield* addTransposed(this.x, this.x, n, n, gram, watch)
    const most = greatest(gram, n)
    let least = Math.sqrt(Math.max(0, most - powerEstimate(gram, n, most)) / most) / 2
    if (least < leastRatio) return false
    const unit = Math.sqrt(most)
    for (let k = 0; k < n * n; k++) this.x[k] /= unit
    for (let k = 0; k < n * n; k++) gram[k] /= most
    for (let spare = spareIterations; ; ) {
      const scale = Math.sqrt(3 / (1 + least + least * least))
      yield* this.times(1.5 * scale, -0.5 * scale ** 3, this.next)
      ;[this.x, this.next] = [this.next, this.x]
      least = Math.min(1, 0.5 * scale * least * (3 - scale * scale * least * least))
      gram.fill(0)
      yield* addTransposed(this.x, this.x, n, n, gram, watch)
      let error = 0
      for (let k = 0; k < n * n; k++) error += (gram[k] - (k % (n + 1) === 0 ? 1 : 0)) ** 2
      if (Math.sqrt(error) < almost) {
        yield* this.times(1.5, -0.5, out)
        return true
      }
      if (least > 0.999 && spare-- === 0) return false
    }
  }

  /** out = x (own I + other gram) */
  private *times(own: number, other: number, out: Float64Array): Work<void> {
    const { n, x, product: gram, watch } = this
    yield* multiply(x, gram, n, n, n, out, watch)
    for (let k = 0; k < n * n; k++) out[k] = own * x[k] + other * out[k]
  }
}

/** A bound of the eigenvalues: by row sums, or by mean and deviation (Wolkowicz and Styan, 1980). */
function greatest(gram: Float64Array, n: number): number {
  let trace = 0
  let squares = 0
  let rows = 0
  for (let i = 0; i < n; i++) {
    let sum = 0
    for (let j = i * n; j < (i + 1) * n; j++) {
      sum += Math.abs(gram[j])
      squares += gram[j] * gram[j]
    }
    trace += gram[i * (n + 1)]
    rows = Math.max(rows, sum)
  }
  const mean = trace / n
  const deviation = Math.sqrt(Math.max(0, squares / n - mean * mean))
  return Math.min(rows, mean + deviation * Math.sqrt(n - 1)) * (1 + 1e-12)
}

/** The greatest eigenvalue of most I - gram by power steps: never more than it. */
function powerEstimate(gram: Float64Array, n: number, most: number): number {
  let vector = new Float64Array(n)
  let image = new Float64Array(n)
  let above = 0
  for (let i = 0; i < n; i++) vector[i] = 1 + 0.5 * Math.abs(1 - ((0.6180339887498949 * i) % 2))
  for (let k = 0; k <= powerSteps; k++) {
    const length = Math.sqrt(inner(vector, vector))
    for (let i = 0; i < n; i++) vector[i] /= length
    for (let i = 0; i < n; i++) {
      let sum = 0
      for (let j = 0; j < n; j++) sum += gram[i * n + j] * vector[j]
      image[i] = most * vector[i] - sum
    }
    above = inner(vector, image)
    ;[vector, image] = [image, vector]
  }
  return above
}
