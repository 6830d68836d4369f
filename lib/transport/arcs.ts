import type { Csr } from '../core/arrays.js'

/** The arcs that carry mass, as compressed rows; no arc comes twice. */
export function arcsToCsr(n: number, m: number, rows: Int32Array, columns: Int32Array, mass: Float64Array): Csr {
  const indptr = new Int32Array(n + 1)
  for (let k = 0; k < mass.length; k++) if (mass[k] > 0) indptr[rows[k] + 1]++
  for (let i = 0; i < n; i++) indptr[i + 1] += indptr[i]
  const next = indptr.slice(0, n)
  const indices = new Int32Array(indptr[n])
  const data = new Float64Array(indptr[n])
  for (let k = 0; k < mass.length; k++) {
    if (mass[k] <= 0) continue
    // Rows are short: insertion keeps their columns ascending.
    const start = indptr[rows[k]]
    let at = next[rows[k]]++
    for (; at > start && indices[at - 1] > columns[k]; at--) {
      indices[at] = indices[at - 1]
      data[at] = data[at - 1]
    }
    indices[at] = columns[k]
    data[at] = mass[k]
  }
  return { shape: [n, m], indptr, indices, data }
}
