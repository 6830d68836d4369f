import { expect } from 'chai'
import { forEachBackend } from '../helpers/backends.js'
import { methodsOn } from '../helpers/methods.js'
import { expectSound } from '../helpers/sound.js'
import { asProblem, randomDense } from '../helpers/transport.js'

describe('transport: status', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      describe(method.name, () => {
        const dense = randomDense(40, 30, 41)
        const problem = asProblem(dense)

        it("'converged' means that the residual is within the tolerance", async () => {
          for (const tolerance of [0.5, 1e-3, 1e-9, 1e-12]) {
            const solution = await method.run(problem, { epsilon: 0.05, tolerance })
            expect(solution.status).to.equal('converged')
            expectSound(solution, dense, { epsilon: 0.05, tolerance })
          }
          const { residual } = await method.run(problem, { epsilon: 0.05 })
          expect(residual, 'default tolerance').to.be.at.most(1e-9)
        })

        it("'stalled' at an unreachable tolerance, with the best there is", async () => {
          for (const tolerance of [0, 1e-19]) {
            const solution = await method.run(problem, { epsilon: 0.05, tolerance })
            expect(solution.status).to.equal('stalled')
            expect(solution.residual).to.be.within(0, 1e-13)
            expectSound(solution, dense, { epsilon: 0.05, tolerance })
          }
        })

        it("'iteration-limit' after maxIterations", async () => {
          for (const maxIterations of [1, 2, 3]) {
            const options = { epsilon: 1e-3, tolerance: 1e-12, maxIterations }
            const solution = await method.run(problem, options)
            expect(solution.status).to.equal('iteration-limit')
            expect(solution.iterations).to.equal(maxIterations)
            expectSound(solution, dense, options)
          }
        })

        it("'time-limit' after timeLimit, with what was reached", async () => {
          const options = { epsilon: 1e-3, tolerance: 1e-12, timeLimit: 1e-6 }
          for (const solution of [await method.run(problem, options), method.runSync(problem, options)]) {
            expect(solution.status).to.equal('time-limit')
            expectSound(solution, dense, options)
          }
          const [first, second] = await method.runBatch([problem, problem], options)
          expect([first.status, second.status]).to.deep.equal(['time-limit', 'time-limit'])
        })

        it('a time limit that is not reached changes nothing', async () => {
          const free = await method.run(problem, { epsilon: 0.05 })
          const limited = await method.run(problem, { epsilon: 0.05, timeLimit: 60_000 })
          expect(limited.potentials).to.deep.equal(free.potentials)
          expect(limited.status).to.equal('converged')
        })

        it('the certificate can be left out', async () => {
          const options = { epsilon: 0.05, tolerance: 1e-10 }
          const without = await method.run(problem, { ...options, certificate: false })
          expect(without).not.to.have.property('certificate')
          const { certificate, value } = await method.run(problem, options)
          expect(without.value).to.equal(value)
          expect(certificate).to.have.all.keys('primal', 'dual', 'gap')
        })

        it('newtonIterations belong to the Newton method', async () => {
          const solution = await method.run(problem, { epsilon: 0.005 })
          if (method.name === 'sinkhorn') expect(solution).not.to.have.property('newtonIterations')
          else expect(solution.newtonIterations).to.be.within(1, solution.iterations)
        })
      })
    }
  })
})
