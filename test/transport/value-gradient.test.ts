import { expect } from 'chai'
import type { BackendName } from '../../lib/index.js'
import {
  type PartialSolution,
  partialSync,
  sinkhornNewtonSparseSync,
  sinkhornSync,
  type TransportProblem,
  type TransportSolution,
  type UnbalancedSolution,
  unbalancedSync,
  type ValueGradient,
  valueGradient,
  valueGradientSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { centralDifference, nudged, shifted } from '../helpers/differences.js'
import { expectError, rejection } from '../helpers/errors.js'
import { between, type Cloud, cloud, metrics } from '../helpers/points.js'
import { fill, random } from '../helpers/random.js'
import { largestDifference, normalized, total } from '../helpers/transport.js'

type Solution = TransportSolution | UnbalancedSolution | PartialSolution

interface Solver {
  name: string
  solve(problem: TransportProblem, backend: BackendName): Solution
}

const epsilon = 0.2
const common = { epsilon, tolerance: 1e-14, certificate: false }
const penalties = { a: 0.5, b: 0.7 }

/** Every rule for the marginals. */
const solvers: Solver[] = [
  { name: 'sinkhorn', solve: (problem, backend) => sinkhornSync(problem, { ...common, backend }) },
  {
    name: 'sinkhornNewtonSparse',
    solve: (problem, backend) => sinkhornNewtonSparseSync(problem, { ...common, backend }),
  },
  ...(['counting', 'product'] as const).map((reference) => ({
    name: `unbalanced, ${reference}`,
    solve: (problem: TransportProblem, backend: BackendName) =>
      unbalancedSync(problem, { ...common, marginalPenalty: penalties, reference, backend }),
  })),
  {
    name: 'unbalanced, one marginal kept',
    solve: (problem, backend) =>
      unbalancedSync(problem, {
        ...common,
        marginalPenalty: { a: Infinity, b: 0.4 },
        reference: 'product',
        backend,
      }),
  },
  { name: 'partial', solve: (problem, backend) => partialSync(problem, { ...common, mass: 0.6, backend }) },
]

const next = random(51)
const [n, m, d] = [6, 7, 3]
const x = cloud(n, d, () => next() + 0.1)
const y = cloud(m, d, () => next() + 0.1)
const a = normalized(fill(n, () => next() + 0.1))
const b = normalized(fill(m, () => next() + 0.1))
const moved = ({ data, shape }: Cloud, k: number, by: number): Cloud => ({ data: nudged(data, k, by), shape })

describe('transport: gradients of values', () => {
  forEachBackend((backend) => {
    for (const { name, solve } of solvers) {
      const value = (problem: TransportProblem) => solve(problem, backend).regularizedValue

      for (const metric of metrics) {
        it(`${name}, ${metric}: with respect to the points, by finite differences`, () => {
          const gradient = valueGradientSync(solve({ cost: between(x, y, metric), a, b }, backend))
          expect(gradient.x!.shape).to.deep.equal([n, d])
          expect(gradient.y!.shape).to.deep.equal([m, d])
          for (let k = 0; k < n * d; k += 2) {
            const slope = centralDifference((t) => value({ cost: between(moved(x, k, t), y, metric), a, b }))
            expect(gradient.x!.data[k], `x, ${k}`).to.be.closeTo(slope, 1e-8)
          }
          for (let k = 1; k < m * d; k += 2) {
            const slope = centralDifference((t) => value({ cost: between(x, moved(y, k, t), metric), a, b }))
            expect(gradient.y!.data[k], `y, ${k}`).to.be.closeTo(slope, 1e-8)
          }
        })
      }

      it(`${name}: with respect to the costs and weights, by finite differences`, () => {
        const cost = fill(n * m, random(52))
        const at = (change: { cost?: Float64Array; a?: Float64Array; b?: Float64Array }) =>
          value({ cost: { data: change.cost ?? cost, shape: [n, m] }, a: change.a ?? a, b: change.b ?? b })
        const solution = solve({ cost: { data: cost, shape: [n, m] }, a, b }, backend)
        const gradient = valueGradientSync(solution)
        expect(gradient).not.to.have.property('x')
        const plan = solution.plan().data
        for (let k = 0; k < n * m; k += 5) {
          expect(plan[k]).to.be.closeTo(
            centralDifference((t) => at({ cost: nudged(cost, k, t) })),
            1e-8,
          )
        }
        const kept = name.startsWith('sinkhorn')
        for (let i = 0; i < n; i++) {
          const k = (i + 1) % n
          // Where both marginals are kept, weights can only move together.
          const change = (t: number) => (kept ? shifted(a, i, k, t) : nudged(a, i, t))
          const expected = gradient.a[i] - (kept ? gradient.a[k] : 0)
          expect(expected, `a, ${i}`).to.be.closeTo(
            centralDifference((t) => at({ a: change(t) })),
            1e-7,
          )
        }
        for (let j = 0; j < m; j++) {
          const k = (j + 2) % m
          const change = (t: number) => (kept ? shifted(b, j, k, t) : nudged(b, j, t))
          const expected = gradient.b[j] - (kept ? gradient.b[k] : 0)
          expect(expected, `b, ${j}`).to.be.closeTo(
            centralDifference((t) => at({ b: change(t) })),
            1e-7,
          )
        }
        if (!kept) return
        expect(total(gradient.a)).to.be.closeTo(0, 1e-14)
        expect(total(gradient.b)).to.be.closeTo(0, 1e-14)
      })
    }

    it('squared distances: 2 (diag(P1) X - P Y), in any dimension', () => {
      for (const d of [1, 2, 5, 12, 13, 40]) {
        const next = random(53 + d)
        const [x, y] = [cloud(9, d, next), cloud(11, d, next)]
        const solution = sinkhornNewtonSparseSync({ cost: between(x, y, 'sqeuclidean') }, { epsilon: 0.1, backend })
        const { x: gradient } = valueGradientSync(solution)
        const mass = solution.apply(new Float64Array(11).fill(1))
        for (let k = 0; k < d; k++) {
          const column = solution.apply(Float64Array.from({ length: 11 }, (_, j) => y.data[j * d + k]))
          for (let i = 0; i < 9; i++) {
            const expected = 2 * (mass[i] * x.data[i * d + k] - column[i])
            expect(gradient!.data[i * d + k]).to.be.closeTo(expected, 1e-14)
          }
        }
      }
    })

    it('points in one place have no derivative: 0, not NaN', () => {
      const x = cloud(5, 2, random(54))
      for (const metric of ['euclidean', 'cityblock'] as const) {
        const solution = sinkhornNewtonSparseSync({ cost: between(x, x, metric) }, { epsilon: 1e-3, backend })
        const gradient = valueGradientSync(solution)
        // Far below their distances everything stays where it is.
        expect(largestDifference(gradient.x!.data, new Float64Array(10))).to.be.below(1e-12)
      }
    })

    it('points without weight have none; float32 points do', () => {
      const light = a.map((w, i) => (i === 2 ? 0 : w))
      const single = (points: Cloud) => ({ data: Float32Array.from(points.data), shape: points.shape })
      const exact = (points: Cloud) => ({ data: Float64Array.from(single(points).data), shape: points.shape })
      const gradientOf = (problem: TransportProblem) =>
        valueGradientSync(sinkhornNewtonSparseSync({ ...problem, a: normalized(light), b }, { ...common, backend }))
      for (const metric of metrics) {
        const one = gradientOf({ cost: between(exact(x), exact(y), metric) })
        const cost = { ...between(x, y, metric), x: toPoints(single(x)), y: toPoints(single(y)) }
        const other = gradientOf({ cost })
        expect([...one.x!.data.subarray(2 * d, 3 * d)]).to.deep.equal([0, 0, 0])
        expect(largestDifference(other.x!.data, one.x!.data)).to.be.below(1e-12)
        expect(largestDifference(other.y!.data, one.y!.data)).to.be.below(1e-12)
      }
    })

    it('off the event loop the same; aborts', async () => {
      const solution = sinkhornNewtonSparseSync({ cost: between(x, y, 'cosine'), a, b }, { ...common, backend })
      expect(await valueGradient(solution)).to.deep.equal(valueGradientSync(solution))
      const reason = { why: 'enough' }
      expect(await rejection(valueGradient(solution, { signal: AbortSignal.abort(reason) }))).to.equal(reason)
    })

    it('refuses what is no solution', () => {
      for (const wrong of [null, {}, 1, { potentials: { f: [1], g: [1] } }]) {
        expectError(
          () => valueGradientSync(wrong as unknown as TransportSolution),
          'ERR_SHAPE',
          /^solution: expected a solution of this package, got /,
        )
      }
      const solution = sinkhornSync({ cost: [[1]] }, { epsilon: 1, backend })
      expectError(() => valueGradientSync(solution, { thread: 1 } as never), 'ERR_OPTION', /did you mean 'threads'/)
    })
  })

  it('both backends agree, whatever the number of threads', () => {
    for (const dimension of [2, 17]) {
      const next = random(55)
      const [x, y] = [cloud(160, dimension, () => next() + 0.1), cloud(130, dimension, () => next() + 0.1)]
      for (const metric of metrics) {
        const solutionOn = (backend: BackendName) =>
          sinkhornNewtonSparseSync({ cost: between(x, y, metric) }, { epsilon: 0.05, tolerance: 1e-12, backend })
        const native = solutionOn('native')
        const gradient = valueGradientSync(native, { threads: 2 })
        expect(valueGradientSync(native, { threads: 1 })).to.deep.equal(gradient)
        const portable: ValueGradient = valueGradientSync(solutionOn('portable'))
        expect(largestDifference(portable.x!.data, gradient.x!.data)).to.be.below(1e-11)
        expect(largestDifference(portable.y!.data, gradient.y!.data)).to.be.below(1e-11)
      }
    }
  })
})

function toPoints({ data, shape }: { data: Float32Array; shape: [number, number] }) {
  return { data, rows: shape[0], columns: shape[1] }
}
