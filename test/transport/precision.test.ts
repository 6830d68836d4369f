import { expect } from 'chai'
import { pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { methodsOn } from '../helpers/methods.js'
import { fill, random } from '../helpers/random.js'
import { expectSound } from '../helpers/sound.js'
import { asProblem, costRange, largestDifference, randomDense } from '../helpers/transport.js'

const precision = 'float32'

describe('transport: float32', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      describe(method.name, () => {
        it('the float64 answer to a few digits less', () => {
          for (const [n, m, epsilon] of [
            [30, 40, 0.2],
            [50, 50, 0.05],
            [200, 230, 0.05],
          ]) {
            const dense = randomDense(n, m, 170 + n)
            const options = { epsilon, tolerance: 1e-5 }
            const single = method.runSync(asProblem(dense), { ...options, precision })
            const double = method.runSync(asProblem(dense), { ...options, tolerance: 1e-11 })
            expect(single.status).to.equal('converged')
            expect(single.residual).to.be.at.most(1e-5)
            expect(largestDifference(single.plan().data, double.plan().data)).to.be.below(1e-4 / Math.min(n, m))
            expect(single.value).to.be.closeTo(double.value, 1e-4)
            expect(single.regularizedValue).to.be.closeTo(double.regularizedValue, 1e-5)
            expect(single.certificate!.gap).to.be.closeTo(double.certificate!.gap, 1e-3)
            expectSound(single, dense, { ...options, costError: 1e-7, roundoff: 1e-6 })
          }
        })

        it('Float32Array costs need no copy in float64 and give their answer', () => {
          const dense = randomDense(25, 20, 171)
          const data = Float32Array.from(dense.cost)
          const rounded = { ...dense, cost: Float64Array.from(data) }
          const options = { epsilon: 0.1, tolerance: 1e-12 }
          const kept = data.slice()
          const solution = method.runSync({ cost: { data, shape: [25, 20] }, a: dense.a, b: dense.b }, options)
          expect(data).to.deep.equal(kept)
          expectSound(solution, rounded, options)
          expect(solution.status).to.equal('converged')
          const same = method.runSync(asProblem(rounded), options)
          expect(largestDifference(solution.plan().data, same.plan().data)).to.be.below(1e-13)
        })

        it('Float32Array costs in float32', () => {
          const dense = randomDense(25, 20, 172)
          const data = Float32Array.from(dense.cost)
          const { a, b } = dense
          const options = { epsilon: 0.1, tolerance: 1e-5 }
          const single = method.runSync({ cost: { data, shape: [25, 20] }, a, b }, { ...options, precision })
          const double = method.runSync(asProblem(dense), { ...options, tolerance: 1e-11 })
          expect(single.status).to.equal('converged')
          expect(largestDifference(single.plan().data, double.plan().data)).to.be.below(1e-6)
        })

        it('points', () => {
          const next = random(173)
          for (const d of [2, 16]) {
            const cloud = (count: number) => ({ data: fill(count * d, next), shape: [count, d] })
            const cost = pointCloud(cloud(40), cloud(30))
            const options = { epsilon: 0.1 * d, tolerance: 1e-5 }
            const single = method.runSync({ cost }, { ...options, precision })
            const double = method.runSync({ cost }, { ...options, tolerance: 1e-11 })
            expect(single.status).to.equal('converged')
            expect(largestDifference(single.plan().data, double.plan().data)).to.be.below(1e-6)
            expect(single.value).to.be.closeTo(double.value, 1e-5 * d)
          }
        })

        it('honest where float32 cannot hold what is asked, at small epsilon too', () => {
          const dense = randomDense(40, 40, 174)
          for (const factor of [1, 0.1, 1e-2, 1e-4, 1e-6]) {
            const epsilon = factor * costRange(dense.cost)
            const options = { epsilon, tolerance: 1e-14, maxIterations: 1500 }
            const solution = method.runSync(asProblem(dense), { ...options, precision })
            // Sinkhorn keeps its kernel in float32; the Newton methods do with float32 no more than read the costs.
            if (method.name === 'sinkhorn') expect(solution.status).to.be.oneOf(['stalled', 'iteration-limit'])
            if (factor >= 0.1) expect(solution.residual).to.be.below(1e-5)
            expectSound(solution, dense, { ...options, costError: 1e-7, roundoff: 1e-6 })
            for (const value of [...solution.potentials.f, ...solution.potentials.g, solution.value]) {
              expect(value).to.satisfy(Number.isFinite)
            }
          }
        })
      })
    }
  })
})
