import { expect } from 'chai'
import fc from 'fast-check'
import {
  type PartialOptions,
  type PartialSolution,
  partial,
  partialSync,
  pointCloud,
  sinkhornNewtonSparseSync,
  type TransportProblem,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, refusing } from '../helpers/errors.js'
import { linearProgram } from '../helpers/linear-program.js'
import { naiveSinkhorn } from '../helpers/naive-sinkhorn.js'
import { bordered } from '../helpers/partial.js'
import { check, checkAsync } from '../helpers/property.js'
import { fill, random } from '../helpers/random.js'
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
} from '../helpers/transport.js'

/** Costs in [0, 1), totals 1 and `ratio`. */
function uneven(n: number, m: number, seed: number, ratio = 1.5): Dense {
  const dense = randomDense(n, m, seed)
  return { ...dense, b: dense.b.map((w) => ratio * w) }
}

function expectSound(
  solution: PartialSolution,
  dense: Dense,
  { mass, epsilon, tolerance = 1e-9 }: PartialOptions,
): void {
  const { n, m, a, b, cost } = dense
  const { f, g, price } = solution.potentials
  const { data: plan } = solution.plan()
  for (const value of [...f, ...g, ...plan, price, solution.residual]) expect(value).to.satisfy(Number.isFinite)
  const size = Math.max(
    ...cost.filter(Number.isFinite).map(Math.abs),
    ...f.map(Math.abs),
    ...g.map(Math.abs),
    Math.abs(price),
  )
  const relative = 1e-13 + (8 * Number.EPSILON * size) / epsilon
  for (let k = 0; k < n * m; k++) {
    const [i, j] = [Math.floor(k / m), k % m]
    const expected = a[i] > 0 && b[j] > 0 ? Math.exp((f[i] + g[j] + price - cost[k]) / epsilon) : 0
    expect(plan[k]).to.be.closeTo(expected, relative * expected + 1e-300)
  }
  const rows = rowSums(plan, n, m)
  const columns = columnSums(plan, n, m)
  expect(largestDifference(solution.marginals.a, rows)).to.be.at.most(1e-12 * mass)
  expect(largestDifference(solution.marginals.b, columns)).to.be.at.most(1e-12 * mass)
  expect(solution.mass).to.be.closeTo(total(plan), 1e-12 * mass)
  expect(solution.value).to.be.closeTo(dot(plan, cost), relative * size * mass)

  const stays = (w: Float64Array, h: Float64Array) =>
    total(w) - mass > 1e-11 * total(w) ? h.map((x, i) => (w[i] > 0 ? Math.exp(x / epsilon) : 0)) : h.map(() => 0)
  const [s, t] = [stays(a, f), stays(b, g)]
  const sum = (p: Float64Array, q: Float64Array) => p.map((x, i) => x + q[i])
  const errors =
    distanceL1(sum(rows, s), a) +
    distanceL1(sum(columns, t), b) +
    Math.abs(total(s) - (total(a) - mass)) +
    Math.abs(total(t) - (total(b) - mass))
  const rounding = (relative * (total(a) + total(b))) / mass
  expect(solution.residual).to.be.closeTo(errors / mass, 1e-9 + 4 * rounding)
  expect(solution.status === 'converged').to.equal(solution.residual <= tolerance)
  const dual = dot(a, f) + dot(b, g) + mass * price - epsilon * (total(plan) + total(s) + total(t))
  expect(solution.regularizedValue).to.be.closeTo(dual, (relative + 1e-12) * size * (total(a) + total(b)))
  const { certificate } = solution
  if (certificate !== undefined) expect(certificate.gap).to.be.at.least(-1e-11 * size * mass)
}

