import { expect } from 'chai'
import {
  pointCloud,
  type SparsityOptions,
  type SparsitySolution,
  sparsityConstrainedSync,
  type TransportProblem,
} from '../../lib/transport/index.js'
import { fill, random } from '../helpers/random.js'
import { histograms } from '../helpers/sparsity.js'
import { asProblem, largestDifference, normalized, randomDense } from '../helpers/transport.js'

const next = random(9)
const cloud = (count: number, d: number) => ({ data: fill(count * d, next), shape: [count, d] })
const single = { data: Float32Array.from(fill(600, next)), shape: [20, 30] }

/** Weights, some of them zero. */
function sparseWeights(length: number): Float64Array {
  return normalized(fill(length, () => (next() < 0.3 ? 0 : 0.1 + next())))
}

function forbidding(n: number): TransportProblem['cost'] {
  const data = fill(n * n, next)
  for (let k = 0; k < n * n; k++) if (k % (n + 1) !== 0 && next() < 0.3) data[k] = Number.POSITIVE_INFINITY
  return { data, shape: [n, n] }
}

interface Case {
  name: string
  problem: TransportProblem
  options: SparsityOptions
  /** Not smooth at the end, or not converged: rounding decides on the way. Agreement of the dual value. */
  loose?: number
}

const cases: Case[] = [
  { name: 'a square', problem: asProblem(randomDense(60, 60, 1)), options: { maxNonzeros: 20 } },
  { name: 'wide', problem: asProblem(randomDense(23, 91, 2)), options: { maxNonzeros: 10, gamma: 0.5 } },
  { name: 'tall', problem: asProblem(randomDense(90, 22, 3)), options: { maxNonzeros: 60, gamma: 0.5 } },
  { name: 'rows', problem: asProblem(randomDense(70, 50, 4)), options: { maxNonzeros: 30, axis: 'rows' } },
  { name: 'more entries than a block', problem: asProblem(randomDense(700, 500, 5)), options: { maxNonzeros: 400 } },
  { name: 'longer rows than a segment', problem: asProblem(randomDense(5, 9001, 6)), options: { maxNonzeros: 5 } },
  {
    name: 'longer rows than a segment, by rows',
    problem: asProblem(randomDense(5, 9001, 6)),
    options: { maxNonzeros: 9001, axis: 'rows', gamma: 500 },
  },
  { name: 'dual', problem: asProblem(randomDense(40, 30, 7)), options: { maxNonzeros: 25, formulation: 'dual' } },
  { name: 'costs in float32', problem: { cost: single }, options: { maxNonzeros: 15 } },
  { name: 'costs in float32, rows', problem: { cost: single }, options: { maxNonzeros: 30, axis: 'rows' } },
  {
    name: 'zero weights',
    problem: { cost: { data: fill(800, next), shape: [20, 40] }, a: sparseWeights(20), b: sparseWeights(40) },
    options: { maxNonzeros: 12 },
  },
  { name: 'forbidden arcs', problem: { cost: forbidding(30) }, options: { maxNonzeros: 25, gamma: 0.3 } },
  ...(['sqeuclidean', 'euclidean', 'cityblock', 'cosine'] as const).flatMap((cost) =>
    [3, 16].map((d) => ({
      name: `points, ${cost}, ${d} dimensions`,
      problem: { cost: pointCloud(cloud(60, d), cloud(50, d), { cost }) },
      options: { maxNonzeros: 55 },
    })),
  ),
  {
    name: 'points by rows',
    problem: { cost: pointCloud(cloud(50, 2), cloud(70, 2)) },
    options: { maxNonzeros: 60, axis: 'rows' },
  },
  {
    name: 'entropy',
    problem: asProblem(randomDense(30, 30, 8)),
    options: { maxNonzeros: 30, regularizer: 'entropy', gamma: 0.2, maxIterations: 2000 },
  },
  {
    name: 'Adam',
    problem: asProblem(randomDense(30, 30, 9)),
    options: { maxNonzeros: 4, method: 'adam', maxIterations: 100 },
  },
  {
    name: 'Adam on the dual of the entropy',
    problem: asProblem(randomDense(30, 30, 9)),
    options: {
      maxNonzeros: 4,
      method: 'adam',
      maxIterations: 50,
      formulation: 'dual',
      regularizer: 'entropy',
      gamma: 0.2,
    },
  },
  {
    name: 'stochastic',
    problem: asProblem(randomDense(30, 40, 10)),
    options: { maxNonzeros: 4, method: 'stochastic', maxIterations: 500, seed: 5 },
  },
  {
    name: 'stochastic, rows, points, odd batches',
    problem: { cost: pointCloud(cloud(30, 2), cloud(20, 2)) },
    options: { maxNonzeros: 3, method: 'stochastic', maxIterations: 300, batchSize: 3, axis: 'rows', seed: 2n ** 63n },
  },
  {
    name: 'ties, a few iterations of each stage',
    problem: asProblem(randomDense(400, 60, 12)),
    options: { maxNonzeros: 3, gamma: 20, maxIterations: 6 },
  },
  {
    name: 'ties, a few iterations of each stage of the dual',
    problem: asProblem(randomDense(60, 300, 13)),
    options: { maxNonzeros: 3, gamma: 20, maxIterations: 6, formulation: 'dual', axis: 'rows' },
  },
  { name: 'ties', problem: asProblem(histograms()), options: { maxNonzeros: 3, gamma: 1 }, loose: 1e-6 },
  {
    name: 'ties, halving',
    problem: asProblem(histograms()),
    options: { maxNonzeros: 3, gamma: 1, continuation: 'halving' },
    loose: 1e-4,
  },
  {
    name: 'many ties',
    problem: asProblem(randomDense(80, 60, 11)),
    options: { maxNonzeros: 2, gamma: 5 },
    loose: 1e-6,
  },
]

