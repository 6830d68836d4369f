import { expect } from 'chai'
import { pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { methodsOn } from '../helpers/methods.js'
import { naiveSinkhorn } from '../helpers/naive-sinkhorn.js'
import { random } from '../helpers/random.js'
import { expectSound } from '../helpers/sound.js'
import { asProblem, type Dense, largestDifference, randomDense, uniform } from '../helpers/transport.js'

const tolerance = 1e-12

describe('transport: degenerate problems', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      describe(method.name, () => {
        it('1 × 1', () => {
          for (const c of [0, -3, 1e-9]) {
            const dense = { n: 1, m: 1, cost: Float64Array.of(c), a: Float64Array.of(2), b: Float64Array.of(2) }
            for (const epsilon of [1e-9, 1, 1e9]) {
              const solution = method.runSync(asProblem(dense), { epsilon, tolerance: 1e-6 })
              expect(solution.status).to.equal('converged')
              expect(solution.plan().data[0]).to.be.closeTo(2, 1e-5)
              expectSound(solution, dense, { epsilon, tolerance: 1e-6 })
            }
          }
        })

        it('constant costs, zero among them: a bᵀ', () => {
          for (const c of [0, 1, -2.5, 1e6]) {
            const dense = { ...randomDense(12, 17, 71), cost: new Float64Array(12 * 17).fill(c) }
            for (const epsilon of [1e-3, 1]) {
              const solution = method.runSync(asProblem(dense), { epsilon, tolerance: 1e-6 })
              const expected = dense.cost.map((_, k) => dense.a[Math.floor(k / 17)] * dense.b[k % 17])
              expect(solution.status).to.equal('converged')
              expect(largestDifference(solution.plan().data, expected)).to.be.below(1e-6)
            }
          }
        })

        it('duplicated nodes share the mass of one', () => {
          const single = randomDense(8, 6, 72)
          const { n, m, cost, a, b } = single
          const twice: Dense = {
            n: 2 * n,
            m,
            cost: Float64Array.of(...cost, ...cost),
            a: Float64Array.of(...a, ...a).map((w) => w / 2),
            b,
          }
          for (const epsilon of [0.02, 0.2]) {
            const one = method.runSync(asProblem(single), { epsilon, tolerance })
            const two = method.runSync(asProblem(twice), { epsilon, tolerance })
            const half = one.plan().data.map((p) => p / 2)
            expect(largestDifference(two.plan().data, Float64Array.of(...half, ...half))).to.be.below(1e-10)
            expect(two.value).to.be.closeTo(one.value, 1e-10)
          }
        })

        it('all points in one place, and the same points on both sides', () => {
          const here = Array.from({ length: 9 }, () => [3, -4])
          const still = method.runSync({ cost: pointCloud(here, here) }, { epsilon: 0.1, tolerance })
          expect(still.status).to.equal('converged')
          expect(still.value).to.be.closeTo(0, 1e-12)

          const next = random(73)
          const cloud = Array.from({ length: 30 }, () => [next(), next()])
          for (const cost of ['sqeuclidean', 'euclidean', 'cityblock'] as const) {
            // Far below the distance of any two points: everything stays where it is.
            const { status, value, certificate, plan } = method.runSync(
              { cost: pointCloud(cloud, cloud, { cost }) },
              { epsilon: 1e-6, tolerance: 1e-9, maxIterations: 500 },
            )
            expect(status).to.equal('converged')
            expect(value).to.be.within(0, 1e-5)
            expect(certificate!.dual).to.be.within(-1e-5, certificate!.primal)
            expect(plan).to.be.a('function')
          }
        })

        it('many more sources than targets and the other way round', () => {
          for (const [n, m] of [
            [200, 2],
            [2, 200],
            [333, 5],
          ]) {
            const dense = randomDense(n, m, 74)
            const solution = method.runSync(asProblem(dense), { epsilon: 0.05, tolerance })
            const { plan } = naiveSinkhorn(dense, 0.05)
            expect(largestDifference(solution.plan().data, plan)).to.be.below(1e-11)
          }
        })

        it('every width up to the vector registers and past them', () => {
          for (let m = 1; m <= 35; m++) {
            const dense = randomDense(3, m, 75 + m)
            const solution = method.runSync(asProblem(dense), { epsilon: 0.2, tolerance })
            expect(largestDifference(solution.plan().data, naiveSinkhorn(dense, 0.2).plan)).to.be.below(1e-11)
          }
        })

        it('costs up to 1e32 among ordinary ones act as forbidden', () => {
          const dense = randomDense(15, 15, 76, 'equal')
          const walled = (wall: number) => ({
            ...dense,
            cost: dense.cost.map((c, k) => ((Math.floor(k / 15) + 3 * k) % 4 === 1 ? wall : c)),
          })
          const expected = naiveSinkhorn(walled(Infinity), 0.05).plan
          for (const wall of [1e6, 1e12, 1e32]) {
            const solution = method.runSync(asProblem(walled(wall)), { epsilon: 0.05, tolerance: 1e-10 })
            expect(solution.status, `wall ${wall}`).to.equal('converged')
            expect(largestDifference(solution.plan().data, expected), `wall ${wall}`).to.be.below(1e-8)
          }
        })

        it('all costs near 1e32', () => {
          const dense = randomDense(15, 12, 77)
          const cost = dense.cost.map((c) => 1e32 * c)
          const solution = method.runSync(asProblem({ ...dense, cost }), { epsilon: 1e31, tolerance })
          const { plan } = naiveSinkhorn(dense, 0.1)
          expect(solution.status).to.equal('converged')
          expect(largestDifference(solution.plan().data, plan)).to.be.below(1e-10)
        })

        it('rows of the cost that differ by more than the range of exp', () => {
          const dense = randomDense(20, 20, 78)
          const { cost, a, b } = dense
          // A constant per row and column changes nothing, but every entry of the raw kernel under- or overflows.
          const steep = cost.map((c, k) => c + 500 * (Math.floor(k / 20) - 10) - 300 * (k % 20))
          const solution = method.runSync(asProblem({ ...dense, cost: steep }), { epsilon: 0.1, tolerance: 1e-9 })
          expect(solution.status).to.equal('converged')
          expect(
            largestDifference(solution.plan().data, naiveSinkhorn({ ...dense, cost, a, b }, 0.1).plan),
          ).to.be.below(1e-8)
        })

        it('sums of weights far from one', () => {
          for (const mass of [1e-100, 1e-9, 1e9, 1e100]) {
            const dense = randomDense(10, 10, 79)
            const scaled = { ...dense, a: dense.a.map((w) => mass * w), b: dense.b.map((w) => mass * w) }
            const solution = method.runSync(asProblem(scaled), { epsilon: 0.1, tolerance: 1e-10 })
            expect(solution.status, `mass ${mass}`).to.equal('converged')
            const plan = solution.plan().data.map((p) => p / mass)
            expect(largestDifference(plan, naiveSinkhorn(dense, 0.1).plan), `mass ${mass}`).to.be.below(1e-9)
          }
          expect(method.runSync({ cost: [[1, 2]], a: uniform(1) }, { epsilon: 1 }).status).to.equal('converged')
        })
      })
    }
  })
})
