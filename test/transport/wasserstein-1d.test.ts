import { expect } from 'chai'
import fc from 'fast-check'
import { type LineProblem, wasserstein1d, wasserstein1dSync } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection } from '../helpers/errors.js'
import { linearProgram } from '../helpers/linear-program.js'
import { check, checkAsync } from '../helpers/property.js'
import { random, randomNormal } from '../helpers/random.js'

// biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
type Wrong = any

/** Coordinates with ties, weights with zeros, equal totals. */
const side = fc.array(fc.record({ at: fc.integer({ min: -6, max: 6 }), weight: fc.integer({ min: 0, max: 4 }) }), {
  minLength: 1,
  maxLength: 9,
})

function problemOf(left: { at: number; weight: number }[], right: { at: number; weight: number }[]) {
  const weights = (nodes: { weight: number }[]) => {
    const total = nodes.reduce((sum, { weight }) => sum + weight, 0)
    return total === 0 ? nodes.map(() => 1 / nodes.length) : nodes.map(({ weight }) => weight / total)
  }
  return { x: left.map(({ at }) => at), y: right.map(({ at }) => at), a: weights(left), b: weights(right) }
}

const costs = ({ x, y }: { x: number[]; y: number[] }, order: number) =>
  Float64Array.from(x.flatMap((u) => y.map((v) => Math.abs(u - v) ** order)))

