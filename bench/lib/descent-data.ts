import type { Csr } from '../../lib/core/index.js'
import { labelPropagation } from '../../lib/descent/index.js'
import { type Generator, generator } from '../../lib/random/index.js'

// The data sets A to E of arXiv 1712.08859, drawn from their descriptions.

/** Sparse (N(0,1) + 1) · column scale 10 N(0,1), each entry there with probability 10 ln(m)/m. */
function design(rng: Generator, m: number, n: number): Csr {
  const density = Math.min(1, (10 * Math.log(m)) / m)
  const scale = rng.normal(n).map((value) => 10 * value)
  const indptr = new Int32Array(m + 1)
  const indices: number[] = []
  const data: number[] = []
  for (let r = 0; r < m; r++) {
    for (let j = 0; j < n; j++) {
      if (rng.uniform() >= density) continue
      indices.push(j)
      data.push((rng.normal() + 1) * scale[j])
    }
    indptr[r + 1] = indices.length
  }
  return { shape: [m, n], indptr, indices: Int32Array.from(indices), data: Float64Array.from(data) }
}

export function multiply(A: Csr, x: ArrayLike<number>): Float64Array {
  const out = new Float64Array(A.shape[0])
  for (let r = 0; r < out.length; r++) {
    for (let k = A.indptr[r]; k < A.indptr[r + 1]; k++) out[r] += A.data[k] * x[A.indices[k]]
  }
  return out
}

const sparseWeights = (rng: Generator, n: number) =>
  Float64Array.from({ length: n }, () => (rng.uniform() < 0.1 ? rng.normal() : 0))

/** A: one weight in ten not 0, noise N(0,1). */
export function regression(m: number, n: number, seed: number, nonNegative = false): { A: Csr; b: Float64Array } {
  const rng = generator(seed)
  const A = design(rng, m, n)
  const w = sparseWeights(rng, n)
  const noise = rng.normal(m)
  return { A, b: multiply(A, nonNegative ? w.map(Math.abs) : w).map((value, r) => value + noise[r]) }
}

/** B: the signs of A's values, one in ten flipped. */
export function signs(m: number, n: number, seed: number): { A: Csr; labels: Float64Array } {
  const { A, b } = regression(m, n, seed)
  const rng = generator(seed + 1000)
  return { A, labels: b.map((value) => (value > 0 ? 1 : -1) * (rng.uniform() < 0.1 ? -1 : 1)) }
}

/** C: the largest of `classes` linear functions, one label in ten drawn anew. */
export function classes(m: number, n: number, count: number, seed: number): { A: Csr; labels: Int32Array } {
  const rng = generator(seed)
  const A = design(rng, m, n)
  const scores = Array.from({ length: count }, () => multiply(A, sparseWeights(rng, n)))
  const labels = Int32Array.from({ length: m }, (_, r) => {
    if (rng.uniform() < 0.1) return rng.integer(0, count)
    let best = 0
    for (let c = 1; c < count; c++) if (scores[c][r] > scores[best][r]) best = c
    return best
  })
  return { A, labels }
}

/** D: a lattice with weights 1e5 and 100 labels ~ 10 N(0,1). */
export function lattice(side: number, seed: number) {
  const rng = generator(seed)
  const n = side * side
  const indptr = new Int32Array(n + 1)
  const indices: number[] = []
  for (let i = 0; i < n; i++) {
    const [r, c] = [Math.floor(i / side), i % side]
    if (r > 0) indices.push(i - side)
    if (c > 0) indices.push(i - 1)
    if (c < side - 1) indices.push(i + 1)
    if (r < side - 1) indices.push(i + side)
    indptr[i + 1] = indices.length
  }
  const weights: Csr = {
    shape: [n, n],
    indptr,
    indices: Int32Array.from(indices),
    data: new Float64Array(indices.length).fill(1e5),
  }
  return labelPropagation({ weights, labelled: rng.sample(n, 100), labels: rng.normal(100).map((y) => 10 * y) })
}

/** E: two half-circles with noise, each point joined to its five nearest, 100 of them labelled ±1. */
export function moons(n: number, seed: number) {
  const rng = generator(seed)
  const side = Int32Array.from({ length: n }, (_, i) => i % 2)
  const points = Array.from(side, (s) => {
    const angle = Math.PI * rng.uniform()
    const [x, y] = s === 0 ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.5 - Math.sin(angle)]
    return [x + 0.1 * rng.normal(), y + 0.1 * rng.normal()]
  })
  const neighbours = points.map(() => new Set<number>())
  points.forEach(([x, y], i) => {
    const distance = points.map(([u, v], j) => (j === i ? Number.POSITIVE_INFINITY : (x - u) ** 2 + (y - v) ** 2))
    const nearest = [...distance.keys()].sort((p, q) => distance[p] - distance[q]).slice(0, 5)
    for (const j of nearest) {
      neighbours[i].add(j)
      neighbours[j].add(i)
    }
  })
  const rows = neighbours.map((set) => [...set].sort((p, q) => p - q))
  const indptr = new Int32Array(n + 1)
  rows.forEach((row, i) => {
    indptr[i + 1] = indptr[i] + row.length
  })
  const indices = Int32Array.from(rows.flat())
  const weights: Csr = { shape: [n, n], indptr, indices, data: new Float64Array(indices.length).fill(1) }
  const labelled = rng.sample(n, 100)
  return labelPropagation({ weights, labelled, labels: Float64Array.from(labelled, (i) => (side[i] === 0 ? 1 : -1)) })
}

/** A random tree, plus the identity: each node hangs on one of the fifty before it. */
export function tree(n: number, seed: number): { A: Csr; b: Float64Array } {
  const rng = generator(seed)
  const parent = Int32Array.from({ length: n }, (_, i) => (i === 0 ? -1 : rng.integer(Math.max(0, i - 50), i)))
  const degree = new Int32Array(n)
  for (let i = 1; i < n; i++) {
    degree[i]++
    degree[parent[i]]++
  }
  const indptr = new Int32Array(n + 1)
  for (let i = 0; i < n; i++) indptr[i + 1] = indptr[i] + degree[i] + 1
  const at = indptr.slice(0, n)
  const indices = new Int32Array(indptr[n])
  const data = new Float64Array(indptr[n])
  const put = (i: number, j: number, value: number) => {
    indices[at[i]] = j
    data[at[i]++] = value
  }
  // Parents come before a node and children after it, so rows fill in ascending order.
  for (let i = 0; i < n; i++) {
    if (i > 0) put(parent[i], i, -1)
    if (i > 0) put(i, parent[i], -1)
    put(i, i, degree[i] + 1)
  }
  return { A: { shape: [n, n], indptr, indices, data }, b: rng.normal(n) }
}
