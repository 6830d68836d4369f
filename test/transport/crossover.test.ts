import { expect } from 'chai'
import fc from 'fast-check'
import { crossover, crossoverSync, emdSync, pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { rejection } from '../helpers/errors.js'
import { expectOptimal, listed } from '../helpers/exact.js'
import { linearProgram } from '../helpers/linear-program.js'
import { checkAsync } from '../helpers/property.js'
import { fill, random } from '../helpers/random.js'
import { asProblem, type Dense, randomDense, uniform } from '../helpers/transport.js'

const infinity = Number.POSITIVE_INFINITY

/** Points on a line of cells, squared distances, weights of many sizes. */
function line(n: number, m: number, seed: number): Dense {
  const next = random(seed)
  const { a, b } = randomDense(n, m, seed)
  const [x, y] = [fill(n, next), fill(m, next)]
  const cost = Float64Array.from({ length: n * m }, (_, k) => (x[Math.floor(k / m)] - y[k % m]) ** 2)
  return { n, m, cost, a, b }
}

describe('transport: crossover', () => {
  forEachBackend((backend) => {
    it('is what a linear program finds', async () => {
      const size = fc.integer({ min: 1, max: 12 })
      await checkAsync(
        fc.asyncProperty(size, size, fc.nat(), fc.boolean(), async (n, m, seed, ties) => {
          const dense = randomDense(n, m, seed)
          const cost = ties ? dense.cost.map((c) => Math.floor(3 * c)) : dense.cost
          const solution = crossoverSync(asProblem({ ...dense, cost }), { backend })
          expectOptimal(solution, { ...dense, cost })
          expect(solution.value).to.be.closeTo((await linearProgram({ ...dense, cost })).value, 1e-9)
        }),
        { runs: 40 },
      )
    })

    it('proves the optimum of emd in fewer pivots', async () => {
      for (const dense of [line(200, 180, 1), randomDense(150, 150, 2, 'equal'), randomDense(160, 120, 3)]) {
        const exact = emdSync(asProblem(dense), { backend })
        for (const epsilon of [undefined, 1e-2, 1e-4]) {
          const solution = await crossover(asProblem(dense), { backend, epsilon })
          expectOptimal(solution, dense)
          expect(solution.value).to.be.closeTo(exact.value, 1e-13)
          expect(solution.entropicIterations).to.be.above(0)
          if (epsilon !== undefined) expect(solution.epsilon).to.equal(epsilon)
          if (epsilon !== 1e-2) expect(solution.iterations).to.be.below(exact.iterations)
        }
      }
    })

    it('takes points, forbidden arcs, nodes without weight, constant and huge costs', async () => {
      const next = random(4)
      const [x, y] = [40, 33].map((count) => ({ data: fill(3 * count, next), shape: [count, 3] }))
      const cost3 = pointCloud(x, y)
      const { value: near } = emdSync({ cost: cost3 }, { backend })
      expect((await crossover({ cost: cost3 }, { backend })).value).to.be.closeTo(near, 1e-14)

      const n = 30
      const cost = Float64Array.from({ length: n * n }, (_, k) =>
        next() < 0.4 && k % (n + 1) !== 0 ? infinity : next(),
      )
      const forbidding = { n, m: n, cost, a: uniform(n), b: uniform(n) }
      expectOptimal(await crossover(asProblem(forbidding), { backend }), forbidding)

      const { a, b, ...rest } = line(20, 25, 5)
      const zeros = { ...rest, a: a.map((w, i) => (i % 4 === 0 ? 0 : w)), b: b.map((w, j) => (j === 3 ? 0 : w)) }
      zeros.b = zeros.b.map((w) => (w * sum(zeros.a)) / sum(zeros.b))
      expectOptimal(await crossover(asProblem(zeros), { backend }), zeros)

      for (const value of [0, 7, 1e32]) {
        const constant = { n, m: n, cost: new Float64Array(n * n).fill(value), a: uniform(n), b: uniform(n) }
        expect((await crossover(asProblem(constant), { backend })).value).to.be.closeTo(value, 1e-14 * value)
      }
      const huge = { ...forbidding, cost: cost.map((c) => (c === infinity ? 1e32 : c)) }
      expectOptimal(await crossover(asProblem(huge), { backend }), huge)
    })

    it('takes the options of emd, and refuses what it does not know', async () => {
      const dense = line(60, 70, 6)
      const problem = asProblem(dense)
      const { potentials } = crossoverSync(problem, { backend })
      const { value } = emdSync(problem, { backend })
      expect(crossoverSync(problem, { backend, warmStart: potentials }).value).to.be.closeTo(value, 1e-15)
      const early = crossoverSync(problem, { backend, timeLimit: 1e-6 })
      expect(early.status).to.be.oneOf(['time-limit', 'converged'])
      expect(early.certificate.dual).to.be.at.most(value + 1e-14)
      expect(await rejection(crossover(problem, { backend, signal: AbortSignal.abort('no') }))).to.equal('no')
      for (const [options, message] of [
        [{ epsilon: 0 }, /^epsilon: expected a finite number > 0, got 0$/],
        [{ entropicTolerance: -1 }, /^entropicTolerance: expected a finite number >= 0, got -1$/],
        [{ entropicTolerence: 1 }, /^options: unknown name 'entropicTolerence'; did you mean 'entropicTolerance'\?$/],
      ] as const) {
        expect(() => crossoverSync(problem, { backend, ...options } as never)).to.throw(message)
      }
      const arcs = { cost: listed(dense) as never, a: dense.a, b: dense.b }
      expect(() => crossoverSync(arcs, { backend })).to.throw(/^cost: expected a matrix or points, got a list of arcs/)
      expect(
        await rejection(
          crossover(
            {
              cost: [
                [1, infinity],
                [2, infinity],
              ],
            },
            { backend },
          ),
        ),
      ).to.have.property('code', 'ERR_INFEASIBLE')
    })
  })
})

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}
