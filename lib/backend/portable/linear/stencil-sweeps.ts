import type { PreconditionerData, StencilData } from '../../linear-sparse.js'
import { type Step, segment, type Watch } from './step.js'

/** The neighbours of a cell along each axis: how far away, and the coupling with the one before or after. */
interface Axis {
  stride: number
  length: number
  coupling(i: number): number
}

function axesOf({ grid, couplings }: StencilData): Axis[] {
  let stride = grid.reduce((cells, length) => cells * length, 1)
  return grid.map((length, k) => {
    stride /= length
    const coupling = couplings[k]
    return { stride, length, coupling: typeof coupling === 'number' ? () => coupling : (i) => coupling[i] }
  })
}

/** z = M⁻¹ r of sweeps on a grid, forward and backward. */
export function* stencilSweeps(
  { stencil, omega, scale, inverse }: Extract<PreconditionerData, { kind: 'stencil' }>,
  r: Float64Array,
  z: Float64Array,
  monitor: Watch,
): Step<void> {
  const axes = axesOf(stencil)
  const n = z.length
  for (let i = 0; i < n; i++) {
    let sum = scale * r[i]
    for (const { stride, length, coupling } of axes) {
      if (Math.floor(i / stride) % length > 0) sum += omega * coupling(i - stride) * z[i - stride]
    }
    z[i] = sum * inverse[i]
    if (i % segment === 0 && monitor.due()) yield
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = 0
    for (const { stride, length, coupling } of axes) {
      if ((Math.floor(i / stride) % length) + 1 < length) sum += coupling(i) * z[i + stride]
    }
    z[i] += omega * inverse[i] * sum
    if (i % segment === 0 && monitor.due()) yield
  }
}

/**
 * 1 / D of a stencil's own diagonal, or with `incomplete` of the pivots of incomplete Cholesky, the diagonal times
 * 1 + shift: D_i = a_ii - sum_{j<i} a_ij² / D_j. Cells that are no unknowns have 0. The place of a pivot that is not
 * positive, or -1.
 */
export function* stencilInverse(
  stencil: StencilData,
  incomplete: boolean,
  shift: number,
  inverse: Float64Array,
  monitor: Watch,
): Step<number> {
  const axes = axesOf(stencil)
  const { center } = stencil
  for (let i = 0; i < inverse.length; i++) {
    const own = typeof center === 'number' ? center : center[i]
    let pivot = own * (1 + shift)
    let isAlone = own === 0
    for (const { stride, length, coupling } of axes) {
      const at = Math.floor(i / stride) % length
      if (at > 0) {
        const before = coupling(i - stride)
        if (incomplete) pivot -= before * before * inverse[i - stride]
        if (before !== 0) isAlone = false
      }
      if (isAlone && at + 1 < length && coupling(i) !== 0) isAlone = false
    }
    if (!isAlone && !(pivot > 0 && pivot < Number.POSITIVE_INFINITY)) return i
    inverse[i] = isAlone ? 0 : 1 / pivot
    if (i % segment === 0 && monitor.due()) yield
  }
  return -1
}