function expectAgreement(native: SparsitySolution, portable: SparsitySolution, { loose }: Case): void {
  const size = Math.abs(native.dualValue) + native.gamma * 1e-3
  expect(portable.dualValue).to.be.closeTo(native.dualValue, (loose ?? 1e-9) * size)
  if (loose !== undefined) return
  expect(portable.status).to.equal(native.status)
  expect(portable.gamma).to.be.closeTo(native.gamma, 1e-12 * native.gamma)
  expect(portable.stages.map((stage) => stage.maxNonzeros)).to.deep.equal(
    native.stages.map((stage) => stage.maxNonzeros),
  )
  const one = native.plan().data
  const other = portable.plan().data
  const largest = one.reduce((most, p) => Math.max(most, p), 0)
  expect(largestDifference(one, other)).to.be.at.most(1e-7 * largest)
  expect(portable.value).to.be.closeTo(native.value, 1e-7 * (Math.abs(native.value) + Math.abs(native.dualValue)))
}

describe('sparsityConstrained: native and portable', () => {
  for (const example of cases) {
    it(example.name, () => {
      const solve = (backend: 'native' | 'portable') =>
        sparsityConstrainedSync(example.problem, { ...example.options, backend })
      const native = solve('native')
      expect(native.backend).to.equal('native')
      expectAgreement(native, solve('portable'), example)
    })

    it(`${example.name}: the same bits on any number of threads`, () => {
      const solve = (threads: number) =>
        sparsityConstrainedSync(example.problem, { ...example.options, backend: 'native', threads })
      const one = solve(1)
      for (const threads of [2, 3, 7]) {
        const many = solve(threads)
        expect(many.dualValue).to.equal(one.dualValue)
        expect(many.iterations).to.equal(one.iterations)
        expect([...many.potentials.f]).to.deep.equal([...one.potentials.f])
        expect([...many.nonzeros]).to.deep.equal([...one.nonzeros])
        expect([...many.tieColumns]).to.deep.equal([...one.tieColumns])
        expect(largestDifference(many.plan().data, one.plan().data)).to.equal(0)
      }
    })
  }
})