describe('transport: partial', () => {
  forEachBackend((backend) => {
    const solve = (dense: Dense, options: PartialOptions) => partialSync(asProblem(dense), { backend, ...options })

    it('the bordered problem, as the naive iteration solves it', () => {
      const size = fc.integer({ min: 1, max: 9 })
      const part = fc.constantFrom(0.05, 0.5, 0.9)
      check(
        fc.property(size, size, fc.nat(), part, fc.constantFrom(0.05, 0.3, 3), (n, m, seed, part, epsilon) => {
          const dense = uneven(n, m, seed)
          const options = { mass: part, epsilon, tolerance: 1e-12 }
          const solution = solve(dense, options)
          const { plan } = naiveSinkhorn(bordered(dense, part), epsilon, 1e-13)
          const core = plan.filter((_, k) => Math.floor(k / (m + 1)) < n && k % (m + 1) < m)
          expect(solution.status).to.equal('converged')
          expect(solution.mass).to.be.closeTo(part, 1e-12)
          expect(largestDifference(solution.plan().data, core)).to.be.below(1e-11)
          expectSound(solution, dense, options)
        }),
      )
    })

    it('the optimum of the linear program within the certificate, whatever the state', async () => {
      const size = fc.integer({ min: 1, max: 10 })
      const epsilon = fc.constantFrom(1e-5, 1e-3, 0.1, 10)
      const part = fc.constantFrom(0.01, 0.4, 0.95, 1)
      await checkAsync(
        fc.asyncProperty(
          fc.tuple(size, size, fc.nat()),
          epsilon,
          part,
          fc.constantFrom(1, 3, 500),
          async ([n, m, seed], epsilon, mass, maxIterations) => {
            const dense = uneven(n, m, seed)
            const { value } = await linearProgram(bordered(dense, mass))
            const options = { mass, epsilon, maxIterations }
            const solution = solve(dense, options)
            const { primal, dual, gap } = solution.certificate!
            expect(dual).to.be.at.most(value + 1e-8)
            expect(primal).to.be.at.least(value - 1e-8)
            expect(gap).to.equal(primal - dual)
            if (maxIterations === 500 && epsilon === 1e-5) expect(gap).to.be.below(1e-5 * Math.log(n * m + 4) * 10)
            expectSound(solution, dense, options)
          },
        ),
        { runs: 40 },
      )
    })

    it('all of the smaller side, all of both', () => {
      const dense = uneven(8, 11, 41)
      const options = { mass: 1, epsilon: 0.02, tolerance: 1e-12 }
      const solution = solve(dense, options)
      expect(largestDifference(solution.marginals.a, dense.a)).to.be.below(1e-12)
      expect(Math.max(...solution.potentials.f)).to.be.closeTo(0, 1e-15)
      expectSound(solution, dense, options)
      const mirrored = solve({ ...dense, a: dense.a.map((w) => 2 * w) }, { ...options, mass: total(dense.b) })
      expect(largestDifference(mirrored.marginals.b, dense.b)).to.be.below(1e-12)

      const equal = randomDense(8, 11, 41)
      const both = solve(equal, options)
      const balanced = sinkhornNewtonSparseSync(asProblem(equal), { epsilon: 0.02, tolerance: 1e-12, backend })
      expect(largestDifference(both.plan().data, balanced.plan().data)).to.be.below(1e-12)
      expect(both.regularizedValue).to.be.closeTo(balanced.regularizedValue, 1e-12)
      expect(both.certificate!.primal).to.be.closeTo(balanced.certificate!.primal, 1e-11)
      expect(both.certificate!.dual).to.be.closeTo(balanced.certificate!.dual, 1e-11)
    })

    it('potentials are derivatives with respect to the weights and the mass', () => {
      const dense = uneven(5, 6, 42)
      const epsilon = 0.1
      const value = (change: Partial<Dense>, mass = 0.6) =>
        solve({ ...dense, ...change }, { mass, epsilon, tolerance: 1e-13 }).regularizedValue
      const nudged = (w: Float64Array, i: number, by: number) => w.map((x, k) => (k === i ? x + by : x))
      const slope = (at: (t: number) => number) => (at(1e-5) - at(-1e-5)) / 2e-5
      const { potentials } = solve(dense, { mass: 0.6, epsilon, tolerance: 1e-13 })
      for (let i = 0; i < 5; i++) {
        expect(slope((t) => value({ a: nudged(dense.a, i, t) }))).to.be.closeTo(potentials.f[i], 1e-7)
      }
      for (let j = 0; j < 6; j++) {
        expect(slope((t) => value({ b: nudged(dense.b, j, t) }))).to.be.closeTo(potentials.g[j], 1e-7)
      }
      expect(slope((t) => value({}, 0.6 + t))).to.be.closeTo(potentials.price, 1e-7)
    })

    it('moves the cheapest first: the price grows with the mass', () => {
      const dense = uneven(20, 15, 43)
      let before = -Infinity
      for (const mass of [0.01, 0.1, 0.3, 0.6, 0.9, 0.99]) {
        const { potentials, marginals } = solve(dense, { mass, epsilon: 1e-3 })
        expect(potentials.price).to.be.above(before)
        before = potentials.price
        marginals.a.forEach((moved, i) => {
          expect(moved).to.be.at.most(dense.a[i] * (1 + 1e-6))
        })
      }
    })

    it('the same for points as for their costs, and for costs moved by a constant', () => {
      const next = random(44)
      for (const d of [2, 20]) {
        const [x, y] = [12, 14].map((count) => Array.from({ length: count }, () => Array.from({ length: d }, next)))
        const cost = x.flatMap((p) => y.map((q) => p.reduce((sum, c, k) => sum + (c - q[k]) ** 2, 0)))
        const dense = { ...uneven(12, 14, 44), cost: Float64Array.from(cost) }
        const options = { mass: 0.7, epsilon: 0.02 * d, tolerance: 1e-12, backend }
        const points = partialSync({ cost: pointCloud(x, y), a: dense.a, b: dense.b }, options)
        const expected = solve(dense, options)
        expect(largestDifference(points.plan().data, expected.plan().data)).to.be.below(1e-11)
        expectSound(points, dense, options)
        const dearer = solve({ ...dense, cost: dense.cost.map((c) => c + 1000) }, { ...options, tolerance: 1e-9 })
        expect(largestDifference(dearer.plan().data, expected.plan().data)).to.be.below(1e-9)
        expect(dearer.regularizedValue).to.be.closeTo(expected.regularizedValue + 700, 1e-8)
        const single = partialSync(
          { ...asProblem(dense), cost: { data: Float32Array.from(dense.cost), shape: [12, 14] } },
          options,
        )
        expect(largestDifference(single.plan().data, expected.plan().data)).to.be.below(1e-4)
      }
    })

    it('nodes without weight move nothing', () => {
      const dense = uneven(9, 10, 45)
      const a = dense.a.map((w, i) => (i % 4 === 1 ? 0 : w))
      const b = dense.b.map((w, j) => (j === 3 ? 0 : w))
      const options = { mass: 0.4, epsilon: 0.02 }
      const solution = solve({ ...dense, a, b }, options)
      expectSound(solution, { ...dense, a, b }, options)
      expect(solution.marginals.a[1]).to.equal(0)
      expect(solution.marginals.b[3]).to.equal(0)
      expect(solution.potentials.f[1]).to.be.at.most(0)
    })

    it('forbidden arcs: around them, or an error with what can move', () => {
      const cost = [
        [1, Infinity, Infinity],
        [2, Infinity, Infinity],
        [Infinity, 3, Infinity],
      ]
      const problem = { cost, a: [0.5, 0.5, 0.5], b: [0.6, 0.7, 0.8] }
      const solution = partialSync(problem, { mass: 0.9, epsilon: 1e-4, backend })
      expect(solution.status).to.equal('converged')
      const plan = solution.plan().data
      const expected = [0.5, 0, 0, 0.1, 0, 0, 0, 0.3, 0]
      expect(largestDifference(plan, Float64Array.from(expected))).to.be.below(1e-9)
      expectError(
        () => partialSync(problem, { mass: 1.25, epsilon: 1e-4, backend }),
        'ERR_INFEASIBLE',
        'mass: expected at most 1.1, which the allowed (finite) arcs can move, got 1.25',
      )
    })

    it('a node that no arc leads to cannot move all, however little it has', () => {
      const cost = [[1], [Infinity]]
      const problem = { cost, a: [1, 1e-12], b: [2] }
      expectError(
        () => partialSync(problem, { mass: 1 + 1e-12, epsilon: 0.1, backend }),
        'ERR_INFEASIBLE',
        /^mass: expected at most 1, /,
      )
      expect(partialSync(problem, { mass: 0.5, epsilon: 0.1, backend }).status).to.equal('converged')
      const balanced = { cost, a: [1, 1e-12], b: [1] }
      expectError(
        () => sinkhornNewtonSparseSync(balanced, { epsilon: 0.1, backend }),
        'ERR_INFEASIBLE',
        /rows 1 supply 1e-12 but reach no column$/,
      )
    })

    it('goes on from a warm start', () => {
      const dense = uneven(60, 50, 46)
      const options = { mass: 0.8, epsilon: 1e-3 }
      const first = solve(dense, options)
      const again = solve(dense, { ...options, warmStart: first.potentials })
      expect(again.iterations).to.be.below(first.iterations / 3)
      expect(largestDifference(again.plan().data, first.plan().data)).to.be.below(1e-9)
    })

    it('statuses and history', async () => {
      const problem = asProblem(uneven(50, 40, 47))
      const options = { mass: 0.5, epsilon: 1e-4, backend }
      const limited = await partial(problem, { ...options, maxIterations: 2 })
      expect([limited.status, limited.iterations]).to.deep.equal(['iteration-limit', 2])
      expect((await partial(problem, { ...options, timeLimit: 1e-6 })).status).to.equal('time-limit')
      expect((await partial(problem, { ...options, tolerance: 0 })).status).to.equal('stalled')
      const full = await partial(problem, { ...options, history: true, certificate: false })
      expect(full.history).to.have.length(full.iterations)
      expect(full).not.to.have.property('certificate')
    })

    it('refuses bad input', async () => {
      const problem = asProblem(uneven(3, 4, 48))
      const good = { mass: 0.5, epsilon: 0.1, backend }
      const refuses = refusing(partial, partialSync)
      for (const mass of [0, -1, Infinity]) {
        await refuses(problem, { ...good, mass }, 'ERR_NOT_POSITIVE', /^mass: expected a finite number > 0/)
      }
      for (const mass of [undefined, '1', Number.NaN]) {
        await refuses(problem, { ...good, mass }, 'ERR_OPTION', /^mass: expected a finite number > 0/)
      }
      await refuses(problem, { ...good, mass: 1e-13 }, 'ERR_MASS', /^mass: expected at least 1e-12 of the totals/)
      await refuses(
        problem,
        { ...good, mass: 1.001 },
        'ERR_MASS',
        /^mass: expected at most the smaller total of a and b/,
      )
      await refuses(problem, { ...good, mas: 1 }, 'ERR_OPTION', "options: unknown name 'mas'; did you mean 'mass'?")
      await refuses(problem, { ...good, epsilon: 0 }, 'ERR_NOT_POSITIVE', /^epsilon: /)
      await refuses(problem, undefined, 'ERR_OPTION', /^options: expected/)
      await refuses(
        problem,
        { ...good, warmStart: { f: [0, 0, 0], g: [0, 0, 0, 0] } },
        'ERR_OPTION',
        /^warmStart\.price: /,
      )
      await refuses(problem, { ...good, warmStart: { f: [0], g: [0], price: 1 } }, 'ERR_SHAPE', /^warmStart\.f: /)
      await refuses({ cost: [[1, Number.NaN]] }, good, 'ERR_NOT_FINITE', /^cost\[0\]\[1\]: /)
      await refuses({ ...problem, a: [1, -1, 2] }, good, 'ERR_NOT_POSITIVE', /^a\[1\]: /)
    })
  })

  it('both backends agree, whatever the number of threads', () => {
    const next = random(49)
    const points = (count: number) => Array.from({ length: count }, () => [next(), next()])
    const problems: TransportProblem[] = [
      asProblem(uneven(150, 110, 49)),
      { cost: pointCloud(points(120), points(90), { cost: 'cityblock' }), a: fill(120, next), b: fill(90, next) },
    ]
    for (const problem of problems) {
      for (const epsilon of [1e-3, 0.1]) {
        for (const mass of [0.01, 0.8]) {
          const options = { mass, epsilon, tolerance: 1e-11 }
          const native = partialSync(problem, { ...options, backend: 'native', threads: 2 })
          const single = partialSync(problem, { ...options, backend: 'native', threads: 1 })
          const portable = partialSync(problem, { ...options, backend: 'portable' })
          expect(single.potentials).to.deep.equal(native.potentials)
          expect(portable.regularizedValue).to.be.closeTo(native.regularizedValue, 1e-9)
          expect(largestDifference(portable.marginals.a, native.marginals.a)).to.be.below(1e-9 * mass)
          expect(portable.certificate!.dual).to.be.closeTo(native.certificate!.dual, 1e-9)
          expect(portable.certificate!.primal).to.be.closeTo(native.certificate!.primal, 1e-9)
        }
      }
    }
  })
})
