import { expect } from 'chai'
import type { BackendName } from '../../lib/index.js'
import {
  type PartialSolution,
  type PlanCotangent,
  type PlanVjp,
  partialSync,
  planVjp,
  planVjpSync,
  sinkhornNewtonSparseSync,
  type TransportProblem,
  type TransportSolution,
  type UnbalancedSolution,
  unbalancedSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { centralDifference, nudged, shifted } from '../helpers/differences.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { between, type Cloud, cloud, metrics } from '../helpers/points.js'
import { fill, random } from '../helpers/random.js'
import { solveLinear } from '../helpers/relaxed.js'
import { dot, largestDifference, normalized, randomDense, rowSums, total, transposed } from '../helpers/transport.js'

type Solution = TransportSolution | UnbalancedSolution | PartialSolution

interface Solver {
  name: string
  solve(problem: TransportProblem, backend: BackendName): Solution
}

const common = { epsilon: 0.2, tolerance: 1e-14, certificate: false }
const solvers: Solver[] = [
  { name: 'balanced', solve: (problem, backend) => sinkhornNewtonSparseSync(problem, { ...common, backend }) },
  ...(['counting', 'product'] as const).map((reference) => ({
    name: `unbalanced, ${reference}`,
    solve: (problem: TransportProblem, backend: BackendName) =>
      unbalancedSync(problem, { ...common, marginalPenalty: { a: 0.5, b: 0.7 }, reference, backend }),
  })),
  {
    name: 'unbalanced, one marginal kept',
    solve: (problem, backend) =>
      unbalancedSync(problem, { ...common, marginalPenalty: { a: 0.4, b: Infinity }, backend }),
  },
  { name: 'partial', solve: (problem, backend) => partialSync(problem, { ...common, mass: 0.6, backend }) },
]

const next = random(61)
const [n, m, d, rank] = [6, 7, 3, 2]
const x = cloud(n, d, () => next() + 0.1)
const y = cloud(m, d, () => next() + 0.1)
const a = normalized(fill(n, () => next() + 0.1))
const b = normalized(fill(m, () => next() + 0.1))
const cost = fill(n * m, next)
const left = { data: fill(n * rank, next), shape: [n, rank] }
const right = { data: fill(m * rank, next), shape: [m, rank] }
const product = Float64Array.from({ length: n * m }, (_, k) => {
  const [i, j] = [Math.floor(k / m), k % m]
  return left.data[2 * i] * right.data[2 * j] + left.data[2 * i + 1] * right.data[2 * j + 1]
})
const cotangents: [string, Float64Array, PlanCotangent][] = [
  ['a matrix', fill(n * m, random(62)), { data: fill(n * m, random(62)), shape: [n, m] }],
  ['factors', product, { left, right }],
]
const moved = ({ data, shape }: Cloud, k: number, by: number): Cloud => ({ data: nudged(data, k, by), shape })
const matrix = (data: Float64Array) => ({ data, shape: [n, m] })

describe('transport: derivatives of plans', () => {
  forEachBackend((backend) => {
    for (const { name, solve } of solvers) {
      for (const [form, weights, cotangent] of cotangents) {
        // l(P) = <G, P>: the plan's own derivative in the direction of G.
        const value = (problem: TransportProblem) => dot(weights, solve(problem, backend).plan().data)

        it(`${name}, ${form}: with respect to costs and weights, by finite differences`, () => {
          const at = (change: { cost?: Float64Array; a?: Float64Array; b?: Float64Array }) =>
            value({ cost: matrix(change.cost ?? cost), a: change.a ?? a, b: change.b ?? b })
          const vjp = planVjpSync(solve({ cost: matrix(cost), a, b }, backend), cotangent)
          expect(vjp.status).to.equal('converged')
          expect(vjp.residual).to.be.at.most(1e-10)
          expect(vjp).not.to.have.property('x')
          for (let k = 0; k < n * m; k += 4) {
            const slope = centralDifference((t) => at({ cost: nudged(cost, k, t) }))
            expect(vjp.cost!.data[k], `cost, ${k}`).to.be.closeTo(slope, 1e-8)
          }
          const kept = name === 'balanced'
          for (let i = 0; i < n; i++) {
            const k = (i + 1) % n
            const change = (t: number) => (kept ? shifted(a, i, k, t) : nudged(a, i, t))
            const slope = centralDifference((t) => at({ a: change(t) }))
            expect(vjp.a[i] - (kept ? vjp.a[k] : 0), `a, ${i}`).to.be.closeTo(slope, 1e-7)
          }
          for (let j = 0; j < m; j++) {
            const k = (j + 2) % m
            // With only the targets' marginal kept, their weights still move freely.
            const change = (t: number) => (kept ? shifted(b, j, k, t) : nudged(b, j, t))
            const slope = centralDifference((t) => at({ b: change(t) }))
            expect(vjp.b[j] - (kept ? vjp.b[k] : 0), `b, ${j}`).to.be.closeTo(slope, 1e-7)
          }
          if (kept) expect(total(vjp.a)).to.be.closeTo(0, 1e-14)
        })
      }

      for (const metric of metrics) {
        it(`${name}, ${metric}: with respect to the points, by finite differences`, () => {
          const [, weights, factors] = cotangents[1]
          const value = (problem: TransportProblem) => dot(weights, solve(problem, backend).plan().data)
          const solution = solve({ cost: between(x, y, metric), a, b }, backend)
          const vjp = planVjpSync(solution, factors)
          const whole = planVjpSync(solution, matrix(weights))
          expect(vjp).not.to.have.property('cost')
          for (let k = 0; k < n * d; k += 3) {
            const slope = centralDifference((t) => value({ cost: between(moved(x, k, t), y, metric), a, b }))
            expect(vjp.x!.data[k], `x, ${k}`).to.be.closeTo(slope, 1e-8)
          }
          for (let k = 1; k < m * d; k += 3) {
            const slope = centralDifference((t) => value({ cost: between(x, moved(y, k, t), metric), a, b }))
            expect(vjp.y!.data[k], `y, ${k}`).to.be.closeTo(slope, 1e-8)
          }
          expect(largestDifference(whole.x!.data, vjp.x!.data)).to.be.below(1e-12)
          expect(largestDifference(whole.y!.data, vjp.y!.data)).to.be.below(1e-12)
        })
      }
    }

    it('the mass of partial transport, by finite differences', () => {
      const [, weights, cotangent] = cotangents[0]
      const problem = { cost: matrix(cost), a, b }
      const at = (mass: number) => partialSync(problem, { ...common, mass, backend })
      const slope = centralDifference((t) => dot(weights, at(0.6 + t).plan().data))
      expect(planVjpSync(at(0.6), cotangent).mass).to.be.closeTo(slope, 1e-8)
    })

    it('the linear system, against elimination, from smooth plans to sparse ones', () => {
      for (const [epsilon, tolerance] of [
        [1, 1e-12],
        [0.05, 1e-12],
        [0.01, 1e-9],
      ]) {
        const dense = randomDense(12, 9, 63)
        const solution = sinkhornNewtonSparseSync(
          { cost: { data: dense.cost, shape: [12, 9] }, a: dense.a, b: dense.b },
          { epsilon, tolerance: 1e-14, backend },
        )
        const weights = fill(12 * 9, random(64))
        const plan = solution.plan().data
        const [rows, columns] = [rowSums(plan, 12, 9), rowSums(transposed(plan, 12, 9), 9, 12)]
        const weighted = plan.map((p, k) => p * weights[k])
        const right = [...rowSums(weighted, 12, 9), ...rowSums(transposed(weighted, 12, 9), 9, 12)]
        // The last of the potentials is fixed: only their sums count.
        const system = Array.from({ length: 20 }, (_, k) =>
          Array.from({ length: 20 }, (_, l) => {
            if (k === l) return k < 12 ? rows[k] : columns[k - 12]
            if (k < 12 === l < 12) return 0
            const [i, j] = k < 12 ? [k, l - 12] : [l, k - 12]
            return plan[i * 9 + j]
          }),
        )
        const u = [...solveLinear(system, right.slice(0, 20)), 0]
        const expected = plan.map((p, k) => (p * (u[Math.floor(k / 9)] + u[12 + (k % 9)] - weights[k])) / epsilon)
        const vjp = planVjpSync(solution, { data: weights, shape: [12, 9] })
        expect(vjp.status).to.equal('converged')
        expect(largestDifference(vjp.cost!.data, expected), `epsilon ${epsilon}`).to.be.below(tolerance / epsilon)
      }
    })

    it('a node without weight: the derivative from one side', () => {
      const light = normalized(a.map((w, i) => (i === 2 ? 0 : w)))
      const thin = normalized(b.map((w, j) => (j === 4 ? 0 : w)))
      const [, weights, cotangent] = cotangents[0]
      const at = (a: Float64Array, b: Float64Array) =>
        sinkhornNewtonSparseSync({ cost: matrix(cost), a, b }, { ...common, backend })
      const vjp = planVjpSync(at(light, thin), cotangent)
      const step = 1e-6
      const value = (a: Float64Array, b: Float64Array) => dot(weights, at(a, b).plan().data)
      const base = value(light, thin)
      const slopeA = (value(shifted(light, 2, 0, step), thin) - base) / step
      const slopeB = (value(light, shifted(thin, 4, 1, step)) - base) / step
      expect(vjp.a[2] - vjp.a[0]).to.be.closeTo(slopeA, 1e-4)
      expect(vjp.b[4] - vjp.b[1]).to.be.closeTo(slopeB, 1e-4)
    })

    it('forbidden arcs have none', () => {
      const forbidding = cost.map((c, k) => (k % 5 === 1 ? Infinity : c))
      const [, weights, cotangent] = cotangents[0]
      const at = (data: Float64Array) => sinkhornNewtonSparseSync({ cost: matrix(data), a, b }, { ...common, backend })
      const vjp = planVjpSync(at(forbidding), cotangent)
      for (let k = 0; k < n * m; k += 3) {
        if (forbidding[k] === Infinity) expect(vjp.cost!.data[k]).to.equal(0)
        else {
          const slope = centralDifference((t) => dot(weights, at(nudged(forbidding, k, t)).plan().data))
          expect(vjp.cost!.data[k]).to.be.closeTo(slope, 1e-8)
        }
      }
    })

    it('a plan that is there anyway: a constant cotangent gives nothing', () => {
      const solution = sinkhornNewtonSparseSync({ cost: matrix(cost), a, b }, { ...common, backend })
      const vjp = planVjpSync(solution, matrix(new Float64Array(n * m).fill(3)))
      expect(largestDifference(vjp.cost!.data, new Float64Array(n * m))).to.be.below(1e-12)
      const none = planVjpSync(solution, matrix(new Float64Array(n * m)))
      expect([none.status, none.residual, none.iterations]).to.deep.equal(['converged', 0, 0])
    })

    it('statuses, limits, abort', async () => {
      const next = random(65)
      const [x, y] = [cloud(80, 2, next), cloud(70, 2, next)]
      const solution = sinkhornNewtonSparseSync({ cost: between(x, y, 'sqeuclidean') }, { epsilon: 1e-3, backend })
      const factors = {
        left: { data: fill(80, next), shape: [80, 1] },
        right: { data: fill(70, next), shape: [70, 1] },
      }
      const full = await planVjp(solution, factors)
      expect(full.status).to.equal('converged')
      const limited = await planVjp(solution, factors, { maxIterations: 2 })
      expect([limited.status, limited.iterations]).to.deep.equal(['iteration-limit', 2])
      expect(limited.residual).to.be.above(1e-10)
      expect((await planVjp(solution, factors, { timeLimit: 1e-6 })).status).to.equal('time-limit')
      expect((await planVjp(solution, factors, { tolerance: 0 })).status).to.equal('stalled')
      const reason = { why: 'enough' }
      expect(await rejection(planVjp(solution, factors, { signal: AbortSignal.abort(reason) }))).to.equal(reason)
    })

    it('refuses bad input', async () => {
      const solution = sinkhornNewtonSparseSync({ cost: matrix(cost), a, b }, { epsilon: 0.2, backend })
      const refuses = async (
        cotangent: unknown,
        options: unknown,
        code: Parameters<typeof expectError>[1],
        message: RegExp | string,
      ) => {
        const [wrong, amiss] = [cotangent as PlanCotangent, options as object]
        expectError(() => planVjpSync(solution, wrong, amiss), code, message)
        await expectRejection(planVjp(solution, wrong, amiss), code, message)
      }
      const square = { data: new Float64Array(n * n), shape: [n, n] }
      await refuses(square, {}, 'ERR_SHAPE', 'cotangent: expected a 6×7 matrix to match the plan, got 6×6')
      await refuses(matrix(nudged(cost, 8, Number.NaN)), {}, 'ERR_NOT_FINITE', /^cotangent\[1\]\[1\]: /)
      await refuses({ left, right: left }, {}, 'ERR_SHAPE', /^cotangent: expected factors of shapes 6×k and 7×k, got /)
      await refuses({ left }, {}, 'ERR_SHAPE', /^cotangent\.right: /)
      await refuses({ left, right, middle: 1 }, {}, 'ERR_OPTION', /^cotangent: unknown name 'middle'/)
      await refuses(null, {}, 'ERR_SHAPE', /^cotangent: expected a matrix/)
      await refuses(matrix(cost), { tolerance: -1 }, 'ERR_OPTION', /^tolerance: /)
      await refuses(matrix(cost), { backend }, 'ERR_OPTION', /^options: unknown name 'backend'/)
      await refuses(matrix(cost), null, 'ERR_OPTION', /^options: expected/)
      expectError(() => planVjpSync({} as TransportSolution, matrix(cost)), 'ERR_SHAPE', /^solution: /)
    })
  })

  it('both backends agree, whatever the number of threads', () => {
    const next = random(66)
    const [x, y] = [cloud(150, 2, next), cloud(110, 2, next)]
    const factors = {
      left: { data: fill(300, next), shape: [150, 2] },
      right: { data: fill(220, next), shape: [110, 2] },
    }
    // By its entries, and whole.
    for (const epsilon of [1e-3, 0.2]) {
      const solutionOn = (backend: BackendName) =>
        sinkhornNewtonSparseSync({ cost: between(x, y, 'euclidean') }, { epsilon, tolerance: 1e-12, backend })
      const native = solutionOn('native')
      const vjp: PlanVjp = planVjpSync(native, factors, { threads: 2 })
      const single = planVjpSync(native, factors, { threads: 1 })
      expect(single.x).to.deep.equal(vjp.x)
      const portable = planVjpSync(solutionOn('portable'), factors)
      const size = vjp.x!.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      expect(largestDifference(portable.x!.data, vjp.x!.data)).to.be.below((1e-8 * size) / epsilon)
      expect(largestDifference(portable.b, vjp.b)).to.be.below(1e-7 / epsilon)
    }
  })
})
