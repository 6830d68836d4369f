import { expect } from 'chai'
import { lowRankSinkhorn, lowRankSinkhornSync, pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, rejection } from '../helpers/errors.js'
import { linearProgram } from '../helpers/linear-program.js'
import { fill, randomNormal } from '../helpers/random.js'
import {
  asProblem,
  columnSums,
  distanceL1,
  dot,
  largestDifference,
  randomDense,
  rowSums,
  uniform,
} from '../helpers/transport.js'

function points(n: number, d: number, seed: number, shift = 0) {
  const next = randomNormal(seed)
  return { data: fill(n * d, () => next() + shift), shape: [n, d] }
}

function squares(x: Float64Array, y: Float64Array, d: number): Float64Array {
  const [n, m] = [x.length / d, y.length / d]
  const cost = new Float64Array(n * m)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      for (let k = 0; k < d; k++) cost[i * m + j] += (x[i * d + k] - y[j * d + k]) ** 2
    }
  }
  return cost
}

describe('transport: lowRankSinkhorn', () => {
  forEachBackend((backend) => {
    it('says of its plan what is so, and never less than the optimum', async () => {
      for (const [n, m, rank] of [
        [12, 9, 3],
        [8, 15, 8],
      ]) {
        const problem = randomDense(n, m, n)
        const solution = await lowRankSinkhorn(asProblem(problem), { rank, backend })
        const { data: plan } = solution.plan()
        const { q, g, r } = solution.factors
        expect(distanceL1(rowSums(plan, n, m), problem.a)).to.be.below(1e-12)
        expect(distanceL1(columnSums(plan, n, m), problem.b)).to.be.below(1e-12)
        expect(distanceL1(columnSums(q.data, n, rank), g)).to.be.below(1e-12)
        expect(distanceL1(columnSums(r.data, m, rank), g)).to.be.below(1e-12)
        expect(solution.value).to.be.closeTo(dot(plan, problem.cost), 1e-12)
        const optimum = await linearProgram(problem)
        expect(solution.value).to.be.at.least(optimum.value - 1e-12)
        const product = dot(Float64Array.from(problem.a), rowSums(problem.cost, n, m)) / m
        expect(solution.value).to.be.below(product)
        const v = fill(m, randomNormal(3))
        const expected = Float64Array.from({ length: n }, (_, i) => dot(plan.subarray(i * m, (i + 1) * m), v))
        expect(largestDifference(solution.apply(v), expected)).to.be.below(1e-13)
        const ones = new Float64Array(n).fill(1)
        expect(largestDifference(solution.applyTranspose(ones), problem.b)).to.be.below(1e-12)
      }
    })

    it('rank 1: the product of the marginals', () => {
      const problem = randomDense(7, 5, 4)
      const solution = lowRankSinkhornSync(asProblem(problem), { rank: 1, backend })
      const product = Float64Array.from({ length: 35 }, (_, at) => problem.a[Math.floor(at / 5)] * problem.b[at % 5])
      expect(solution.status).to.equal('converged')
      expect(largestDifference(solution.plan().data, product)).to.be.below(1e-13)
    })

    it('finds a plan of low rank where the optimum is one', () => {
      // Three groups far apart on both sides: mass stays within its group, and all plans that do are nearly alike.
      const group = (i: number) => 10 * (i % 3)
      const x = Float64Array.from({ length: 30 }, (_, i) => group(i))
      const y = Float64Array.from({ length: 24 }, (_, j) => group(j))
      const solution = lowRankSinkhornSync(
        { cost: pointCloud({ data: x, shape: [30, 1] }, { data: y, shape: [24, 1] }) },
        { rank: 3, seed: 1, backend },
      )
      expect(solution.value).to.be.within(-1e-9, 1e-3)
    })

    it('points: the same as their matrix', () => {
      const [x, y] = [points(20, 3, 5, 100), points(16, 3, 6, 100)]
      const options = { rank: 4, maxIterations: 10, tolerance: 0, backend } as const
      const lazy = lowRankSinkhornSync({ cost: pointCloud(x, y) }, options)
      const cost = squares(x.data, y.data, 3)
      const { data: plan } = lazy.plan()
      expect(lazy.value).to.be.closeTo(dot(plan, cost), 1e-9)
      const dense = lowRankSinkhornSync({ cost: { data: cost, shape: [20, 16] } }, { ...options, maxIterations: 50 })
      expect(lazy.status).to.equal('iteration-limit')
      expect(dense.value).to.be.below(dot(plan, cost) * 1.5)
    })

    it('other units of cost and mass: the same plan', () => {
      const problem = randomDense(10, 10, 7)
      const options = { rank: 3, maxIterations: 30, epsilon: 0.01, backend } as const
      const one = lowRankSinkhornSync(asProblem(problem), options)
      const scaled = { ...problem, cost: problem.cost.map((c) => 1024 * c) }
      const other = lowRankSinkhornSync(asProblem(scaled), { ...options, epsilon: 1024 * 0.01 })
      expect(largestDifference(other.plan().data, one.plan().data)).to.be.below(1e-12)
      const heavy = { ...problem, a: problem.a.map((w) => 4 * w), b: problem.b.map((w) => 4 * w) }
      expect(lowRankSinkhornSync(asProblem(heavy), options).value).to.be.closeTo(4 * one.value, 1e-10)
    })

    it('nodes without weight, costs far apart, limits and aborts', async () => {
      const problem = randomDense(8, 8, 8, 'equal')
      const a = Float64Array.from([0, 0.25, 0.25, 0, 0.25, 0.25, 0, 0])
      const some = await lowRankSinkhorn({ cost: asProblem(problem).cost, a, b: uniform(8) }, { rank: 2, backend })
      expect(distanceL1(rowSums(some.plan().data, 8, 8), a)).to.be.below(1e-12)
      const wild = { ...problem, cost: problem.cost.map((c, k) => (k % 9 === 0 ? 1e12 : c)) }
      const solution = await lowRankSinkhorn(asProblem(wild), { rank: 3, timeLimit: 2000, backend })
      expect(Number.isFinite(solution.value)).to.equal(true)
      const cut = lowRankSinkhornSync(asProblem(problem), { rank: 3, maxIterations: 1, tolerance: 0, backend })
      expect(cut.status).to.equal('iteration-limit')
      const signal = AbortSignal.abort(new Error('enough'))
      expect(await rejection(lowRankSinkhorn(asProblem(problem), { rank: 2, signal, backend }))).to.equal(signal.reason)
    })

    it('refuses what it cannot solve', () => {
      const problem = asProblem(randomDense(3, 4, 9))
      const solve = (options: object, given: object = problem) =>
        lowRankSinkhornSync(given as never, { backend, ...options } as never)
      expectError(() => solve({}), 'ERR_OPTION', /^rank: /)
      expectError(() => solve({ rank: 4 }), 'ERR_OPTION', 'rank: expected a whole number from 1 to 3, got 4')
      expectError(() => solve({ rank: 2, epsilon: -1 }), 'ERR_OPTION', /^epsilon: /)
      expectError(() => solve({ rank: 2, ranks: 1 }), 'ERR_OPTION', /did you mean 'rank'/)
      const cost = { data: Float64Array.from([1, Infinity, 2, 3]), shape: [2, 2] }
      expectError(() => solve({ rank: 2 }, { cost }), 'ERR_NOT_FINITE', /^cost\[0]\[1]: /)
      const cloud = pointCloud([[1], [2]], [[1], [2]], { cost: 'euclidean' })
      expectError(() => solve({ rank: 2 }, { cost: cloud }), 'ERR_OPTION', /^cost: /)
    })
  })

  it('both backends, any number of threads: the same numbers', () => {
    const cost = pointCloud(points(300, 2, 10), points(250, 2, 11))
    const options = { rank: 5, maxIterations: 20, epsilon: 0.01 } as const
    const one = lowRankSinkhornSync({ cost }, { ...options, threads: 1, backend: 'native' })
    const many = lowRankSinkhornSync({ cost }, { ...options, threads: 4, backend: 'native' })
    expect(many.factors.q.data).to.deep.equal(one.factors.q.data)
    const portable = lowRankSinkhornSync({ cost }, { ...options, backend: 'portable' })
    expect(portable.value).to.be.closeTo(one.value, 1e-8 * one.value)
  })
})
