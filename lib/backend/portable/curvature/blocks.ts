import type { FloatArray } from '../../../core/arrays.js'
import { ExtremaError } from '../../../core/errors.js'
import type { FisherForm, GradientRows } from '../../curvature.js'
import type { Clock, Work } from '../work.js'

// The twin of native/curvature: the same sums in double, in plain loops.

/** One block of coordinates. */
export interface Part {
  index: number
  from: number
  width: number
}

export function* partsOf({ d, block }: GradientRows): Generator<Part, void, void> {
  for (let from = 0, index = 0; from < d; from += block, index++) {
    yield { index, from, width: Math.min(block, d - from) }
  }
}

/** The rows, which only products and diagonals in the form `columns` do without. */
export function entriesOf(rows: GradientRows): FloatArray {
  if (rows.g !== null) return rows.g
  throw new ExtremaError('ERR_INTERNAL', 'gradients: expected rows for the form rows, got none')
}

/** The order of a block's matrix. */
export function orderOf(form: FisherForm, rows: GradientRows, part: Part): number {
  return form === 'rows' ? rows.m : part.width
}

/** Σ a[at + k] b[bt + k] */
export function dotAt(a: FloatArray, at: number, b: FloatArray, bt: number, n: number): number {
  let even = 0
  let odd = 0
  let k = 0
  for (; k + 2 <= n; k += 2) {
    even += a[at + k] * b[bt + k]
    odd += a[at + k + 1] * b[bt + k + 1]
  }
  if (k < n) even += a[at + k] * b[bt + k]
  return even + odd
}

/** p[i] += row i · x over a part's columns. */
export function* projectPart(
  rows: GradientRows,
  { from, width }: Part,
  x: FloatArray,
  p: Float64Array,
  at: number,
  clock: Clock,
): Work<void> {
  const { m, d } = rows
  const g = entriesOf(rows)
  for (let i = 0; i < m; i++) {
    p[at + i] += dotAt(g, i * d + from, x, from, width)
    if (clock.due()) yield
  }
}

/** sum[from…] += Σ w[i] row i over a part's columns. */
export function* gatherPart(
  rows: GradientRows,
  { from, width }: Part,
  w: Float64Array,
  at: number,
  sum: Float64Array,
  to: number,
  clock: Clock,
): Work<void> {
  const { m, d } = rows
  const g = entriesOf(rows)
  for (let i = 0; i < m; i++) {
    const weight = w[at + i]
    for (let j = 0, k = i * d + from; j < width; j++, k++) sum[to + j] += weight * g[k]
    if (clock.due()) yield
  }
}

/** p[pt…] <- (L Lᵀ)⁻¹ p for a lower factor of rows `pitch` numbers apart. */
export function substitute(
  factor: Float64Array,
  at: number,
  n: number,
  pitch: number,
  p: Float64Array,
  pt: number,
): void {
  for (let i = 0; i < n; i++) {
    p[pt + i] = (p[pt + i] - dotAt(factor, at + i * pitch, p, pt, i)) / factor[at + i * pitch + i]
  }
  for (let i = n - 1; i >= 0; i--) {
    const row = at + i * pitch
    const value = p[pt + i] / factor[row + i]
    p[pt + i] = value
    for (let j = 0; j < i; j++) p[pt + j] -= factor[row + j] * value
  }
}

/** b <- L⁻¹ b for n rows of `columns` numbers. */
export function* solveLower(
  factor: Float64Array,
  at: number,
  n: number,
  pitch: number,
  b: Float64Array,
  columns: number,
  clock: Clock,
): Work<void> {
  for (let i = 0; i < n; i++) {
    const row = i * columns
    for (let k = 0; k < i; k++) {
      const weight = factor[at + i * pitch + k]
      if (weight !== 0) for (let j = 0; j < columns; j++) b[row + j] -= weight * b[k * columns + j]
    }
    const pivot = factor[at + i * pitch + i]
    for (let j = 0; j < columns; j++) b[row + j] /= pivot
    if (clock.due()) yield
  }
}
