import { sinkhornDivergence } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { askRelaxedPot } from '../lib/pot-relaxed.js'
import { moved, type Points, uniformPoints } from '../lib/problems.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { medianOf, milliseconds } from '../lib/timing.js'

export const description = 'Sinkhorn divergences against POT at equal accuracy, and what their gradients add.'

const tolerance = 1e-8

/** The matrices that POT takes; ours takes the points. */
function squaredDistances(x: Points, y: Points): Float64Array {
  const m = y.shape[0]
  return Float64Array.from({ length: x.shape[0] * m }, (_, k) => {
    const [i, j] = [Math.floor(k / m), k % m]
    return (x.data[2 * i] - y.data[2 * j]) ** 2 + (x.data[2 * i + 1] - y.data[2 * j + 1]) ** 2
  })
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const n of quick ? [300] : [500, 1000, 2000]) {
    const x = uniformPoints(n, 2, 1)
    const y = moved(uniformPoints(n, 2, 2), 0.2)
    const a = new Float64Array(n).fill(1 / n)
    for (const epsilon of quick ? [0.05] : [0.5, 0.05, 5e-3]) {
      log(`n = ${n}, epsilon = ${epsilon}`)
      const options = { epsilon, tolerance, threads }
      const { value, iterations, status, residual } = await sinkhornDivergence({ x, y }, options)
      if (status !== 'converged') throw new Error(`${status} at ${residual}`)
      const repetitions = quick ? 1 : 5
      const ours = await medianOf(repetitions, () => milliseconds(() => sinkhornDivergence({ x, y }, options)))
      const withGradient = await medianOf(repetitions, () =>
        milliseconds(() => sinkhornDivergence({ x, y }, { ...options, gradient: true })),
      )
      const request = { op: 'divergence', shape: [n, n], epsilon, tolerance, limit: quick ? 5 : 60 } as const
      const costs = { xy: squaredDistances(x, y), xx: squaredDistances(x, x), yy: squaredDistances(y, y) }
      const peer = askRelaxedPot(request, { ...costs, a, b: a }, threads)
      const theirs = peer.failure === undefined ? 1000 * peer.seconds : null
      if (peer.failure === undefined && Math.abs(peer.value - value) > 1e-6 * value) {
        throw new Error(`the values differ, ${value} and ${peer.value}`)
      }
      rows.push([
        n,
        epsilon,
        ours,
        iterations,
        withGradient,
        theirs ?? (peer.failure as string),
        peer.failure === undefined ? peer.iterations : null,
        theirs === null ? null : theirs / ours,
        value,
      ])
      const where = `n = m = ${n}, epsilon ${epsilon}`
      if (theirs !== null && epsilon < 0.1) {
        targets.push(atLeast(`speed against POT, ${where}`, theirs / ours, 2, '×'))
      }
      targets.push(atMost(`time with the gradient over that without, ${where}`, withGradient / ours, 1.5, '×'))
    }
  }
  return {
    tables: [
      {
        title: 'Sinkhorn divergence, milliseconds to a marginal error of 1e-8',
        note:
          'Squared distances between points uniform in [0, 1]² and in the same square moved by (0.2, 0.2). Ours compute ' +
          'distances on the fly; POT has the three matrices, whose forming is not counted.',
        columns: [
          'n = m',
          'epsilon',
          'ours',
          'iterations',
          'with gradient',
          'POT',
          'POT iterations',
          'POT / ours',
          'value',
        ],
        rows,
      },
    ],
    targets,
  }
}
