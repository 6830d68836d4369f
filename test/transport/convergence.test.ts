import { expect } from 'chai'
import { sinkhornNewtonSparseSync } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { methodsOn, plainSinkhornOn } from '../helpers/methods.js'
import { asProblem, distanceL1, randomDense, rowSums, total } from '../helpers/transport.js'

/** log e_(k+1) / log e_k of the steps that end above the floor of double precision: 1 + o(1) when linear. */
function orders(history: Float64Array): number[] {
  const errors = Array.from(history).filter((error) => error < 0.1 && error > 1e-13)
  return errors.slice(1).map((error, k) => Math.log(error) / Math.log(errors[k]))
}

describe('transport: convergence', () => {
  forEachBackend((backend) => {
    const epsilon = 1 / 1200
    const assignment = randomDense(500, 500, 31, 'equal')

    it('sinkhornNewtonSparse: superlinear', () => {
      const solution = sinkhornNewtonSparseSync(asProblem(assignment), {
        epsilon,
        tolerance: 1e-12,
        history: true,
        backend,
      })
      expect(solution.status).to.equal('converged')
      expect(solution.iterations).to.be.at.most(60)
      expect(solution.passes).to.be.at.most(200)
      const last = orders(solution.history!).slice(-2)
      expect(last).to.have.length(2)
      expect(Math.min(...last), `orders ${last}`).to.be.at.least(1.25)
      expect(last[1], `orders ${last}`).to.be.at.least(1.5)
    })

    it('sinkhornNewtonSparse (paper) with 3n entries: linear', () => {
      const solution = sinkhornNewtonSparseSync(asProblem(assignment), {
        epsilon,
        tolerance: 1e-12,
        history: true,
        variant: 'paper',
        sparsity: 2 / 500,
        sinkhornIterations: 20,
        backend,
      })
      expect(solution.status).to.equal('converged')
      expect(solution.newtonIterations).to.be.within(5, 60)
      const last = orders(solution.history!).slice(-3)
      expect(last).to.have.length(3)
      expect(Math.max(...last), `orders ${last}`).to.be.at.most(1.06)
    })

    it('sinkhorn: the row error never grows', () => {
      for (const [n, m, e] of [
        [40, 30, 0.05],
        [25, 60, 0.01],
        [300, 200, 0.02],
      ]) {
        const options = { epsilon: e, tolerance: 1e-11, history: true }
        const { history, iterations } = plainSinkhornOn(backend).runSync(asProblem(randomDense(n, m, n)), options)
        expect(history).to.have.length(iterations)
        for (let k = 1; k < history!.length; k++) {
          expect(history![k], `iteration ${k}`).to.be.at.most(history![k - 1] * (1 + 1e-9) + 1e-14)
        }
      }
    })

    it('sinkhorn: a history entry is the row error before its iteration', () => {
      const dense = randomDense(12, 15, 8)
      const history = plainSinkhornOn(backend).runSync(asProblem(dense), { epsilon: 0.1, history: true }).history!
      for (const k of [1, 2, 5]) {
        const { data } = plainSinkhornOn(backend).runSync(asProblem(dense), { epsilon: 0.1, maxIterations: k }).plan()
        const error = distanceL1(rowSums(data, 12, 15), dense.a) / total(dense.a)
        expect(history[k]).to.be.closeTo(error, 1e-14)
      }
    })

    for (const method of methodsOn(backend)) {
      it(`${method.name}: history only where asked for, one entry an iteration, ending under the tolerance`, () => {
        const problem = asProblem(randomDense(10, 14, 5))
        const options = { epsilon: 0.05, tolerance: 1e-11 }
        expect(method.runSync(problem, options)).not.to.have.property('history')
        const { history, iterations } = method.runSync(problem, { ...options, history: true })
        expect(history).to.be.instanceOf(Float64Array).with.length(iterations)
        for (const error of history!) expect(error).to.be.within(0, 1e3)
        expect(history!.at(-1)).to.be.at.most(1e-11)
      })
    }
  })
})
