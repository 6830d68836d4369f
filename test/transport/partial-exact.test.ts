import { expect } from 'chai'
import fc from 'fast-check'
import {
  type ExactPartialOptions,
  type ExactPartialSolution,
  emdSync,
  partial,
  partialSync,
  pointCloud,
  type TransportProblem,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { linearProgram } from '../helpers/linear-program.js'
import { bordered } from '../helpers/partial.js'
import { between, cloud, costsBetween, metrics } from '../helpers/points.js'
import { check, checkAsync } from '../helpers/property.js'
import { fill, random } from '../helpers/random.js'
import {
  asProblem,
  columnSums,
  type Dense,
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

/** A plan that moves the mass, and potentials that prove it optimal. */
function expectProof(solution: ExactPartialSolution, { n, m, cost, a, b }: Dense, mass: number, slack = 1e-12): void {
  const { f, g, price } = solution.potentials
  const { data: plan } = solution.plan()
  const size = cost.reduce((most, c) => (Number.isFinite(c) ? Math.max(most, Math.abs(c)) : most), 0)
  const rows = rowSums(plan, n, m)
  const columns = columnSums(plan, n, m)
  const scale = total(a) + total(b)
  expect(solution.status).to.equal('converged')
  expect(total(plan)).to.be.closeTo(mass, slack * scale)
  expect(solution.mass).to.be.closeTo(mass, slack * scale)
  expect(largestDifference(solution.marginals.a, rows)).to.be.at.most(slack * scale)
  expect(largestDifference(solution.marginals.b, columns)).to.be.at.most(slack * scale)
  expect(solution.value).to.be.closeTo(dot(plan, cost), slack * size * scale)
  expect(plan.every((p) => p >= 0)).to.equal(true)
  rows.forEach((moved, i) => {
    expect(moved).to.be.at.most(a[i] + slack * scale)
    expect(f[i]).to.be.at.most(slack * size)
    if (moved < a[i] - slack * scale) expect(f[i]).to.be.closeTo(0, slack * size)
  })
  columns.forEach((moved, j) => {
    expect(moved).to.be.at.most(b[j] + slack * scale)
    expect(g[j]).to.be.at.most(slack * size)
    if (moved < b[j] - slack * scale) expect(g[j]).to.be.closeTo(0, slack * size)
  })
  for (let k = 0; k < n * m; k++) {
    const sum = f[Math.floor(k / m)] + g[k % m] + price
    expect(sum).to.be.at.most(cost[k] + slack * size)
    if (plan[k] > 0) expect(sum).to.be.closeTo(cost[k], slack * size)
  }
  const dual = dot(a, f) + dot(b, g) + mass * price
  expect(dual).to.be.closeTo(solution.value, slack * size * scale)
  expect(solution.certificate.gap).to.be.within(-slack * size * scale, slack * size * scale)
}

describe('transport: partial, exactly', () => {
  forEachBackend((backend) => {
    const solve = (dense: Dense, options: ExactPartialOptions) => partialSync(asProblem(dense), { backend, ...options })

    it('the optimum of the linear program, with a proof', async () => {
      const size = fc.integer({ min: 1, max: 12 })
      const part = fc.constantFrom(1e-6, 0.1, 0.5, 0.9, 1)
      await checkAsync(
        fc.asyncProperty(size, size, fc.nat(), part, async (n, m, seed, mass) => {
          const dense = uneven(n, m, seed)
          const { value } = await linearProgram(bordered(dense, mass))
          const solution = solve(dense, { mass })
          expect(solution.value).to.be.closeTo(value, 1e-8)
          expectProof(solution, dense, mass)
        }),
        { runs: 40 },
      )
    })

    it('whole weights: whole entries; negative costs too', () => {
      const size = fc.integer({ min: 1, max: 9 })
      check(
        fc.property(size, size, fc.nat(), (n, m, seed) => {
          const next = random(seed)
          const whole = (length: number) => fill(length, () => 1 + Math.floor(5 * next()))
          const dense: Dense = { n, m, cost: fill(n * m, () => Math.floor(20 * next()) - 10), a: whole(n), b: whole(m) }
          const mass = 1 + Math.floor(next() * Math.min(total(dense.a), total(dense.b)))
          const solution = solve(dense, { mass })
          expect(solution.mass).to.equal(mass)
          expect(solution.plan().data.every(Number.isInteger)).to.equal(true)
          expectProof(solution, dense, mass)
        }),
        { runs: 40 },
      )
    })

    it('all of both sides: balanced transport', () => {
      const dense = randomDense(20, 25, 91)
      const solution = solve(dense, { mass: 1 })
      const balanced = emdSync(asProblem(dense), { backend })
      expect(solution.value).to.be.closeTo(balanced.value, 1e-13)
      expectProof(solution, dense, 1)
    })

    it('what the entropic form tends to', () => {
      const dense = uneven(25, 20, 92)
      for (const mass of [0.2, 0.8]) {
        const exact = solve(dense, { mass })
        const { certificate, value } = partialSync(asProblem(dense), { mass, epsilon: 1e-5, backend })
        expect(certificate!.dual).to.be.at.most(exact.value + 1e-12)
        expect(certificate!.primal).to.be.at.least(exact.value - 1e-12)
        expect(value).to.be.closeTo(exact.value, 1e-4)
      }
    })

    for (const metric of metrics) {
      it(`between points, ${metric}`, () => {
        for (const d of [2, 15]) {
          const next = random(93)
          const [x, y] = [cloud(30, d, () => next() + 0.1), cloud(40, d, () => next() + 0.1)]
          const a = fill(30, () => next() + 0.1)
          const b = fill(40, () => next() + 0.1)
          const dense = { n: 30, m: 40, cost: costsBetween(x, y, metric), a, b }
          const solution = partialSync({ cost: between(x, y, metric), a, b }, { mass: 6, backend })
          expectProof(solution, dense, 6, 1e-11)
        }
      })
    }

    it('nodes without weight, and float32 costs', () => {
      const dense = uneven(12, 10, 94)
      const a = dense.a.map((w, i) => (i % 3 === 1 ? 0 : w))
      const b = dense.b.map((w, j) => (j === 4 ? 0 : w))
      const cost = Float64Array.from(Float32Array.from(dense.cost))
      const solution = partialSync(
        { cost: { data: Float32Array.from(dense.cost), shape: [12, 10] }, a, b },
        { mass: 0.3, backend },
      )
      expectProof(solution, { ...dense, cost, a, b }, 0.3)
      expect(solution.marginals.a[1]).to.equal(0)
    })

    it('forbidden arcs: around them, or an error with what can move', () => {
      const cost = [
        [1, Infinity, Infinity],
        [2, Infinity, Infinity],
        [Infinity, 3, Infinity],
      ]
      const problem = { cost, a: [0.5, 0.5, 0.5], b: [0.6, 0.7, 0.8] }
      const solution = partialSync(problem, { mass: 0.9, backend })
      const expected = [0.5, 0, 0, 0.1, 0, 0, 0, 0.3, 0]
      expect(largestDifference(solution.plan().data, Float64Array.from(expected))).to.be.below(1e-15)
      expect(solution.potentials.price).to.equal(3)
      expectError(
        () => partialSync(problem, { mass: 1.25, backend }),
        'ERR_INFEASIBLE',
        'mass: expected at most 1.1, which the allowed (finite) arcs can move, got 1.25',
      )
    })

    it('plan() and what else reads the plan agree', () => {
      const dense = uneven(9, 11, 95)
      const solution = solve(dense, { mass: 0.7 })
      const { data } = solution.plan()
      const { indptr, indices, data: entries, shape } = solution.sparsePlan()
      expect(shape).to.deep.equal([9, 11])
      expect(entries.length).to.be.at.most(9 + 11 + 1)
      for (let i = 0; i < 9; i++) {
        for (let k = indptr[i]; k < indptr[i + 1]; k++) expect(entries[k]).to.equal(data[i * 11 + indices[k]])
      }
      expect(largestDifference(solution.apply(new Float64Array(11).fill(1)), solution.marginals.a)).to.be.below(1e-15)
      expect(largestDifference(solution.applyTranspose(new Float64Array(9).fill(1)), solution.marginals.b)).to.be.below(
        1e-15,
      )
    })

    it('limits, abort, asynchronous form', async () => {
      const dense = uneven(150, 140, 96)
      const problem = asProblem(dense)
      const limited = await partial(problem, { mass: 0.5, maxIterations: 3, backend })
      expect(limited.status).to.equal('iteration-limit')
      const { elapsed: _, ...one } = await partial(problem, { mass: 0.5, backend })
      expect(one.value).to.equal(solve(dense, { mass: 0.5 }).value)
      const reason = { why: 'enough' }
      const aborted = partial(problem, { mass: 0.5, signal: AbortSignal.abort(reason), backend })
      expect(await rejection(aborted)).to.equal(reason)
    })

    it('refuses bad input', async () => {
      const problem = asProblem(uneven(3, 4, 97))
      const refuses = async (
        given: unknown,
        options: unknown,
        code: Parameters<typeof expectError>[1],
        message: RegExp | string,
      ) => {
        const [wrong, amiss] = [given as TransportProblem, options as ExactPartialOptions]
        expectError(() => partialSync(wrong, amiss), code, message)
        await expectRejection(partial(wrong, amiss), code, message)
      }
      await refuses(problem, { backend }, 'ERR_OPTION', /^mass: expected a finite number > 0/)
      await refuses(problem, { mass: 0, backend }, 'ERR_NOT_POSITIVE', /^mass: /)
      await refuses(problem, { mass: 1.1, backend }, 'ERR_MASS', /^mass: expected at most the smaller total/)
      await refuses(problem, { mass: 0.5, history: true, backend }, 'ERR_OPTION', /^options: unknown name 'history'/)
      await refuses(problem, { mass: 0.5, tolerance: -1, backend }, 'ERR_OPTION', /^tolerance: /)
      await refuses({ cost: [[1, Number.NaN]] }, { mass: 0.5, backend }, 'ERR_NOT_FINITE', /^cost\[0\]\[1\]: /)
      await refuses({ cost: [[1, 2]], a: [1, 2] }, { mass: 0.5, backend }, 'ERR_SHAPE', /^a: /)
    })
  })

  it('both backends find the same value', () => {
    const next = random(98)
    const x = Array.from({ length: 150 }, () => [next(), next()])
    const y = Array.from({ length: 120 }, () => [next(), next()])
    const problem = { cost: pointCloud(x, y), a: fill(150, next), b: fill(120, next) }
    for (const mass of [1, 30]) {
      const native = partialSync(problem, { mass, backend: 'native' })
      const portable = partialSync(problem, { mass, backend: 'portable' })
      expect(portable.value).to.be.closeTo(native.value, 1e-12 * native.value)
    }
  })
})
