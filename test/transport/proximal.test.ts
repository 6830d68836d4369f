import { expect } from 'chai'
import { forEachBackend } from '../helpers/backends.js'
import { methodsOn } from '../helpers/methods.js'
import { asProblem, largestDifference, randomDense } from '../helpers/transport.js'

describe('transport: proximal steps', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      // argmin <C,P> + epsilon KL(P | P_k) is a problem of the cost C - epsilon log P_k: the k-th step has reached the
      // solution at epsilon / k.
      it(`${method.name}: K of them from a bᵀ are one solve at epsilon / K`, () => {
        const dense = randomDense(9, 7, 21)
        const { n, m, cost, a, b } = dense
        const epsilon = 0.5
        const tolerance = 1e-13
        let plan: Float64Array = Float64Array.from({ length: n * m }, (_, k) => a[Math.floor(k / m)] * b[k % m])
        for (let k = 1; k <= 8; k++) {
          const shifted = cost.map((c, e) => c - epsilon * Math.log(plan[e]))
          plan = method.runSync(asProblem({ ...dense, cost: shifted }), { epsilon, tolerance }).plan().data
          const direct = method.runSync(asProblem(dense), { epsilon: epsilon / k, tolerance }).plan().data
          expect(largestDifference(plan, direct), `${k} steps`).to.be.below(1e-11)
        }
      })
    }
  })
})
