import type { State } from './state.js'

/**
 * Makes the coordinates of the largest scores the block; of equal ones the lower index. A heap with the least of those kept
 * on top.
 */
export function takeLargest(state: State, scores: Float64Array): void {
  const { live, block, capacity } = state
  const isWorse = (i: number, j: number) => scores[i] < scores[j] || (scores[i] === scores[j] && i > j)
  let size = 0
  const sift = (from: number) => {
    let at = from
    for (;;) {
      let least = at
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < size; child++) {
        if (isWorse(block[child], block[least])) least = child
      }
      if (least === at) return
      const other = block[at]
      block[at] = block[least]
      block[least] = other
      at = least
    }
  }
  for (let k = 0; k < live.length; k++) {
    const i = live[k]
    if (size < capacity) {
      block[size++] = i
      if (size === capacity) for (let at = (size >> 1) - 1; at >= 0; at--) sift(at)
    } else if (isWorse(block[0], i)) {
      block[0] = i
      sift(0)
    }
  }
  state.size = size
  state.number = -1
  state.sortBlock()
}
