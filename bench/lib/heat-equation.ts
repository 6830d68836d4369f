import type { Csr } from '../../lib/core/index.js'
import { multiplySync } from '../../lib/linear/index.js'
import { laplacian } from './laplacian.js'

/** A system A x = b of one time step. */
export interface HeatStep {
  A: Csr
  b: Float64Array
  /** The state before: where iterations start. */
  before: Float64Array
  /** The diffusion coefficient when the step begins. */
  coefficient: number
}

/** max(0.1 sin 2πt, -10 sin 2πt), in [0, 10]. */
const coefficient = (t: number) => Math.max(0.1 * Math.sin(2 * Math.PI * t), -10 * Math.sin(2 * Math.PI * t))

const bump = (x: number, y: number, radius: number) => {
  const r = (x * x + y * y) / radius ** 2
  return r < 1 ? Math.exp(1 - 1 / (1 - r)) : 0
}

/**
 * The heat equation of Learning to Relax on the unit square with nx intervals a side: Crank and Nicolson's steps of 1/1000
 * by the midpoint's coefficient and forcing, a bump that runs round a circle eight times a unit of time. `solve` gives the
 * next state.
 */
export function heatEquation(nx: number, steps: number, solve: (step: HeatStep, t: number) => Float64Array): void {
  const side = nx - 1
  const n = side * side
  const h = 1 / nx
  const dt = 1 / 1000
  const L = laplacian(side)
  const on = (f: (x: number, y: number) => number) =>
    Float64Array.from({ length: n }, (_, k) => f(((k % side) + 1) * h, (Math.floor(k / side) + 1) * h))
  let u = on((x, y) => bump(x - 0.5, y - 0.5, 1 / 4))
  for (let step = 0; step < steps; step++) {
    const t = step * dt
    const half = t + dt / 2
    const share = (coefficient(half) * dt) / (2 * h * h)
    const angle = 16 * Math.PI * half
    const [cx, cy] = [0.5 + Math.cos(angle) / 4, 0.5 + Math.sin(angle) / 4]
    const forcing = on((x, y) => 32 * bump(x - cx, y - cy, 1 / 8))
    const Lu = multiplySync(L, u) as Float64Array
    const b = u.map((value, k) => value - share * Lu[k] + dt * forcing[k])
    const A = { ...L, data: Float64Array.from(L.data, (value) => (value > 0 ? 1 : 0) + share * value) }
    u = Float64Array.from(solve({ A, b, before: u, coefficient: coefficient(t) }, step))
  }
}
