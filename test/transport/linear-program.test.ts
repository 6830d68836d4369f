import { expect } from 'chai'
import fc from 'fast-check'
import { pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { bestAssignment, linearProgram } from '../helpers/linear-program.js'
import { adaptiveOn, methodsOn, sinkhornOn } from '../helpers/methods.js'
import { check, checkAsync } from '../helpers/property.js'
import { random } from '../helpers/random.js'
import { asProblem, costRange, randomDense, total } from '../helpers/transport.js'

const entropy = (weights: Float64Array) => -total(weights.map((w) => (w === 0 ? 0 : w * Math.log(w))))

describe('transport: against linear programming', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      it(`${method.name}: dual <= optimum <= primal, whatever the state`, async () => {
        const size = fc.integer({ min: 1, max: 12 })
        // From converged to hardly begun, and from the exact optimum to nearly the outer product.
        const epsilon = fc.constantFrom(1e-3, 1e-2, 0.1, 1, 10)
        const maxIterations = fc.constantFrom(1, 2, 5, 2000)
        await checkAsync(
          fc.asyncProperty(size, size, fc.nat(), epsilon, maxIterations, async (n, m, seed, relative, most) => {
            const dense = randomDense(n, m, seed)
            const { value } = await linearProgram(dense)
            const { certificate } = await method.run(asProblem(dense), { epsilon: relative, maxIterations: most })
            expect(certificate?.dual).to.be.at.most(value + 1e-8)
            expect(certificate?.primal).to.be.at.least(value - 1e-8)
            expect(certificate?.gap).to.equal(certificate!.primal - certificate!.dual)
          }),
          { runs: 25 },
        )
      })

      it(`${method.name}: within epsilon times the entropy of the optimum`, async () => {
        for (const [n, m, seed] of [
          [6, 6, 1],
          [12, 9, 2],
          [9, 14, 3],
        ]) {
          const dense = randomDense(n, m, seed)
          const { value: optimum } = await linearProgram(dense)
          for (const epsilon of [0.1, 0.01]) {
            const solution = await method.run(asProblem(dense), { epsilon, tolerance: 1e-10 })
            expect(solution.status).to.equal('converged')
            // <C,P> - epsilon H(P) <= optimum - epsilon H(P*), H(P) <= H(a) + H(b) and H(P*) >= both.
            const most = epsilon * Math.min(entropy(dense.a), entropy(dense.b))
            expect(solution.value - optimum).to.be.within(-1e-8, most)
            expect(solution.certificate!.primal - optimum).to.be.within(-1e-8, most + 1e-8)
          }
        }
      })
    }

    it('sinkhornNewtonSparse: the optimum itself as epsilon goes to zero', async () => {
      for (const [n, m, seed] of [
        [20, 20, 4],
        [25, 15, 5],
      ]) {
        for (const weights of ['equal', 'random'] as const) {
          const dense = randomDense(n, m, seed, weights)
          const { value: optimum } = await linearProgram(dense)
          const solution = await adaptiveOn(backend).run(asProblem(dense), { epsilon: 1e-6, tolerance: 1e-10 })
          expect(solution.status).to.equal('converged')
          expect(solution.value).to.be.closeTo(optimum, 1e-6 * Math.log(n * m))
          expect(solution.certificate!.primal - optimum).to.be.within(-1e-8, 1e-6 * Math.log(n * m))
          expect(optimum - solution.certificate!.dual).to.be.within(-1e-8, 1e-6 * Math.log(n * m))
        }
      }
    })

    it('brackets the best of all assignments', () => {
      check(
        fc.property(fc.integer({ min: 1, max: 7 }), fc.nat(), (n, seed) => {
          const dense = randomDense(n, n, seed, 'equal')
          const optimum = bestAssignment(dense.cost, n)
          for (const method of [sinkhornOn(backend), adaptiveOn(backend)]) {
            const { certificate, value } = method.runSync(asProblem(dense), { epsilon: 2e-3, maxIterations: 3000 })
            expect(certificate!.dual).to.be.at.most(optimum + 1e-13)
            expect(certificate!.primal).to.be.at.least(optimum - 1e-13)
            expect(value).to.be.closeTo(optimum, 2e-3 * Math.log(n + 1) + 1e-3)
          }
        }),
      )
    })

    it('brackets the optimum between points, where the costs are computed on the fly', async () => {
      const next = random(6)
      const points = (count: number) => Array.from({ length: count }, () => [next(), next(), next()])
      const [x, y] = [points(14), points(17)]
      const squared = (p: number[], q: number[]) => p.reduce((sum, c, k) => sum + (c - q[k]) ** 2, 0)
      const cost = Float64Array.from(x.flatMap((p) => y.map((q) => squared(p, q))))
      const { a, b } = randomDense(14, 17, 7)
      const { value } = await linearProgram({ n: 14, m: 17, cost, a, b })
      for (const method of methodsOn(backend)) {
        const epsilon = 0.01 * costRange(cost)
        const { certificate } = await method.run({ cost: pointCloud(x, y), a, b }, { epsilon })
        expect(certificate!.dual).to.be.at.most(value + 1e-8)
        expect(certificate!.primal).to.be.at.least(value - 1e-8)
        expect(certificate!.gap).to.be.below(0.2 * value)
      }
    })
  })
})
