import { expect } from 'chai'
import fc from 'fast-check'
import {
  emdSync,
  planVjpSync,
  pointCloud,
  sinkhornNewtonSparseSync,
  type UnbalancedOptions,
  type UnbalancedSolution,
  unbalanced,
  unbalancedSync,
  valueGradientSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { random } from '../helpers/random.js'
import { asked, dualObjective, objective, type Relaxed, relaxedOptimum, uneven } from '../helpers/relaxed.js'
import {
  asProblem,
  columnSums,
  type Dense,
  largestDifference,
  randomDense,
  rowSums,
  total,
  transposed,
} from '../helpers/transport.js'

const references = ['counting', 'product'] as const
const penalties = ['tv', 'l2'] as const

/**
 * The conditions of optimality, which are enough for convex problems: P = exp((f + g - C) / epsilon), and f a subgradient
 * of the penalty at P1, the same for g; and what the solution says about itself is what its plan says, by the definitions.
 */
function expectOptimal(solution: UnbalancedSolution, dense: Dense, options: UnbalancedOptions, slack = 1e-9): void {
  const { n, m, a, b, cost } = dense
  const relaxed = asked(options)
  const { epsilon, penalty, reference } = relaxed
  const { f, g } = solution.potentials
  const { data: plan } = solution.plan()
  expect(solution.status).to.equal('converged')
  const size = Math.max(...cost.map(Math.abs), ...f.map(Math.abs), ...g.map(Math.abs))
  const logs = reference === 'product' ? [...a, ...b].map((w) => epsilon * Math.abs(Math.log(w))) : [0]
  const relative = slack + (16 * Number.EPSILON * (size + Math.max(...logs))) / epsilon
  for (let k = 0; k < n * m; k++) {
    const [i, j] = [Math.floor(k / m), k % m]
    const weight = reference === 'product' ? a[i] * b[j] : 1
    const expected = weight * Math.exp((f[i] + g[j] - cost[k]) / epsilon)
    expect(plan[k]).to.be.closeTo(expected, relative * expected + 1e-300)
  }
  const sums = { a: rowSums(plan, n, m), b: columnSums(plan, n, m) }
  const mass = total(plan)
  expect(largestDifference(solution.marginals.a, sums.a)).to.be.at.most(1e-12 * mass)
  expect(largestDifference(solution.marginals.b, sums.b)).to.be.at.most(1e-12 * mass)
  const close = 2 * (relative + (options.tolerance ?? 1e-9)) * (mass + 1e-300)
  const side = (w: Float64Array, h: Float64Array, rho: number, p: Float64Array) => {
    for (let i = 0; i < w.length; i++) {
      if (rho === Infinity) {
        expect(p[i]).to.be.closeTo(w[i], close)
      } else if (options.penalty === 'l2') {
        const digits = 8 * Number.EPSILON * (w[i] + Math.max(...logs) / rho)
        expect(p[i]).to.be.closeTo(Math.max(0, w[i] - h[i] / rho), close + digits)
      } else {
        expect(Math.abs(h[i])).to.be.at.most(rho * (1 + 1e-12) + 4 * Number.EPSILON * Math.max(...logs))
        const edge = rho * (1 - 1e-12) - 4 * Number.EPSILON * Math.max(...logs)
        if (h[i] < edge) expect(p[i]).to.be.at.least(w[i] - close)
        if (h[i] > -edge) expect(p[i]).to.be.at.most(w[i] + close)
      }
    }
  }
  side(a, f, penalty.a, sums.a)
  side(b, g, penalty.b, sums.b)

  const own = (rho: number, w: Float64Array) => (rho < Infinity ? rho * total(w) * (1 + total(w)) : 0)
  const scale = size * (mass + total(a) + total(b)) + own(penalty.a, a) + own(penalty.b, b)
  const near = (value: number, expected: number, what: string) =>
    expect(value, what).to.be.closeTo(expected, 8 * relative * scale + 1e-300)
  near(solution.mass, mass, 'mass')
  near(solution.value, total(plan.map((p, k) => (p === 0 ? 0 : p * cost[k]))), 'value')
  near(solution.dualValue, dualObjective(f, g, dense, relaxed), 'dualValue')
  expect(solution.regularizedValue - solution.dualValue).to.be.closeTo(solution.gap, 1e-12 * scale)
  if (Math.max(penalty.a, penalty.b) === Infinity) return
  near(solution.regularizedValue, objective(plan, dense, relaxed), 'regularizedValue')
  expect(solution.gap).to.be.at.least(0)
  const { certificate } = solution
  if (certificate === undefined) return
  const plain: Relaxed = { ...relaxed, epsilon: 0 }
  near(certificate.primal, objective(plan, dense, plain), 'certificate.primal')
  const product = cost.map((_, k) => (a[Math.floor(k / m)] * b[k % m]) / Math.sqrt(total(a) * total(b)))
  for (const other of [new Float64Array(n * m), product, plan]) {
    expect(certificate.dual).to.be.at.most(objective(other, dense, plain) + relative * scale)
  }
}

/** min <C,P> + rho_a |P1 - a| + rho_b |Pᵀ1 - b| with C >= 0, as balanced transport with a node that pays the prices. */
function variationProgram({ n, m, cost, a, b }: Dense, rhoA: number, rhoB: number): number {
  const rows = Array.from({ length: n }, (_, i) => [...cost.subarray(i * m, (i + 1) * m)])
  // What stays costs rho_a, or is given to a target that asks for no more; the same for what is missing.
  const stays = rows.map((row) => Math.min(rhoA, rhoB + Math.min(...row)))
  const lacks = Array.from({ length: m }, (_, j) => Math.min(rhoB, rhoA + Math.min(...rows.map((row) => row[j]))))
  const table = [...rows.map((row, i) => [...row, stays[i]]), [...lacks, 0]]
  return emdSync({ cost: table, a: [...a, total(b)], b: [...b, total(a)] }).value
}

describe('transport: unbalanced, total variation and least squares', () => {
  forEachBackend((backend) => {
    const solve = (dense: Dense, options: UnbalancedOptions) =>
      unbalancedSync(asProblem(dense), { backend, ...options })

    it('1 × 1: where the derivative changes its sign', () => {
      for (const [c, a, b] of [
        [0, 1, 1],
        [0.7, 2, 5],
        [-0.4, 1e-3, 40],
        [3, 10, 1e-4],
      ]) {
        const dense = { n: 1, m: 1, cost: Float64Array.of(c), a: Float64Array.of(a), b: Float64Array.of(b) }
        for (const epsilon of [0.05, 1, 30]) {
          for (const [ra, rb] of [
            [0.1, 0.1],
            [1, 3],
            [1e-3, 50],
          ]) {
            for (const reference of references) {
              for (const penalty of penalties) {
                const pull = (p: number, w: number) => (penalty === 'tv' ? Math.sign(p - w) : p - w)
                const weight = reference === 'product' ? Math.log(a * b) : 0
                let [low, high] = [-2000, 2000]
                for (let k = 0; k < 100; k++) {
                  const log = (low + high) / 2
                  const p = Math.exp(log)
                  const slope = c + epsilon * (log - weight) + ra * pull(p, a) + rb * pull(p, b)
                  if (slope > 0) high = log
                  else low = log
                }
                const options = { epsilon, marginalPenalty: { a: ra, b: rb }, reference, penalty }
                const solution = solve(dense, options)
                expect(Math.log(solution.mass)).to.be.closeTo(low, 1e-8)
                expectOptimal(solution, dense, options)
              }
            }
          }
        }
      }
    })

    it('least squares: the optimum that Newton finds on the plan itself', () => {
      const size = fc.integer({ min: 1, max: 4 })
      const rho = fc.constantFrom(0.05, 0.5, 5)
      check(
        fc.property(
          fc.tuple(size, size, fc.nat()),
          fc.constantFrom(0.05, 0.2, 2),
          rho,
          rho,
          fc.constantFrom(...references),
          fc.constantFrom(0.2, 1, 30),
          ([n, m, seed], epsilon, ra, rb, reference, ratio) => {
            const dense = uneven(n, m, seed, ratio)
            const options = {
              epsilon,
              marginalPenalty: { a: ra, b: rb },
              reference,
              penalty: 'l2',
              tolerance: 1e-12,
            } as const
            const { plan, value } = relaxedOptimum(dense, asked(options))
            const solution = solve(dense, options)
            expect(solution.regularizedValue).to.be.closeTo(value, 1e-9 * (1 + Math.abs(value)))
            expect(largestDifference(solution.plan().data, plan)).to.be.below(1e-7 * (total(plan) + 1))
          },
        ),
        { runs: 40 },
      )
    })

    it('is optimal by the conditions for it, at any epsilon and penalty', () => {
      const size = fc.integer({ min: 1, max: 12 })
      const power = (least: number, most: number) =>
        fc.double({ min: least, max: most, noNaN: true }).map((x) => 10 ** x)
      check(
        fc.property(
          fc.tuple(size, size, fc.nat()),
          power(-3, 1),
          fc.oneof(power(-2, 3), fc.constant(Infinity)),
          power(-2, 3),
          fc.constantFrom(...references),
          fc.constantFrom(...penalties),
          power(-1, 1),
          ([n, m, seed], epsilon, ra, rb, reference, penalty, ratio) => {
            const dense = uneven(n, m, seed, ratio)
            const options = { epsilon, marginalPenalty: { a: ra, b: rb }, reference, penalty, tolerance: 1e-8 }
            expectOptimal(solve(dense, options), dense, options)
          },
        ),
        { runs: 80 },
      )
    })

    it('says what it has where it is cut short', () => {
      for (const penalty of penalties) {
        for (const reference of references) {
          for (const maxIterations of [1, 2, 4]) {
            for (const marginalPenalty of [0.05, 2]) {
              const dense = uneven(9, 11, 55)
              const options = { epsilon: 0.01, marginalPenalty, penalty, reference, maxIterations }
              const solution = solve(dense, options)
              const { f, g } = solution.potentials
              const { data: plan } = solution.plan()
              const relaxed = asked(options)
              const scale = 1e-10 * (1 + total(plan))
              expect(solution.regularizedValue).to.be.closeTo(objective(plan, dense, relaxed), scale)
              expect(solution.dualValue).to.be.closeTo(dualObjective(f, g, dense, relaxed), scale)
            }
          }
        }
      }
    })

    it('total variation: bounds the linear program, and closes in on it', () => {
      const dense = uneven(14, 18, 41, 1.7)
      for (const [ra, rb] of [
        [0.05, 0.05],
        [0.3, 0.3],
        [0.02, 2],
        [2, 0.02],
        [10, 10],
      ]) {
        const optimum = variationProgram(dense, ra, rb)
        let before = Infinity
        for (const epsilon of [1e-2, 1e-4, 1e-6]) {
          const { certificate } = solve(dense, { epsilon, marginalPenalty: { a: ra, b: rb }, penalty: 'tv' })
          expect(certificate!.dual).to.be.at.most(optimum + 1e-12)
          expect(certificate!.primal).to.be.at.least(optimum - 1e-9)
          expect(certificate!.gap).to.be.below(Math.max(0.3 * before, 1e-6))
          before = certificate!.gap
        }
        expect(before).to.be.below(1e-4)
      }
    })

    it('least squares: the certificate closes as epsilon goes to zero', () => {
      const dense = uneven(14, 18, 42, 1.7)
      for (const marginalPenalty of [0.3, 3, { a: 50, b: 1 }]) {
        let before = Infinity
        for (const epsilon of [1e-2, 1e-4, 1e-6]) {
          const { primal, dual, gap } = solve(dense, { epsilon, marginalPenalty, penalty: 'l2' }).certificate!
          expect(gap).to.equal(primal - dual)
          expect(gap).to.be.within(-1e-12, Math.max(0.3 * before, 1e-6))
          before = gap
        }
        expect(before).to.be.below(1e-4)
      }
    })

    it('dear marginals are met: balanced transport', () => {
      const dense = randomDense(15, 20, 43)
      for (const epsilon of [1e-3, 0.05, 1]) {
        const expected = sinkhornNewtonSparseSync(asProblem(dense), { epsilon, tolerance: 1e-12, backend })
        for (const reference of references) {
          for (const penalty of penalties) {
            // A plan at |f| < rho does not depend on rho at all with total variation.
            const options = {
              epsilon,
              reference,
              penalty,
              marginalPenalty: penalty === 'tv' ? 50 : 1e9,
              tolerance: 1e-11,
            }
            const dear = solve(dense, options)
            expect(largestDifference(dear.plan().data, expected.plan().data)).to.be.below(1e-8)
            const kept = solve(dense, { ...options, marginalPenalty: Infinity })
            expect(largestDifference(kept.plan().data, expected.plan().data)).to.be.below(1e-10)
          }
        }
      }
    })

    it('one kept marginal is met, the other is not; mirrored', () => {
      const dense = uneven(12, 9, 44)
      for (const penalty of penalties) {
        const options = { epsilon: 0.01, marginalPenalty: { a: 0.1, b: Infinity }, penalty }
        const solution = solve(dense, options)
        expectOptimal(solution, dense, options)
        expect(solution.mass).to.be.closeTo(total(dense.b), 1e-8)
        const mirrored = { ...dense, n: 9, m: 12, cost: transposed(dense.cost, 12, 9), a: dense.b, b: dense.a }
        const other = solve(mirrored, { ...options, marginalPenalty: { a: Infinity, b: 0.1 } })
        expect(largestDifference(transposed(other.plan().data, 9, 12), solution.plan().data)).to.be.below(1e-7)
      }
    })

    it('total variation: arcs dearer than both prices carry nothing', () => {
      const dense = uneven(10, 10, 45, 1)
      const cost = dense.cost.map((c, k) => (Math.floor(k / 10) < 5 === k % 10 < 5 ? c : 5 + c))
      const { data } = solve({ ...dense, cost }, { epsilon: 1e-3, marginalPenalty: 2, penalty: 'tv' }).plan()
      for (let k = 0; k < 100; k++) if (cost[k] > 5) expect(data[k]).to.be.below(1e-300)
      expect(total(data)).to.be.above(0.5)
    })

    it('far from each other: nothing moves, and the penalties are the price', () => {
      const dense = uneven(6, 5, 46)
      const far = { ...dense, cost: dense.cost.map((c) => 1e4 + c) }
      const variation = solve(far, { epsilon: 1e-3, marginalPenalty: 1, penalty: 'tv' })
      expect([variation.status, variation.mass]).to.deep.equal(['converged', 0])
      expect(variation.regularizedValue).to.be.closeTo(total(far.a) + total(far.b), 1e-12)
      const squares = solve(far, { epsilon: 1e-3, marginalPenalty: 1, penalty: 'l2' })
      expect(squares.mass).to.equal(0)
      const half = (w: Float64Array) => total(w.map((x) => x * x)) / 2
      expect(squares.regularizedValue).to.be.closeTo(half(far.a) + half(far.b), 1e-12)
    })

    it('negative costs that pay for more than both penalties: no bound, but an entropic plan', () => {
      const dense = { ...uneven(3, 3, 47), cost: new Float64Array(9).fill(-3) }
      const options = { epsilon: 1, marginalPenalty: 1, penalty: 'tv' } as const
      const solution = solve(dense, options)
      expect(solution.certificate!.dual).to.equal(-Infinity)
      expect(solution.mass).to.be.closeTo(9 * Math.exp(1), 1e-7)
    })

    it('nodes without weight and forbidden arcs', () => {
      const dense = uneven(9, 8, 48)
      const cost = dense.cost.map((c, k) => ((7 * k) % 11 < 4 ? Infinity : c))
      for (let j = 0; j < 8; j++) cost[3 * 8 + j] = Infinity
      const a = dense.a.map((w, i) => (i === 6 ? 0 : w))
      const rows = [0, 1, 2, 4, 5, 7, 8]
      const small = {
        ...{ n: 7, m: 8, a: Float64Array.from(rows, (i) => a[i]), b: dense.b },
        cost: Float64Array.from(rows.flatMap((i) => [...cost.subarray(i * 8, i * 8 + 8)])),
      }
      for (const penalty of penalties) {
        for (const reference of references) {
          const options = { epsilon: 0.05, marginalPenalty: 0.7, penalty, reference, tolerance: 1e-11 }
          if (reference === 'counting') {
            expectError(
              () => solve({ ...dense, a, cost }, options),
              'ERR_NOT_POSITIVE',
              /^a\[6\]: expected a positive weight/,
            )
          }
          const weightless = reference === 'product'
          const solution = solve(weightless ? { ...dense, a, cost } : { ...dense, cost }, options)
          const expected = weightless ? solve(small, options) : undefined
          const lost = penalty === 'tv' ? 0.7 * a[3] : (0.7 * a[3] ** 2) / 2
          const constant = 0.05 * total(dense.b) * a[3]
          expect(solution.status).to.equal('converged')
          if (expected !== undefined) {
            expect(solution.regularizedValue).to.be.closeTo(expected.regularizedValue + lost + constant, 1e-9)
          }
          expect(solution.potentials.f[3]).to.be.closeTo(penalty === 'tv' ? 0.7 : 0.7 * a[3], 1e-12)
          const plan = solution.plan().data
          for (let k = 0; k < plan.length; k++) {
            if (cost[k] === Infinity || (weightless && Math.floor(k / 8) === 6)) expect(plan[k]).to.equal(0)
          }
          expect([...solution.potentials.f, ...solution.potentials.g].every(Number.isFinite)).to.equal(true)
        }
      }
      expectError(
        () => solve({ ...dense, cost }, { epsilon: 0.1, marginalPenalty: { a: Infinity, b: 1 }, penalty: 'tv' }),
        'ERR_INFEASIBLE',
        /got none in row 3$/,
      )
    })

    it('the same for points as for their costs; scales with the costs', () => {
      const next = random(49)
      const [x, y] = [12, 14].map((count) => Array.from({ length: count }, () => [next(), next(), next()]))
      const cost = x.flatMap((p) => y.map((q) => p.reduce((sum, c, k) => sum + (c - q[k]) ** 2, 0)))
      const dense = { ...uneven(12, 14, 49), cost: Float64Array.from(cost) }
      for (const penalty of penalties) {
        const options = { epsilon: 0.02, marginalPenalty: 0.4, penalty, tolerance: 1e-12, backend }
        const points = unbalancedSync({ cost: pointCloud(x, y), a: dense.a, b: dense.b }, options)
        const plain = solve(dense, options)
        expect(largestDifference(points.plan().data, plain.plan().data)).to.be.below(1e-10)
        const larger = solve(
          { ...dense, cost: dense.cost.map((c) => 1e5 * c) },
          { ...options, epsilon: 2e3, marginalPenalty: 4e4 },
        )
        expect(larger.regularizedValue).to.be.closeTo(1e5 * plain.regularizedValue, 1e-4)
      }
    })

    it('takes tens of iterations, goes on from a warm start, and stops where it is told to', () => {
      const dense = uneven(60, 50, 50)
      for (const penalty of penalties) {
        for (const marginalPenalty of [0.05, 1, 30]) {
          for (const epsilon of [1e-3, 0.1]) {
            const options = { epsilon, marginalPenalty, penalty }
            const first = solve(dense, options)
            expect(first.status).to.equal('converged')
            expect(first.iterations).to.be.below(120)
            const again = solve(dense, { ...options, warmStart: first.potentials })
            expect(again.iterations).to.be.at.most(Math.max(3, first.iterations / 3))
            expect(again.regularizedValue).to.be.closeTo(
              first.regularizedValue,
              1e-8 * Math.abs(first.regularizedValue),
            )
          }
        }
        const options = { epsilon: 1e-4, marginalPenalty: 1, penalty, history: true }
        const limited = solve(dense, { ...options, maxIterations: 2 })
        expect([limited.status, limited.iterations, limited.history!.length]).to.deep.equal(['iteration-limit', 2, 2])
        const timed = solve(dense, { ...options, timeLimit: 1e-6 })
        expect(timed.status).to.equal('time-limit')
        expect(timed.residual).to.be.finite
      }
    })

    it('derivatives in the weights, by differences; none of the plan', () => {
      const dense = uneven(5, 6, 51)
      for (const penalty of penalties) {
        for (const reference of references) {
          const options = { epsilon: 0.1, marginalPenalty: 0.3, penalty, reference, tolerance: 1e-13 }
          const solution = solve(dense, options)
          const gradient = valueGradientSync(solution)
          for (const side of ['a', 'b'] as const) {
            for (let i = 0; i < dense[side].length; i++) {
              const at = (step: number) => {
                const weights = dense[side].map((w, k) => (k === i ? w + step : w))
                return solve({ ...dense, [side]: weights }, options).regularizedValue
              }
              expect(gradient[side][i]).to.be.closeTo((at(1e-5) - at(-1e-5)) / 2e-5, 1e-5)
            }
          }
          expectError(
            () => planVjpSync(solution, { data: new Float64Array(30), shape: [5, 6] }),
            'ERR_OPTION',
            `solution: expected kept marginals or the penalty 'kl', got one of the penalty '${penalty}'`,
          )
        }
      }
    })

    it('bad input', () => {
      const problem = asProblem(uneven(3, 4, 52))
      expectError(
        () => unbalancedSync(problem, { epsilon: 1, marginalPenalty: 1, penalty: 'TV' as 'tv', backend }),
        'ERR_OPTION',
        /^penalty: expected one of 'kl', 'tv', 'l2', got /,
      )
      for (const penalty of penalties) {
        const bad = (marginalPenalty: number) => () =>
          unbalancedSync(problem, { epsilon: 1, marginalPenalty, penalty, backend })
        expectError(bad(0), 'ERR_NOT_POSITIVE', /^marginalPenalty: /)
        expectError(bad(Number.NaN), 'ERR_OPTION', /^marginalPenalty: /)
        expectError(bad(Infinity), 'ERR_MASS', /./)
        const cost = [...(problem.cost as { data: Float64Array }).data]
        cost[5] = Number.NaN
        expectError(
          () =>
            unbalancedSync(
              { ...problem, cost: { data: Float64Array.from(cost), shape: [3, 4] } },
              { epsilon: 1, marginalPenalty: 1, penalty, backend },
            ),
          'ERR_NOT_FINITE',
          /cost/,
        )
      }
    })

    it('aborts', async () => {
      const controller = new AbortController()
      const running = unbalanced(asProblem(uneven(400, 400, 53)), {
        ...{ epsilon: 1e-5, marginalPenalty: 1, penalty: 'l2', backend, tolerance: 0 },
        signal: controller.signal,
        onProgress: () => controller.abort(),
      })
      const error = await running.then(
        () => null,
        (reason) => reason,
      )
      expect(error?.name).to.equal('AbortError')
    })
  })

  it('both backends agree', () => {
    for (const penalty of penalties) {
      for (const reference of references) {
        for (const epsilon of [1e-3, 0.1]) {
          const dense = uneven(40, 35, 54, 0.6)
          const options = { epsilon, marginalPenalty: { a: 0.2, b: 0.5 }, penalty, reference, tolerance: 1e-11 }
          const [native, portable] = (['native', 'portable'] as const).map((backend) =>
            unbalancedSync(asProblem(dense), { ...options, backend }),
          )
          expect(portable.regularizedValue).to.be.closeTo(native.regularizedValue, 1e-9)
          expect(largestDifference(portable.marginals.a, native.marginals.a)).to.be.below(1e-8)
          expect(portable.certificate!.dual).to.be.closeTo(native.certificate!.dual, 1e-7)
          expect(portable.certificate!.primal).to.be.closeTo(native.certificate!.primal, 1e-7)
        }
      }
    }
  })
})
