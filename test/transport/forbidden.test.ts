import { expect } from 'chai'
import fc from 'fast-check'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { linearProgram } from '../helpers/linear-program.js'
import { methodsOn } from '../helpers/methods.js'
import { naiveSinkhorn } from '../helpers/naive-sinkhorn.js'
import { check, checkAsync } from '../helpers/property.js'
import { random, shuffled } from '../helpers/random.js'
import {
  asProblem,
  columnSums,
  type Dense,
  largestDifference,
  normalized,
  randomDense,
  rowSums,
} from '../helpers/transport.js'

/**
 * A problem with forbidden arcs and weights that a plan positive on all others has: the plan of the entropic problem
 * is unique and reached.
 */
function withForbidden(n: number, m: number, seed: number): Dense {
  const next = random(seed)
  const dense = randomDense(n, m, seed)
  const rows = shuffled(n, next)
  const columns = shuffled(m, next)
  const needed = new Set(Array.from({ length: Math.max(n, m) }, (_, k) => rows[k % n] * m + columns[k % m]))
  const cost = dense.cost.map((c, k) => (!needed.has(k) && next() < 0.5 ? Infinity : c))
  const mass = normalized(cost.map((c) => (c === Infinity ? 0 : 0.05 + next())))
  return { n, m, cost, a: rowSums(mass, n, m), b: columnSums(mass, n, m) }
}

const tolerance = 1e-12

describe('transport: forbidden arcs', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      describe(method.name, () => {
        it('get no mass; the others what the naive iteration gives them', () => {
          const size = fc.integer({ min: 1, max: 12 })
          check(
            fc.property(size, size, fc.nat(), fc.double({ min: 0.1, max: 1, noNaN: true }), (n, m, seed, epsilon) => {
              const dense = withForbidden(n, m, seed)
              const solution = method.runSync(asProblem(dense), { epsilon, tolerance })
              expect(solution.status).to.equal('converged')
              const { data: plan } = solution.plan()
              for (let k = 0; k < plan.length; k++) if (dense.cost[k] === Infinity) expect(plan[k]).to.equal(0)
              expect(largestDifference(plan, naiveSinkhorn(dense, epsilon).plan)).to.be.below(1e-9)
              for (const value of [solution.value, solution.regularizedValue]) expect(value).to.satisfy(Number.isFinite)
            }),
          )
        })

        it('the optimum over the allowed arcs is within the certificate', async () => {
          const size = fc.integer({ min: 2, max: 9 })
          await checkAsync(
            fc.asyncProperty(size, size, fc.nat(), async (n, m, seed) => {
              const dense = withForbidden(n, m, seed)
              const { value } = await linearProgram(dense)
              for (const maxIterations of [1, 3, 2000]) {
                const { certificate } = await method.run(asProblem(dense), { epsilon: 0.05, maxIterations })
                expect(certificate!.dual).to.be.at.most(value + 1e-8)
                // Infinity where rounding to the weights had to put mass on a forbidden arc.
                expect(certificate!.primal).to.be.at.least(value - 1e-8)
              }
            }),
          )
        })

        it('arcs that no plan can use stay finite, and the answer honest', () => {
          // All of the mass has to go down the diagonal: the scalings grow without end, slowly.
          const cost = Float64Array.of(0.3, 0.1, 0.7, Infinity, 0.2, 0.4, Infinity, Infinity, 0.5)
          const third = Float64Array.of(1 / 3, 1 / 3, 1 / 3)
          const solution = method.runSync(
            { cost: { data: cost, shape: [3, 3] }, a: third, b: third },
            { epsilon: 0.1, tolerance: 1e-9, maxIterations: 500 },
          )
          const { f, g } = solution.potentials
          for (const value of [...f, ...g, solution.value, solution.residual]) expect(value).to.satisfy(Number.isFinite)
          expect(solution.status === 'converged').to.equal(solution.residual <= 1e-9)
          const { data } = solution.plan()
          const diagonal = Float64Array.from(data, (_, k) => (k % 4 === 0 ? 1 / 3 : 0))
          expect(largestDifference(data, diagonal)).to.be.below(2e-3)
        })

        it('a problem that has no plan is an error that names the nodes', () => {
          const half = Float64Array.of(0.5, 0.5)
          const stuck = {
            cost: [
              [1, 2],
              [Infinity, Infinity],
            ],
            a: half,
            b: half,
          }
          expectError(() => method.runSync(stuck, { epsilon: 0.1 }), 'ERR_INFEASIBLE', /^cost: /)
          // Rows 0 and 1 can reach column 0 only, and together weigh more than it.
          const cut = {
            cost: [
              [1, Infinity, Infinity],
              [2, Infinity, Infinity],
              [0, 1, 2],
            ],
            a: [0.3, 0.3, 0.4],
            b: [0.5, 0.25, 0.25],
          }
          expectError(() => method.runSync(cut, { epsilon: 0.1 }), 'ERR_INFEASIBLE', /^cost: /)
          // Nodes without weight need no arcs.
          const idle = {
            cost: [
              [1, 2],
              [Infinity, Infinity],
            ],
            a: [1, 0],
            b: half,
          }
          expect(method.runSync(idle, { epsilon: 0.1 }).status).to.equal('converged')
        })
      })
    }
  })
})
