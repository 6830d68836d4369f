import { type CloudOrderJob, cellSize } from '../../transport-order.js'
import { segmentLength, type Watch, type Work } from '../work.js'

// Twin of native/transport/cloud-order.cc.

/**
 * A kd-tree by its order alone: a range is split along the longer side of its box, so that the left part is the largest
 * power of two below its size; ranges of at most a cell are in the order of their numbers. Ties go by number, so that the
 * order depends on nothing but the points.
 */
export function* cloudOrder({ points, n, d, order }: CloudOrderJob, monitor: Watch): Work<void> {
  for (let i = 0; i < n; i++) order[i] = i
  const ranges = [0, n]
  while (ranges.length > 0) {
    const end = ranges.pop()!
    const begin = ranges.pop()!
    if (end - begin <= cellSize) {
      order.subarray(begin, end).sort()
      continue
    }
    const axis = longestSide(points, d, order, begin, end)
    let left = cellSize
    while (2 * left < end - begin) left *= 2
    yield* select(points, d, axis, order, begin, end, begin + left, monitor)
    ranges.push(begin, begin + left, begin + left, end)
    if (monitor.due()) yield
  }
}

function longestSide(points: Float64Array, d: number, order: Int32Array, begin: number, end: number): number {
  let axis = 0
  let longest = Number.NEGATIVE_INFINITY
  for (let k = 0; k < d; k++) {
    let least = Number.POSITIVE_INFINITY
    let most = Number.NEGATIVE_INFINITY
    for (let i = begin; i < end; i++) {
      const value = points[order[i] * d + k]
      if (value < least) least = value
      if (value > most) most = value
    }
    if (most - least > longest) {
      longest = most - least
      axis = k
    }
  }
  return axis
}

/** Brings the least `middle - begin` points of the range to its front. */
function* select(
  points: Float64Array,
  d: number,
  axis: number,
  order: Int32Array,
  begin: number,
  end: number,
  middle: number,
  monitor: Watch,
): Work<void> {
  const compare = (i: number, j: number) => points[i * d + axis] - points[j * d + axis] || i - j
  let rounds = 2 * Math.log2(end - begin) + 8
  let low = begin
  let high = end
  while (high - low > cellSize) {
    if (--rounds < 0) break // pivots as bad as these: sort what is left
    const [first, second, third] = [order[low], order[(low + high) >> 1], order[high - 1]]
    const pivot =
      compare(first, second) < 0
        ? compare(second, third) < 0
          ? second
          : compare(first, third) < 0
            ? third
            : first
        : compare(first, third) < 0
          ? first
          : compare(second, third) < 0
            ? third
            : second
    const value = points[pivot * d + axis]
    let i = low
    let j = high - 1
    for (;;) {
      while (before(points[order[i] * d + axis], order[i], value, pivot)) i++
      while (before(value, pivot, points[order[j] * d + axis], order[j])) j--
      if (i >= j) break
      const swapped = order[i]
      order[i++] = order[j]
      order[j--] = swapped
    }
    // All before i are at most the pivot, all from i on at least.
    if (middle < i) high = i
    else low = i
    if (high - low > segmentLength && monitor.due()) yield
  }
  order.subarray(low, high).sort(compare)
}

function before(value: number, number: number, other: number, otherNumber: number): boolean {
  return value < other || (value === other && number < otherNumber)
}
