import { expect } from 'chai'
import fc from 'fast-check'
import { pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { adaptiveOn, methodsOn, sinkhornOn } from '../helpers/methods.js'
import { check } from '../helpers/property.js'
import { fill, random } from '../helpers/random.js'
import { expectSound } from '../helpers/sound.js'
import { asProblem, type Dense, dot, largestDifference, normalized, total, uniform } from '../helpers/transport.js'

const tolerance = 1e-13

describe('transport: closed forms', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      describe(method.name, () => {
        it('2 × 2: P11 = t / (1 + t) / 2 with t = exp((C12 + C21 - C11 - C22) / (2 epsilon))', () => {
          const entry = fc.double({ min: -1, max: 1, noNaN: true })
          check(
            fc.property(
              fc.tuple(entry, entry, entry, entry),
              fc.double({ min: 0.5, max: 20, noNaN: true }),
              (c, epsilon) => {
                const dense = { n: 2, m: 2, cost: Float64Array.from(c), a: uniform(2), b: uniform(2) }
                const solution = method.runSync(asProblem(dense), { epsilon, tolerance })
                const t = Math.exp((c[1] + c[2] - c[0] - c[3]) / (2 * epsilon))
                const [p, q] = [t / (1 + t) / 2, 1 / (1 + t) / 2]
                expect(largestDifference(solution.plan().data, Float64Array.of(p, q, q, p))).to.be.below(1e-11)
                expectSound(solution, dense, { epsilon, tolerance })
              },
            ),
          )
        })

        // Sinkhorn takes as many iterations as t is large.
        const extreme = method.name === 'sinkhorn' ? [-6, 6] : [-600, -300, -40, -12, 12, 40, 300, 600]
        it(`2 × 2 with t = exp(${extreme})`, () => {
          for (const exponent of extreme) {
            const cost = Float64Array.of(0.25, 0.25 + 2 * exponent, 0.25, 0.25)
            const dense = { n: 2, m: 2, cost, a: uniform(2), b: uniform(2) }
            const solution = method.runSync(asProblem(dense), { epsilon: 1, tolerance: 1e-12 })
            const p = 1 / (1 + Math.exp(-exponent)) / 2
            expect(solution.status, `t = exp(${exponent})`).to.equal('converged')
            expect(largestDifference(solution.plan().data, Float64Array.of(p, 0.5 - p, 0.5 - p, p))).to.be.below(1e-11)
          }
        })

        it('2 × 2 with any weights: the root of a quadratic', () => {
          const cost = fc.double({ min: -3, max: 3, noNaN: true })
          const weight = fc.double({ min: 0.02, max: 0.98, noNaN: true })
          check(
            fc.property(cost, weight, weight, (c, a1, b1) => {
              const dense = {
                n: 2,
                m: 2,
                cost: Float64Array.of(0, c, 0, 0),
                a: Float64Array.of(a1, 1 - a1),
                b: Float64Array.of(b1, 1 - b1),
              }
              const { data } = method.runSync(asProblem(dense), { epsilon: 1, tolerance }).plan()
              // P11 P22 = theta P12 P21 with the sums of the rows and columns put in.
              const theta = Math.exp(c)
              const p = rootBetween(
                (x) => x * (1 - a1 - b1 + x) - theta * (a1 - x) * (b1 - x),
                Math.max(0, a1 + b1 - 1),
                Math.min(a1, b1),
              )
              const expected = Float64Array.of(p, a1 - p, b1 - p, 1 - a1 - b1 + p)
              expect(largestDifference(data, expected)).to.be.below(1e-11)
            }),
          )
        })

        it('one source or one target: the outer product', () => {
          check(
            fc.property(fc.integer({ min: 1, max: 70 }), fc.boolean(), fc.nat(), (count, wide, seed) => {
              const next = random(seed)
              const weights = normalized(fill(count, () => 0.01 + next()))
              const [n, m] = wide ? [1, count] : [count, 1]
              const one = Float64Array.of(1)
              const dense = {
                n,
                m,
                cost: fill(count, () => 10 * next() - 5),
                a: wide ? one : weights,
                b: wide ? weights : one,
              }
              const solution = method.runSync(asProblem(dense), { epsilon: 1e-3 + next(), tolerance })
              expect(solution.status).to.equal('converged')
              expect(largestDifference(solution.plan().data, weights)).to.be.below(1e-13)
              expect(solution.value).to.be.closeTo(dot(weights, dense.cost), 1e-12)
              // There is no other plan: the bounds meet.
              expect(solution.certificate?.gap).to.be.closeTo(0, 1e-11)
            }),
          )
        })

        it('separable costs u_i + v_j: a bᵀ', () => {
          check(
            fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), fc.nat(), (n, m, seed) => {
              const next = random(seed)
              const u = fill(n, () => 4 * next() - 2)
              const v = fill(m, () => 4 * next() - 2)
              const a = normalized(fill(n, () => 0.05 + next()))
              const b = normalized(fill(m, () => 0.05 + next()))
              const cost = Float64Array.from({ length: n * m }, (_, k) => u[Math.floor(k / m)] + v[k % m])
              const dense: Dense = { n, m, cost, a, b }
              const epsilon = 0.01 + next()
              const solution = method.runSync(asProblem(dense), { epsilon, tolerance })
              const expected = Float64Array.from({ length: n * m }, (_, k) => a[Math.floor(k / m)] * b[k % m])
              expect(largestDifference(solution.plan().data, expected)).to.be.below(1e-12)
              expect(solution.value).to.be.closeTo(dot(a, u) + dot(b, v), 1e-11)
              const entropy = total(expected.map((p) => p * (Math.log(p) - 1)))
              expect(solution.regularizedValue).to.be.closeTo(dot(a, u) + dot(b, v) + epsilon * entropy, 1e-11)
              expectSound(solution, dense, { epsilon, tolerance })
            }),
          )
        })
      })
    }

    for (const method of [sinkhornOn(backend), adaptiveOn(backend)]) {
      // Janati, Muzellec, Peyré, Cuturi 2020 (arXiv 2006.02572), in one dimension.
      it(`${method.name}: two Gaussians on a grid: value, slope and conditional variance`, () => {
        const grid = Float64Array.from({ length: 601 }, (_, k) => -9 + 0.03 * k)
        const density = (mean: number, deviation: number) =>
          normalized(grid.map((x) => Math.exp(-(((x - mean) / deviation) ** 2) / 2)))
        const [mean, deviation, other, epsilon] = [0.7, 1.2, 0.8, 0.5]
        const [a, b] = [density(0, deviation), density(mean, other)]
        const points = Array.from(grid, (x) => [x])
        const solution = method.runSync({ cost: pointCloud(points, points), a, b }, { epsilon, tolerance: 1e-12 })
        expect(solution.status).to.equal('converged')

        const d = Math.sqrt(4 * deviation ** 2 * other ** 2 + epsilon ** 2 / 4)
        const closed =
          mean ** 2 +
          deviation ** 2 +
          other ** 2 -
          d +
          (epsilon / 2) * (1 - Math.log(epsilon)) +
          (epsilon / 2) * Math.log(d + epsilon / 2)
        // The closed form has epsilon KL(P | a bᵀ) where the solver has epsilon sum P (log P - 1).
        const entropy = (w: Float64Array) => -total(w.map((x) => x * Math.log(x)))
        expect(solution.regularizedValue + epsilon * (1 + entropy(a) + entropy(b))).to.be.closeTo(closed, 1e-8)

        const e = epsilon / 2
        const slope = (Math.sqrt(e ** 2 + 4 * deviation ** 2 * other ** 2) - e) / (2 * deviation ** 2)
        const first = solution.apply(grid)
        const second = solution.apply(grid.map((x) => x * x))
        for (const x of [-2.1, -0.9, 0, 0.6, 2.4]) {
          const i = Math.round((x + 9) / 0.03)
          const center = first[i] / a[i]
          expect(center, `barycenter at ${x}`).to.be.closeTo(mean + slope * grid[i], 1e-7)
          expect(second[i] / a[i] - center ** 2, `variance at ${x}`).to.be.closeTo(e * slope, 1e-7)
        }
      })
    }
  })
})

function rootBetween(value: (x: number) => number, low: number, high: number): number {
  let [left, right] = [low, high]
  for (let k = 0; k < 200; k++) {
    const middle = (left + right) / 2
    if (value(middle) < 0) left = middle
    else right = middle
  }
  return (left + right) / 2
}