describe('transport: wasserstein1d', () => {
  forEachBackend((backend) => {
    for (const order of [1, 1.5, 2, 4]) {
      it(`is the linear program’s optimum, with a feasible and tight dual, order ${order}`, async () => {
        await checkAsync(
          fc.asyncProperty(side, side, async (left, right) => {
            const problem = problemOf(left, right)
            const [n, m] = [left.length, right.length]
            const cost = costs(problem, order)
            const solution = wasserstein1dSync(problem, { order, backend })
            const a = Float64Array.from(problem.a)
            const b = Float64Array.from(problem.b)
            const { value } = await linearProgram({ n, m, cost, a, b })
            expect(solution.value).to.be.closeTo(value, 1e-9 * (1 + value))
            expect(solution.certificate.gap).to.be.closeTo(0, 1e-9 * (1 + value))
            const { f, g } = solution.potentials
            for (let i = 0; i < n; i++) {
              for (let j = 0; j < m; j++)
                expect(f[i] + g[j]).to.be.at.most(cost[i * m + j] + 1e-9 * (1 + cost[i * m + j]))
            }
            const plan = solution.sparsePlan()
            const rows = new Float64Array(n)
            const columns = new Float64Array(m)
            let moved = 0
            for (let i = 0; i < n; i++) {
              for (let k = plan.indptr[i]; k < plan.indptr[i + 1]; k++) {
                expect(plan.data[k]).to.be.above(0)
                if (k > plan.indptr[i]) expect(plan.indices[k]).to.be.above(plan.indices[k - 1])
                rows[i] += plan.data[k]
                columns[plan.indices[k]] += plan.data[k]
                moved += plan.data[k] * cost[i * m + plan.indices[k]]
              }
            }
            for (let i = 0; i < n; i++) expect(rows[i]).to.be.closeTo(a[i], 1e-14)
            for (let j = 0; j < m; j++) expect(columns[j]).to.be.closeTo(b[j], 1e-14)
            expect(moved).to.be.closeTo(solution.value, 1e-12 * (1 + value))
          }),
        )
      })
    }

    it('of equal numbers of points: the sorted ones paired', () => {
      const next = randomNormal(3)
      const x = Float64Array.from({ length: 5000 }, next)
      const y = Float64Array.from({ length: 5000 }, () => 3 + 2 * next())
      const pairs = x.slice().sort()
      const others = y.slice().sort()
      const expected = pairs.reduce((sum, value, k) => sum + Math.abs(value - others[k]), 0) / 5000
      expect(wasserstein1dSync({ x, y }, { backend }).value).to.be.closeTo(expected, 1e-12)
    })

    it('order 1: the area between the distribution functions', () => {
      const next = random(4)
      const x = Array.from({ length: 40 }, next)
      const y = Array.from({ length: 70 }, next)
      const all = [...x, ...y].sort((u, v) => u - v)
      const below = (points: number[], t: number) => points.filter((u) => u <= t).length / points.length
      let area = 0
      for (let k = 0; k + 1 < all.length; k++)
        area += Math.abs(below(x, all[k]) - below(y, all[k])) * (all[k + 1] - all[k])
      expect(wasserstein1dSync({ x, y }, { backend }).value).to.be.closeTo(area, 1e-13)
    })

    it('moves with a shift and scales with the line', () => {
      check(
        fc.property(side, side, fc.integer({ min: -5, max: 5 }), (left, right, shift) => {
          const problem = problemOf(left, right)
          const { value } = wasserstein1dSync(problem, { order: 2, backend })
          const moved = (factor: number) => ({
            ...problem,
            x: problem.x.map((u) => factor * u + shift),
            y: problem.y.map((u) => factor * u + shift),
          })
          expect(wasserstein1dSync(moved(1), { order: 2, backend }).value).to.be.closeTo(value, 1e-12 * (1 + value))
          expect(wasserstein1dSync(moved(-3), { order: 2, backend }).value).to.be.closeTo(
            9 * value,
            1e-11 * (1 + value),
          )
        }),
      )
    })

    it('extreme places: subnormal, huge, both zeros', () => {
      const x = [5e-324, -0, 1e300, -1e300, 0]
      const solution = wasserstein1dSync({ x, y: x }, { backend })
      expect(solution.value).to.equal(0)
      expect(solution.distance).to.equal(0)
    })

    it('total mass other than one; the distance is the root of the value', async () => {
      const solution = await wasserstein1d({ x: [0, 1], y: [3], a: [2, 2], b: [4] }, { order: 2, backend })
      expect(solution.value).to.equal(2 * 9 + 2 * 4)
      expect(solution.distance).to.equal(Math.sqrt(26))
      expect(solution.backend).to.equal(backend)
      expect(solution.status).to.equal('converged')
    })

    it('leaves what the caller gave alone', async () => {
      const x = Float64Array.of(3, 1, 2)
      const running = wasserstein1d({ x, y: x }, { backend })
      x.fill(Number.NaN)
      expect((await running).value).to.equal(0)
    })

    it('bad input', async () => {
      const good: LineProblem = { x: [0, 1], y: [1, 2, 3] }
      const bad: [Wrong, Wrong, Parameters<typeof expectError>[1], RegExp][] = [
        [null, {}, 'ERR_SHAPE', /problem: expected \{ x, y, a, b \}, got null/],
        [{ ...good, z: 1 }, {}, 'ERR_OPTION', /unknown name 'z'/],
        [{ ...good, x: [] }, {}, 'ERR_SHAPE', /x: expected at least one number, got none/],
        [{ ...good, y: [1, Number.NaN] }, {}, 'ERR_NOT_FINITE', /y\[1\]: expected a finite coordinate, got NaN/],
        [{ ...good, x: 'abc' }, {}, 'ERR_SHAPE', /x: expected a vector of numbers/],
        [{ ...good, a: [1] }, {}, 'ERR_SHAPE', /a: expected 2 weights to match the 2 points of x, got 1/],
        [{ ...good, b: [1, -1, 1] }, {}, 'ERR_NOT_POSITIVE', /b\[1\]: expected a finite weight >= 0, got -1/],
        [{ ...good, a: [0, 0] }, {}, 'ERR_MASS', /a: expected weights with a positive finite total, got 0/],
        [{ ...good, a: [1, 1] }, {}, 'ERR_MASS', /a, b: expected equal totals/],
        [{ x: [1e300], y: [-1e300] }, { order: 2 }, 'ERR_NOT_FINITE', /x, y: expected points whose cost .* is finite/],
        [good, { order: 0.5 }, 'ERR_OPTION', /order: expected a number >= 1, got 0.5/],
        [good, { oder: 1 }, 'ERR_OPTION', /did you mean 'order'/],
        [good, null, 'ERR_OPTION', /options: expected/],
        [good, { signal: 1 }, 'ERR_OPTION', /signal: expected an AbortSignal, got 1/],
      ]
      for (const [problem, options, code, message] of bad) {
        expectError(() => wasserstein1dSync(problem, options && { ...options, backend }), code, message)
        await expectRejection(wasserstein1d(problem, options && { ...options, backend }), code, message)
      }
    })

    it('a signal that is aborted already: its reason', async () => {
      const reason = new Error('enough')
      const error = await wasserstein1d({ x: [0], y: [1] }, { backend, signal: AbortSignal.abort(reason) }).catch(
        (e) => e,
      )
      expect(error).to.equal(reason)
    })
  })

  it('the same bits on both backends', () => {
    const next = randomNormal(9)
    const x = Float64Array.from({ length: 3000 }, () => Math.round(100 * next()) / 100)
    const y = Float64Array.from({ length: 2000 }, next)
    const [native, portable] = (['native', 'portable'] as const).map((backend) =>
      wasserstein1dSync({ x, y }, { backend }),
    )
    expect(native.value).to.equal(portable.value)
    expect(native.potentials).to.deep.equal(portable.potentials)
    expect(native.sparsePlan()).to.deep.equal(portable.sparsePlan())
  })
})
