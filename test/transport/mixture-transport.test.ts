import { expect } from 'chai'
import {
  type Gaussian,
  gaussianTransportSync,
  type MixtureProblem,
  mixtureTransport,
  mixtureTransportSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { linearProgram } from '../helpers/linear-program.js'
import { random, randomNormal } from '../helpers/random.js'
import { columnSums, dot, normalized, rowSums } from '../helpers/transport.js'

function component(d: number, seed: number): Gaussian {
  const next = randomNormal(seed)
  const g = Array.from({ length: d }, () => Array.from({ length: d }, next))
  const covariance = g.map((p) => g.map((q) => p.reduce((sum, v, k) => sum + v * q[k], 0)))
  return { mean: Array.from({ length: d }, next), covariance }
}

function mixture(count: number, d: number, seed: number) {
  const next = random(seed)
  const components = Array.from({ length: count }, (_, k) => component(d, 100 * seed + k))
  return { components, weights: normalized(Float64Array.from({ length: count }, () => 0.1 + next())) }
}

describe('transport: mixtureTransport', () => {
  forEachBackend((backend) => {
    const solve = (problem: MixtureProblem) => mixtureTransportSync(problem, { backend })

    it('moves components as a linear program would (HiGHS), at what gaussianTransport says it costs', async () => {
      const [source, target] = [mixture(4, 3, 1), mixture(5, 3, 2)]
      const solution = solve({ source, target })
      source.components.forEach((from, k) => {
        target.components.forEach((to, l) => {
          const { value } = gaussianTransportSync({ source: from, target: to })
          expect(solution.costs.data[5 * k + l]).to.be.closeTo(value, 1e-11)
        })
      })
      const [a, b] = [source.weights, target.weights]
      const program = await linearProgram({ n: 4, m: 5, cost: solution.costs.data, a, b })
      expect(solution.status).to.equal('converged')
      expect(solution.value).to.be.closeTo(program.value, 1e-9)
      expect(solution.distance ** 2).to.be.closeTo(solution.value, 1e-12)
      expect(dot(solution.plan.data, solution.costs.data)).to.be.closeTo(solution.value, 1e-12)
      rowSums(solution.plan.data, 4, 5).forEach((sum, k) => {
        expect(sum).to.be.closeTo(a[k], 1e-14)
      })
      columnSums(solution.plan.data, 4, 5).forEach((sum, l) => {
        expect(sum).to.be.closeTo(b[l], 1e-14)
      })
      expect(solution.certificate.gap).to.be.closeTo(0, 1e-12)
      const { f, g } = solution.potentials
      for (let k = 0; k < 20; k++) expect(f[Math.floor(k / 5)] + g[k % 5]).to.be.at.most(solution.costs.data[k] + 1e-12)
    })

    it('of single components, points, and the same mixture in another order', async () => {
      const [p, q] = [component(2, 5), component(2, 6)]
      const single = solve({ source: { components: [p] }, target: { components: [q] } })
      expect(single.value).to.be.closeTo(gaussianTransportSync({ source: p, target: q }).value, 1e-14)
      const point = (x: number): Gaussian => ({ mean: [x], covariance: [[0]] })
      const points = solve({
        source: { components: [point(0), point(1)] },
        target: { components: [point(3), point(10)], weights: [0.75, 0.25] },
      })
      expect(points.value).to.be.closeTo(0.5 * 9 + 0.25 * 4 + 0.25 * 81, 1e-13)
      const { components, weights } = mixture(6, 2, 7)
      const turned = { components: components.toReversed(), weights: weights.toReversed() }
      const same = await mixtureTransport({ source: { components, weights }, target: turned }, { backend })
      expect(same.distance).to.be.below(1e-7)
    })

    it('components without weight take no part', () => {
      const [p, q, r] = [component(2, 8), component(2, 9), component(2, 10)]
      const source = { components: [p, q], weights: [2, 0] }
      const solution = solve({ source, target: { components: [r], weights: [2] } })
      expect(solution.value).to.be.closeTo(2 * gaussianTransportSync({ source: p, target: r }).value, 1e-13)
      expect([...solution.plan.data]).to.deep.equal([2, 0])
    })

    it('bad input and abort', async () => {
      const one = { components: [{ mean: [0], covariance: [[1]] }] }
      const wrong = (problem: object, ...expected: [Parameters<typeof expectError>[1], RegExp]) =>
        expectError(() => solve({ source: one, target: one, ...problem }), ...expected)
      wrong({ source: { components: [] } }, 'ERR_SHAPE', /source.components: expected an array of .*, got none/)
      wrong({ source: [] }, 'ERR_SHAPE', /source.components: expected an array/)
      wrong(
        { target: { components: [component(2, 1)] } },
        'ERR_SHAPE',
        /target.components\[0\].mean: expected 1 numbers/,
      )
      wrong({ target: { ...one, weights: [2] } }, 'ERR_MASS', /target.weights: expected the total of source.weights, 1/)
      wrong({ target: { ...one, weights: [-1] } }, 'ERR_NOT_POSITIVE', /target.weights\[0\]/)
      wrong({ target: { ...one, weight: [1] } }, 'ERR_OPTION', /did you mean 'weights'/)
      const negative = { components: [{ mean: [0], covariance: [[-1]] }] }
      wrong({ target: negative }, 'ERR_NOT_POSITIVE', /target.components\[0\].covariance: expected a positive/)
      await expectRejection(
        mixtureTransport({ source: negative, target: one }),
        'ERR_NOT_POSITIVE',
        /source.components/,
      )
      const reason = new Error('enough')
      const options = { signal: AbortSignal.abort(reason), backend }
      expect(await rejection(mixtureTransport({ source: one, target: one }, options))).to.equal(reason)
    })
  })
})
