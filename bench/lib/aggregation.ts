import type { Csr } from '../../lib/core/index.js'

interface Level {
  A: Csr
  /** The aggregate of each unknown. */
  map: Int32Array
  r: Float64Array
  x: Float64Array
}

/**
 * Algebraic multigrid for the benchmarks: M⁻¹ r by a V-cycle of plain aggregation over 2 × 2 blocks of a grid of side ×
 * side, with a sweep of Gauss and Seidel forwards on the way down and one backwards on the way up.
 */
export function aggregationCycle(matrix: Csr, side: number): (r: Float64Array) => Float64Array {
  const levels: Level[] = []
  let A = matrix
  for (let width = side; ; width = Math.ceil(width / 2)) {
    const n = width * width
    const half = Math.ceil(width / 2)
    const place = (k: number) => (Math.floor(k / width) >> 1) * half + ((k % width) >> 1)
    const map = Int32Array.from({ length: n }, (_, k) => place(k))
    levels.push({ A, map, r: new Float64Array(n), x: new Float64Array(n) })
    if (width <= 2) break
    A = coarse(A, map, half * half)
  }
  const cycle = (at: number) => {
    const { A: own, map, r, x } = levels[at]
    x.fill(0)
    if (at + 1 === levels.length) {
      for (let sweep = 0; sweep < 10; sweep++) {
        relax(own, r, x, 1)
        relax(own, r, x, -1)
      }
      return
    }
    relax(own, r, x, 1)
    const below = levels[at + 1]
    below.r.fill(0)
    for (let i = 0; i < x.length; i++) below.r[map[i]] += r[i] - rowTimes(own, i, x)
    cycle(at + 1)
    for (let i = 0; i < x.length; i++) x[i] += below.x[map[i]]
    relax(own, r, x, -1)
  }
  return (r) => {
    levels[0].r.set(r)
    cycle(0)
    return levels[0].x.slice()
  }
}

function rowTimes({ indptr, indices, data }: Csr, i: number, x: Float64Array): number {
  let sum = 0
  for (let k = indptr[i]; k < indptr[i + 1]; k++) sum += data[k] * x[indices[k]]
  return sum
}

function relax(A: Csr, r: Float64Array, x: Float64Array, direction: 1 | -1): void {
  const n = x.length
  for (let c = 0; c < n; c++) {
    const i = direction > 0 ? c : n - 1 - c
    let sum = r[i]
    let diagonal = 1
    for (let k = A.indptr[i]; k < A.indptr[i + 1]; k++) {
      const j = A.indices[k]
      if (j === i) diagonal = A.data[k]
      else sum -= A.data[k] * x[j]
    }
    x[i] = sum / diagonal
  }
}

/** Pᵀ A P of the aggregates. */
function coarse(A: Csr, map: Int32Array, n: number): Csr {
  const rows = Array.from({ length: n }, () => new Map<number, number>())
  for (let i = 0; i < map.length; i++) {
    const row = rows[map[i]]
    for (let k = A.indptr[i]; k < A.indptr[i + 1]; k++) {
      const j = map[A.indices[k]]
      row.set(j, (row.get(j) ?? 0) + A.data[k])
    }
  }
  const indptr = new Int32Array(n + 1)
  rows.forEach((row, i) => {
    indptr[i + 1] = indptr[i] + row.size
  })
  const entries = rows.flatMap((row) => [...row].sort(([a], [b]) => a - b))
  return {
    shape: [n, n],
    indptr,
    indices: Int32Array.from(entries, ([j]) => j),
    data: Float64Array.from(entries, ([, value]) => value),
  }
}
