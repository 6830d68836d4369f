import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { signOf } from './history.js'
import type { Direction } from './study/events.js'

/**
 * The front of each of some points: 0 for those that no other dominates, 1 for those that only points of front 0 dominate, and
 * so on. A point dominates another if it is nowhere worse and somewhere better; equal points share a front. Exact: efficient
 * non-dominated sort (X. Zhang, Y. Tian, R. Cheng, Y. Jin, IEEE Trans. Evolutionary Computation 19 (2015)), at worst O(m n²) for n points of m values.
 *
 * @param values n points of m finite numbers
 * @param directions of each value; default: all are minimized
 */
export function nonDominatedSort(
  values: readonly (readonly number[])[],
  directions?: readonly Direction[],
): Int32Array {
  const m = values[0]?.length ?? 0
  const signs = directions?.map(signOf) ?? new Array(m).fill(1)
  for (const [i, point] of values.entries()) {
    if (point.length !== m || signs.length !== m) {
      throw new ExtremaError('ERR_SHAPE', `values[${i}]: expected ${signs.length} numbers, got ${point.length}`)
    }
    const bad = point.findIndex((x) => !Number.isFinite(x))
    if (bad < 0) continue
    throw new ExtremaError(
      'ERR_NOT_FINITE',
      `values[${i}][${bad}]: expected a finite number, got ${describe(point[bad])}`,
    )
  }
  const points = values.map((point) => point.map((x, j) => signs[j] * x))
  const order = Int32Array.from(points.keys()).sort((a, b) => compare(points[a], points[b]) || a - b)
  const ranks = new Int32Array(points.length)
  const fronts: number[][][] = []
  let before = -1
  for (const i of order) {
    const point = points[i]
    if (before >= 0 && compare(points[before], point) === 0) {
      ranks[i] = ranks[before]
      continue
    }
    before = i
    // In lexicographic order only earlier points dominate, and a point dominated by front k is so by one of each front before it.
    let low = 0
    let high = fronts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (dominatedBy(fronts[middle], point)) low = middle + 1
      else high = middle
    }
    ranks[i] = low
    if (low === fronts.length) fronts.push([point])
    else fronts[low].push(point)
  }
  return ranks
}

/** Whether one of the points, none of which comes after in lexicographic order, is nowhere worse: the latest are the likeliest. */
function dominatedBy(front: readonly (readonly number[])[], point: readonly number[]): boolean {
  if (point.length === 2) return front[front.length - 1][1] <= point[1] // the front's second values descend
  for (let k = front.length - 1; k >= 0; k--) {
    const other = front[k]
    let j = 1
    while (j < point.length && other[j] <= point[j]) j++
    if (j >= point.length) return true
  }
  return false
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let j = 0; j < a.length; j++) if (a[j] !== b[j]) return a[j] - b[j]
  return 0
}
