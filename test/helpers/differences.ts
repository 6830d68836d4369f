/** (value(+step) - value(-step)) / (2 step) */
export function centralDifference(value: (t: number) => number, step = 1e-5): number {
  return (value(step) - value(-step)) / (2 * step)
}

/** A copy with `by` added to entry k. */
export function nudged(values: Float64Array, k: number, by: number): Float64Array {
  const out = values.slice()
  out[k] += by
  return out
}

/** A copy with `by` moved from entry `from` to entry `to`. */
export function shifted(values: Float64Array, to: number, from: number, by: number): Float64Array {
  return nudged(nudged(values, to, by), from, -by)
}
