import type { FloatArray } from '../../core/arrays.js'
import { selectLargest } from '../../core/projections.js'
import type { Potential } from './potential.js'

/** A norm: K* is 0 within the unit ball of the dual norm and Infinity elsewhere. */
export function normPotential(
  value: (z: FloatArray) => number,
  subgradient: (z: FloatArray, out: FloatArray) => void,
  dual: (y: Float64Array) => number,
): Potential {
  const excess = (y: Float64Array) => Math.max(dual(y) - 1, 0)
  return {
    value,
    subgradient,
    excess,
    conjugate: (y, tolerance) => (excess(y) > tolerance ? Number.POSITIVE_INFINITY : 0),
  }
}

/** Some entries of an array, by their places; all of them without. */
type Places = ArrayLike<number> | null

/** ‖z‖_p over the places, scaled so that no power leaves the range of float64. */
export function lpNorm(z: FloatArray, p: number, places: Places = null): number {
  const count = places === null ? z.length : places.length
  let most = 0
  for (let k = 0; k < count; k++) most = Math.max(most, Math.abs(z[places === null ? k : places[k]]))
  if (most === 0 || p === Number.POSITIVE_INFINITY) return most
  let sum = 0
  for (let k = 0; k < count; k++) sum += (Math.abs(z[places === null ? k : places[k]]) / most) ** p
  return most * sum ** (1 / p)
}

/** out = sign(z) (|z| / ‖z‖_p)^(p − 1) over the places; 0 where the norm is 0. */
function lpSlope(z: FloatArray, out: FloatArray, p: number, places: Places = null): void {
  const norm = lpNorm(z, p, places)
  const count = places === null ? z.length : places.length
  for (let k = 0; k < count; k++) {
    const i = places === null ? k : places[k]
    if (norm === 0) out[i] = 0
    else out[i] = p === 2 ? z[i] / norm : Math.sign(z[i]) * (Math.abs(z[i]) / norm) ** (p - 1)
  }
}

export function lp(p: number): Potential {
  return normPotential(
    (z) => lpNorm(z, p),
    (z, out) => lpSlope(z, out, p),
    (y) => lpNorm(y, p / (p - 1)),
  )
}

export const linf = normPotential(
  (z) => lpNorm(z, Number.POSITIVE_INFINITY),
  (z, out) => {
    let place = 0
    for (let i = 1; i < z.length; i++) if (Math.abs(z[i]) > Math.abs(z[place])) place = i
    const sign = Math.sign(z[place])
    out.fill(0)
    out[place] = sign
  },
  (y) => lpNorm(y, 1),
)

/** Σ_g ‖z_g‖_p over the groups of a partition. */
export function groupLp(groups: readonly ArrayLike<number>[], p: number): Potential {
  return normPotential(
    (z) => groups.reduce((sum, places) => sum + lpNorm(z, p, places), 0),
    (z, out) => {
      for (const places of groups) lpSlope(z, out, p, places)
    },
    (y) => groups.reduce((most, places) => Math.max(most, lpNorm(y, p / (p - 1), places)), 0),
  )
}

/** The sum of the k largest |z_i|. */
export function topK(k: number): Potential {
  const largest = (z: FloatArray): { sizes: Float64Array; places: Int32Array } => {
    const sizes = Float64Array.from(z, Math.abs)
    const places = Int32Array.from(z.keys())
    selectLargest(sizes, places, 0, z.length, k)
    return { sizes: sizes.subarray(0, k), places: places.subarray(0, k) }
  }
  return normPotential(
    (z) => largest(z).sizes.reduce((sum, size) => sum + size, 0),
    (z, out) => {
      const { places } = largest(z)
      const signs = places.map((i) => Math.sign(z[i]))
      out.fill(0)
      places.forEach((i, rank) => {
        out[i] = signs[rank]
      })
    },
    (y) => Math.max(lpNorm(y, Number.POSITIVE_INFINITY), lpNorm(y, 1) / k),
  )
}
