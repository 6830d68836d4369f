import type { FloatArray } from '../../core/arrays.js'
import type { LeafInfo } from '../../tensor/optimizer.js'
import type { Potential } from './potential.js'

export interface LionLeafReport {
  path: string
  /** 1/λ; Infinity without weight decay. */
  bound: number
  /** Of x from the set of the constraint, in the constraint's own norm (Euclidean for `'log-sum-exp'`). */
  distance: number
}

export interface LionReport {
  /** `'I'` while a leaf is outside the set of its constraint, then `'II'`; null without weight decay. */
  phase: 'I' | 'II' | null
  /** The largest of the leaves. */
  distance: number
  /** f(x) + K*(λ x) / λ: Infinity in phase I, f(x) without weight decay. */
  objective: number | null
  /**
   * The Lyapunov function f(x) + K*(λ x) / λ + a (K(m) + K*(λ x) − λ ⟨m, x⟩). With exact gradients, β₁ <= β₂ and a constant η it rises in no
   * step by more than ½ L ‖x_next − x‖², L the Lipschitz constant of ∇f. Null without weight decay, Infinity in phase I.
   */
  lyapunov: number | null
  /**
   * (K(−g) + K*(λ x)) / λ + ⟨g, x⟩ >= 0, which is 0 at solutions; for convex f the objective is at most that much above its least value.
   * Null without weight decay.
   */
  gap: number | null
  /** max_i dist(−g_i, ∂K*(λ x_i)); null unless K is separable and there is weight decay. */
  residual: number | null
  /** max_i |x_i − prox(x_i − g_i)|, for Lion |x_i − clip(x_i − g_i, ±1/λ)|; null where the prox has no closed form. */
  proximal: number | null
  leaves: LionLeafReport[]
}

/** A leaf as it stands. */
export interface Observed {
  leaf: LeafInfo
  potential: Potential
  x: FloatArray
  g: FloatArray
  m: FloatArray
  /** λ */
  weightDecay: number
  /** a */
  weight: number
}

/** How far outside the domain of K* rounding may put a point. */
const tolerances = { float64: 1e-12, float32: 1e-6 }

export function reportOf(observed: readonly Observed[], value: number): LionReport {
  const parts = observed.map(reportLeaf)
  const decaying = parts.every(({ decays }) => decays)
  const total = (pick: (part: Part) => number | null): number | null => sumOf(parts.map(pick))
  const most = (pick: (part: Part) => number | null): number | null => {
    const values = parts.map(pick)
    return values.includes(null) ? null : Math.max(0, ...(values as number[]))
  }
  const leaves = parts.map(({ path, bound, distance }) => ({ path, bound, distance }))
  const outside = parts.some((part) => part.outside)
  const penalty = total((part) => part.penalty)
  const momentum = total((part) => part.momentum)
  const known = decaying && penalty !== null && momentum !== null
  return {
    phase: !decaying ? null : outside ? 'I' : 'II',
    distance: Math.max(0, ...leaves.map(({ distance }) => distance)),
    objective: penalty === null ? null : value + penalty,
    lyapunov: !known ? null : outside ? Number.POSITIVE_INFINITY : value + penalty + momentum,
    gap: total((part) => part.gap),
    residual: most((part) => part.residual),
    proximal: most((part) => part.proximal),
    leaves,
  }
}

function sumOf(values: readonly (number | null)[]): number | null {
  return values.includes(null) ? null : (values as number[]).reduce((sum, value) => sum + value, 0)
}

interface Part extends LionLeafReport {
  decays: boolean
  outside: boolean
  /** K*(λ x) / λ */
  penalty: number | null
  /** a (K(m) + K*(λ x) − λ ⟨m, x⟩) */
  momentum: number | null
  gap: number | null
  residual: number | null
  proximal: number | null
}

function reportLeaf({ leaf, potential, x, g, m, weightDecay: lambda, weight }: Observed): Part {
  const { path } = leaf
  if (lambda === 0) {
    const none = { gap: null, residual: null, proximal: null, momentum: null }
    return { path, bound: Number.POSITIVE_INFINITY, distance: 0, decays: false, outside: false, penalty: 0, ...none }
  }
  const tolerance = tolerances[leaf.dtype]
  const y = Float64Array.from(x, (value) => lambda * value)
  const excess = potential.excess(y)
  const conjugate = potential.conjugate(y, tolerance)
  const known = !Number.isNaN(conjugate)
  const outside = Number.isNaN(excess) ? conjugate === Number.POSITIVE_INFINITY : excess > tolerance
  let [mx, gx] = [0, 0]
  for (let i = 0; i < x.length; i++) {
    mx += m[i] * x[i]
    gx += g[i] * x[i]
  }
  const descent = Float64Array.from(g, (slope) => -slope)
  return {
    path,
    bound: 1 / lambda,
    distance: (Number.isNaN(excess) ? 0 : excess) / lambda,
    decays: true,
    outside,
    penalty: known ? conjugate / lambda : null,
    momentum:
      known && weight < Number.POSITIVE_INFINITY ? weight * (potential.value(m) + conjugate - lambda * mx) : null,
    gap: known ? (potential.value(descent) + conjugate) / lambda + gx : null,
    residual: potential.residual?.(g, y, tolerance) ?? null,
    proximal: potential.prox === undefined ? null : proximalOf(potential.prox, x, g, lambda),
  }
}

function proximalOf(prox: NonNullable<Potential['prox']>, x: FloatArray, g: FloatArray, lambda: number): number {
  let most = 0
  for (let i = 0; i < x.length; i++) most = Math.max(most, Math.abs(x[i] - prox(x[i] - g[i], lambda)))
  return most
}
