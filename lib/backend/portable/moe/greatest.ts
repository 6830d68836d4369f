/**
 * The element that comes after `rank` greater ones among the first `count`, which are moved so that those stand before
 * it: C. A. R. Hoare's selection, with the median of three as pivot.
 */
export function greatestOf(values: Float64Array, count: number, rank: number): number {
  let low = 0
  let high = count - 1
  while (low < high) {
    const pivot = median(values[low], values[(low + high) >> 1], values[high])
    let i = low
    let j = high
    while (i <= j) {
      while (values[i] > pivot) i++
      while (values[j] < pivot) j--
      if (i > j) break
      const x = values[i]
      values[i++] = values[j]
      values[j--] = x
    }
    if (rank <= j) high = j
    else if (rank >= i) low = i
    else break
  }
  return values[rank]
}

function median(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
}
