import type { Step } from '../backend/portable/linear/step.js'
import type { Clock } from '../backend/portable/work.js'

/** The `count` places of the smallest values, ascending; of equal values those that come first. Linear on average. */
export function* smallest(values: Float64Array, count: number, clock: Clock): Step<Int32Array> {
  const out = new Int32Array(count)
  if (count === 0) return out
  const threshold = yield* nthSmallest(values.slice(), count - 1, clock)
  let below = 0
  for (const value of values) if (value < threshold) below++
  let ties = count - below
  for (let j = 0, k = 0; k < count; j++) {
    if (values[j] < threshold || (values[j] === threshold && ties-- > 0)) out[k++] = j
  }
  return out
}

/** The value that stands at place n when sorted; reorders them. Hoare's selection around medians of three. */
function* nthSmallest(values: Float64Array, n: number, clock: Clock): Step<number> {
  let low = 0
  let high = values.length - 1
  while (low < high) {
    const [a, b, c] = [values[low], values[(low + high) >> 1], values[high]]
    const pivot = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
    let i = low
    let j = high
    while (i <= j) {
      while (values[i] < pivot) i++
      while (values[j] > pivot) j--
      if (i <= j) {
        ;[values[i], values[j]] = [values[j], values[i]]
        i++
        j--
      }
    }
    if (n <= j) high = j
    else if (n >= i) low = i
    else return values[n]
    if (clock.due()) yield
  }
  return values[n]
}
