import { exp } from '../math.js'

// The innermost loops of the passes, each over columns start <= j < end of one row. Costs are c[offset + j], plan
// entries p[at + j]. One kind of array throughout, so that V8 compiles each loop once.

/** p_j = exp((f + g_j - c_j) / epsilon); returns their sum. */
export function exponentials(
  c: Float64Array,
  offset: number,
  f: number,
  g: Float64Array,
  inverseEpsilon: number,
  p: Float64Array,
  at: number,
  start: number,
  end: number,
): number {
  let even = 0
  let odd = 0
  let j = start
  if ((end - start) % 2 === 1) {
    even = exp((f + g[j] - c[offset + j]) * inverseEpsilon)
    p[at + j] = even
    j++
  }
  for (; j < end; j += 2) {
    const p0 = exp((f + g[j] - c[offset + j]) * inverseEpsilon)
    const p1 = exp((f + g[j + 1] - c[offset + j + 1]) * inverseEpsilon)
    p[at + j] = p0
    p[at + j + 1] = p1
    even += p0
    odd += p1
  }
  return even + odd
}

/** max_j (g_j - c_j) */
export function largest(c: Float64Array, offset: number, g: Float64Array, start: number, end: number): number {
  let most = Number.NEGATIVE_INFINITY
  for (let j = start; j < end; j++) {
    const value = g[j] - c[offset + j]
    if (value > most) most = value
  }
  return most
}

/** least_j = min(least_j, c_j - f) */
export function lower(
  c: Float64Array,
  offset: number,
  f: number,
  least: Float64Array,
  start: number,
  end: number,
): void {
  for (let j = start; j < end; j++) {
    const value = c[offset + j] - f
    if (value < least[j]) least[j] = value
  }
}

/** sum_j p_j w_j */
export function dot(p: Float64Array, at: number, w: Float64Array, start: number, end: number): number {
  let total = 0
  for (let j = start; j < end; j++) total += p[at + j] * w[j]
  return total
}

/** sum_j c_j p_j over p_j != 0, so that forbidden arcs (infinite cost, no mass) do not count. */
export function costDot(
  c: Float64Array,
  offset: number,
  p: Float64Array,
  at: number,
  start: number,
  end: number,
): number {
  let total = 0
  for (let j = start; j < end; j++) {
    const mass = p[at + j]
    if (mass !== 0) total += c[offset + j] * mass
  }
  return total
}

/** sum_j c_j p_j w_j over p_j w_j != 0 */
export function weightedCostDot(
  c: Float64Array,
  offset: number,
  p: Float64Array,
  at: number,
  w: Float64Array,
  start: number,
  end: number,
): number {
  let total = 0
  for (let j = start; j < end; j++) {
    const mass = p[at + j] * w[j]
    if (mass !== 0) total += c[offset + j] * mass
  }
  return total
}

/** out_j += scale p_j */
export function addScaled(
  scale: number,
  p: Float64Array,
  at: number,
  out: Float64Array,
  start: number,
  end: number,
): void {
  for (let j = start; j < end; j++) out[j] = out[j] + scale * p[at + j]
}
