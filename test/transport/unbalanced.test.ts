import { expect } from 'chai'
import fc from 'fast-check'
import {
  pointCloud,
  sinkhornNewtonSparseSync,
  type TransportProblem,
  type UnbalancedOptions,
  type UnbalancedSolution,
  unbalanced,
  unbalancedSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, refusing, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { fill, random } from '../helpers/random.js'
import { asked, dualObjective, objective, type Relaxed, relaxedOptimum, uneven } from '../helpers/relaxed.js'
import {
  asProblem,
  columnSums,
  type Dense,
  distanceL1,
  largestDifference,
  randomDense,
  rowSums,
  total,
  transposed,
} from '../helpers/transport.js'

const references = ['counting', 'product'] as const

/** What a solution says about itself is what its potentials say, by the definitions. */
function expectSound(solution: UnbalancedSolution, dense: Dense, options: UnbalancedOptions, slack = 1e-9): void {
  const { n, m, a, b, cost } = dense
  const relaxed = asked(options)
  const { epsilon, penalty, reference } = relaxed
  const { f, g } = solution.potentials
  const { data: plan } = solution.plan()
  for (const value of [...f, ...g, ...plan, solution.gap, solution.residual]) expect(value).to.satisfy(Number.isFinite)
  const size = Math.max(...cost.map(Math.abs), ...f.map(Math.abs), ...g.map(Math.abs))
  // With the product reference the potentials of the plan have the weights' logarithms in them.
  const logs = reference === 'product' ? [...a, ...b].map((w) => epsilon * Math.abs(Math.log(w))) : [0]
  const steepest = 1 / epsilon + 1 / penalty.a + 1 / penalty.b
  const relative = slack + 8 * Number.EPSILON * (size + Math.max(...logs)) * steepest
  const near = (value: number, expected: number, scale: number, what: string) =>
    expect(value, what).to.be.closeTo(expected, relative * scale + 1e-300)

  for (let k = 0; k < n * m; k++) {
    const [i, j] = [Math.floor(k / m), k % m]
    const weight = reference === 'product' ? a[i] * b[j] : 1
    const expected = weight * Math.exp((f[i] + g[j] - cost[k]) / epsilon)
    expect(plan[k]).to.be.closeTo(expected, relative * expected + 1e-300)
  }
  const rows = rowSums(plan, n, m)
  const columns = columnSums(plan, n, m)
  expect(largestDifference(solution.marginals.a, rows)).to.be.at.most(1e-12 * total(rows))
  expect(largestDifference(solution.marginals.b, columns)).to.be.at.most(1e-12 * total(rows))
  near(solution.mass, total(plan), total(plan), 'mass')
  near(solution.value, total(plan.map((p, k) => (p === 0 ? 0 : p * cost[k]))), size * total(plan), 'value')

  const demand = (w: Float64Array, h: Float64Array, rho: number) => w.map((x, i) => x * Math.exp(-h[i] / rho))
  const [demandA, demandB] = [demand(a, f, penalty.a), demand(b, g, penalty.b)]
  const missed = distanceL1(rows, demandA) + distanceL1(columns, demandB)
  const residual = missed === 0 ? 0 : missed / ((total(demandA) + total(demandB)) / 2)
  expect(solution.residual).to.be.closeTo(residual, 4 * relative)
  expect(solution.status === 'converged').to.equal(solution.residual <= (options.tolerance ?? 1e-9))

  const priceOf = (rho: number, w: Float64Array) => (rho < Infinity ? rho * total(w) : 0)
  const scale = size * (total(plan) + total(a) + total(b)) + priceOf(penalty.a, a) + priceOf(penalty.b, b)
  near(solution.dualValue, dualObjective(f, g, dense, relaxed), scale, 'dualValue')
  expect(solution.regularizedValue - solution.dualValue).to.be.closeTo(solution.gap, 1e-12 * scale)
  if (Math.max(penalty.a, penalty.b) < Infinity) {
    near(solution.regularizedValue, objective(plan, dense, relaxed), scale, 'regularizedValue')
    expect(solution.gap).to.be.at.least(0)
    const { certificate } = solution
    if (certificate === undefined) return
    const plain: Relaxed = { ...relaxed, epsilon: 0 }
    near(certificate.primal, objective(plan, dense, plain), scale, 'certificate.primal')
    expect(certificate.dual).to.be.at.most(certificate.primal + relative * scale)
    // The bound holds for any plan, such as none and the product.
    const product = cost.map((_, k) => (a[Math.floor(k / m)] * b[k % m]) / Math.sqrt(total(a) * total(b)))
    for (const other of [new Float64Array(n * m), product]) {
      expect(certificate.dual).to.be.at.most(objective(other, dense, plain) + relative * scale)
    }
  }
}

describe('transport: unbalanced', () => {
  forEachBackend((backend) => {
    const solve = (dense: Dense, options: UnbalancedOptions) =>
      unbalancedSync(asProblem(dense), { backend, ...options })

    it('1 × 1: the closed form', () => {
      for (const [c, a, b] of [
        [0, 1, 1],
        [0.7, 2, 5],
        [-0.4, 1e-3, 40],
        [3, 1e4, 1e-4],
      ]) {
        const dense = { n: 1, m: 1, cost: Float64Array.of(c), a: Float64Array.of(a), b: Float64Array.of(b) }
        for (const epsilon of [0.01, 1, 30]) {
          for (const [ra, rb] of [
            [0.1, 0.1],
            [1, 3],
            [1e-3, 50],
            [1e6, 1e6],
          ]) {
            for (const reference of references) {
              const weight = reference === 'product' ? Math.log(a * b) : 0
              const log = (epsilon * weight + ra * Math.log(a) + rb * Math.log(b) - c) / (epsilon + ra + rb)
              const options = { epsilon, marginalPenalty: { a: ra, b: rb }, reference }
              const solution = solve(dense, options)
              expect(solution.status).to.equal('converged')
              expect(Math.log(solution.mass)).to.be.closeTo(log, 1e-8)
              expectSound(solution, dense, options)
            }
          }
        }
      }
    })

    it('the optimum that Newton finds on the plan itself', () => {
      const size = fc.integer({ min: 1, max: 4 })
      const epsilon = fc.constantFrom(0.02, 0.2, 2)
      const rho = fc.constantFrom(0.05, 0.5, 5)
      check(
        fc.property(
          fc.tuple(size, size, fc.nat()),
          epsilon,
          rho,
          rho,
          fc.constantFrom(...references),
          fc.constantFrom(0.2, 1, 30),
          ([n, m, seed], epsilon, ra, rb, reference, ratio) => {
            const dense = uneven(n, m, seed, ratio)
            const options = { epsilon, marginalPenalty: { a: ra, b: rb }, reference, tolerance: 1e-12 }
            const { plan, value } = relaxedOptimum(dense, asked(options))
            const solution = solve(dense, options)
            expect(solution.regularizedValue).to.be.closeTo(value, 1e-10 * (1 + Math.abs(value)))
            expect(largestDifference(solution.plan().data, plan)).to.be.below(1e-7 * (total(plan) + 1))
            expectSound(solution, dense, options)
          },
        ),
        { runs: 60 },
      )
    })

    it('is sound whatever the state', () => {
      const size = fc.integer({ min: 1, max: 12 })
      const power = (least: number, most: number) =>
        fc.double({ min: least, max: most, noNaN: true }).map((x) => 10 ** x)
      const rho = fc.oneof(power(-4, 6), fc.constant(Infinity))
      check(
        fc.property(
          fc.tuple(size, size, fc.nat()),
          power(-4, 1),
          rho,
          power(-4, 6),
          fc.constantFrom(...references),
          power(-3, 3),
          fc.constantFrom(1, 2, 4, 500),
          ([n, m, seed], epsilon, ra, rb, reference, ratio, maxIterations) => {
            const dense = uneven(n, m, seed, ratio)
            const options = { epsilon, marginalPenalty: { a: ra, b: rb }, reference, maxIterations }
            const solution = solve(dense, options)
            if (maxIterations === 500) expect(solution.residual).to.be.below(1e-8)
            expectSound(solution, dense, options)
          },
        ),
        { runs: 80 },
      )
    })

    it('kept marginals: balanced transport', () => {
      const dense = randomDense(15, 20, 21)
      for (const epsilon of [1e-3, 0.05, 1]) {
        const expected = sinkhornNewtonSparseSync(asProblem(dense), { epsilon, tolerance: 1e-12, backend })
        for (const reference of references) {
          const kept = solve(dense, { epsilon, marginalPenalty: Infinity, reference, tolerance: 1e-12 })
          expect(largestDifference(kept.plan().data, expected.plan().data)).to.be.below(1e-11)
          expect(kept.certificate!.primal).to.be.closeTo(expected.certificate!.primal, 1e-11)
          const constant = reference === 'counting' ? 0 : epsilonTerm(dense, epsilon)
          expect(kept.regularizedValue - constant).to.be.closeTo(expected.regularizedValue, 1e-10)
          for (const [rho, close] of [
            [1e3, 1e-2],
            [1e9, 1e-8],
          ]) {
            const dear = solve(dense, { epsilon, marginalPenalty: rho, reference, tolerance: 1e-12 })
            expect(largestDifference(dear.plan().data, expected.plan().data)).to.be.below(close)
          }
        }
      }
    })

    it('one kept marginal is met, the other is not', () => {
      const dense = uneven(12, 9, 22)
      for (const reference of references) {
        const solution = solve(dense, { epsilon: 0.01, marginalPenalty: { a: 0.1, b: Infinity }, reference })
        expect(largestDifference(solution.marginals.b, dense.b)).to.be.below(1e-9)
        expect(solution.mass).to.be.closeTo(total(dense.b), 1e-9)
        expect(largestDifference(solution.marginals.a, dense.a)).to.be.above(0.01)
        const mirrored = { ...dense, n: 9, m: 12, cost: transposed(dense.cost, 12, 9), a: dense.b, b: dense.a }
        const options = { epsilon: 0.01, marginalPenalty: { a: Infinity, b: 0.1 }, reference }
        const other = solve(mirrored, options)
        expect(largestDifference(transposed(other.plan().data, 9, 12), solution.plan().data)).to.be.below(1e-9)
        expectSound(other, mirrored, options)
      }
    })

    it('penalties as large as one likes take no more iterations', () => {
      const dense = uneven(40, 30, 23)
      for (const epsilon of [1e-3, 0.1]) {
        const counts = [1, 1e2, 1e4, 1e6, 1e8].map((rho) => {
          const solution = solve(dense, { epsilon, marginalPenalty: rho })
          expect(solution.status).to.equal('converged')
          return solution.iterations
        })
        expect(Math.max(...counts)).to.be.at.most(counts[0] + 10)
      }
    })

    it('converges at any epsilon and penalty, with totals far apart', () => {
      for (const ratio of [1e-6, 1, 1e6]) {
        const dense = uneven(12, 14, 24, ratio)
        for (const epsilon of [1e-6, 1e-3, 1, 1e3]) {
          for (const rho of [1e-4, 1e-2, 1, 1e3]) {
            const options = { epsilon, marginalPenalty: rho, reference: 'product' as const }
            const solution = solve(dense, options)
            const where = `ratio ${ratio}, epsilon ${epsilon}, rho ${rho}: residual ${solution.residual}`
            expect(solution.residual, where).to.be.below(2e-9 + 2e-14 * (epsilon / rho + rho / epsilon))
            expectSound(solution, dense, { ...options, tolerance: 1e-9 })
          }
        }
      }
    })

    it('the certificate closes as epsilon goes to zero', () => {
      const dense = uneven(20, 25, 25)
      for (const rho of [0.01, 0.3, { a: Infinity, b: 0.3 }, { a: 0.3, b: Infinity }]) {
        let before = Infinity
        for (const epsilon of [1e-2, 1e-4, 1e-6]) {
          const { primal, dual, gap } = solve(dense, { epsilon, marginalPenalty: rho }).certificate!
          expect(gap).to.equal(primal - dual)
          expect(gap).to.be.within(-1e-12, 0.2 * before)
          before = gap
        }
        expect(before).to.be.below(3e-5)
      }
    })

    it('far from each other: nothing moves, and the penalties are the price', () => {
      const dense = uneven(6, 5, 26)
      const far = { ...dense, cost: dense.cost.map((c) => 1e4 + c) }
      const solution = solve(far, { epsilon: 1e-3, marginalPenalty: 1 })
      expect(solution.status).to.equal('converged')
      expect(solution.mass).to.equal(0)
      expect(solution.regularizedValue).to.be.closeTo(total(far.a) + total(far.b), 1e-12)
      expectSound(solution, far, { epsilon: 1e-3, marginalPenalty: 1 })
    })

    it('nodes without weight have none', () => {
      const dense = uneven(10, 12, 27)
      const { n, m, cost } = dense
      const a = dense.a.map((w, i) => (i % 3 === 1 ? 0 : w))
      const b = dense.b.map((w, j) => (j % 4 === 2 ? 0 : w))
      const rows = [...a.keys()].filter((i) => a[i] > 0)
      const columns = [...b.keys()].filter((j) => b[j] > 0)
      const small: Dense = {
        n: rows.length,
        m: columns.length,
        cost: Float64Array.from(rows.flatMap((i) => columns.map((j) => cost[i * m + j]))),
        a: Float64Array.from(rows, (i) => a[i]),
        b: Float64Array.from(columns, (j) => b[j]),
      }
      for (const reference of references) {
        const options = { epsilon: 0.02, marginalPenalty: 0.5, reference, tolerance: 1e-12 }
        const solution = solve({ ...dense, a, b }, options)
        const expected = solve(small, options)
        const plan = solution.plan().data
        expect(solution.regularizedValue).to.be.closeTo(expected.regularizedValue, 1e-12)
        for (let i = 0; i < n; i++) {
          for (let j = 0; j < m; j++) {
            const [k, l] = [rows.indexOf(i), columns.indexOf(j)]
            const wanted = k < 0 || l < 0 ? 0 : expected.plan().data[k * small.m + l]
            expect(plan[i * m + j]).to.be.closeTo(wanted, 1e-12)
          }
        }
        expect([...solution.potentials.f, ...solution.potentials.g].every(Number.isFinite)).to.equal(true)
        for (let i = 0; i < n; i++) {
          if (a[i] > 0) continue
          expect(solution.marginals.a[i]).to.equal(0)
          const most = Math.min(...solution.potentials.g.map((g, j) => (b[j] > 0 ? cost[i * m + j] - g : Infinity)))
          expect(solution.potentials.f[i]).to.be.closeTo(most, 1e-12)
        }
      }
    })

    it('forbidden arcs carry nothing; a node that has no other is left out', () => {
      const dense = uneven(9, 8, 28)
      const cost = dense.cost.map((c, k) => ((7 * k) % 11 < 4 ? Infinity : c))
      for (let j = 0; j < 8; j++) cost[3 * 8 + j] = Infinity
      for (let i = 0; i < 9; i++) cost[i * 8 + 5] = Infinity
      const without = (values: Float64Array, at: number) => values.filter((_, k) => k !== at)
      const small = {
        n: 8,
        m: 7,
        cost: cost.filter((_, k) => Math.floor(k / 8) !== 3 && k % 8 !== 5),
        a: without(dense.a, 3),
        b: without(dense.b, 5),
      }
      for (const epsilon of [1e-4, 0.05]) {
        for (const reference of references) {
          const options = { epsilon, marginalPenalty: { a: 0.7, b: 0.2 }, reference, tolerance: 1e-11 }
          const solution = solve({ ...dense, cost }, options)
          const expected = solve(small, options)
          expect(solution.status).to.equal('converged')
          const lost = 0.7 * dense.a[3] + 0.2 * dense.b[5]
          const { a, b } = dense
          const constant =
            reference === 'product' ? epsilon * (total(a) * total(b) - total(small.a) * total(small.b)) : 0
          expect(solution.regularizedValue).to.be.closeTo(expected.regularizedValue + lost + constant, 1e-11)
          expect(solution.mass).to.be.closeTo(expected.mass, 1e-10)
          expect(solution.potentials.f[3]).to.be.closeTo(700, 1e-9)
          expect(solution.potentials.g[5]).to.be.closeTo(200, 1e-9)
          const plan = solution.plan().data
          for (let k = 0; k < plan.length; k++) if (cost[k] === Infinity) expect(plan[k]).to.equal(0)
          expect(solution.certificate!.gap).to.be.within(-1e-12, 20 * epsilon)
        }
      }
      expectError(
        () => solve({ ...dense, cost }, { epsilon: 0.1, marginalPenalty: { a: 1, b: Infinity } }),
        'ERR_INFEASIBLE',
        'cost: expected allowed (finite) arcs for all mass that has to move, got none in column 5',
      )
      expectError(
        () => solve({ ...dense, cost }, { epsilon: 0.1, marginalPenalty: { a: Infinity, b: 1 } }),
        'ERR_INFEASIBLE',
        /got none in row 3$/,
      )
    })

    it('the same for points as for their costs', () => {
      const next = random(29)
      const [x, y] = [12, 14].map((count) => Array.from({ length: count }, () => [next(), next(), next()]))
      const cost = x.flatMap((p) => y.map((q) => p.reduce((sum, c, k) => sum + (c - q[k]) ** 2, 0)))
      const dense = { ...uneven(12, 14, 29), cost: Float64Array.from(cost) }
      const options = { epsilon: 0.02, marginalPenalty: 0.4, tolerance: 1e-12, backend }
      const points = unbalancedSync({ cost: pointCloud(x, y), a: dense.a, b: dense.b }, options)
      expect(largestDifference(points.plan().data, solve(dense, options).plan().data)).to.be.below(1e-12)
      expectSound(points, dense, options)
    })

    it('scales with the costs, permutes with the nodes', () => {
      const dense = uneven(9, 11, 30)
      const options = { epsilon: 0.03, marginalPenalty: { a: 0.2, b: 0.9 }, tolerance: 1e-12 }
      const { plan, regularizedValue } = solve(dense, options)
      const larger = solve(
        { ...dense, cost: dense.cost.map((c) => 1e5 * c) },
        { epsilon: 3e3, marginalPenalty: { a: 2e4, b: 9e4 }, tolerance: 1e-12 },
      )
      expect(larger.regularizedValue).to.be.closeTo(1e5 * regularizedValue, 1e-5)
      const turned = {
        ...dense,
        a: dense.a.toReversed(),
        cost: dense.cost.map((_, k) => dense.cost[(8 - Math.floor(k / 11)) * 11 + (k % 11)]),
      }
      const solution = solve(turned, options)
      expect(solution.regularizedValue).to.be.closeTo(regularizedValue, 1e-12)
      expect(plan).to.be.a('function')
    })

    it('goes on from a warm start', () => {
      const dense = uneven(60, 50, 31)
      for (const reference of references) {
        const options = { epsilon: 1e-3, marginalPenalty: { a: 1e3, b: 0.2 }, reference }
        const first = solve(dense, options)
        const again = solve(dense, { ...options, warmStart: first.potentials })
        expect(again.iterations).to.be.below(first.iterations / 3)
        expect(again.regularizedValue).to.be.closeTo(first.regularizedValue, 1e-9 * Math.abs(first.regularizedValue))
        const bad = fill(60, random(32)).map((x) => 50 * x)
        const far = solve(dense, { ...options, warmStart: { f: bad, g: new Float64Array(50) } })
        expect(far.status).to.equal('converged')
      }
    })

    it('statuses, limits, history', async () => {
      const problem = asProblem(uneven(50, 40, 33))
      const options = { epsilon: 1e-4, marginalPenalty: 1, backend }
      const limited = await unbalanced(problem, { ...options, maxIterations: 2 })
      expect([limited.status, limited.iterations]).to.deep.equal(['iteration-limit', 2])
      expect((await unbalanced(problem, { ...options, timeLimit: 1e-6 })).status).to.equal('time-limit')
      const stalled = await unbalanced(problem, { ...options, tolerance: 0 })
      expect(stalled.status).to.equal('stalled')
      expect(stalled.residual).to.be.below(1e-11)
      const full = await unbalanced(problem, { ...options, history: true, certificate: false })
      expect(full.history).to.have.length(full.iterations)
      expect(full).not.to.have.property('certificate')
      expect(full.newtonIterations).to.be.within(1, full.iterations)
      const seen: number[] = []
      await unbalanced(problem, { ...options, onProgress: ({ iteration }) => seen.push(iteration) })
      expect(seen.length).to.be.at.least(1)
    })

    it('aborts', async () => {
      const controller = new AbortController()
      const next = random(34)
      const points = Array.from({ length: 3000 }, () => [next(), next()])
      const running = unbalanced(
        { cost: pointCloud(points, points) },
        { epsilon: 1e-5, marginalPenalty: 1, backend, signal: controller.signal },
      )
      setTimeout(() => controller.abort(), 20)
      expect(await rejection(running)).to.have.property('name', 'AbortError')
    })

    it('an overflowing mass is an error', () => {
      const dense = { ...uneven(3, 3, 35), cost: new Float64Array(9).fill(-1) }
      expectError(
        () => solve(dense, { epsilon: 1e-4, marginalPenalty: 1e-4 }),
        'ERR_NOT_FINITE',
        /^cost, marginalPenalty: .+overflows; /,
      )
      const fine = solve(dense, { epsilon: 1e-2, marginalPenalty: 1e-2 })
      expect(fine.status).to.equal('converged')
      expectSound(fine, dense, { epsilon: 1e-2, marginalPenalty: 1e-2 })
    })

    it('refuses bad input', async () => {
      const problem = asProblem(uneven(3, 4, 36))
      const good = { epsilon: 0.1, marginalPenalty: 1, backend }
      const refuses = refusing(unbalanced, unbalancedSync)
      for (const value of [0, -1]) {
        await refuses(
          problem,
          { ...good, marginalPenalty: value },
          'ERR_NOT_POSITIVE',
          /^marginalPenalty: expected a number > 0/,
        )
        await refuses(
          problem,
          { ...good, marginalPenalty: { a: 1, b: value } },
          'ERR_NOT_POSITIVE',
          /^marginalPenalty\.b: /,
        )
        await refuses(problem, { ...good, epsilon: value }, 'ERR_NOT_POSITIVE', /^epsilon: /)
      }
      for (const value of [undefined, null, '1', Number.NaN]) {
        await refuses(
          problem,
          { ...good, marginalPenalty: value },
          'ERR_OPTION',
          /^marginalPenalty: expected a number > 0/,
        )
        await refuses(problem, { ...good, marginalPenalty: { a: value, b: 1 } }, 'ERR_OPTION', /^marginalPenalty\.a: /)
      }
      await refuses(
        problem,
        { ...good, marginalPenalty: { a: 1, c: 1 } },
        'ERR_OPTION',
        /^marginalPenalty: unknown name 'c'/,
      )
      await refuses(problem, { ...good, reference: 'produkt' }, 'ERR_OPTION', /did you mean 'product'/)
      await refuses(
        problem,
        { ...good, marginalpenalty: 1 },
        'ERR_OPTION',
        "options: unknown name 'marginalpenalty'; did you mean 'marginalPenalty'?",
      )
      await refuses(problem, { ...good, precision: 'float32' }, 'ERR_OPTION', /^options: unknown name 'precision'/)
      await refuses(problem, undefined, 'ERR_OPTION', /^options: expected/)
      await refuses(problem, { ...good, marginalPenalty: Infinity }, 'ERR_MASS', /^a, b: expected equal totals/)
      await refuses({ ...problem, a: [1, 2] }, good, 'ERR_SHAPE', /^a: expected 3 weights/)
      await refuses({ ...problem, a: [1, -1, 2] }, good, 'ERR_NOT_POSITIVE', /^a\[1\]: /)
      await refuses({ ...problem, b: [1, 2, Number.NaN, 4] }, good, 'ERR_NOT_FINITE', /^b\[2\]: /)
      await refuses({ ...problem, a: [0, 0, 0] }, good, 'ERR_MASS', /^a: expected weights with a positive finite total/)
      await refuses({ cost: [[1, Number.NaN]] }, good, 'ERR_NOT_FINITE', /^cost\[0\]\[1\]: /)
      await refuses({ cost: [[1, -Infinity]] }, good, 'ERR_NOT_FINITE', /^cost\[0\]\[1\]: /)
      await refuses(problem, { ...good, warmStart: { f: [1], g: [1] } }, 'ERR_SHAPE', /^warmStart\.f: /)
    })
  })

  it('both backends agree, whatever the number of threads', () => {
    const next = random(37)
    const points = (count: number) => Array.from({ length: count }, () => [next(), next()])
    const problems: TransportProblem[] = [
      asProblem(uneven(150, 110, 38)),
      { cost: pointCloud(points(120), points(90), { cost: 'euclidean' }), a: fill(120, next), b: fill(90, next) },
    ]
    for (const problem of problems) {
      for (const epsilon of [1e-3, 0.1]) {
        for (const marginalPenalty of [0.05, 2, { a: Infinity, b: 0.5 }]) {
          for (const reference of references) {
            const options = { epsilon, marginalPenalty, reference, tolerance: 1e-11 }
            const native = unbalancedSync(problem, { ...options, backend: 'native', threads: 2 })
            const single = unbalancedSync(problem, { ...options, backend: 'native', threads: 1 })
            const portable = unbalancedSync(problem, { ...options, backend: 'portable' })
            expect(single.potentials).to.deep.equal(native.potentials)
            expect(portable.regularizedValue).to.be.closeTo(
              native.regularizedValue,
              1e-9 * Math.abs(native.regularizedValue),
            )
            expect(largestDifference(portable.marginals.a, native.marginals.a)).to.be.below(1e-9 * native.mass)
            expect(portable.certificate!.dual).to.be.closeTo(native.certificate!.dual, 1e-9)
          }
        }
      }
    }
  })
})

/** What epsilon KL(P | a bᵀ) has more than epsilon sum P (log P - 1) where P has these marginals. */
function epsilonTerm({ a, b }: Dense, epsilon: number): number {
  const log = (w: Float64Array) => total(w.map((x) => x * Math.log(x)))
  return epsilon * (total(a) * total(b) - log(a) - log(b))
}
