import { expect } from 'chai'
import fc from 'fast-check'
import { pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { methodsOn } from '../helpers/methods.js'
import { naiveSinkhorn } from '../helpers/naive-sinkhorn.js'
import { check } from '../helpers/property.js'
import { fill, random } from '../helpers/random.js'
import { expectSound } from '../helpers/sound.js'
import { asProblem, type Dense, largestDifference, normalized, randomDense } from '../helpers/transport.js'

/** Sets some weights to zero, never all. */
function withZeros(dense: Dense, seed: number): Dense {
  const next = random(seed)
  const thin = (weights: Float64Array) => normalized(weights.map((w, k) => (k > 0 && next() < 0.4 ? 0 : w)))
  return { ...dense, a: thin(dense.a), b: thin(dense.b) }
}

const tolerance = 1e-12

describe('transport: zero weights', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      it(`${method.name}: no mass there, and the rest as if they were absent`, () => {
        const size = fc.integer({ min: 1, max: 16 })
        check(
          fc.property(size, size, fc.nat(), fc.double({ min: 0.05, max: 1, noNaN: true }), (n, m, seed, epsilon) => {
            const dense = withZeros(randomDense(n, m, seed), seed)
            const solution = method.runSync(asProblem(dense), { epsilon, tolerance })
            const { data: plan } = solution.plan()
            expect(largestDifference(plan, naiveSinkhorn(dense, epsilon).plan)).to.be.below(1e-10)
            for (let k = 0; k < plan.length; k++) {
              if (dense.a[Math.floor(k / m)] === 0 || dense.b[k % m] === 0) expect(plan[k]).to.equal(0)
            }
            expectSound(solution, dense, { epsilon, tolerance })
          }),
        )
      })

      it(`${method.name}: potentials there are the largest that are dual feasible`, async () => {
        const size = fc.integer({ min: 2, max: 12 })
        check(
          fc.property(size, size, fc.nat(), (n, m, seed) => {
            const dense = withZeros(randomDense(n, m, seed), seed + 1)
            const { f, g } = method.runSync(asProblem(dense), { epsilon: 0.1, tolerance }).potentials
            const { cost, a, b } = dense
            for (const value of [...f, ...g]) expect(value).to.satisfy(Number.isFinite)
            for (let i = 0; i < n; i++) {
              const slack = Array.from({ length: m }, (_, j) => cost[i * m + j] - f[i] - g[j])
              for (let j = 0; j < m; j++) if (a[i] === 0 || b[j] === 0) expect(slack[j]).to.be.at.least(-1e-12)
              if (a[i] === 0) expect(Math.min(...slack), `f[${i}] could be larger`).to.be.at.most(1e-12)
            }
            for (let j = 0; j < m; j++) {
              if (b[j] > 0) continue
              const slack = Array.from({ length: n }, (_, i) => cost[i * m + j] - f[i] - g[j])
              expect(Math.min(...slack), `g[${j}] could be larger`).to.be.at.most(1e-12)
            }
          }),
        )
      })

      it(`${method.name}: in batches, off the event loop, and between points`, async () => {
        const options = { epsilon: 0.1, tolerance }
        const first = withZeros(randomDense(9, 7, 61), 62)
        const second = randomDense(5, 6, 63)
        const alone = method.runSync(asProblem(first), options)
        const [batched, other] = await method.runBatch([first, second].map(asProblem), options)
        expect(batched.potentials).to.deep.equal(alone.potentials)
        expect(other.potentials).to.deep.equal(method.runSync(asProblem(second), options).potentials)
        expect((await method.run(asProblem(first), options)).potentials).to.deep.equal(alone.potentials)

        const next = random(64)
        const x = fill(18, next)
        const y = fill(14, next)
        const cost = Float64Array.from({ length: 63 }, (_, k) => {
          const [i, j] = [Math.floor(k / 7), k % 7]
          return Math.abs(x[2 * i] - y[2 * j]) + Math.abs(x[2 * i + 1] - y[2 * j + 1])
        })
        const cloud = pointCloud({ data: x, shape: [9, 2] }, { data: y, shape: [7, 2] }, { cost: 'cityblock' })
        const points = method.runSync({ cost: cloud, a: first.a, b: first.b }, options)
        const matrix = method.runSync(asProblem({ ...first, cost }), options)
        expect(largestDifference(points.plan().data, matrix.plan().data)).to.be.below(1e-11)
        expect(largestDifference(points.potentials.f, matrix.potentials.f)).to.be.below(1e-11)
        expect(largestDifference(points.potentials.g, matrix.potentials.g)).to.be.below(1e-11)
      })
    }

    for (const method of methodsOn(backend)) {
      it(`${method.name}: weights over hundreds of orders of magnitude leave finite numbers`, () => {
        const size = fc.integer({ min: 3, max: 30 })
        const exponent = fc.double({ min: 0, max: 3, noNaN: true })
        const precision = fc.constantFrom('float64' as const, 'float32' as const)
        check(
          fc.property(size, size, fc.nat(), exponent, exponent, precision, (n, m, seed, spread, small, kind) => {
            const next = random(seed)
            const weights = (count: number) => normalized(fill(count, () => 10 ** (-(10 ** (0.8 * spread)) * next())))
            const dense = { ...randomDense(n, m, seed), a: weights(n), b: weights(m) }
            const options = { epsilon: 10 ** -small, precision: kind, maxIterations: 200, tolerance: 1e-5 }
            const solution = method.runSync(asProblem(dense), options)
            expectSound(solution, dense, { ...options, costError: kind === 'float32' ? 1e-7 : 0, roundoff: 1e-6 })
          }),
          { runs: 30 },
        )
      })

      it(`${method.name}: weights down to 1e-300 are weights`, () => {
        for (const precision of ['float64', 'float32'] as const) {
          const dense = randomDense(30, 20, 65)
          const small = Float64Array.from(dense.a, (w, i) => (i % 3 === 1 ? w * 10 ** (-10 * i) : w))
          const tiny = { ...dense, a: normalized(small) }
          const asked = precision === 'float64' ? 1e-10 : 1e-5
          const solution = method.runSync(asProblem(tiny), { epsilon: 0.1, tolerance: asked, precision })
          expect(solution.status).to.equal('converged')
          for (const value of solution.potentials.f) expect(value).to.satisfy(Number.isFinite)
          const { plan } = naiveSinkhorn(tiny, 0.1)
          expect(largestDifference(solution.plan().data, plan)).to.be.below(precision === 'float64' ? 1e-9 : 1e-5)
        }
      })
    }
  })
})
