// Projections and selections on short vectors. Of equal values the ones with the lowest index count as larger.

/**
 * The level t with sum_i [values_i - largest - t]₊ = total > 0 over from <= i < to, where `largest` is their maximum.
 * Levels are relative to it so that small totals keep their digits. Newton's method from the left on a convex function:
 * every step leaves out the values at or below the level, until none is left out.
 */
export function simplexLevel(values: Float64Array, from: number, to: number, largest: number, total: number): number {
  let level = -total
  let left = to - from + 1
  for (;;) {
    let sum = 0
    let count = 0
    for (let i = from; i < to; i++) {
      const value = values[i] - largest
      if (value <= level) continue
      sum += value
      count++
    }
    if (count >= left || count === 0) return level
    left = count
    level = (sum - total) / count
  }
}

export function largestOf(values: Float64Array, from: number, to: number): number {
  let largest = Number.NEGATIVE_INFINITY
  for (let i = from; i < to; i++) if (values[i] > largest) largest = values[i]
  return largest
}

/** Moves the k largest of from <= i < to, with their indices, to the front, in any order. Quickselect: O(to - from). */
export function selectLargest(values: Float64Array, indices: Int32Array, from: number, to: number, k: number): void {
  const before = (a: number, i: number, b: number, j: number) => a > b || (a === b && i < j)
  const swap = (p: number, q: number) => {
    const value = values[p]
    const index = indices[p]
    values[p] = values[q]
    indices[p] = indices[q]
    values[q] = value
    indices[q] = index
  }
  const last = from + k
  let low = from
  let high = to - 1
  while (low < high && low < last) {
    // The median of three goes to the middle; it stops both scans.
    const middle = (low + high) >> 1
    if (before(values[middle], indices[middle], values[low], indices[low])) swap(middle, low)
    if (before(values[high], indices[high], values[low], indices[low])) swap(high, low)
    if (before(values[high], indices[high], values[middle], indices[middle])) swap(high, middle)
    const pivot = values[middle]
    const place = indices[middle]
    let i = low
    let j = high
    while (i <= j) {
      while (before(values[i], indices[i], pivot, place)) i++
      while (before(pivot, place, values[j], indices[j])) j--
      if (i <= j) swap(i++, j--)
    }
    if (last - 1 <= j) high = j
    else if (last - 1 >= i) low = i
    else return
  }
}

/** The nearest point with entries >= 0 that add up to `total`. */
export function projectSimplex(vector: Float64Array, total = 1): Float64Array {
  const largest = largestOf(vector, 0, vector.length)
  const level = simplexLevel(vector, 0, vector.length, largest, total)
  return vector.map((value) => Math.max(0, value - largest - level))
}

/** The nearest point with at most k entries > 0, none < 0, that add up to `total`. */
export function projectTopKSimplex(vector: Float64Array, k: number, total = 1): Float64Array {
  const values = vector.slice()
  const indices = Int32Array.from(values.keys())
  selectLargest(values, indices, 0, values.length, k)
  const projected = projectSimplex(values.subarray(0, k), total)
  const out = new Float64Array(vector.length)
  for (let i = 0; i < k; i++) out[indices[i]] = projected[i]
  return out
}

/** The nearest point with entries in [0, cap] that add up to `total` <= cap · length. */
export function projectCappedSimplex(vector: Float64Array, total: number, cap = 1): Float64Array {
  const clipped = (level: number) => vector.map((value) => Math.min(cap, Math.max(0, value - level)))
  const sorted = [...vector, ...vector.map((value) => value - cap)].sort((x, y) => y - x)
  const sumAt = (level: number) => clipped(level).reduce((x, y) => x + y, 0)
  // The sum is linear between neighbours of the sorted breakpoints, and grows as the level falls.
  let low = 0
  let high = sorted.length - 1
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (sumAt(sorted[middle]) < total) low = middle
    else high = middle
  }
  const [least, most] = [sumAt(sorted[low]), sumAt(sorted[high])]
  const part = most > least ? (total - least) / (most - least) : 1
  return clipped(sorted[low] + part * (sorted[high] - sorted[low]))
}

/**
 * The k-support norm of Argyriou, Foygel and Srebro 2012: the norm whose unit ball is the convex hull of the vectors of
 * length <= 1 with at most k nonzeros. Squared it is min sum w_i² / theta_i over theta in [0, 1] with sum theta <= k.
 */
export function kSupportNorm(vector: Float64Array, k: number): number {
  const sorted = vector.map(Math.abs).sort().reverse()
  let tail = sorted.reduce((x, y) => x + y, 0)
  let head = 0
  // The k - r - 1 largest keep theta = 1, the rest share r + 1 in proportion to their size.
  for (let r = k - 1; ; r--) {
    const share = tail / (r + 1)
    const next = k - r - 1
    if (r === 0 || sorted[next] <= share) return Math.sqrt(head + (tail * tail) / (r + 1))
    head += sorted[next] * sorted[next]
    tail -= sorted[next]
  }
}
