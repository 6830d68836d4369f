import { expect } from 'chai'
import { pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { adaptiveOn, methodsOn } from '../helpers/methods.js'
import { fill, random } from '../helpers/random.js'
import { expectSound } from '../helpers/sound.js'
import { asProblem, costRange, type Dense, randomDense } from '../helpers/transport.js'

const relative = [10, 1, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]

// Costs of both signs, far from zero, of any unit: the range alone counts.
const problems: [string, Dense][] = [
  ['random costs', randomDense(40, 30, 51)],
  ['equal weights', randomDense(33, 33, 52, 'equal')],
  ['costs of both signs', shifted(randomDense(30, 40, 53), -0.5, 1)],
  ['large costs', shifted(randomDense(35, 25, 54), 0, 1e9)],
  ['costs far from zero', shifted(randomDense(25, 35, 55), 1000, 1)],
]

function shifted(dense: Dense, by: number, scale: number): Dense {
  return { ...dense, cost: dense.cost.map((c) => scale * (c + by)) }
}

describe('transport: any epsilon', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      it(`${method.name}: numbers that hold, from 10 to 1e-6 times the range of the costs`, () => {
        for (const [name, dense] of problems) {
          for (const factor of relative) {
            const options = { epsilon: factor * costRange(dense.cost), tolerance: 1e-9, maxIterations: 400 }
            const solution = method.runSync(asProblem(dense), options)
            try {
              expectSound(solution, dense, { ...options, roundoff: 1e-11 })
            } catch (error) {
              throw new Error(`${name}, epsilon ${factor} of the range: ${(error as Error).message}`, { cause: error })
            }
          }
        }
      })
    }

    it('sinkhornNewtonSparse converges at all of them', () => {
      for (const [name, dense] of problems) {
        for (const factor of relative) {
          // Potentials near 1000 carry rounding of 1e-13: over epsilon 1e-6, marginal errors of 1e-7.
          const tolerance = name === 'costs far from zero' ? Math.max(1e-9, 1e-12 / factor) : 1e-9
          const options = { epsilon: factor * costRange(dense.cost), tolerance }
          const { status, residual } = adaptiveOn(backend).runSync(asProblem(dense), options)
          expect(status, `${name}, epsilon ${factor} of the range, residual ${residual}`).to.equal('converged')
        }
      }
    })

    it('points as well', () => {
      const next = random(56)
      const x = { data: fill(60, next), shape: [30, 2] }
      const y = { data: fill(50, next), shape: [25, 2] }
      const { a, b } = randomDense(30, 25, 57)
      for (const method of methodsOn(backend)) {
        for (const factor of relative) {
          const solution = method.runSync({ cost: pointCloud(x, y), a, b }, { epsilon: factor, maxIterations: 400 })
          const numbers = [...solution.potentials.f, ...solution.potentials.g, solution.value, solution.marginalError]
          for (const value of numbers) expect(value).to.satisfy(Number.isFinite)
          expect(solution.status === 'converged').to.equal(solution.residual <= 1e-9)
          expect(solution.certificate!.gap).to.be.at.least(-1e-12)
        }
      }
    })
  })
})
