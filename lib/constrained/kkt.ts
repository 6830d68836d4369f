import type { SystemMatrix } from '../backend/constrained.js'
import { toSparse, transposed } from './matrix.js'

/** Γ = [[H + shift I, Gᵀ], [G, 0]]: sparse if one of them is. */
export function kktMatrix(h: SystemMatrix, g: SystemMatrix, shift: number): SystemMatrix {
  return h.indptr === null && g.indptr === null ? denseKkt(h, g, shift) : sparseKkt(toSparse(h), toSparse(g), shift)
}

function denseKkt(h: SystemMatrix, g: SystemMatrix, shift: number): SystemMatrix {
  const n = h.rows
  const m = g.rows
  const size = n + m
  const data = new Float64Array(size * size)
  for (let i = 0; i < n; i++) {
    data.set(h.data.subarray(i * n, (i + 1) * n), i * size)
    data[i * size + i] += shift
  }
  for (let j = 0; j < m; j++) {
    for (let i = 0; i < n; i++) {
      const value = g.data[j * n + i]
      data[(n + j) * size + i] = value
      data[i * size + n + j] = value
    }
  }
  return { rows: size, columns: size, data, indptr: null, indices: null }
}

function sparseKkt(h: SystemMatrix, g: SystemMatrix, shift: number): SystemMatrix {
  const n = h.rows
  const m = g.rows
  const t = transposed(g)
  const most = h.data.length + n + 2 * g.data.length
  const indptr = new Int32Array(n + m + 1)
  const indices = new Int32Array(most)
  const data = new Float64Array(most)
  let at = 0
  const put = (column: number, value: number) => {
    indices[at] = column
    data[at++] = value
  }
  for (let i = 0; i < n; i++) {
    let isThere = shift === 0
    for (let k = h.indptr![i]; k < h.indptr![i + 1]; k++) {
      const j = h.indices![k]
      if (!isThere && j > i) put(i, shift)
      if (j >= i) isThere ||= true
      put(j, j === i ? h.data[k] + shift : h.data[k])
    }
    if (!isThere) put(i, shift)
    for (let k = t.indptr![i]; k < t.indptr![i + 1]; k++) put(n + t.indices![k], t.data[k])
    indptr[i + 1] = at
  }
  for (let j = 0; j < m; j++) {
    for (let k = g.indptr![j]; k < g.indptr![j + 1]; k++) put(g.indices![k], g.data[k])
    indptr[n + j + 1] = at
  }
  return { rows: n + m, columns: n + m, data: data.slice(0, at), indptr, indices: indices.slice(0, at) }
}

/**
 * An order of Γ's rows for the envelope factorization: variables as Cuthill and McKee's breadth-first search reversed
 * meets them, every constraint behind its last variable, so that its pivot is -G B⁻¹ Gᵀ of what came before and not 0.
 */
export function eliminationOrder({ rows, indptr, indices }: SystemMatrix, n: number): Int32Array {
  const start = indptr!
  const next = indices!
  const degree = (v: number) => start[v + 1] - start[v]
  const met = new Uint8Array(rows)
  const queue = new Int32Array(rows)
  let end = 0
  const search = (root: number, from: number): number => {
    end = from
    queue[end++] = root
    met[root] = 1
    for (let at = from; at < end; at++) {
      const v = queue[at]
      const fresh: number[] = []
      for (let k = start[v]; k < start[v + 1]; k++) {
        if (met[next[k]] === 1) continue
        met[next[k]] = 1
        fresh.push(next[k])
      }
      fresh.sort((a, b) => degree(a) - degree(b) || a - b)
      for (const w of fresh) queue[end++] = w
    }
    return queue[end - 1]
  }
  let from = 0
  for (let root = 0; root < rows; root++) {
    if (met[root] === 1) continue
    // The vertex met last is far out: a good one to begin with.
    const far = search(root, from)
    for (let k = from; k < end; k++) met[queue[k]] = 0
    search(far, from)
    from = end
  }
  const left = new Int32Array(rows)
  for (let j = n; j < rows; j++) left[j] = degree(j)
  const order = new Int32Array(rows)
  let at = 0
  for (let k = rows - 1; k >= 0; k--) {
    const v = queue[k]
    if (v >= n) continue
    order[at++] = v
    for (let e = start[v]; e < start[v + 1]; e++) {
      if (next[e] >= n && --left[next[e]] === 0) order[at++] = next[e]
    }
  }
  // Constraints without variables, whose rows are empty.
  for (let j = n; j < rows; j++) if (degree(j) === 0) order[at++] = j
  return order
}
