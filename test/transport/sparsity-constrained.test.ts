import { expect } from 'chai'
import { syntheticTrace } from '../../lib/moe/index.js'
import {
  pointCloud,
  quadraticRegularizedSync,
  type SparsityOptions,
  type SparsitySolution,
  sparsityConstrained,
  sparsityConstrainedSync,
  type TransportProblem,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { bestAssignment, linearProgram } from '../helpers/linear-program.js'
import { linearPotentials, quadraticProgram, sparsestBest } from '../helpers/quadratic-program.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { columnCounts, dualAt, exchanged, histograms, quadraticValue, runKernel } from '../helpers/sparsity.js'
import {
  asProblem,
  columnSums,
  type Dense,
  distanceL1,
  dot,
  largestDifference,
  randomDense,
  rowSums,
  total,
  transposed,
} from '../helpers/transport.js'

/** What the solution says about itself is what its plan says, recomputed here from the definitions. */
function expectSound(solution: SparsitySolution, dense: Dense, k: number, entropy = false): void {
  const { n, m, cost, a, b } = dense
  const { data: plan, shape } = solution.plan()
  const mass = total(a)
  expect(shape).to.deep.equal([n, m])
  expect(Math.min(...plan)).to.be.at.least(0)
  expect(solution.rowError).to.be.closeTo(distanceL1(rowSums(plan, n, m), a) / mass, 1e-13)
  expect(solution.columnError).to.be.closeTo(distanceL1(columnSums(plan, n, m), b) / mass, 1e-13)
  const counts = columnCounts(plan, n, m)
  expect([...solution.nonzeros]).to.deep.equal(counts)
  expect(Math.max(...counts)).to.be.at.most(k)
  expect(solution.value).to.be.closeTo(dot(plan, cost), 1e-12 * mass)
  const { gamma } = solution
  const regularizer = entropy
    ? plan.reduce((sum, p) => sum + (p > 0 ? gamma * p * (Math.log(p) - 1) : 0), 0)
    : plan.reduce((sum, p) => sum + 0.5 * gamma * p * p, 0)
  expect(solution.primalValue).to.be.closeTo(dot(plan, cost) + regularizer, 1e-12 * (mass + Math.abs(regularizer)))
  expect(solution.gap).to.equal(solution.primalValue - solution.dualValue)
  // The plan is its potentials' own.
  const { f, g } = solution.potentials
  plan.forEach((p, at) => {
    if (p === 0) return
    const slack = f[Math.floor(at / m)] + g[at % m] - cost[at]
    expect(p).to.be.closeTo(entropy ? Math.exp(slack / gamma) : slack / gamma, 1e-12 * (1 + 1 / gamma))
  })
  const { data, indices, indptr } = solution.sparsePlan()
  const dense2 = new Float64Array(n * m)
  for (let i = 0; i < n; i++) {
    for (let e = indptr[i]; e < indptr[i + 1]; e++) {
      if (e > indptr[i]) expect(indices[e]).to.be.above(indices[e - 1])
      dense2[i * m + indices[e]] = data[e]
    }
  }
  expect(largestDifference(dense2, plan)).to.equal(0)
  const v = fill(m, random(1))
  const u = fill(n, random(2))
  const byRows = Float64Array.from({ length: n }, (_, i) => dot(plan.subarray(i * m, (i + 1) * m), v))
  expect(largestDifference(solution.apply(v), byRows)).to.be.below(1e-14 * mass)
  const flipped = transposed(plan, n, m)
  const byColumns = Float64Array.from({ length: m }, (_, j) => dot(flipped.subarray(j * n, (j + 1) * n), u))
  expect(largestDifference(solution.applyTranspose(u), byColumns)).to.be.below(1e-14 * mass)
  const slack = solution.status === 'converged'
  expect(slack).to.equal(solution.residual <= 1e-9)
}

describe('sparsityConstrained', () => {
  describe('against all supports (HiGHS)', () => {
    forEachBackend((backend) => {
      // The quadratic plan has more entries than k, and yet there are no ties.
      for (const [n, m, k, gamma, seed] of [
        [4, 3, 2, 0.3, 34],
        [4, 3, 2, 1, 52],
        [4, 3, 3, 1, 16],
        [4, 3, 3, 3, 4],
        [5, 3, 3, 0.3, 23],
        [5, 2, 3, 3, 19],
        [6, 2, 4, 3, 13],
      ]) {
        it(`${n} × ${m}, k = ${k}, gamma = ${gamma}: the best plan`, async () => {
          const dense = randomDense(n, m, seed)
          const quadratic = quadraticRegularizedSync(asProblem(dense), { gamma, backend })
          expect(Math.max(...quadratic.nonzeros)).to.be.above(k)
          const best = (await sparsestBest(dense, gamma, k))!
          const solution = sparsityConstrainedSync(asProblem(dense), { maxNonzeros: k, gamma, backend })
          expectSound(solution, dense, k)
          expect(solution.status).to.equal('converged')
          expect([...solution.tieColumns]).to.deep.equal([])
          expect(solution.gap).to.be.closeTo(0, 1e-8)
          expect(solution.dualValue).to.be.above(quadratic.dualValue)
          expect(best.value).to.be.closeTo(solution.dualValue, 1e-6)
          expect(largestDifference(best.plan, solution.plan().data)).to.be.below(1e-4)
        })
      }

      it('without ties the best plan, with ties a bound', async () => {
        let solved = 0
        let bounded = 0
        for (let seed = 0; seed < 16; seed++) {
          const dense = randomDense(4, 3, seed)
          const solution = sparsityConstrainedSync(asProblem(dense), { maxNonzeros: 3, gamma: 3, backend })
          expectSound(solution, dense, 3)
          const best = await sparsestBest(dense, 3, 3)
          if (best === null) continue
          expect(solution.dualValue).to.be.at.most(best.value + 1e-6)
          if (solution.status === 'converged') {
            expect(solution.dualValue).to.be.closeTo(best.value, 1e-6)
            solved++
          } else {
            expect(solution.status).to.equal('stalled')
            expect(solution.tieColumns.length).to.be.above(0)
            bounded++
          }
        }
        expect([solved, bounded].map((count) => count >= 4)).to.deep.equal([true, true])
      })
    })
  })

  describe('the dual', () => {
    forEachBackend((backend) => {
      const dense = randomDense(9, 7, 40)
      const { n, m, a, b } = dense
      const next = randomNormal(3)
      const anywhere = (length: number) => fill(length, () => 0.5 * next())

      for (const entropy of [false, true]) {
        for (const dual of [false, true]) {
          const name = `${dual ? 'dual' : 'semi-dual'}, ${entropy ? 'entropic' : 'quadratic'}`
          const settings = { maxNonzeros: 3, gamma: 0.4, entropy, dual }

          it(`${name}: derivatives by finite differences`, () => {
            const f = anywhere(n)
            const g = anywhere(m)
            const { plan } = dualAt(backend, dense, settings, f, g)
            const slopeF = a.map((w, i) => w - rowSums(plan, n, m)[i])
            const slopeG = b.map((w, j) => w - columnSums(plan, n, m)[j])
            const h = 1e-6
            const value = (side: 'f' | 'g', at: number, by: number) => {
              const moved = { f: f.slice(), g: g.slice() }
              moved[side][at] += by
              return dualAt(backend, dense, settings, moved.f, moved.g).value
            }
            for (let i = 0; i < n; i++) {
              expect((value('f', i, h) - value('f', i, -h)) / (2 * h)).to.be.closeTo(slopeF[i], 1e-7)
            }
            for (let j = 0; j < m && dual; j++) {
              expect((value('g', j, h) - value('g', j, -h)) / (2 * h)).to.be.closeTo(slopeG[j], 1e-7)
            }
          })

          it(`${name}: concave, and below its supergradients, at ties too`, () => {
            for (let round = 0; round < 30; round++) {
              // Whole numbers make ties, with a cost of quarters.
              const coarse = round % 2 === 1
              const problem = coarse ? { ...dense, cost: dense.cost.map((c) => Math.round(4 * c) / 4) } : dense
              const point = (length: number) => anywhere(length).map((x) => (coarse ? Math.round(4 * x) / 4 : x))
              const [f0, f1, g0, g1] = [point(n), point(n), point(m), point(m)]
              const between = (x: Float64Array, y: Float64Array) => x.map((v, i) => 0.3 * v + 0.7 * y[i])
              const from = dualAt(backend, problem, settings, f0, g0)
              const to = dualAt(backend, problem, settings, f1, g1).value
              const middle = dualAt(backend, problem, settings, between(f0, f1), between(g0, g1)).value
              expect(middle).to.be.at.least(0.3 * from.value + 0.7 * to - 1e-12)
              const rows = rowSums(from.plan, n, m)
              const columns = columnSums(from.plan, n, m)
              let linear = from.value
              for (let i = 0; i < n; i++) linear += (a[i] - rows[i]) * (f1[i] - f0[i])
              for (let j = 0; j < m && dual; j++) linear += (b[j] - columns[j]) * (g1[j] - g0[j])
              expect(to).to.be.at.most(linear + 1e-12)
            }
          })
        }

        it(`${entropy ? 'entropic' : 'quadratic'}: the semi-dual is the dual at its own potentials`, () => {
          for (let k = 1; k <= n; k++) {
            const settings = { maxNonzeros: k, gamma: 0.4, entropy }
            const f = anywhere(n)
            const semi = dualAt(backend, dense, settings, f)
            const both = dualAt(backend, dense, { ...settings, dual: true }, f, semi.job.g)
            expect(both.value).to.be.closeTo(semi.value, 1e-14)
            expect(largestDifference(both.plan, semi.plan)).to.be.below(1e-14)
            const elsewhere = semi.job.g.map((x) => x + 0.1 * next())
            expect(dualAt(backend, dense, { ...settings, dual: true }, f, elsewhere).value).to.be.at.most(semi.value)
          }
        })
      }

      it('is below every plan with few entries, and such a plan is above', async () => {
        const small = randomDense(4, 3, 52)
        const best = (await sparsestBest(small, 1, 2))!
        for (let round = 0; round < 20; round++) {
          const f = anywhere(4)
          expect(dualAt(backend, small, { maxNonzeros: 2, gamma: 1 }, f).value).to.be.at.most(best.value + 1e-6)
        }
        expect(quadraticValue(small, best.plan, 1)).to.be.closeTo(best.value, 1e-6)
      })

      it('k = 1: unregularised transport and a constant', async () => {
        const { value, f } = await linearPotentials(dense)
        const gamma = 0.3
        for (const entropy of [false, true]) {
          const constant = total(b.map((w) => (entropy ? gamma * w * (Math.log(w) - 1) : 0.5 * gamma * w * w)))
          const exact = value + constant
          const settings = { maxNonzeros: 1, gamma, entropy }
          expect(dualAt(backend, dense, settings, f).value).to.be.closeTo(exact, 1e-7)
          // The descent comes near from below.
          const continuation = entropy ? 'halving' : 'smoothing'
          const { report } = runKernel(backend, dense, { ...settings, continuation })
          expect(report.dual).to.be.within(exact - (entropy ? 1e-2 : 1e-4), exact + 1e-7)
        }
      })
    })
  })

  describe('the example of 32 bins', () => {
    forEachBackend((backend) => {
      const dense = histograms()
      const solve = (options: SparsityOptions) => sparsityConstrainedSync(asProblem(dense), { ...options, backend })

      it('values at gamma = 1 and 0.1', async () => {
        const { value } = await linearProgram(dense)
        expect(value).to.be.closeTo(0.0481047, 1e-6)
        const expected: [number, number, number, number][] = [
          // gamma, k, value, how far below it may be
          [1, 32, 0.0559797, 5e-8],
          [1, 16, 0.0559797, 5e-8],
          [1, 8, 0.0559797, 5e-8],
          [1, 4, 0.05698, 5e-6],
          [1, 3, 0.05878, 5e-6],
          [1, 2, 0.0631, 5e-6],
          [0.1, 32, 0.0496001, 5e-8],
          [0.1, 8, 0.0496001, 5e-8],
          [0.1, 4, 0.0496001, 5e-8],
          [0.1, 2, 0.04981, 5e-6],
        ]
        for (const [gamma, maxNonzeros, least, slack] of expected) {
          const solution = solve({ maxNonzeros, gamma })
          expectSound(solution, dense, maxNonzeros)
          expect(solution.dualValue).to.be.within(least - slack, least + 1.2e-5)
          if (maxNonzeros < 8) continue
          expect(solution.status).to.equal('converged')
          expect(solution.rowError).to.be.at.most(1e-9)
          expect(Math.max(...solution.nonzeros)).to.equal(gamma === 1 ? 8 : 7)
        }
      })

      it('the value falls with k, the entries never exceed it', () => {
        for (const gamma of [1, 0.1]) {
          let last = Number.POSITIVE_INFINITY
          for (const maxNonzeros of [2, 3, 4, 5, 6, 8, 12, 32]) {
            const solution = solve({ maxNonzeros, gamma })
            expectSound(solution, dense, maxNonzeros)
            expect(solution.dualValue).to.be.at.most(last + 1e-10)
            last = solution.dualValue
          }
        }
      })

      it('smoothing finds more than halving, halving more than neither', () => {
        for (const [gamma, maxNonzeros] of [
          [1, 2],
          [1, 3],
          [0.1, 2],
        ]) {
          const value = (continuation: SparsityOptions['continuation']) =>
            solve({ maxNonzeros, gamma, continuation }).dualValue
          const [smoothing, halving, none] = [value('smoothing'), value('halving'), value('none')]
          expect(smoothing).to.be.above(halving)
          expect(halving).to.be.above(none)
        }
      })

      it('smoothing also misses the row sums by less', () => {
        for (const maxNonzeros of [2, 3]) {
          const error = (continuation: SparsityOptions['continuation']) =>
            solve({ maxNonzeros, gamma: 1, continuation }).rowError
          expect(error('smoothing')).to.be.below(error('halving'))
        }
      })

      it('tells its stages: from all entries and gamma itself down, each a lower bound', () => {
        const { stages, dualValue, iterations } = solve({ maxNonzeros: 2, gamma: 1 })
        expect(stages[0]).to.include({ maxNonzeros: 32, smoothing: 0 })
        expect(stages.slice(1).map((stage) => stage.smoothing)).to.deep.equal([0.3, 0.1, 0.03, 0.01, 0.003, 0.001])
        stages.forEach((stage, k) => {
          if (k > 0) expect(stage.maxNonzeros).to.equal(2)
          expect(stage.dualValue).to.be.at.most(dualValue + 1e-12)
          if (k > 0) expect(stage.dualValue).to.be.above(stages[k - 1].dualValue)
        })
        expect(total(Float64Array.from(stages, (stage) => stage.iterations))).to.equal(iterations)

        const halving = solve({ maxNonzeros: 2, gamma: 1, continuation: 'halving' }).stages
        expect(halving.map((stage) => stage.maxNonzeros)).to.deep.equal([32, 4, 2])
        expect(solve({ maxNonzeros: 2, gamma: 1, continuation: 'none' }).stages).to.have.length(1)
      })
    })
  })

  describe('without a limit: quadraticRegularized', () => {
    forEachBackend((backend) => {
      it('the plan of a quadratic program (HiGHS)', async () => {
        for (const [n, m, gamma, seed] of [
          [8, 7, 1, 60],
          [6, 11, 0.2, 61],
          [12, 5, 20, 62],
        ]) {
          const dense = randomDense(n, m, seed)
          const expected = (await quadraticProgram(dense, gamma))!
          for (const axis of ['columns', 'rows'] as const) {
            for (const formulation of ['semidual', 'dual'] as const) {
              const options = { gamma, axis, formulation, backend, maxIterations: 5000 }
              const solution = quadraticRegularizedSync(asProblem(dense), options)
              expect(solution.status).to.equal('converged')
              expect(solution.gap).to.be.closeTo(0, 1e-8)
              expect(solution.dualValue).to.be.closeTo(expected.value, 1e-6)
              expect(largestDifference(solution.plan().data, expected.plan)).to.be.below(1e-4)
            }
          }
        }
      })

      it('the same as with k = n, or with any k that its plan stays below', () => {
        const dense = randomDense(30, 20, 63)
        const whole = quadraticRegularizedSync(asProblem(dense), { gamma: 1, backend })
        const fullest = Math.max(...whole.nonzeros)
        expect(fullest).to.be.below(15)
        for (const maxNonzeros of [30, 20, fullest]) {
          const solution = sparsityConstrainedSync(asProblem(dense), { maxNonzeros, gamma: 1, backend })
          expect(solution.status).to.equal('converged')
          expect(solution.dualValue).to.be.closeTo(whole.dualValue, 1e-12)
          expect(largestDifference(solution.plan().data, whole.plan().data)).to.be.below(1e-7)
        }
      })

      it('towards unregularised transport for small gamma', async () => {
        const dense = randomDense(8, 8, 64, 'equal')
        const { value } = await linearProgram(dense)
        const solution = quadraticRegularizedSync(asProblem(dense), { gamma: 1e-3, backend, maxIterations: 5000 })
        expect(solution.value).to.be.closeTo(value, 1e-3)
        expect(solution.dualValue).to.be.closeTo(value, 1e-3)
      })

      it('towards a bᵀ, as far as it is >= 0, for large gamma', () => {
        const dense = randomDense(5, 4, 65, 'equal')
        const solution = quadraticRegularizedSync(asProblem(dense), { gamma: 1e6, backend })
        expect(solution.status).to.equal('converged')
        expect(largestDifference(solution.plan().data, new Float64Array(20).fill(1 / 20))).to.be.below(1e-5)
      })

      it('gamma by default: the range of the cost over the mass', () => {
        const dense = randomDense(7, 6, 66)
        const cost = dense.cost.map((c) => 10 * c - 3)
        const range = Math.max(...cost) - Math.min(...cost)
        const weights = { a: dense.a.map((w) => 4 * w), b: dense.b.map((w) => 4 * w) }
        const solution = quadraticRegularizedSync(asProblem({ ...dense, cost, ...weights }), { backend })
        expect(solution.gamma).to.be.closeTo(range / 4, 1e-13)
        const scaled = { ...dense, cost: cost.map((c) => c / range) }
        const unit = quadraticRegularizedSync(asProblem(scaled), { backend })
        expect(unit.gamma).to.be.closeTo(1, 1e-13)
        const plan = unit.plan().data.map((p) => 4 * p)
        expect(largestDifference(solution.plan().data, plan)).to.be.below(1e-7)

        const x = { data: fill(20, random(67)), shape: [10, 2] }
        const y = { data: fill(16, random(68)), shape: [8, 2] }
        const points = quadraticRegularizedSync({ cost: pointCloud(x, y) }, { backend })
        const distances = Array.from({ length: 80 }, (_, k) => {
          const [i, j] = [Math.floor(k / 8), k % 8]
          return (x.data[2 * i] - y.data[2 * j]) ** 2 + (x.data[2 * i + 1] - y.data[2 * j + 1]) ** 2
        })
        expect(points.gamma).to.be.closeTo(Math.max(...distances) - Math.min(...distances), 1e-13)

        const flat = quadraticRegularizedSync({ cost: [[2, 2], [2, 2]] }, { backend }) // biome-ignore format: a matrix
        expect(flat).to.include({ status: 'converged', gamma: 1 })
      })
    })
  })

  describe('the problem in other forms', () => {
    forEachBackend((backend) => {
      const options = { maxNonzeros: 3, gamma: 2, backend }

      it('rows instead of columns: the problem exchanged', () => {
        const dense = randomDense(14, 9, 70)
        const columns = sparsityConstrainedSync(asProblem(dense), options)
        const rows = sparsityConstrainedSync(asProblem(exchanged(dense)), { ...options, axis: 'rows' })
        expect(rows.dualValue).to.be.closeTo(columns.dualValue, 1e-7)
        expect(rows.columnError).to.be.closeTo(columns.rowError, 1e-3)
        expect(rows.rowError).to.be.below(1e-14)
        expect(rows.nonzeros).to.have.length(9)
        const { data, shape } = rows.plan()
        expect(shape).to.deep.equal([9, 14])
        expect(largestDifference(transposed(data, 9, 14), columns.plan().data)).to.be.below(1e-2)
        expect(Math.max(...columnCounts(transposed(data, 9, 14), 14, 9))).to.be.at.most(3)
      })

      it('points: the matrix of their distances', () => {
        const x = { data: fill(60, random(71)), shape: [30, 2] }
        const y = { data: fill(50, random(72)), shape: [25, 2] }
        for (const cost of ['sqeuclidean', 'euclidean', 'cityblock', 'cosine'] as const) {
          const matrix = distances(x.data, y.data, cost)
          for (const axis of ['columns', 'rows'] as const) {
            const near = { maxNonzeros: 20, gamma: 0.5, axis, backend }
            const points = sparsityConstrainedSync({ cost: pointCloud(x, y, { cost }) }, near)
            const dense = sparsityConstrainedSync({ cost: { data: matrix, shape: [30, 25] } }, near)
            expect(points.status).to.equal('converged')
            expect(points.dualValue).to.be.closeTo(dense.dualValue, 1e-12)
            expect(largestDifference(points.plan().data, dense.plan().data)).to.be.below(1e-7)
            expect(points.value).to.be.closeTo(dense.value, 1e-9)
          }
        }
      })

      it('points of many dimensions', () => {
        const next = randomNormal(73)
        const x = { data: fill(40 * 20, next), shape: [40, 20] }
        const y = { data: fill(35 * 20, next), shape: [35, 20] }
        const matrix = Float64Array.from({ length: 40 * 35 }, (_, k) => {
          const [i, j] = [Math.floor(k / 35), k % 35]
          let sum = 0
          for (let d = 0; d < 20; d++) sum += (x.data[20 * i + d] - y.data[20 * j + d]) ** 2
          return sum
        })
        const near = { gamma: 400, backend }
        const points = quadraticRegularizedSync({ cost: pointCloud(x, y) }, near)
        const dense = quadraticRegularizedSync({ cost: { data: matrix, shape: [40, 35] } }, near)
        expect(points.status).to.equal('converged')
        expect(points.dualValue).to.be.closeTo(dense.dualValue, 1e-9)
        expect(largestDifference(points.plan().data, dense.plan().data)).to.be.below(1e-7)
      })

      it('costs in float32', () => {
        const dense = randomDense(20, 13, 74)
        const single = Float32Array.from(dense.cost)
        const double = Float64Array.from(single)
        for (const axis of ['columns', 'rows'] as const) {
          const solve = (data: Float32Array | Float64Array) =>
            sparsityConstrainedSync({ ...asProblem(dense), cost: { data, shape: [20, 13] } }, { ...options, axis })
          const one = solve(single)
          const other = solve(double)
          expect(one.dualValue).to.equal(other.dualValue)
          expect([...one.plan().data]).to.deep.equal([...other.plan().data])
        }
      })

      it('weights of zero: the problem without them', () => {
        const dense = randomDense(12, 10, 75)
        const a = dense.a.map((w, i) => (i % 3 === 1 ? 0 : w))
        const b = dense.b.map((w, j) => (j === 0 || j === 7 ? 0 : w))
        const problem = { ...dense, a: a.map((w) => w / total(a)), b: b.map((w) => w / total(b)) }
        const rows = [...a.keys()].filter((i) => a[i] > 0)
        const columns = [...b.keys()].filter((j) => b[j] > 0)
        const reduced: Dense = {
          n: rows.length,
          m: columns.length,
          cost: Float64Array.from(rows.flatMap((i) => columns.map((j) => dense.cost[i * 10 + j]))),
          a: Float64Array.from(rows, (i) => problem.a[i]),
          b: Float64Array.from(columns, (j) => problem.b[j]),
        }
        for (const axis of ['columns', 'rows'] as const) {
          const whole = sparsityConstrainedSync(asProblem(problem), { ...options, axis })
          const small = sparsityConstrainedSync(asProblem(reduced), { ...options, axis })
          expect(whole.dualValue).to.equal(small.dualValue)
          const { data } = whole.plan()
          const { data: expected } = small.plan()
          rows.forEach((i, p) => {
            columns.forEach((j, q) => {
              expect(data[i * 10 + j]).to.equal(expected[p * columns.length + q])
            })
          })
          expect(total(data)).to.be.closeTo(total(expected), 1e-15)
          if (axis === 'columns') expectSound(whole, problem, 3)
          for (const value of [...whole.potentials.f, ...whole.potentials.g])
            expect(Number.isFinite(value)).to.equal(true)
          // A limit above the nodes that are left is no limit.
          const most = axis === 'columns' ? 12 : 10
          expect(sparsityConstrainedSync(asProblem(problem), { ...options, axis, maxNonzeros: most }).status).to.equal(
            'converged',
          )
        }
      })

      it('forbidden arcs carry nothing', async () => {
        const dense = randomDense(9, 8, 76)
        const cost = dense.cost.map((c, k) => (k % 5 === 2 ? Number.POSITIVE_INFINITY : c))
        const problem = { ...dense, cost }
        const expected = (await quadraticProgram(problem, 1))!
        for (const axis of ['columns', 'rows'] as const) {
          const solution = quadraticRegularizedSync(asProblem(problem), { gamma: 1, axis, backend })
          expect(solution.status).to.equal('converged')
          expect(solution.dualValue).to.be.closeTo(expected.value, 1e-6)
          expect(largestDifference(solution.plan().data, expected.plan)).to.be.below(1e-4)
        }
        const entropic = sparsityConstrainedSync(asProblem(problem), {
          ...{ maxNonzeros: 9, gamma: 0.3, regularizer: 'entropy', backend },
        })
        expectSound(entropic, problem, 9, true)
        entropic.plan().data.forEach((p, k) => {
          if (cost[k] === Number.POSITIVE_INFINITY) expect(p).to.equal(0)
        })
      })

      it('single rows, columns and entries', () => {
        for (const [n, m] of [
          [1, 1],
          [1, 6],
          [6, 1],
        ]) {
          const dense = randomDense(n, m, 77)
          for (const axis of ['columns', 'rows'] as const) {
            const most = axis === 'columns' ? n : m
            const solution = sparsityConstrainedSync(asProblem(dense), { maxNonzeros: most, gamma: 1, axis, backend })
            expect(solution.status).to.equal('converged')
            const outer = Float64Array.from({ length: n * m }, (_, k) => dense.a[Math.floor(k / m)] * dense.b[k % m])
            expect(largestDifference(solution.plan().data, outer)).to.be.below(1e-9)
          }
        }
      })

      it('other units of cost and mass, a shift, another order', () => {
        const dense = randomDense(15, 12, 78)
        const near = { maxNonzeros: 15, gamma: 0.7, backend }
        const base = sparsityConstrainedSync(asProblem(dense), near)
        const { data: plan } = base.plan()
        const scaled = { ...dense, cost: dense.cost.map((c) => 1e6 * c) }
        const costly = sparsityConstrainedSync(asProblem(scaled), { ...near, gamma: 0.7e6 })
        expect(largestDifference(costly.plan().data, plan)).to.be.below(1e-8)
        expect(costly.dualValue / 1e6).to.be.closeTo(base.dualValue, 1e-12)
        const heavy = { ...dense, a: dense.a.map((w) => 1000 * w), b: dense.b.map((w) => 1000 * w) }
        const more = sparsityConstrainedSync(asProblem(heavy), { ...near, gamma: 0.7e-3 })
        expect(largestDifference(more.plan().data.map((p) => p / 1000), plan)).to.be.below(1e-8) // biome-ignore format: one line
        const shifted = { ...dense, cost: dense.cost.map((c) => c - 5) }
        const moved = sparsityConstrainedSync(asProblem(shifted), near)
        expect(moved.dualValue).to.be.closeTo(base.dualValue - 5, 1e-11)
        expect(largestDifference(moved.plan().data, plan)).to.be.below(1e-8)
        const order = Array.from({ length: 15 }, (_, i) => (7 * i) % 15)
        const mixed: Dense = {
          ...dense,
          cost: Float64Array.from(order.flatMap((i) => [...dense.cost.subarray(12 * i, 12 * i + 12)])),
          a: Float64Array.from(order, (i) => dense.a[i]),
        }
        const { data } = sparsityConstrainedSync(asProblem(mixed), near).plan()
        order.forEach((i, p) => {
          const difference = largestDifference(data.subarray(12 * p, 12 * p + 12), plan.subarray(12 * i, 12 * i + 12))
          expect(difference).to.be.below(1e-8)
        })
      })

      it('all costs equal: every column has ties, the first entries are taken', () => {
        const n = 6
        const problem: TransportProblem = { cost: { data: new Float64Array(n * n).fill(2), shape: [n, n] } }
        const solution = sparsityConstrainedSync(problem, { maxNonzeros: 2, gamma: 1, continuation: 'none', backend })
        expect(solution.status).to.equal('stalled')
        expect([...solution.tieColumns]).to.deep.equal([0, 1, 2, 3, 4, 5])
        expect([...solution.nonzeros]).to.deep.equal([2, 2, 2, 2, 2, 2])
        // With k out of n equal entries each has 1/k of the mass, whichever they are: the bound is attained by others.
        expect(solution.dualValue).to.be.at.most(2 + 0.5 * n * 2 * (1 / 12) ** 2 + 1e-12)
      })
    })
  })

  describe('ways to the solution', () => {
    forEachBackend((backend) => {
      const dense = randomDense(40, 30, 80)
      const problem = asProblem(dense)

      it('a warm start from the solution needs next to nothing', () => {
        const options = { maxNonzeros: 30, gamma: 1, backend } as const
        for (const formulation of ['semidual', 'dual'] as const) {
          for (const axis of ['columns', 'rows'] as const) {
            const from = { ...options, formulation, axis, maxNonzeros: 25, maxIterations: 3000 }
            const first = sparsityConstrainedSync(problem, from)
            expect(first.status).to.equal('converged')
            const again = sparsityConstrainedSync(problem, { ...from, warmStart: first.potentials })
            expect(again.iterations).to.be.below(5)
            expect(again.dualValue).to.be.closeTo(first.dualValue, 1e-12)
          }
        }
      })

      it('the dual form: the same optimum, later', () => {
        const options = { maxNonzeros: 30, gamma: 1, continuation: 'none', backend, maxIterations: 5000 } as const
        const semi = sparsityConstrainedSync(problem, options)
        const dual = sparsityConstrainedSync(problem, { ...options, formulation: 'dual' })
        expect(dual.status).to.equal('converged')
        expect(dual.dualValue).to.be.closeTo(semi.dualValue, 1e-9)
        expect(dual.iterations).to.be.above(semi.iterations)
        const short = sparsityConstrainedSync(problem, { ...options, formulation: 'dual', maxIterations: 20 })
        expect(short.status).to.equal('iteration-limit')
        expect(short.rowError).to.be.above(0)
        expect(short.columnError).to.be.above(0)
        expect(short.residual).to.equal(short.rowError + short.columnError)
        expect(short.dualValue).to.be.below(semi.dualValue)
      })

      it('Adam: as many steps as it is told, near the optimum', () => {
        for (const maxNonzeros of [3, 30]) {
          const best = sparsityConstrainedSync(problem, { maxNonzeros, gamma: 1, backend })
          const adam = sparsityConstrainedSync(problem, { maxNonzeros, gamma: 1, method: 'adam', backend })
          expect(adam.iterations).to.equal(adam.status === 'converged' ? adam.passes - 1 : 500)
          expect(adam.passes).to.equal(adam.iterations + 1)
          expect(adam.stages).to.have.length(1)
          expect(adam.dualValue).to.be.closeTo(best.dualValue, 1e-4)
          const few = sparsityConstrainedSync(problem, {
            ...{ maxNonzeros, gamma: 1, method: 'adam', maxIterations: 50, learningRate: 0.05, backend },
          })
          expect(few.dualValue).to.be.closeTo(best.dualValue, 5e-3)
        }
      })

      it('Adam with steps that turn everything over: as written down from its definition', () => {
        const wild = randomDense(300, 60, 83)
        for (let steps = 1; steps <= 8; steps++) {
          for (const maxNonzeros of [2, 40]) {
            const rate = { learningRate: 2, maxIterations: steps }
            const options = { maxNonzeros, gamma: 1, method: 'adam', ...rate, backend } as const
            const f = fill(300, randomNormal(84 + steps))
            const g = new Float64Array(60)
            const expected = naiveAdam(wild, maxNonzeros, 1, 2, steps, f)
            const start = { ...options, warmStart: { f, g } }
            expect(sparsityConstrainedSync(asProblem(wild), start).dualValue).to.be.closeTo(expected, 1e-9)
            const flipped = { ...options, axis: 'rows', warmStart: { f: g, g: f } } as const
            const rows = sparsityConstrainedSync(asProblem(exchanged(wild)), flipped)
            expect(rows.dualValue).to.be.closeTo(expected, 1e-9)
          }
        }
      })

      it('Adam on the dual', () => {
        const options = { maxNonzeros: 30, gamma: 1, backend } as const
        const best = sparsityConstrainedSync(problem, options)
        const adam = sparsityConstrainedSync(problem, {
          ...{ ...options, method: 'adam', formulation: 'dual', maxIterations: 2000 },
        })
        expect(adam.dualValue).to.be.closeTo(best.dualValue, 1e-3)
      })

      it('stochastic: nearer with more steps; the seed decides', () => {
        for (const axis of ['columns', 'rows'] as const) {
          const options = { maxNonzeros: 5, gamma: 1, axis, backend } as const
          const best = sparsityConstrainedSync(problem, options).dualValue
          const run = (maxIterations: number, seed: number) =>
            sparsityConstrainedSync(problem, { ...options, method: 'stochastic', maxIterations, seed })
          const errors = [300, 10_000].map((steps) => best - run(steps, 1).dualValue)
          expect(errors[0]).to.be.above(errors[1])
          expect(errors[1]).to.be.within(-1e-9, 1e-3)
          expect(run(300, 1).dualValue).to.equal(run(300, 1).dualValue)
          expect(run(300, 1).dualValue).to.not.equal(run(300, 2).dualValue)
          expect(run(300, 1).iterations).to.equal(300)
          expect(run(300, 1).passes).to.equal(Math.ceil((300 * 16) / (axis === 'columns' ? 30 : 40)) + 2)
        }
      })

      it("the entropy with k = n: Sinkhorn's plan", async () => {
        const { naiveSinkhorn } = await import('../helpers/naive-sinkhorn.js')
        const expected = naiveSinkhorn(dense, 0.1)
        const solution = sparsityConstrainedSync(problem, {
          ...{ maxNonzeros: 40, gamma: 0.1, regularizer: 'entropy', maxIterations: 3000, backend },
        })
        expect(solution.status).to.equal('converged')
        expect(solution.gap).to.be.closeTo(0, 1e-9)
        expect(largestDifference(solution.plan().data, expected.plan)).to.be.below(1e-9)
      })

      it('the entropy with few entries: sound, and better with more of them', () => {
        let last = Number.POSITIVE_INFINITY
        for (const maxNonzeros of [2, 4, 10, 40]) {
          for (const formulation of ['semidual', 'dual'] as const) {
            const solution = sparsityConstrainedSync(problem, {
              ...{ maxNonzeros, gamma: 0.2, regularizer: 'entropy', formulation, maxIterations: 200, backend },
            })
            expectSound(solution, dense, maxNonzeros, true)
            if (formulation === 'dual') continue
            expect(solution.dualValue).to.be.below(last)
            last = solution.dualValue
          }
        }
      })
    })
  })

  describe('repairs', () => {
    forEachBackend((backend) => {
      const dense = histograms()
      const problem = asProblem(dense)

      it('round: exact marginals, at the price of the entries', () => {
        for (const [options, entropy] of [
          [{ maxNonzeros: 2, gamma: 1 }, false],
          [{ maxNonzeros: 3, gamma: 0.05, regularizer: 'entropy', maxIterations: 50 }, true],
          [{ maxNonzeros: 2, gamma: 1, axis: 'rows' }, false],
          [{ maxNonzeros: 2, gamma: 1, formulation: 'dual', maxIterations: 30 }, false],
        ] as [SparsityOptions, boolean][]) {
          const before = sparsityConstrainedSync(problem, { ...options, backend })
          const after = sparsityConstrainedSync(problem, { ...options, repair: 'round', backend })
          expect(before.repaired).to.equal(undefined)
          expect(after.repaired).to.equal(true)
          expect(after.dualValue).to.equal(before.dualValue)
          expect(after.residual).to.equal(before.residual)
          const { data: plan } = after.plan()
          const { n, m, a, b, cost } = dense
          expect(distanceL1(rowSums(plan, n, m), a)).to.be.below(1e-14)
          expect(distanceL1(columnSums(plan, n, m), b)).to.be.below(1e-14)
          expect(after.rowError + after.columnError).to.be.below(1e-14)
          expect(after.value).to.be.closeTo(dot(plan, cost), 1e-14)
          const { gamma } = after
          const penalty = entropy
            ? plan.reduce((sum, p) => sum + (p > 0 ? gamma * p * (Math.log(p) - 1) : 0), 0)
            : plan.reduce((sum, p) => sum + 0.5 * gamma * p * p, 0)
          expect(after.primalValue).to.be.closeTo(after.value + penalty, 1e-13)
          if (!entropy) expect(after.gap).to.be.at.least(0)
          const counts = options.axis === 'rows' ? columnCounts(transposed(plan, n, m), n, m) : columnCounts(plan, n, m)
          expect([...after.nonzeros]).to.deep.equal(counts)
          const { data, indices, indptr } = after.sparsePlan()
          const sparse = new Float64Array(n * m)
          for (let i = 0; i < n; i++)
            for (let e = indptr[i]; e < indptr[i + 1]; e++) sparse[i * m + indices[e]] = data[e]
          expect(largestDifference(sparse, plan)).to.equal(0)
          const v = fill(m, random(9))
          const expected = Float64Array.from({ length: n }, (_, i) => dot(plan.subarray(i * m, (i + 1) * m), v))
          expect(largestDifference(after.apply(v), expected)).to.be.below(1e-15)
          const u = fill(n, random(10))
          const flipped = transposed(plan, n, m)
          const other = Float64Array.from({ length: m }, (_, j) => dot(flipped.subarray(j * n, (j + 1) * n), u))
          expect(largestDifference(after.applyTranspose(u), other)).to.be.below(1e-15)
        }
      })

      it('round: with weights of zero and points', () => {
        const x = { data: fill(40, random(81)), shape: [20, 2] }
        const y = { data: fill(30, random(82)), shape: [15, 2] }
        const a = Float64Array.from({ length: 20 }, (_, i) => (i % 4 === 0 ? 0 : 1 / 15))
        const solution = sparsityConstrainedSync(
          { cost: pointCloud(x, y), a },
          { maxNonzeros: 2, gamma: 1, repair: 'round', backend },
        )
        const { data: plan } = solution.plan()
        expect(distanceL1(rowSums(plan, 20, 15), a)).to.be.below(1e-14)
        expect(solution.value).to.be.closeTo(dot(plan, distances(x.data, y.data, 'sqeuclidean')), 1e-14)
      })

      it('round: an infinite value where only forbidden arcs are left', () => {
        // At first the second source serves both targets; what it lacks, the first has.
        const solution = sparsityConstrainedSync(
          // biome-ignore format: a matrix
          { cost: [[1, Number.POSITIVE_INFINITY], [0, 0]], a: [0.55, 0.45], b: [0.6, 0.4] },
          { maxNonzeros: 1, gamma: 0.01, maxIterations: 1, method: 'adam', repair: 'round', backend },
        )
        expect(solution.plan().data[1]).to.be.above(0)
        expect(solution.value).to.equal(Number.POSITIVE_INFINITY)
        expect(solution.primalValue).to.equal(Number.POSITIVE_INFINITY)
        expect(solution.gap).to.equal(Number.POSITIVE_INFINITY)
      })
    })
  })

  describe('one entry per line', () => {
    forEachBackend((backend) => {
      const single = { maxNonzeros: 1, gamma: 0.4, backend } as const

      it('unregularised transport and a constant, exactly', async () => {
        for (const seed of [100, 101, 102]) {
          const dense = randomDense(12, 9, seed)
          const { value } = await linearProgram(dense)
          for (const [axis, lines] of [
            ['columns', dense.b],
            ['rows', dense.a],
          ] as const) {
            for (const formulation of ['semidual', 'dual'] as const) {
              const quadratic = sparsityConstrainedSync(asProblem(dense), { ...single, axis, formulation })
              expect(quadratic.exact).to.equal(true)
              expect(quadratic.note).to.match(/unregularised transport/)
              const squares = total(lines.map((w) => 0.5 * 0.4 * w * w))
              expect(quadratic.dualValue).to.be.closeTo(value + squares, 1e-9)
              expect(quadratic.stages).to.have.length(1)
              expect(quadratic.stages[0]).to.include({ maxNonzeros: 1, smoothing: 0 })
              expect(quadratic.stages[0].iterations).to.equal(quadratic.iterations)
              const entropic = sparsityConstrainedSync(asProblem(dense), {
                ...{ ...single, axis, formulation, regularizer: 'entropy' },
              })
              const entropies = total(lines.map((w) => 0.4 * w * (Math.log(w) - 1)))
              expect(entropic.dualValue).to.be.closeTo(value + entropies, 1e-9)
              // The optimal plan has more entries than that: the bound is exact, the plan misses its marginals.
              expect(quadratic.status).to.equal('stalled')
              expect(quadratic.tieColumns.length).to.be.above(0)
              if (axis === 'columns') expectSound(quadratic, dense, 1)
            }
          }
        }
      })

      it('the best plan, where the transport plan has one entry per line', () => {
        for (const seed of [103, 104]) {
          const dense = randomDense(7, 7, seed, 'equal')
          for (const axis of ['columns', 'rows'] as const) {
            const solution = sparsityConstrainedSync(asProblem(dense), { ...single, axis })
            expectSound(solution, dense, 1)
            expect(solution.status).to.equal('converged')
            expect(solution.gap).to.be.closeTo(0, 1e-14)
            expect(solution.value).to.be.closeTo(bestAssignment(dense.cost, 7), 1e-14)
            expect([...solution.nonzeros]).to.deep.equal([1, 1, 1, 1, 1, 1, 1])
          }
        }
        // One source serves several targets.
        const b = [0.1, 0.2, 0.3, 0.4]
        const cost = [
          [1, 0, 0, 1],
          [0, 1, 1, 0],
        ]
        const shared = sparsityConstrainedSync({ cost, a: [0.5, 0.5], b }, { ...single, repair: 'flow' })
        expect(shared.status).to.equal('converged')
        expect(shared.repaired).to.equal(true)
        expect([...shared.plan().data]).to.deep.equal([0, 0.2, 0.3, 0, 0.1, 0, 0, 0.4])
      })

      it('with weights of zero, forbidden arcs, and points', async () => {
        const dense = randomDense(8, 8, 105, 'equal')
        const cost = dense.cost.map((c, k) => (k % 3 === 1 && k % 9 !== 0 ? Number.POSITIVE_INFINITY : c))
        const a = dense.a.map((w, i) => (i === 2 ? 0 : (8 * w) / 7))
        const b = dense.b.map((w, j) => (j === 5 ? 0 : (8 * w) / 7))
        const problem = { ...dense, cost, a, b }
        const { value } = await linearProgram({ ...problem, ...withoutZeros(problem) })
        const solution = sparsityConstrainedSync(asProblem(problem), single)
        expectSound(solution, problem, 1)
        expect(solution.status).to.equal('converged')
        expect(solution.value).to.be.closeTo(value, 1e-9)
        const x = { data: fill(20, random(106)), shape: [10, 2] }
        const y = { data: fill(20, random(107)), shape: [10, 2] }
        const points = sparsityConstrainedSync({ cost: pointCloud(x, y) }, single)
        const matrix = distances(x.data, y.data, 'sqeuclidean')
        const same = sparsityConstrainedSync({ cost: { data: matrix, shape: [10, 10] } }, single)
        expect(points.dualValue).to.be.closeTo(same.dualValue, 1e-12)
        expect(points.status).to.equal('converged')
        expect(points.value).to.be.closeTo(dot(points.plan().data, matrix), 1e-12)
      })

      it('by descent where that is asked for', () => {
        const dense = randomDense(10, 10, 108)
        const adam = sparsityConstrainedSync(asProblem(dense), { ...single, method: 'adam' })
        expect(adam.exact).to.equal(undefined)
        expect(adam.iterations).to.equal(500)
      })

      it('time is up, or there is no plan', () => {
        const dense = randomDense(300, 300, 109)
        const solution = sparsityConstrainedSync(asProblem(dense), { ...single, timeLimit: 1e-6 })
        expect(solution.status).to.equal('time-limit')
        expect(solution.exact).to.equal(undefined)
        expect(Math.max(...solution.nonzeros)).to.equal(1)
        const cost = [
          [1, Number.POSITIVE_INFINITY],
          [1, Number.POSITIVE_INFINITY],
        ]
        expectError(() => sparsityConstrainedSync({ cost }, single), 'ERR_INFEASIBLE', /^cost: expected allowed/)
      })
    })
  })

  describe('repair by flow', () => {
    forEachBackend((backend) => {
      it('equal weights: exact marginals with no more entries, within the gap of the best', async () => {
        for (const [seed, maxNonzeros] of [
          [1, 2],
          [1, 3],
          [2, 2],
          [3, 3],
        ]) {
          const dense = randomDense(40, 40, seed, 'equal')
          for (const axis of ['columns', 'rows'] as const) {
            const options = { maxNonzeros, gamma: 3, axis, backend } as const
            const before = sparsityConstrainedSync(asProblem(dense), options)
            const after = sparsityConstrainedSync(asProblem(dense), { ...options, repair: 'flow' })
            expect(before.status).to.equal('stalled')
            expect(after.repaired).to.equal(true)
            expect(after.repairFailure).to.equal(undefined)
            expect(after.dualValue).to.equal(before.dualValue)
            expect(after.rowError + after.columnError).to.be.below(1e-14)
            const { data: plan } = after.plan()
            expect(distanceL1(rowSums(plan, 40, 40), dense.a)).to.be.below(1e-14)
            expect(distanceL1(columnSums(plan, 40, 40), dense.b)).to.be.below(1e-14)
            expect(after.value).to.be.closeTo(dot(plan, dense.cost), 1e-13)
            expect(after.primalValue).to.be.closeTo(quadraticValue(dense, plan, 3), 1e-13)
            expect(after.gap).to.be.at.least(0)
            const counts = columnCounts(axis === 'rows' ? transposed(plan, 40, 40) : plan, 40, 40)
            expect([...after.nonzeros]).to.deep.equal(counts)
            expect(Math.max(...counts)).to.be.at.most(maxNonzeros)
            expect(after.value).to.be.at.least((await linearProgram(dense)).value - 1e-9)
          }
        }
      }).timeout(20_000)

      it('the cheapest flow on the support (HiGHS)', async () => {
        const dense = randomDense(6, 6, 111, 'equal')
        const options = { maxNonzeros: 2, gamma: 20, backend } as const
        const after = sparsityConstrainedSync(asProblem(dense), { ...options, repair: 'flow' })
        expect(after.repaired).to.equal(true)
        const { f, g } = after.potentials
        // The support from its definition: what is within 0.2 % of the second largest excess of its column.
        const cost = dense.cost.map((c, k) => {
          const excess = (i: number) => f[i] + g[k % 6] - dense.cost[i * 6 + (k % 6)]
          const order = [0, 1, 2, 3, 4, 5].map(excess).sort((x, y) => y - x)
          return excess(Math.floor(k / 6)) >= 0.998 * Math.max(order[1], 0) - 1e-12 ? c : Number.POSITIVE_INFINITY
        })
        expect(after.value).to.be.closeTo((await linearProgram({ ...dense, cost })).value, 1e-9)
      })

      it('says why where it cannot be', () => {
        const bins = sparsityConstrainedSync(asProblem(histograms()), {
          maxNonzeros: 2,
          gamma: 1,
          repair: 'flow',
          backend,
        })
        expect(bins).to.include({ repaired: false, repairFailure: 'infeasible' })
        expectSound(bins, histograms(), 2)
        const dense = randomDense(40, 40, 0)
        const many = sparsityConstrainedSync(asProblem(dense), { maxNonzeros: 2, gamma: 2, repair: 'flow', backend })
        expect(many).to.include({ repaired: false, repairFailure: 'cardinality' })
        expectSound(many, dense, 2)
      })

      it('leaves a plan that has converged as it is', () => {
        const dense = randomDense(20, 20, 112)
        const options = { gamma: 1, backend } as const
        const plain = quadraticRegularizedSync(asProblem(dense), options)
        const repaired = quadraticRegularizedSync(asProblem(dense), { ...options, repair: 'flow' })
        expect(repaired.repaired).to.equal(true)
        expect([...repaired.plan().data]).to.deep.equal([...plain.plan().data])
      })

      it('with weights of zero, of points', () => {
        const x = { data: fill(24, random(113)), shape: [12, 2] }
        const y = { data: fill(20, random(114)), shape: [10, 2] }
        const a = Float64Array.from({ length: 12 }, (_, i) => (i < 2 ? 0 : 0.1))
        const b = new Float64Array(10).fill(0.1)
        const options = { maxNonzeros: 2, gamma: 30, repair: 'flow', backend } as const
        const solution = sparsityConstrainedSync({ cost: pointCloud(x, y), a, b }, options)
        expect(solution.repaired).to.equal(true)
        const { data: plan } = solution.plan()
        expect(distanceL1(rowSums(plan, 12, 10), a)).to.be.below(1e-14)
        expect(distanceL1(columnSums(plan, 12, 10), b)).to.be.below(1e-14)
        expect(solution.value).to.be.closeTo(dot(plan, distances(x.data, y.data, 'sqeuclidean')), 1e-12)
      })
    })
  })

  describe('routing 1024 tokens to 16 experts', () => {
    forEachBackend((backend) => {
      const route = (seed: number, maxNonzeros: number, gamma: number, repair: 'none' | 'flow' = 'none') => {
        const { scores } = syntheticTrace({ tokens: 1024, experts: 16, seed })
        const cost = { data: scores.data.map((score) => -score), shape: [1024, 16] }
        const solution = sparsityConstrainedSync({ cost }, { maxNonzeros, gamma, repair, backend })
        const { indptr, data } = solution.sparsePlan()
        const uncovered = indptr.subarray(1).filter((end, t) => end === indptr[t]).length
        return { solution, uncovered: uncovered / 1024, experts: data.length / 1024 }
      }

      it('as few tokens per expert as asked for, nearly all tokens covered', () => {
        for (const seed of backend === 'native' ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [1, 2]) {
          const results = [64, 128, 160].map((k) => route(seed, k, 100))
          results.forEach(({ solution }, at) => {
            expect(Math.max(...solution.nonzeros)).to.be.at.most([64, 128, 160][at])
            expect(solution.rowError).to.be.at.most([0.012, 0.05, 0.04][at])
          })
          const [few, some, more] = results
          expect(few.uncovered).to.be.at.most(0.003)
          expect(some.uncovered + more.uncovered).to.equal(0)
          expect(few.solution.value).to.be.below(some.solution.value)
          expect(some.solution.value).to.be.below(more.solution.value)
          expect(few.experts).to.be.at.most(1)
          expect(some.experts).to.be.within(1.5, 1.95)
          expect(more.experts).to.be.within(some.experts, 2.2)
          const sharp = route(seed, 96, 1)
          expect(sharp.solution.rowError).to.be.at.most(1e-3)
          expect(sharp.experts).to.be.within(1, 1.06)
        }
      }).timeout(60_000)

      it('with 64 tokens each: the best assignment, and its proof', () => {
        const { solution, experts } = route(1, 64, 100, 'flow')
        expect(solution.repaired).to.equal(true)
        expect(experts).to.equal(1)
        expect([...solution.nonzeros]).to.deep.equal(new Array(16).fill(64))
        expect(solution.gap).to.be.within(-1e-12, 1e-6)
      })
    })
  })

  it('off the event loop the same as here', async () => {
    const problem = asProblem(randomDense(50, 40, 90))
    for (const backend of ['native', 'portable'] as const) {
      const options = { maxNonzeros: 4, gamma: 1, repair: 'round', backend } as const
      const [one, other] = [await sparsityConstrained(problem, options), sparsityConstrainedSync(problem, options)]
      expect(one.dualValue).to.equal(other.dualValue)
      expect([...one.plan().data]).to.deep.equal([...other.plan().data])
    }
  })
})

/** The semi-dual and its supergradient, column by column, with a sort. */
function naiveSemiDual({ m, cost, a, b }: Dense, k: number, gamma: number, f: Float64Array) {
  const slope = a.slice()
  let value = dot(a, f)
  for (let j = 0; j < m; j++) {
    const s = f.map((x, i) => x - cost[i * m + j])
    const order = [...s.keys()].sort((p, q) => s[q] - s[p] || p - q).slice(0, k)
    let sum = 0
    let level = 0
    order.forEach((i, r) => {
      sum += s[i]
      const next = (sum - gamma * b[j]) / (r + 1)
      if (s[i] > next) level = next
    })
    for (const i of order) {
      const t = Math.max(0, s[i] - level) / gamma
      slope[i] -= t
      value -= s[i] * t - 0.5 * gamma * t * t
    }
  }
  return { value, slope }
}

/** Adam's best dual value in that many steps, which fall to zero. */
function naiveAdam(dense: Dense, k: number, gamma: number, learningRate: number, steps: number, from: Float64Array) {
  const f = from.slice()
  const first = new Float64Array(dense.n)
  const second = new Float64Array(dense.n)
  const range = Math.max(...dense.cost) - Math.min(...dense.cost)
  let best = Number.NEGATIVE_INFINITY
  for (let t = 0; t <= steps; t++) {
    const { value, slope } = naiveSemiDual(dense, k, gamma, f)
    best = Math.max(best, value)
    const step = learningRate * range * (1 - t / steps)
    for (let i = 0; i < f.length; i++) {
      first[i] = 0.9 * first[i] + 0.1 * slope[i]
      second[i] = 0.999 * second[i] + 0.001 * slope[i] ** 2
      const [m, v] = [first[i] / (1 - 0.9 ** (t + 1)), second[i] / (1 - 0.999 ** (t + 1))]
      f[i] += (step * m) / (Math.sqrt(v) + 1e-8 / dense.n)
    }
  }
  return best
}

/** Costs so high at nodes without weight that they play no part, for a solver that wants all of them. */
function withoutZeros({ n, m, cost, a, b }: Dense): Pick<Dense, 'cost'> {
  return {
    cost: Float64Array.from({ length: n * m }, (_, k) => {
      const idle = a[Math.floor(k / m)] === 0 || b[k % m] === 0
      return idle ? 0 : cost[k]
    }),
  }
}

function distances(x: Float64Array, y: Float64Array, metric: 'sqeuclidean' | 'euclidean' | 'cityblock' | 'cosine') {
  const [n, m] = [x.length / 2, y.length / 2]
  return Float64Array.from({ length: n * m }, (_, k) => {
    const [i, j] = [Math.floor(k / m), k % m]
    const [p, q, r, s] = [x[2 * i], x[2 * i + 1], y[2 * j], y[2 * j + 1]]
    if (metric === 'cosine') return 1 - (p * r + q * s) / Math.hypot(p, q) / Math.hypot(r, s)
    if (metric === 'cityblock') return Math.abs(p - r) + Math.abs(q - s)
    const squared = (p - r) ** 2 + (q - s) ** 2
    return metric === 'euclidean' ? Math.sqrt(squared) : squared
  })
}
