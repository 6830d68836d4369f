import { segmentLength, type Watch, type Work } from '../work.js'

/** Places of the keys in ascending order, of equal ones in their own. Merges, in slices. */
export function* sortedOrder(keys: Float64Array, monitor: Watch): Work<Int32Array> {
  const count = keys.length
  let from = Int32Array.from({ length: count }, (_, k) => k)
  let to = new Int32Array(count)
  let work = 0
  for (let width = 1; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const end = Math.min(start + 2 * width, count)
      merge(keys, from, to, start, Math.min(start + width, count), end)
      work += end - start
      if (work < segmentLength) continue
      work = 0
      if (monitor.due()) yield
    }
    ;[from, to] = [to, from]
  }
  return from
}

function merge(keys: Float64Array, from: Int32Array, to: Int32Array, start: number, middle: number, end: number): void {
  let left = start
  let right = middle
  for (let k = start; k < end; k++) {
    const takeLeft = left < middle && (right === end || keys[from[left]] <= keys[from[right]])
    to[k] = takeLeft ? from[left++] : from[right++]
  }
}
