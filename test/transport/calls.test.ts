import { expect } from 'chai'
import { pointCloud, sinkhornNewtonSparse, type TransportSolution } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { adaptiveOn, methodsOn, sinkhornOn } from '../helpers/methods.js'
import { naiveSinkhorn } from '../helpers/naive-sinkhorn.js'
import { fill, random } from '../helpers/random.js'
import { asProblem, largestDifference, randomDense } from '../helpers/transport.js'

/** Everything of a solution but the time it took. */
function timeless(solution: TransportSolution) {
  const { elapsed, ...rest } = solution
  expect(elapsed).to.be.at.least(0)
  return { ...rest, plan: solution.plan().data }
}

describe('transport: ways to call', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      describe(method.name, () => {
        const options = { epsilon: 0.05, tolerance: 1e-11 }

        it('on the calling thread, off it, and twice: the same bits', async () => {
          for (const [n, m] of [
            [17, 23],
            [210, 190],
          ]) {
            const problem = asProblem(randomDense(n, m, 191))
            const expected = timeless(method.runSync(problem, { ...options, history: true }))
            expect(timeless(await method.run(problem, { ...options, history: true }))).to.deep.equal(expected)
            expect(timeless(method.runSync(problem, { ...options, history: true }))).to.deep.equal(expected)
          }
        })

        it('many at once without a batch', async () => {
          const problems = Array.from({ length: 24 }, (_, k) => asProblem(randomDense(5 + k, 30 - k, 192 + k)))
          const together = await Promise.all(problems.map((problem) => method.run(problem, options)))
          problems.forEach((problem, k) => {
            expect(timeless(together[k])).to.deep.equal(timeless(method.runSync(problem, options)))
          })
        })

        it('a batch: as one by one', async () => {
          const next = random(193)
          const cloud = (count: number) => ({ data: fill(3 * count, next), shape: [count, 3] })
          const problems = [
            ...Array.from({ length: 30 }, (_, k) =>
              asProblem(randomDense(1 + ((7 * k) % 23), 1 + ((5 * k) % 19), 194 + k)),
            ),
            { cost: pointCloud(cloud(14), cloud(9)) },
            { cost: pointCloud(cloud(8), cloud(15), { cost: 'euclidean' }) },
            {
              cost: [
                [1, 2],
                [3, 5],
              ],
            },
            asProblem(randomDense(240, 170, 195)),
          ]
          const solutions = await method.runBatch(problems, options)
          expect(solutions).to.have.length(problems.length)
          problems.forEach((problem, k) => {
            expect(timeless(solutions[k]), `problem ${k}`).to.deep.equal(timeless(method.runSync(problem, options)))
          })
          expect(await method.runBatch([], options)).to.deep.equal([])
        })

        it('a batch in float32, of other limits, without certificates', async () => {
          const problems = [asProblem(randomDense(12, 9, 196)), asProblem(randomDense(9, 9, 197))]
          const other = { epsilon: 0.1, maxIterations: 2, certificate: false, precision: 'float32' as const }
          const solutions = await method.runBatch(problems, other)
          problems.forEach((problem, k) => {
            expect(timeless(solutions[k])).to.deep.equal(timeless(method.runSync(problem, other)))
          })
        })

        it('starts from given potentials', async () => {
          const dense = randomDense(40, 35, 198)
          const problem = asProblem(dense)
          const cold = method.runSync(problem, options)
          const warm = method.runSync(problem, { ...options, warmStart: cold.potentials })
          expect(warm.status).to.equal('converged')
          expect(warm.iterations).to.be.at.most(3)
          expect(largestDifference(warm.plan().data, cold.plan().data)).to.be.below(1e-10)
          // Near the solution, off by a constant that means nothing, and from plain arrays.
          const near = {
            f: Array.from(cold.potentials.f, (x) => x + 5 + 1e-4 * Math.sin(100 * x)),
            g: Float32Array.from(cold.potentials.g, (x) => x - 5),
          }
          const kept = structuredClone(near)
          const again = await method.run(problem, { ...options, warmStart: near })
          expect(near).to.deep.equal(kept)
          expect(again.status).to.equal('converged')
          expect(largestDifference(again.plan().data, cold.plan().data)).to.be.below(1e-9)
          // From anywhere it still gets there.
          const wild = { f: fill(40, random(199)).map((x) => 200 * x), g: fill(35, random(200)).map((x) => -300 * x) }
          const far = method.runSync(problem, { ...options, warmStart: wild })
          expect(far.status).to.equal('converged')
          expect(largestDifference(far.plan().data, cold.plan().data)).to.be.below(1e-9)
        })

        it('leaves its input alone', async () => {
          for (const mass of [1, 1 + 1e-8]) {
            const dense = randomDense(20, 15, 201)
            dense.b = dense.b.map((w) => w * mass)
            const kept = structuredClone(dense)
            method.runSync(asProblem(dense), options)
            await method.run(asProblem(dense), options)
            await method.runBatch([asProblem(dense)], options)
            expect(dense).to.deep.equal(kept)
          }
        })

        it('solves more than one block of rows', () => {
          const dense = randomDense(260, 180, 202)
          const solution = method.runSync(asProblem(dense), { epsilon: 0.05, tolerance: 1e-12 })
          expect(largestDifference(solution.plan().data, naiveSinkhorn(dense, 0.05).plan)).to.be.below(1e-12)
        })
      })
    }

    it('any number of threads: the same bits', async () => {
      const next = random(203)
      const cloud = (count: number, d: number) => ({ data: fill(d * count, next), shape: [count, d] })
      const problems = [
        asProblem(randomDense(500, 400, 204)),
        { cost: pointCloud(cloud(300, 2), cloud(250, 2), { cost: 'euclidean' }) },
        { cost: pointCloud(cloud(300, 20), cloud(250, 20)) },
      ]
      for (const problem of problems) {
        for (const method of [sinkhornOn(backend), adaptiveOn(backend)]) {
          for (const precision of ['float64', 'float32'] as const) {
            const options = { epsilon: 0.05, maxIterations: 12, precision, history: true }
            const expected = timeless(await method.run(problem, { ...options, threads: 1 }))
            for (const threads of [2, 3, 16]) {
              const { plan, ...rest } = timeless(await method.run(problem, { ...options, threads }))
              expect(largestDifference(plan, expected.plan), `${threads} threads`).to.equal(0)
              expect({ ...rest, plan: expected.plan }, `${threads} threads`).to.deep.equal(expected)
            }
          }
        }
      }
      const many = Array.from({ length: 40 }, (_, k) => asProblem(randomDense(20 + k, 30, 205 + k)))
      const [one, three] = [
        await sinkhornOn(backend).runBatch(many, { epsilon: 0.1, threads: 1 }),
        await sinkhornOn(backend).runBatch(many, { epsilon: 0.1, threads: 3 }),
      ]
      expect(three.map(timeless)).to.deep.equal(one.map(timeless))
    })

    it('names its backend', async () => {
      const problem = asProblem(randomDense(4, 4, 206))
      const options = { epsilon: 0.1 }
      for (const method of methodsOn(backend)) {
        const [inBatch] = await method.runBatch([problem], options)
        const names = [method.runSync(problem, options), await method.run(problem, options), inBatch].map(
          (s) => s.backend,
        )
        expect(names).to.deep.equal([backend, backend, backend])
      }
    })

    it("the paper's defaults: 20 Sinkhorn iterations, sparsity 2 / n", async () => {
      const problem = asProblem(randomDense(60, 60, 207, 'equal'))
      const options = { epsilon: 0.01, variant: 'paper', backend, maxIterations: 40 } as const
      const implied = await sinkhornNewtonSparse(problem, options)
      const stated = await sinkhornNewtonSparse(problem, { ...options, sinkhornIterations: 20, sparsity: 2 / 60 })
      expect(timeless(implied)).to.deep.equal(timeless(stated))
      const other = await sinkhornNewtonSparse(problem, { ...options, sinkhornIterations: 21 })
      expect(other.potentials).not.to.deep.equal(implied.potentials)
      const denser = await sinkhornNewtonSparse(problem, { ...options, sparsity: 0.1 })
      expect(denser.potentials).not.to.deep.equal(implied.potentials)
      expect(implied.iterations - implied.newtonIterations!).to.equal(20)
    })
  })
})
