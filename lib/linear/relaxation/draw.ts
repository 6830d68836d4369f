import { uniformFromWord } from '../../backend/portable/random/kernels.js'
import { philox } from '../../backend/portable/random/philox.js'

const block = new Int32Array(4)

/** Number `index` of the seed's stream, in [0, 1). */
export function uniformAt(seed: number, index: number): number {
  philox(seed >>> 0, Math.floor(seed / 2 ** 32), index >>> 0, Math.floor(index / 2 ** 32), 0, 0, block)
  return uniformFromWord(block[1], block[0])
}

/** The action on which a level in [0, 1) falls, by probabilities that sum to 1 up to rounding. */
export function actionAt(probabilities: Float64Array, level: number): number {
  let sum = 0
  let last = 0
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] === 0) continue
    last = i
    sum += probabilities[i]
    if (level < sum) return i
  }
  return last
}
