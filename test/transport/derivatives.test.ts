import { expect } from 'chai'
import { forEachBackend } from '../helpers/backends.js'
import { methodsOn } from '../helpers/methods.js'
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

const epsilon = 0.1
const tolerance = 1e-13
const step = 1e-5

/** (value(+step) - value(-step)) / (2 step) */
function centralDifference(value: (t: number) => number): number {
  return (value(step) - value(-step)) / (2 * step)
}

function nudged(values: Float64Array, k: number, by: number): Float64Array {
  const out = values.slice()
  out[k] += by
  return out
}

describe('transport: derivatives', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      describe(method.name, () => {
        const dense = randomDense(7, 9, 11)
        const { n, m, cost, a, b } = dense
        const solve = (change: Partial<Dense>) =>
          method.runSync(asProblem({ ...dense, ...change }), { epsilon, tolerance })

        it('of regularizedValue by a cost: the plan', () => {
          const { data: plan } = solve({}).plan()
          for (let k = 0; k < n * m; k += 5) {
            const slope = centralDifference((t) => solve({ cost: nudged(cost, k, t) }).regularizedValue)
            expect(slope, `entry ${k}`).to.be.closeTo(plan[k], 1e-8)
          }
        })

        it('of regularizedValue by the weights: f and g, up to their constant', () => {
          const { f, g } = solve({}).potentials
          for (let i = 0; i < n; i++) {
            for (let j = i % 3; j < m; j += 3) {
              // Both totals move alike; so does the constant drop out.
              const slope = centralDifference((t) => solve({ a: nudged(a, i, t), b: nudged(b, j, t) }).regularizedValue)
              expect(slope, `a[${i}], b[${j}]`).to.be.closeTo(f[i] + g[j], 1e-8)
            }
            const k = (i + 1) % n
            const slope = centralDifference((t) => solve({ a: nudged(nudged(a, i, t), k, -t) }).regularizedValue)
            expect(slope, `a[${i}], a[${k}]`).to.be.closeTo(f[i] - f[k], 1e-8)
          }
        })

        it('of the dual at the potentials: zero', () => {
          const { f, g } = solve({}).potentials
          // Row and column sums computed here, so that the solver cannot flatter itself.
          const plan = cost.map((c, k) => Math.exp((f[Math.floor(k / m)] + g[k % m] - c) / epsilon))
          expect(largestDifference(rowSums(plan, n, m), a)).to.be.below(1e-13)
          expect(largestDifference(columnSums(plan, n, m), b)).to.be.below(1e-13)
          const dual = (p: Float64Array, q: Float64Array) =>
            dot(a, p) +
            dot(b, q) -
            epsilon * total(cost.map((c, k) => Math.exp((p[Math.floor(k / m)] + q[k % m] - c) / epsilon)))
          for (let i = 0; i < n; i++) expect(centralDifference((t) => dual(nudged(f, i, t), g))).to.be.closeTo(0, 1e-9)
          for (let j = 0; j < m; j++) expect(centralDifference((t) => dual(f, nudged(g, j, t)))).to.be.closeTo(0, 1e-9)
          expect(solve({}).regularizedValue).to.be.closeTo(dual(f, g), 1e-13)
        })

        it('strong duality: regularizedValue = <C,P> + epsilon sum P (log P - 1)', () => {
          const solution = solve({})
          const { data: plan } = solution.plan()
          const primal = dot(plan, cost) + epsilon * total(plan.map((p) => p * (Math.log(p) - 1)))
          expect(solution.regularizedValue).to.be.closeTo(primal, 1e-13)
        })
      })
    }
  })
})
