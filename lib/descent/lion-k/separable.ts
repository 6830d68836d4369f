import { slopeOf } from '../../backend/portable/tensor/update/lion.js'
import type { LionSlope } from '../../backend/tensor-update.js'
import type { FloatArray } from '../../core/arrays.js'
import type { Potential } from './potential.js'

/** K(z) = Σ φ(|z_i|). */
interface Terms {
  slope: LionSlope
  parameter: number
  /** φ at t >= 0 */
  value(t: number): number
  /** φ* at y >= 0, at most 1 if bounded */
  conjugate(y: number): number
  /** Its derivative; at 0 that from the right. */
  conjugateSlope(y: number): number
  /** Whether φ* is finite on [−1, 1] only. */
  bounded: boolean
  prox?(v: number, lambda: number): number
}

function separable(terms: Terms): Potential {
  const { slope, parameter, bounded, prox } = terms
  const at = slopeOf(slope, parameter)
  const inside = (y: number) => (bounded ? Math.min(y, 1) : y)
  const excess = (y: Float64Array) => (bounded ? y.reduce((most, t) => Math.max(most, Math.abs(t) - 1), 0) : 0)
  return {
    fused: { slope, parameter },
    value: (z) => total(z, (t) => terms.value(Math.abs(t))),
    subgradient(z, out) {
      for (let i = 0; i < z.length; i++) out[i] = at(z[i])
    },
    conjugate: (y, tolerance) =>
      excess(y) > tolerance ? Number.POSITIVE_INFINITY : total(y, (t) => terms.conjugate(inside(Math.abs(t)))),
    excess,
    residual(g, y, tolerance) {
      if (excess(y) > tolerance) return Number.POSITIVE_INFINITY
      let most = 0
      for (let i = 0; i < y.length; i++) {
        const size = inside(Math.abs(y[i]))
        const wanted = terms.conjugateSlope(size)
        const along = -g[i] * Math.sign(y[i])
        let gap = Math.abs(along - wanted)
        if (y[i] === 0) gap = Math.max(0, Math.abs(g[i]) - wanted)
        else if (bounded && size >= 1 - tolerance) gap = Math.max(0, wanted - along)
        most = Math.max(most, gap)
      }
      return most
    },
    prox,
  }
}

function total(values: FloatArray, f: (value: number) => number): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += f(values[i])
  return sum
}

const clip = (v: number, limit: number) => Math.min(Math.max(v, -limit), limit)

export const l1 = separable({
  slope: 'sign',
  parameter: 0,
  value: (t) => t,
  conjugate: () => 0,
  conjugateSlope: () => 0,
  bounded: true,
  prox: (v, lambda) => clip(v, 1 / lambda),
})

/** ‖z‖_p^p / p */
export function power(p: number): Potential {
  const q = p / (p - 1)
  return separable({
    slope: p === 2 ? 'identity' : 'power',
    parameter: p,
    value: (t) => t ** p / p,
    conjugate: (y) => y ** q / q,
    conjugateSlope: (y) => y ** (q - 1),
    bounded: false,
    ...(p === 2 && { prox: (v: number, lambda: number) => v / (1 + lambda) }),
  })
}

export function huber(e: number): Potential {
  return separable({
    slope: 'clip',
    parameter: e,
    value: (t) => (t <= e ? (t * t) / (2 * e) : t - e / 2),
    conjugate: (y) => (e / 2) * y * y,
    conjugateSlope: (y) => e * y,
    bounded: true,
    prox: (v, lambda) => clip(v / (1 + e * lambda), 1 / lambda),
  })
}

/** √(z² + e²) − e */
export function softAbs(e: number): Potential {
  return separable({
    slope: 'soft-sign',
    parameter: e,
    value: (t) => (t * t) / (Math.hypot(t, e) + e),
    conjugate: (y) => (e * y * y) / (1 + Math.sqrt(1 - y * y)),
    conjugateSlope: (y) => (e * y) / Math.sqrt(1 - y * y),
    bounded: true,
  })
}

/** max(|z| − e, 0) */
export function threshold(e: number): Potential {
  return separable({
    slope: 'threshold',
    parameter: e,
    value: (t) => Math.max(t - e, 0),
    conjugate: (y) => e * y,
    conjugateSlope: () => e,
    bounded: true,
    prox: (v, lambda) => Math.sign(v) * clip(Math.max(Math.abs(v) - e, 0), 1 / lambda),
  })
}

/** e log cosh(z / e) */
export function logCosh(e: number): Potential {
  const entropy = (s: number) => (s === 0 ? 0 : s * Math.log(s))
  return separable({
    slope: 'tanh',
    parameter: e,
    value: (t) => t + e * (Math.log1p(Math.exp((-2 * t) / e)) - Math.LN2),
    conjugate: (y) => (e / 2) * (entropy(1 + y) + entropy(1 - y)),
    conjugateSlope: (y) => e * Math.atanh(y),
    bounded: true,
  })
}
