import { expect } from 'chai'
import { pointCloud, type SinkhornOptions, sinkhorn, type TransportProblem } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { digitPair } from '../helpers/digits.js'
import { expectRejection } from '../helpers/errors.js'
import { fill, random } from '../helpers/random.js'
import { asProblem, costRange, largestDifference, randomDense } from '../helpers/transport.js'

function cloud(n: number, seed: number): TransportProblem {
  const points = (s: number) => ({ data: fill(3 * n, random(s)), shape: [n, 3] as [number, number] })
  return { cost: pointCloud(points(seed), points(seed + 1)) }
}

describe('transport: accelerated Sinkhorn', () => {
  forEachBackend((backend) => {
    const both = async (problem: TransportProblem, options: SinkhornOptions) => ({
      plain: await sinkhorn(problem, { backend, ...options, acceleration: 'none' }),
      accelerated: await sinkhorn(problem, { backend, ...options, acceleration: 'anderson' }),
    })

    const cases: [string, TransportProblem, number][] = [
      ['an assignment', asProblem(randomDense(300, 300, 11, 'equal')), 1 / 400],
      ['random weights', asProblem(randomDense(120, 80, 12)), 1 / 100],
      ['a 3 into a 7', asProblem(digitPair(3, 7, 'L2', 2)), 1 / 400],
      ['a cloud', cloud(150, 13), 0.03],
    ]
    for (const [name, problem, epsilon] of cases) {
      it(`finds the same plan in at most half the iterations: ${name}`, async () => {
        const { plain, accelerated } = await both(problem, { epsilon, tolerance: 1e-10 })
        expect([plain.status, accelerated.status]).to.deep.equal(['converged', 'converged'])
        expect(accelerated.iterations).to.be.at.most(plain.iterations / 2)
        expect(accelerated.residual).to.be.at.most(1e-10)
        expect(
          largestDifference(plain.plan().data as Float64Array, accelerated.plan().data as Float64Array),
        ).to.be.below(1e-9)
        expect(accelerated.regularizedValue).to.be.closeTo(plain.regularizedValue, 1e-10)
      })
    }

    it('reaches the same end on small problems of any kind, and is rarely slower', async () => {
      const ratios: number[] = []
      const draw = random(71)
      for (let k = 0; k < 150; k++) {
        const [n, m] = [1 + Math.floor(12 * draw()), 1 + Math.floor(12 * draw())]
        const dense = randomDense(n, m, 1000 + k)
        const options = { epsilon: 0.005 * 200 ** draw(), tolerance: 1e-8, maxIterations: 20_000 }
        const { plain, accelerated } = await both(asProblem(dense), options)
        if (plain.status !== 'converged') continue
        expect(accelerated.status).to.equal('converged')
        expect(accelerated.value).to.be.closeTo(plain.value, 1e-6 * (1 + costRange(dense.cost)))
        ratios.push(accelerated.iterations / (plain.iterations + 7))
      }
      ratios.sort((x, y) => x - y)
      expect(ratios.length).to.be.above(140)
      expect(ratios[ratios.length >> 1]).to.be.below(1)
      expect(ratios[Math.floor(0.98 * ratios.length)]).to.be.below(1.5)
    })

    it('can be slower: a short solve takes a detour, and ends at the same plan', async () => {
      const options = { epsilon: 0.005, tolerance: 1e-8 }
      const { plain, accelerated } = await both(asProblem(randomDense(7, 4, 341354911)), options)
      expect([plain.status, accelerated.status]).to.deep.equal(['converged', 'converged'])
      expect(accelerated.iterations).to.be.below(4 * plain.iterations)
      expect(accelerated.value).to.be.closeTo(plain.value, 1e-6)
    })

    it('avoids forbidden arcs and leaves nodes without weight alone', async () => {
      const dense = randomDense(30, 25, 17)
      for (let k = 0; k < dense.cost.length; k += 3) dense.cost[k] = Number.POSITIVE_INFINITY
      dense.a[4] = 0
      dense.b[7] = 0
      const sum = (v: Float64Array) => v.reduce((x, y) => x + y, 0)
      const scale = sum(dense.a) / sum(dense.b)
      dense.b.forEach((_, j) => {
        dense.b[j] *= scale
      })
      const { plain, accelerated } = await both(asProblem(dense), { epsilon: 0.02, tolerance: 1e-11 })
      expect(accelerated.status).to.equal('converged')
      const plan = accelerated.plan().data as Float64Array
      expect(largestDifference(plan, plain.plan().data as Float64Array)).to.be.below(1e-9)
      for (let k = 0; k < plan.length; k += 3) expect(plan[k]).to.equal(0)
      for (let j = 0; j < 25; j++) expect(plan[4 * 25 + j]).to.equal(0)
    })

    it('takes degenerate input: one node, equal costs, one row', async () => {
      for (const [n, m] of [
        [1, 1],
        [1, 7],
        [7, 1],
        [5, 5],
      ]) {
        const { accelerated } = await both({ cost: { data: new Float64Array(n * m), shape: [n, m] } }, { epsilon: 0.1 })
        expect(accelerated.status).to.equal('converged')
        for (const entry of accelerated.plan().data) expect(entry).to.be.closeTo(1 / (n * m), 1e-12)
      }
    })

    it('says so when iterations or tiny epsilons are not enough, without NaN', async () => {
      for (const maxIterations of [1, 2, 3, 20]) {
        const { plain, accelerated } = await both(asProblem(randomDense(60, 60, 19)), { epsilon: 1e-4, maxIterations })
        expect(accelerated.status).to.equal('iteration-limit')
        expect(accelerated.iterations).to.equal(maxIterations)
        expect(accelerated.residual).to.be.at.most(2 * plain.residual)
        for (const p of [...accelerated.potentials.f, ...accelerated.potentials.g])
          expect(p).to.satisfy(Number.isFinite)
      }
    })

    it('works in single precision', async () => {
      const { plain, accelerated } = await both(asProblem(randomDense(200, 200, 23)), {
        epsilon: 0.005,
        precision: 'float32',
        tolerance: 1e-5,
      })
      expect(accelerated.status).to.equal('converged')
      expect(accelerated.iterations).to.be.at.most(plain.iterations)
    })

    it('refuses an unknown acceleration', async () => {
      await expectRejection(
        sinkhorn(asProblem(randomDense(2, 2, 1)), { epsilon: 1, backend, acceleration: 'momentum' as 'none' }),
        'ERR_OPTION',
        /acceleration/,
      )
    })
  })
})
