import { expect } from 'chai'
import fc from 'fast-check'
import type { BackendName } from '../../lib/index.js'
import {
  type DivergenceProblem,
  type SinkhornDivergence,
  type SinkhornDivergenceOptions,
  sinkhornDivergence,
  sinkhornDivergenceSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { centralDifference, nudged, shifted } from '../helpers/differences.js'
import { refusing, rejection } from '../helpers/errors.js'
import { linearProgram } from '../helpers/linear-program.js'
import { naiveSinkhorn } from '../helpers/naive-sinkhorn.js'
import { type Cloud, cloud, costsBetween, metrics } from '../helpers/points.js'
import { check } from '../helpers/property.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { divergence } from '../helpers/relaxed.js'
import { dot, largestDifference, normalized, total, transposed } from '../helpers/transport.js'

interface Weighted {
  x: Cloud
  y: Cloud
  a: Float64Array
  b: Float64Array
}

function weighted(n: number, m: number, d: number, seed: number): Weighted {
  const next = random(seed)
  const coordinate = () => next() + 0.1
  return {
    x: cloud(n, d, coordinate),
    y: cloud(m, d, coordinate),
    a: normalized(fill(n, () => next() + 0.05)),
    b: normalized(fill(m, () => next() + 0.05)),
  }
}

/** <C,P> + epsilon KL(P | a bᵀ) of the optimal plan, by the naive iteration. */
function naivePart(cost: Float64Array, a: Float64Array, b: Float64Array, epsilon: number) {
  const dense = { n: a.length, m: b.length, cost, a, b }
  const { plan, f, g } = naiveSinkhorn(dense, epsilon, 1e-12)
  const entropy = plan.map((p, k) => divergence(p, a[Math.floor(k / dense.m)] * b[k % dense.m]))
  return { plan, f, g, value: dot(plan, cost) + epsilon * total(entropy) }
}

const moved = ({ data, shape }: Cloud, k: number, by: number): Cloud => ({ data: nudged(data, k, by), shape })

describe('transport: Sinkhorn divergence', () => {
  forEachBackend((backend) => {
    const solve = (problem: DivergenceProblem, options: SinkhornDivergenceOptions): SinkhornDivergence =>
      sinkhornDivergenceSync(problem, { backend, ...options })

    for (const cost of metrics) {
      it(`${cost}: its parts, plans and potentials are what the naive iteration finds`, () => {
        const size = fc.integer({ min: 1, max: 9 })
        check(
          fc.property(size, size, fc.nat(), fc.constantFrom(0.2, 0.5, 3), (n, m, seed, epsilon) => {
            const { x, y, a, b } = weighted(n, m, 2, seed)
            const solution = solve({ x, y, cost, a, b }, { epsilon, tolerance: 1e-12 })
            const xy = naivePart(costsBetween(x, y, cost), a, b, epsilon)
            const xx = naivePart(costsBetween(x, x, cost), a, a, epsilon)
            const yy = naivePart(costsBetween(y, y, cost), b, b, epsilon)
            expect(solution.status).to.equal('converged')
            expect(solution.parts.xy).to.be.closeTo(xy.value, 1e-11)
            expect(solution.parts.xx).to.be.closeTo(xx.value, 1e-11)
            expect(solution.parts.yy).to.be.closeTo(yy.value, 1e-11)
            expect(solution.value).to.be.closeTo(xy.value - (xx.value + yy.value) / 2, 1e-11)
            for (const [part, { plan }] of [
              [solution.plans.xy, xy],
              [solution.plans.xx, xx],
              [solution.plans.yy, yy],
            ] as const) {
              expect(largestDifference(part.plan().data, plan)).to.be.below(1e-10)
            }
            const { f, g } = solution.potentials.xy
            const plan = solution.plans.xy.plan().data
            const costs = costsBetween(x, y, cost)
            plan.forEach((p, k) => {
              const expected = Math.exp((f[Math.floor(k / m)] + g[k % m] - costs[k]) / epsilon)
              expect(p).to.be.closeTo(expected, 1e-11)
            })
          }),
          { runs: 15 },
        )
      })

      it(`${cost}: never negative, zero for equal sets, symmetric`, () => {
        const size = fc.integer({ min: 1, max: 25 })
        const epsilon = fc.constantFrom(1e-5, 1e-3, 0.02, 0.5, 20)
        check(
          fc.property(size, size, fc.integer({ min: 1, max: 4 }), fc.nat(), epsilon, (n, m, d, seed, epsilon) => {
            const { x, y, a, b } = weighted(n, m, d, seed)
            const options = { epsilon, tolerance: 1e-11 }
            const { value, residual } = solve({ x, y, cost, a, b }, options)
            expect(residual).to.be.below(1e-9)
            expect(value).to.be.at.least(0)
            expect(solve({ x: y, y: x, cost, a: b, b: a }, options).value).to.be.closeTo(value, 1e-10 * (1 + value))
            const self = solve({ x, y: x, cost, a, b: a }, { ...options, gradient: true })
            expect(self.value).to.be.within(0, 1e-12)
            expect(largestDifference(self.gradient!.x!.data, new Float64Array(n * d))).to.be.below(1e-6)
          }),
          { runs: 15 },
        )
      })
    }

    it('squared distances of a moved cloud: the square of the move', () => {
      for (const epsilon of [1e-4, 1e-2, 1, 100]) {
        const { x, a } = weighted(30, 1, 3, 71)
        const move = [0.3, -0.7, 1.1]
        const y: Cloud = { data: x.data.map((c, k) => c + move[k % 3]), shape: x.shape }
        const { value, gradient } = solve({ x, y, a, b: a }, { epsilon, tolerance: 1e-12, gradient: true })
        const expected = move.reduce((sum, c) => sum + c * c, 0)
        expect(value, `epsilon ${epsilon}`).to.be.closeTo(expected, 1e-9)
        for (let k = 0; k < 90; k++) {
          expect(gradient!.x!.data[k]).to.be.closeTo(-2 * a[Math.floor(k / 3)] * move[k % 3], 1e-7)
        }
      }
    })

    it('large epsilon: half the energy distance; small epsilon: unregularised transport', async () => {
      const { x, y, a, b } = weighted(8, 9, 2, 72)
      for (const cost of metrics) {
        const mean = (p: Cloud, q: Cloud, u: Float64Array, v: Float64Array) =>
          total(costsBetween(p, q, cost).map((c, k) => c * u[Math.floor(k / v.length)] * v[k % v.length]))
        const energy = mean(x, y, a, b) - (mean(x, x, a, a) + mean(y, y, b, b)) / 2
        const smooth = solve({ x, y, cost, a, b }, { epsilon: 1e4, tolerance: 1e-13 })
        expect(smooth.value).to.be.closeTo(energy, 1e-4)
        const { value } = await linearProgram({ n: 8, m: 9, cost: costsBetween(x, y, cost), a, b })
        const sharp = solve({ x, y, cost, a, b }, { epsilon: 1e-6 })
        expect(sharp.value).to.be.closeTo(value, 2e-5)
      }
    })

    for (const cost of metrics) {
      it(`${cost}: gradients, by finite differences`, () => {
        const { x, y, a, b } = weighted(6, 7, 3, 73)
        const options = { epsilon: 0.1, tolerance: 1e-13 }
        const value = (change: Partial<Weighted>) => solve({ x, y, cost, a, b, ...change }, options).value
        const { gradient } = solve({ x, y, cost, a, b }, { ...options, gradient: true })
        expect(gradient!.x!.shape).to.deep.equal([6, 3])
        for (let k = 0; k < 18; k += 2) {
          expect(gradient!.x!.data[k]).to.be.closeTo(
            centralDifference((t) => value({ x: moved(x, k, t) })),
            1e-8,
          )
        }
        for (let k = 1; k < 21; k += 2) {
          expect(gradient!.y!.data[k]).to.be.closeTo(
            centralDifference((t) => value({ y: moved(y, k, t) })),
            1e-8,
          )
        }
        for (let i = 1; i < 6; i++) {
          const slope = centralDifference((t) => value({ a: shifted(a, i, 0, t) }))
          expect(gradient!.a[i] - gradient!.a[0]).to.be.closeTo(slope, 1e-7)
        }
        for (let j = 1; j < 7; j++) {
          const slope = centralDifference((t) => value({ b: shifted(b, j, 0, t) }))
          expect(gradient!.b[j] - gradient!.b[0]).to.be.closeTo(slope, 1e-7)
        }
        expect(total(gradient!.a)).to.be.closeTo(0, 1e-13)
        expect(total(gradient!.b)).to.be.closeTo(0, 1e-13)
      })
    }

    it('of cost matrices: the same value; the derivatives are the plans', () => {
      const { x, y, a, b } = weighted(6, 7, 2, 74)
      const matrix = (p: Cloud, q: Cloud) => ({
        data: costsBetween(p, q, 'euclidean'),
        shape: [p.shape[0], q.shape[0]],
      })
      const costs = { xy: matrix(x, y), xx: matrix(x, x), yy: matrix(y, y) }
      const options = { epsilon: 0.1, tolerance: 1e-13, gradient: true }
      const solution = solve({ ...costs, a, b }, options)
      const points = solve({ x, y, cost: 'euclidean', a, b }, options)
      expect(solution.value).to.be.closeTo(points.value, 1e-13)
      expect(solution.gradient).to.have.all.keys('a', 'b')
      expect(largestDifference(solution.gradient!.a, points.gradient!.a)).to.be.below(1e-11)
      const { data } = costs.xx
      for (const k of [1, 9, 20]) {
        const across = (k % 6) * 6 + Math.floor(k / 6)
        // A symmetric change: both entries.
        const value = (t: number) =>
          solve({ ...costs, xx: { data: nudged(nudged(data, k, t), across, t), shape: [6, 6] }, a, b }, options).value
        const plan = solution.plans.xx.plan().data
        expect(centralDifference(value)).to.be.closeTo(-(plan[k] + plan[across]) / 2, 1e-8)
      }
      const plan = solution.plans.xx.plan().data
      expect(largestDifference(plan, transposed(plan, 6, 6))).to.be.below(1e-15)
    })

    it('any symmetric matrices, also where no kernel is positive definite', () => {
      for (const epsilon of [1e-3, 0.05, 1]) {
        const next = random(75)
        const symmetric = (n: number) => {
          const out = fill(n * n, next)
          for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) out[i * n + j] = out[j * n + i]
          return { data: out, shape: [n, n] }
        }
        const [xx, yy] = [symmetric(12), symmetric(9)]
        const xy = { data: fill(108, next), shape: [12, 9] }
        const solution = solve({ xy, xx, yy }, { epsilon, tolerance: 1e-10, maxIterations: 20_000 })
        expect(solution.status, `epsilon ${epsilon}`).to.equal('converged')
        expect(solution.value).to.satisfy(Number.isFinite)
      }
    })

    it('costs over thousands of epsilon: potentials far from zero, no underflow', () => {
      const { x, y, a, b } = weighted(20, 25, 2, 76)
      const far: Cloud = { data: x.data.map((c) => 1e3 * c), shape: x.shape }
      const solution = solve({ x: far, y, a, b }, { epsilon: 1e-2 })
      expect(solution.residual).to.be.below(1e-6) // the rounding of costs 1e8 times epsilon
      const shifted = (cloud: Cloud) => ({
        data: costsBetween(cloud, cloud, 'sqeuclidean').map((c) => c + 50),
        shape: [cloud.shape[0], cloud.shape[0]],
      })
      const xy = { data: costsBetween(x, y, 'sqeuclidean').map((c) => c + 50), shape: [20, 25] }
      const constant = solve({ xy, xx: shifted(x), yy: shifted(y), a, b }, { epsilon: 1e-2 })
      expect(constant.value).to.be.closeTo(solve({ x, y, a, b }, { epsilon: 1e-2 }).value, 1e-9)
    })

    it('few iterations of the symmetric parts, at any epsilon', () => {
      const next = randomNormal(77)
      const x = cloud(120, 2, next)
      for (const epsilon of [1e-6, 1e-3, 0.1, 10, 1e3]) {
        const xx = { data: costsBetween(x, x, 'sqeuclidean'), shape: [120, 120] }
        const single = { data: new Float64Array(120), shape: [120, 1] }
        // One target: its own part takes no work, and neither does the other.
        const { iterations, residual } = solve({ xy: single, xx, yy: [[0]] }, { epsilon })
        expect(residual).to.be.at.most(1e-9)
        expect(iterations, `epsilon ${epsilon}`).to.be.at.most(22)
      }
    })

    it('points without weight', () => {
      const { x, y, a, b } = weighted(8, 9, 2, 78)
      const light = normalized(a.map((w, i) => (i === 3 ? 0 : w)))
      const thin = normalized(b.map((w, j) => (j === 5 ? 0 : w)))
      const options = { epsilon: 0.2, tolerance: 1e-13 }
      const solution = solve({ x, y, a: light, b: thin }, { ...options, gradient: true })
      const without = (points: Cloud, at: number): Cloud => ({
        data: points.data.filter((_, k) => Math.floor(k / 2) !== at),
        shape: [points.shape[0] - 1, 2],
      })
      const kept = (weights: Float64Array) => weights.filter((w) => w > 0)
      const expected = solve({ x: without(x, 3), y: without(y, 5), a: kept(light), b: kept(thin) }, options)
      expect(solution.value).to.be.closeTo(expected.value, 1e-13)
      expect([...solution.gradient!.x!.data.subarray(6, 8)]).to.deep.equal([0, 0])
      const { xy, xx, yy } = solution.potentials
      expect([...xy.f, ...xy.g, ...xx, ...yy].every(Number.isFinite)).to.equal(true)
      // The derivative from one side.
      const step = 1e-7
      const slope = (a: Float64Array, b: Float64Array) => (solve({ x, y, a, b }, options).value - solution.value) / step
      const { a: gradientA, b: gradientB } = solution.gradient!
      expect(gradientA[3] - gradientA[0]).to.be.closeTo(slope(shifted(light, 3, 0, step), thin), 1e-4)
      expect(gradientB[5] - gradientB[0]).to.be.closeTo(slope(light, shifted(thin, 5, 0, step)), 1e-4)
    })

    it('any total of the weights: the divergence grows with it', () => {
      const { x, y, a, b } = weighted(8, 9, 2, 79)
      const one = solve({ x, y, a, b }, { epsilon: 0.1, tolerance: 1e-12 })
      for (const mass of [1e-6, 1e6]) {
        const scaled = { x, y, a: a.map((w) => mass * w), b: b.map((w) => mass * w) }
        const { value, parts } = solve(scaled, { epsilon: 0.1, tolerance: 1e-12 })
        expect(value / mass).to.be.closeTo(one.value, 1e-10)
        expect(parts.xx / mass).to.be.closeTo(one.parts.xx, 1e-10)
      }
      expect(() => solve({ x, y, a, b: b.map((w) => 2 * w) }, { epsilon: 0.1 })).to.throw(/expected equal totals/)
    })

    it('goes on from a warm start', () => {
      const { x, y, a, b } = weighted(60, 50, 2, 80)
      const options = { epsilon: 0.01 }
      const first = solve({ x, y, a, b }, options)
      const again = solve({ x, y, a, b }, { ...options, warmStart: first.potentials })
      expect(again.iterations).to.be.at.most(3)
      expect(again.value).to.be.closeTo(first.value, 1e-10)
    })

    it('statuses, limits, abort, progress', async () => {
      const { x, y, a, b } = weighted(60, 50, 2, 81)
      const problem = { x, y, a, b }
      const limited = await sinkhornDivergence(problem, { epsilon: 1e-3, maxIterations: 2, backend })
      expect(limited.status).to.equal('iteration-limit')
      expect((await sinkhornDivergence(problem, { epsilon: 1e-3, timeLimit: 1e-6, backend })).status).to.equal(
        'time-limit',
      )
      const stalled = await sinkhornDivergence(problem, { epsilon: 0.1, tolerance: 0, backend })
      expect(stalled.status).to.equal('stalled')
      expect(stalled.residual).to.be.below(1e-12)
      const reason = { why: 'enough' }
      const aborted = sinkhornDivergence(problem, { epsilon: 0.1, signal: AbortSignal.abort(reason), backend })
      expect(await rejection(aborted)).to.equal(reason)
      const { elapsed: _, ...one } = solve(problem, { epsilon: 0.1, gradient: true })
      const { elapsed: __, ...other } = await sinkhornDivergence(problem, { epsilon: 0.1, gradient: true, backend })
      expect(other.value).to.equal(one.value)
      expect(other.gradient).to.deep.equal(one.gradient)
    })

    it('refuses bad input', async () => {
      const good = { epsilon: 0.1, backend }
      const { x, y } = weighted(3, 4, 2, 82)
      const refuses = refusing(sinkhornDivergence, sinkhornDivergenceSync)
      const xy = [
        [1, 2, 3],
        [2, 3, 4],
      ]
      const yy = [
        [0, 1, 2],
        [1, 0, 1],
        [2, 1, 0],
      ]
      const xx = [
        [0, 1],
        [1, 0],
      ]
      await refuses(null, good, 'ERR_SHAPE', /^problem: expected \{ x, y \} or \{ xy, xx, yy \}/)
      await refuses({ x }, good, 'ERR_SHAPE', /^y: /)
      await refuses({ x, y, xy }, good, 'ERR_OPTION', /^problem: unknown name 'xy'/)
      await refuses({ x, y, metric: 'cosine' }, good, 'ERR_OPTION', /^problem: unknown name 'metric'/)
      await refuses({ x, y, cost: 'cosin' }, good, 'ERR_OPTION', /did you mean 'cosine'/)
      await refuses({ x, y, a: [1, 2] }, good, 'ERR_SHAPE', /^a: expected 3 weights/)
      await refuses(
        { xy, xx, yy: xx },
        good,
        'ERR_SHAPE',
        'yy: expected a 3×3 matrix to match the columns of xy, got 2×2',
      )
      await refuses({ xy, xx: xy, yy }, good, 'ERR_SHAPE', 'xx: expected a 2×2 matrix to match the rows of xy, got 2×3')
      await refuses(
        {
          xy,
          xx,
          yy: [
            [0, 1, 2],
            [5, 0, 1],
            [2, 1, 0],
          ],
        },
        good,
        'ERR_SHAPE',
        'yy: expected a symmetric matrix, got 5.000000 at [1][0] and 1.000000 across',
      )
      await refuses({ xy, xx }, good, 'ERR_SHAPE', /^yy: /)
      await refuses(
        {
          xy: [
            [Number.NaN, 1, 1],
            [1, 1, 1],
          ],
          xx,
          yy,
        },
        good,
        'ERR_NOT_FINITE',
        /^xy\[0\]\[0\]: /,
      )
      const broken = [
        [0, Number.NaN],
        [1, 0],
      ]
      await refuses({ xy, xx: broken, yy }, good, 'ERR_NOT_FINITE', /^xx\[0\]\[1\]: /)
      await refuses({ x, y }, { ...good, epsilon: -1 }, 'ERR_NOT_POSITIVE', /^epsilon: /)
      await refuses({ x, y }, { ...good, gradients: true }, 'ERR_OPTION', /did you mean 'gradient'/)
      await refuses({ x, y }, { ...good, gradient: 1 }, 'ERR_OPTION', /^gradient: expected true or false/)
      await refuses({ x, y }, undefined, 'ERR_OPTION', /^options: expected/)
      await refuses({ x, y }, { ...good, warmStart: 1 }, 'ERR_OPTION', /^warmStart: /)
      await refuses(
        { x, y },
        { ...good, warmStart: { xy: { f: [1], g: [1] }, xx: [1], yy: [1] } },
        'ERR_SHAPE',
        /^warmStart\./,
      )
    })
  })

  it('both backends agree, whatever the number of threads', () => {
    for (const [cost, epsilon] of [
      ['sqeuclidean', 0.01],
      ['cityblock', 0.3],
    ] as const) {
      const { x, y, a, b } = weighted(150, 120, 3, 83)
      const on = (backend: BackendName, threads: number) =>
        sinkhornDivergenceSync({ x, y, cost, a, b }, { epsilon, tolerance: 1e-11, gradient: true, backend, threads })
      const native = on('native', 2)
      const single = on('native', 1)
      const portable = on('portable', 1)
      expect(single.value).to.equal(native.value)
      expect(single.gradient).to.deep.equal(native.gradient)
      expect(portable.value).to.be.closeTo(native.value, 1e-9 * native.value)
      expect(largestDifference(portable.gradient!.x!.data, native.gradient!.x!.data)).to.be.below(1e-9)
      expect(largestDifference(portable.gradient!.a, native.gradient!.a)).to.be.below(1e-9)
    }
  })
})
