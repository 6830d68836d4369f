import { type Rows, transpose as transposed } from '../helpers/matrices.js'
import { random, randomNormal } from '../helpers/random.js'

export { eliminate as solveDense, type Rows, times, toCsr, transpose as transposed } from '../helpers/matrices.js'

/** m × n normal numbers, a part of them 0. */
export function normalRows(m: number, n: number, seed: number, density = 1): Rows {
  const [value, keep] = [randomNormal(seed), random(seed + 1000)]
  return Array.from({ length: m }, () => Array.from({ length: n }, () => (keep() < density ? value() : 0)))
}

/** AᵀA + ridge I */
export function gram(rows: Rows, ridge = 0): Rows {
  const columns = transposed(rows)
  return columns.map((u, i) =>
    columns.map((v, j) => u.reduce((sum, x, r) => sum + x * v[r], 0) + (i === j ? ridge : 0)),
  )
}

/** A random forest on n nodes in random order: diagonally dominant, so positive definite. */
export function forestRows(n: number, seed: number): Rows {
  const next = random(seed)
  const names = Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1))
    ;[names[i], names[j]] = [names[j], names[i]]
  }
  const rows: Rows = names.map(() => new Array<number>(n).fill(0))
  for (let k = 1; k < n; k++) {
    if (next() < 0.15) continue
    const [i, j] = [names[k], names[Math.floor(next() * k)]]
    const weight = 2 * next() - 1
    rows[i][j] = weight
    rows[j][i] = weight
  }
  rows.forEach((row, i) => {
    row[i] = 0.1 + next() + row.reduce((sum, value) => sum + Math.abs(value), 0)
  })
  return rows
}

/** The 4-neighbour Laplacian of a lattice plus `shift` I. */
export function latticeRows(height: number, width: number, shift: number): Rows {
  const n = height * width
  return Array.from({ length: n }, (_, i) => {
    const row = new Array<number>(n).fill(0)
    const [r, c] = [Math.floor(i / width), i % width]
    for (const [y, x] of [
      [r - 1, c],
      [r + 1, c],
      [r, c - 1],
      [r, c + 1],
    ]) {
      if (y < 0 || x < 0 || y >= height || x >= width) continue
      row[y * width + x] = -1
      row[i] += 1
    }
    row[i] += shift
    return row
  })
}
