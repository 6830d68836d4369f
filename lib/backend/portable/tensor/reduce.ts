import { type ReduceOp, reduceOps, type TensorData } from '../../tensor.js'
import { exp } from '../math.js'

/** Over the middle axis of outer × length × inner, in float64. */
export function reduce(op: number, out: TensorData, x: TensorData, outer: number, length: number, inner: number): void {
  const along = alongAxis[reduceOps[op]]
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) out[o * inner + i] = along(x, o * length * inner + i, inner, length)
  }
}

type Along = (x: TensorData, start: number, stride: number, length: number) => number

const alongAxis: Record<ReduceOp, Along> = {
  sum(x, start, stride, length) {
    let sum = 0
    for (let k = 0, i = start; k < length; k++, i += stride) sum += x[i]
    return sum
  },
  max(x, start, stride, length) {
    let most = Number.NEGATIVE_INFINITY
    for (let k = 0, i = start; k < length; k++, i += stride) most = Math.max(most, x[i])
    return most
  },
  min(x, start, stride, length) {
    let least = Number.POSITIVE_INFINITY
    for (let k = 0, i = start; k < length; k++, i += stride) least = Math.min(least, x[i])
    return least
  },
  logSumExp(x, start, stride, length) {
    const most = alongAxis.max(x, start, stride, length)
    if (!(Math.abs(most) < Number.POSITIVE_INFINITY)) return most
    let sum = 0
    for (let k = 0, i = start; k < length; k++, i += stride) sum += exp(x[i] - most)
    return most + Math.log(sum)
  },
  norm(x, start, stride, length) {
    let sum = 0
    for (let k = 0, i = start; k < length; k++, i += stride) sum += x[i] * x[i]
    if (sum > 1e-280 && sum < 1e300) return Math.sqrt(sum)
    return scaledNorm(x, start, stride, length)
  },
}

/** The norm where the sum of squares would leave the range of float64. */
function scaledNorm(x: TensorData, start: number, stride: number, length: number): number {
  let most = 0
  for (let k = 0, i = start; k < length; k++, i += stride) most = Math.max(most, Math.abs(x[i]))
  if (most === 0 || !(most < Number.POSITIVE_INFINITY)) return most
  let sum = 0
  for (let k = 0, i = start; k < length; k++, i += stride) sum += (x[i] / most) ** 2
  return most * Math.sqrt(sum)
}
