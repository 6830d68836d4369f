import type { FloatArray } from '../../../../core/arrays.js'
import { type LionSlope, lionSlopes } from '../../../tensor-update.js'

export function lion(
  slope: number,
  x: FloatArray,
  g: FloatArray,
  m: FloatArray,
  mixM: number,
  mixG: number,
  keep: number,
  add: number,
  step: number,
  shrink: number,
  parameter: number,
): void {
  const at = slopeOf(lionSlopes[slope], parameter)
  for (let i = 0; i < x.length; i++) {
    const c = mixM * m[i] + mixG * g[i]
    m[i] = keep * m[i] + add * g[i]
    x[i] = shrink * x[i] + step * at(c)
  }
}

/** The derivative of a separable K. */
export function slopeOf(slope: LionSlope, e: number): (c: number) => number {
  switch (slope) {
    case 'sign':
      return Math.sign
    case 'identity':
      return (c) => c
    case 'clip':
      return (c) => (c > e ? 1 : c < -e ? -1 : c / e)
    case 'soft-sign':
      // Squares of quotients do not leave the range.
      return (c) => {
        const most = Math.max(Math.abs(c), e)
        return c / most / Math.sqrt((c / most) ** 2 + (e / most) ** 2)
      }
    case 'threshold':
      return (c) => (Math.abs(c) <= e ? 0 : Math.sign(c))
    case 'tanh':
      return (c) => Math.tanh(c / e)
    case 'power':
      return (c) => Math.sign(c) * Math.abs(c) ** (e - 1)
  }
}
