import { expect } from 'chai'
import fc from 'fast-check'
import { forEachBackend } from '../helpers/backends.js'
import { methodsOn } from '../helpers/methods.js'
import { check } from '../helpers/property.js'
import { fill, random, shuffled } from '../helpers/random.js'
import { asProblem, type Dense, dot, largestDifference, randomDense, transposed } from '../helpers/transport.js'

const tolerance = 1e-12
const near = 1e-10

const size = fc.integer({ min: 1, max: 20 })
const strength = fc.double({ min: 0.05, max: 1, noNaN: true })
const cases = (run: (dense: Dense, epsilon: number, next: () => number) => void) => {
  check(
    fc.property(size, size, fc.nat(), strength, (n, m, seed, epsilon) => {
      run(randomDense(n, m, seed), epsilon, random(seed + 1))
    }),
    { runs: 25 },
  )
}

describe('transport: invariances', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      describe(method.name, () => {
        const solve = (dense: Dense, epsilon: number) => method.runSync(asProblem(dense), { epsilon, tolerance })

        it('C + u ⊕ v has the same plan', () => {
          cases((dense, epsilon, next) => {
            const { n, m, cost, a, b } = dense
            const u = fill(n, () => 6 * next() - 3)
            const v = fill(m, () => 6 * next() - 3)
            const before = solve(dense, epsilon)
            const after = solve({ ...dense, cost: cost.map((c, k) => c + u[Math.floor(k / m)] + v[k % m]) }, epsilon)
            expect(largestDifference(after.plan().data, before.plan().data)).to.be.below(near)
            const shift = dot(a, u) + dot(b, v)
            expect(after.value - before.value).to.be.closeTo(shift, near)
            expect(after.regularizedValue - before.regularizedValue).to.be.closeTo(shift, near)
            expect(after.certificate!.gap).to.be.closeTo(before.certificate!.gap, 1e-8)
          })
        })

        it('renumbering the nodes renumbers the plan', () => {
          cases((dense, epsilon, next) => {
            const { n, m, cost, a, b } = dense
            const rows = shuffled(n, next)
            const columns = shuffled(m, next)
            const moved = (matrix: Float64Array) =>
              matrix.map((_, k) => matrix[rows[Math.floor(k / m)] * m + columns[k % m]])
            const before = solve(dense, epsilon)
            const after = solve(
              { n, m, cost: moved(cost), a: a.map((_, i) => a[rows[i]]), b: b.map((_, j) => b[columns[j]]) },
              epsilon,
            )
            expect(largestDifference(after.plan().data, moved(before.plan().data))).to.be.below(near)
            expect(after.value).to.be.closeTo(before.value, near)
          })
        })

        it('(t C, t epsilon) has the same plan and t times the values', () => {
          cases((dense, epsilon, next) => {
            const t = 10 ** (12 * next() - 6)
            const before = solve(dense, epsilon)
            const after = solve({ ...dense, cost: dense.cost.map((c) => t * c) }, t * epsilon)
            expect(largestDifference(after.plan().data, before.plan().data)).to.be.below(near)
            expect(after.value / t).to.be.closeTo(before.value, near)
            expect(after.regularizedValue / t).to.be.closeTo(before.regularizedValue, near)
            expect(after.certificate!.gap / t).to.be.closeTo(before.certificate!.gap, 1e-8)
          })
        })

        it('transposition transposes the plan', () => {
          cases((dense, epsilon) => {
            const { n, m, cost, a, b } = dense
            const before = solve(dense, epsilon)
            const after = solve({ n: m, m: n, cost: transposed(cost, n, m), a: b, b: a }, epsilon)
            expect(largestDifference(transposed(after.plan().data, m, n), before.plan().data)).to.be.below(near)
            expect(after.value).to.be.closeTo(before.value, near)
            expect(after.regularizedValue).to.be.closeTo(before.regularizedValue, near)
          })
        })

        it('(s a, s b) has s times the plan', () => {
          cases((dense, epsilon, next) => {
            const s = 10 ** (12 * next() - 6)
            const { a, b } = dense
            const before = solve(dense, epsilon)
            const after = solve({ ...dense, a: a.map((w) => s * w), b: b.map((w) => s * w) }, epsilon)
            expect(after.status).to.equal(before.status)
            const plan = after.plan().data.map((p) => p / s)
            expect(largestDifference(plan, before.plan().data)).to.be.below(near)
            expect(after.value / s).to.be.closeTo(before.value, near)
            expect(after.certificate!.gap / s).to.be.closeTo(before.certificate!.gap, 1e-8)
          })
        })
      })
    }
  })
})
