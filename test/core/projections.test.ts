import { expect } from 'chai'
import fc from 'fast-check'
import {
  kSupportNorm,
  projectCappedSimplex,
  projectSimplex,
  projectTopKSimplex,
  selectLargest,
  simplexLevel,
} from '../../lib/core/projections.js'
import { check } from '../helpers/property.js'
import { choices } from '../helpers/quadratic-program.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { total } from '../helpers/transport.js'

const numbers = (length: { minLength: number; maxLength: number }) =>
  fc.array(fc.double({ min: -10, max: 10, noNaN: true }), length).map((values) => Float64Array.from(values))
/** Numbers of which many are equal. */
const coarse = (length: { minLength: number; maxLength: number }) =>
  fc.array(fc.integer({ min: -2, max: 2 }), length).map((values) => Float64Array.from(values))
const squaredDistance = (x: Float64Array, y: Float64Array) => x.reduce((sum, v, i) => sum + (v - y[i]) ** 2, 0)

describe('projections', () => {
  it('the k largest, of equal ones the first', () => {
    check(
      fc.property(
        fc.oneof(numbers({ minLength: 1, maxLength: 40 }), coarse({ minLength: 1, maxLength: 40 })),
        fc.nat(),
        (values, seed) => {
          const k = 1 + (seed % values.length)
          const moved = values.slice()
          const indices = Int32Array.from(values.keys())
          selectLargest(moved, indices, 0, values.length, k)
          const expected = [...values.keys()].sort((i, j) => values[j] - values[i] || i - j).slice(0, k)
          expect([...indices.subarray(0, k)].sort((i, j) => i - j)).to.deep.equal(expected.sort((i, j) => i - j))
          indices.forEach((index, at) => {
            expect(moved[at]).to.equal(values[index])
          })
        },
      ),
      { runs: 300 },
    )
  })

  it('a part of a vector leaves the rest as it is', () => {
    const values = Float64Array.of(9, 1, 3, 2, 5, 9)
    const indices = Int32Array.of(0, 1, 2, 3, 4, 5)
    selectLargest(values, indices, 1, 5, 2)
    expect([...indices.subarray(1, 3)].sort()).to.deep.equal([2, 4])
    expect([values[0], values[5], indices[0], indices[5]]).to.deep.equal([9, 9, 0, 5])
  })

  it('on the simplex: the conditions of optimality', () => {
    check(
      fc.property(
        numbers({ minLength: 1, maxLength: 30 }),
        fc.double({ min: 1e-3, max: 50, noNaN: true }),
        (v, size) => {
          const p = projectSimplex(v, size)
          expect(total(p)).to.be.closeTo(size, 1e-12 * (size + v.length))
          // v - p is the same on all entries > 0, and no larger elsewhere.
          const levels = [...p.keys()].filter((i) => p[i] > 0).map((i) => v[i] - p[i])
          expect(Math.max(...levels) - Math.min(...levels)).to.be.below(1e-12)
          p.forEach((value, i) => {
            expect(value).to.be.at.least(0)
            if (value === 0) expect(v[i]).to.be.at.most(Math.min(...levels) + 1e-12)
          })
        },
      ),
    )
  })

  it('on a simplex that is tiny beside the numbers', () => {
    const v = Float64Array.of(1e6, 1e6, 3, 1e6 - 1e-9)
    const largest = 1e6
    const level = simplexLevel(v, 0, 4, largest, 1e-12)
    expect(level).to.be.closeTo(-0.5e-12, 1e-25)
  })

  it('on the simplex with k entries: no support is better', () => {
    const next = randomNormal(4)
    for (let n = 1; n <= 8; n++) {
      for (let k = 1; k <= n; k++) {
        const v = fill(n, next)
        const size = 0.1 + Math.abs(next())
        const p = projectTopKSimplex(v, k, size)
        expect(p.filter((value) => value > 0).length).to.be.at.most(k)
        const best = Math.min(
          ...choices(n, k).map((support) => {
            const part = projectSimplex(
              Float64Array.from(support, (i) => v[i]),
              size,
            )
            const q = new Float64Array(n)
            support.forEach((i, r) => {
              q[i] = part[r]
            })
            return squaredDistance(v, q)
          }),
        )
        expect(squaredDistance(v, p)).to.be.closeTo(best, 1e-12)
      }
    }
  })

  it('on the capped simplex: the conditions of optimality', () => {
    check(
      fc.property(
        fc.oneof(numbers({ minLength: 1, maxLength: 30 }), coarse({ minLength: 1, maxLength: 30 })),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0.1, max: 3, noNaN: true }),
        (v, part, cap) => {
          const size = part * cap * v.length
          const p = projectCappedSimplex(v, size, cap)
          expect(total(p)).to.be.closeTo(size, 1e-11)
          const inside = [...p.keys()].filter((i) => p[i] > 1e-12 && p[i] < cap - 1e-12).map((i) => v[i] - p[i])
          const level = inside.length > 0 ? inside[0] : Number.NaN
          p.forEach((value, i) => {
            expect(value).to.be.within(0, cap)
            if (inside.length === 0) return
            if (value <= 1e-12) expect(v[i]).to.be.at.most(level + 1e-9)
            else if (value >= cap - 1e-12) expect(v[i] - cap).to.be.at.least(level - 1e-9)
            else expect(v[i] - value).to.be.closeTo(level, 1e-9)
          })
        },
      ),
    )
  })

  it('the k-support norm is what its variational form says', () => {
    const next = random(11)
    for (let n = 1; n <= 7; n++) {
      for (let k = 1; k <= n; k++) {
        const w = fill(n, () => (next() < 0.2 ? 0 : 2 * next() - 1))
        expect(kSupportNorm(w, k) ** 2).to.be.closeTo(leastOverTheta(w, k), 1e-9)
      }
    }
  })

  it('the k-support norm: Euclidean on k entries and for k = n, the L1 norm for k = 1', () => {
    const w = Float64Array.of(3, 0, -4, 0)
    expect(kSupportNorm(w, 2)).to.be.closeTo(5, 1e-14)
    expect(kSupportNorm(w, 4)).to.be.closeTo(5, 1e-14)
    expect(kSupportNorm(w, 1)).to.be.closeTo(7, 1e-14)
  })
})

/** min sum w_i² / theta_i over theta in [0, 1], sum theta <= k: theta_i = min(1, |w_i| / s) with s by bisection. */
function leastOverTheta(w: Float64Array, k: number): number {
  const sizes = w.map(Math.abs)
  const used = sizes.filter((size) => size > 0)
  if (used.length <= k) return sizes.reduce((sum, size) => sum + size * size, 0)
  let low = 0
  let high = total(sizes)
  for (let round = 0; round < 200; round++) {
    const s = (low + high) / 2
    if (total(sizes.map((size) => Math.min(1, size / s))) > k) low = s
    else high = s
  }
  return sizes.reduce((sum, size) => sum + (size > 0 ? (size * size) / Math.min(1, size / high) : 0), 0)
}
