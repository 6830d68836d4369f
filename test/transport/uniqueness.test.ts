import { expect } from 'chai'
import fc from 'fast-check'
import { forEachBackend } from '../helpers/backends.js'
import { methodsOn } from '../helpers/methods.js'
import { naiveSinkhorn } from '../helpers/naive-sinkhorn.js'
import { check } from '../helpers/property.js'
import { expectSound } from '../helpers/sound.js'
import { asProblem, dot, largestDifference, randomDense, total } from '../helpers/transport.js'

const tolerance = 1e-13

// The plan is unique: whatever solves the problem finds the same one.
describe('transport: the plan of the naive iteration', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      it(`${method.name}: on random costs and weights`, () => {
        const size = fc.integer({ min: 1, max: 24 })
        check(
          fc.property(size, size, fc.nat(), fc.double({ min: 0.05, max: 2, noNaN: true }), (n, m, seed, epsilon) => {
            const dense = randomDense(n, m, seed)
            const solution = method.runSync(asProblem(dense), { epsilon, tolerance })
            const { plan } = naiveSinkhorn(dense, epsilon)
            expect(largestDifference(solution.plan().data, plan)).to.be.below(1e-11)
            expect(solution.value).to.be.closeTo(dot(plan, dense.cost), 1e-10)
            expectSound(solution, dense, { epsilon, tolerance })
          }),
        )
      })

      it(`${method.name}: at small epsilon`, () => {
        for (const [n, m, epsilon] of [
          [60, 60, 0.02],
          [37, 53, 0.03],
          [60, 41, 0.01],
        ]) {
          const dense = randomDense(n, m, 10 * n + m)
          const solution = method.runSync(asProblem(dense), { epsilon, tolerance: 1e-12 })
          expect(solution.status).to.equal('converged')
          const { plan } = naiveSinkhorn(dense, epsilon)
          expect(largestDifference(solution.plan().data, plan)).to.be.below(1e-10)
          // <C,P> + epsilon sum P (log P - 1) of the oracle's plan: strong duality.
          const regularized = dot(plan, dense.cost) + epsilon * total(plan.map((p) => p * (Math.log(p) - 1)))
          expect(solution.regularizedValue).to.be.closeTo(regularized, 1e-10)
        }
      })
    }
  })
})
