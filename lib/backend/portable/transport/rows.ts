import { expSteps } from '../math.js'

// The innermost loops of the passes, each over columns start <= j < end of one row. Costs are c[offset + j], plan
// entries p[at + j]. One kind of array throughout, so that V8 compiles each loop once.

/** p_j = exp((f + g_j - c_j) / epsilon), given STEPS_PER_UNIT / epsilon; returns their sum. */
export function exponentials(
  c: Float64Array,
  offset: number,
  f: number,
  g: Float64Array,
  steps: number,
  p: Float64Array,
  at: number,
  start: number,
  end: number,
): number {
  let sum0 = 0
  let sum1 = 0
  let j = start
  for (; ((end - j) & 3) !== 0; j++) {
    const p0 = expSteps((f + g[j] - c[offset + j]) * steps)
    p[at + j] = p0
    sum0 += p0
  }
  // Four at a time take two thirds of the time: their chains of dependent operations overlap.
  for (; j < end; j += 4) {
    const p0 = expSteps((f + g[j] - c[offset + j]) * steps)
    const p1 = expSteps((f + g[j + 1] - c[offset + j + 1]) * steps)
    const p2 = expSteps((f + g[j + 2] - c[offset + j + 2]) * steps)
    const p3 = expSteps((f + g[j + 3] - c[offset + j + 3]) * steps)
    p[at + j] = p0
    p[at + j + 1] = p1
    p[at + j + 2] = p2
    p[at + j + 3] = p3
    sum0 += p0 + p2
    sum1 += p1 + p3
  }
  return sum0 + sum1
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
