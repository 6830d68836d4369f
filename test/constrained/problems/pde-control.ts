import type { EqualityConstrainedProblem } from '../../../lib/constrained/index.js'
import type { Csr } from '../../../lib/core/index.js'

/**
 * Control of Poisson's equation on an N × N grid: min ½ ‖w - w̃‖² + 0.05 ‖z‖² subject to Δ_h w + z = 0, h = 2 / (N + 1); x = (w, z).
 * The problem of section 5 of arXiv 2305.18379, whose code has N = 3.
 */
export function pdeControl(size: number): EqualityConstrainedProblem {
  const m = size * size
  const n = 2 * m
  const inverse = ((size + 1) / 2) ** 2
  const target = new Float64Array(m)
  const scale = 0.1 / Math.sqrt(15)
  for (let k = 0; k < m; k++) {
    const i = Math.floor(k / size) + 1 - (size + 1) / 2
    const j = (k % size) + 1 - (size + 1) / 2
    target[k] = Math.sin(4 + scale * i) + Math.cos(3 + scale * j)
  }
  const indptr = [0]
  const indices: number[] = []
  const data: number[] = []
  for (let k = 0; k < m; k++) {
    const [row, column] = [Math.floor(k / size), k % size]
    const put = (j: number, value: number) => {
      indices.push(j)
      data.push(value)
    }
    if (row > 0) put(k - size, inverse)
    if (column > 0) put(k - 1, inverse)
    put(k, -4 * inverse)
    if (column + 1 < size) put(k + 1, inverse)
    if (row + 1 < size) put(k + size, inverse)
    put(m + k, 1)
    indptr.push(indices.length)
  }
  const jacobian: Csr = {
    shape: [m, n],
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    data: Float64Array.from(data),
  }
  const hessian: Csr = {
    shape: [n, n],
    indptr: Int32Array.from({ length: n + 1 }, (_, i) => i),
    indices: Int32Array.from({ length: n }, (_, i) => i),
    data: Float64Array.from({ length: n }, (_, i) => (i < m ? 1 : 0.1)),
  }
  return {
    x0: new Float64Array(n),
    multipliers0: new Float64Array(m),
    value: (x) => {
      let sum = 0
      for (let k = 0; k < m; k++) sum += 0.5 * (x[k] - target[k]) ** 2 + 0.05 * x[m + k] ** 2
      return sum
    },
    gradient: (x) => x.map((value, k) => (k < m ? value - target[k] : 0.1 * value)),
    constraints: (x) => {
      const out = new Float64Array(m)
      for (let i = 0; i < m; i++) for (let k = indptr[i]; k < indptr[i + 1]; k++) out[i] += data[k] * x[indices[k]]
      return out
    },
    jacobian: () => jacobian,
    hessian: () => hessian,
  }
}

/**
 * Rows of Γ by overlapping squares of the grid, `side` × `side` and half of that apart: the equations of w, of z and of the state
 * at the points of a square.
 */
export function subdomains(size: number, side: number): Int32Array[] {
  const m = size * size
  const last = Math.max(0, size - side)
  const starts: number[] = []
  for (let at = 0; at < last; at += Math.max(1, side >> 1)) starts.push(at)
  starts.push(last)
  return starts.flatMap((top) =>
    starts.map((left) => {
      const points: number[] = []
      for (let i = top; i < Math.min(size, top + side); i++) {
        for (let j = left; j < Math.min(size, left + side); j++) points.push(i * size + j)
      }
      return Int32Array.from([0, m, 2 * m].flatMap((shift) => points.map((k) => k + shift)))
    }),
  )
}
