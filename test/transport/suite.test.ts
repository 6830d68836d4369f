import { expect } from 'chai'
import type { TransportProblem } from '../../lib/transport/index.js'
import { pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { digitPair } from '../helpers/digits.js'
import { adaptiveOn } from '../helpers/methods.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { asProblem, normalized, randomDense } from '../helpers/transport.js'

/** Weights of a flat Dirichlet distribution. */
function dirichlet(length: number, next: () => number): Float64Array {
  return normalized(fill(length, () => -Math.log(1 - next())))
}

/** A cloud and how large its largest cost is: epsilon goes by that. */
function cloud(n: number, d: number, draw: () => number): { problem: TransportProblem; most: number } {
  const [x, y] = [fill(n * d, draw), fill(n * d, draw)]
  let most = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let square = 0
      for (let k = 0; k < d; k++) square += (x[i * d + k] - y[j * d + k]) ** 2
      most = Math.max(most, square)
    }
  }
  const next = random(371)
  const cost = pointCloud({ data: x, shape: [n, d] }, { data: y, shape: [n, d] })
  return { problem: { cost, a: dirichlet(n, next), b: dirichlet(n, next) }, most }
}

type Case = [name: string, problem: TransportProblem, most: number]

const assigned = randomDense(500, 500, 372, 'equal')
const next = random(373)
const weighted = { ...assigned, a: dirichlet(500, next), b: dirichlet(500, next) }
const plane = cloud(400, 2, random(374))
const space = cloud(400, 50, randomNormal(375))

const cases: Case[] = [
  ['an assignment', asProblem(assigned), 1],
  ['an assignment with Dirichlet weights', asProblem(weighted), 1],
  ['a cloud in the plane', plane.problem, plane.most],
  ['a Gaussian cloud in 50 dimensions', space.problem, space.most],
  ...(['L1', 'L2'] as const).flatMap((cost): Case[] => [
    [`a 3 into a 7, ${cost}`, asProblem(digitPair(3, 7, cost, 2)), 1],
    [`a 0 into a 1, ${cost}`, asProblem(digitPair(0, 1, cost, 2)), 1],
    [`a 5 into the same, ${cost}`, asProblem(digitPair(5, 5, cost, 2)), 1],
  ]),
]

// What the method was written for: every one of them to machine accuracy, in few iterations and passes.
describe('transport: problems of the literature', () => {
  forEachBackend((backend) => {
    for (const eta of [1200, 12_000]) {
      for (const [name, problem, most] of cases) {
        it(`sinkhornNewtonSparse: ${name}, eta ${eta}`, async () => {
          const solution = await adaptiveOn(backend).run(problem, { epsilon: most / eta, tolerance: 1e-12 })
          const { status, residual, iterations, passes } = solution
          expect(status, `residual ${residual} after ${iterations} iterations`).to.equal('converged')
          expect(iterations).to.be.at.most(60)
          expect(passes).to.be.at.most(200)
          const { primal, gap } = solution.certificate!
          expect(gap).to.be.within(-1e-12 * most, (4 * most) / eta)
          expect(primal).to.be.at.least(solution.value - 1e-9 * most)
        })
      }
    }

    for (const cost of ['L1', 'L2'] as const) {
      it(`sinkhornNewtonSparse: a 3 into a 7 pixel by pixel, ${cost}`, async () => {
        const solution = await adaptiveOn(backend).run(asProblem(digitPair(3, 7, cost)), {
          epsilon: 1 / 1200,
          tolerance: 1e-12,
        })
        expect(solution.status).to.equal('converged')
        expect(solution.iterations).to.be.at.most(60)
        expect(solution.passes).to.be.at.most(200)
      })
    }
  })
})
