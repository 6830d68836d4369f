/** Pairwise, so that rounding errors grow with log(count) only. */
export function sum(values: Float64Array, start = 0, end = values.length): number {
  if (end - start <= 32) {
    let total = 0
    for (let i = start; i < end; i++) total += values[i]
    return total
  }
  const middle = start + ((end - start) >> 1)
  return sum(values, start, middle) + sum(values, middle, end)
}

/** x·y */
export function innerProduct(x: Float64Array, y: Float64Array): number {
  const products = new Float64Array(x.length)
  for (let i = 0; i < x.length; i++) products[i] = x[i] * y[i]
  return sum(products)
}

/** |x - y|_1 */
export function distance(x: Float64Array, y: Float64Array): number {
  const differences = new Float64Array(x.length)
  for (let i = 0; i < x.length; i++) differences[i] = Math.abs(x[i] - y[i])
  return sum(differences)
}
