import { type MinresJob, minresField } from '../../constrained.js'
import { dot } from '../linear/vectors.js'
import type { Watch, Work } from '../work.js'
import { ended } from './ended.js'
import { System } from './system.js'

const workLength = 2 ** 15
const checkInterval = 20

/**
 * Paige, Saunders 1975, with the diagonal preconditioner M = diag(1 / scale), from z = 0. Ends by the true residual.
 * native/constrained/minres.cc, step by step.
 */
export function* minres(job: MinresJob, monitor: Watch): Work<void> {
  const { b, scale, z, report } = job
  const a = new System(job.matrix)
  const n = a.rows
  z.fill(0)
  let before = new Float64Array(n)
  let v = b.slice()
  let y = new Float64Array(n)
  for (let i = 0; i < n; i++) y[i] = scale[i] * v[i]
  const beta1 = Math.sqrt(dot(v, y))
  let flops = 4 * n
  let size = Math.sqrt(dot(b, b))
  let state: number = size <= job.threshold ? ended.converged : ended.iterationLimit
  let iterations = 0
  let w0 = new Float64Array(n)
  let w1 = new Float64Array(n)
  let w2 = new Float64Array(n)
  const r = new Float64Array(n)
  let [oldBeta, beta, phi, dbar, epsilon, cosine, sine] = [0, beta1, beta1, 0, 0, -1, 0]
  let work = 0
  while (state !== ended.converged && iterations < job.maxIterations && beta > 0) {
    // Lanczos
    const direction = w0
    w0 = w1
    w1 = w2
    for (let i = 0; i < n; i++) direction[i] = y[i] / beta
    a.multiply(direction, y)
    if (iterations > 0) for (let i = 0; i < n; i++) y[i] -= (beta / oldBeta) * before[i]
    const alpha = dot(direction, y)
    for (let i = 0; i < n; i++) y[i] -= (alpha / beta) * v[i]
    const swap = before
    before = v
    v = y
    y = swap
    for (let i = 0; i < n; i++) y[i] = scale[i] * v[i]
    oldBeta = beta
    beta = Math.sqrt(Math.max(0, dot(v, y)))
    // Rotations
    const oldEpsilon = epsilon
    const delta = cosine * dbar + sine * alpha
    const gbar = sine * dbar - cosine * alpha
    epsilon = sine * beta
    dbar = -cosine * beta
    const gamma = Math.max(Math.sqrt(gbar * gbar + beta * beta), Number.MIN_VALUE)
    cosine = gbar / gamma
    sine = beta / gamma
    const step = cosine * phi
    phi *= sine
    w2 = direction
    for (let i = 0; i < n; i++) {
      const value = (w2[i] - oldEpsilon * w0[i] - delta * w1[i]) / gamma
      w2[i] = value
      z[i] += step * value
    }
    iterations++
    flops += 2 * a.entries + 22 * n
    work += 2 * a.entries + 22 * n
    if (iterations % checkInterval === 0 || beta === 0 || iterations === job.maxIterations) {
      a.residual(z, b, r)
      size = Math.sqrt(dot(r, r))
      flops += 2 * a.entries + 3 * n
      if (size <= job.threshold) state = ended.converged
      monitor.progress(iterations, size)
    }
    if (work < workLength) continue
    work = 0
    if (monitor.expired()) {
      state = ended.timeLimit
      break
    }
    if (monitor.due()) yield
  }
  a.residual(z, b, r)
  report[minresField.ended] = state
  report[minresField.iterations] = iterations
  report[minresField.residual] = Math.sqrt(dot(r, r))
  report[minresField.flops] = flops
}
