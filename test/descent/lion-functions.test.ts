import { expect } from 'chai'
import { inner } from '../helpers/matrices.js'
import { fill, randomNormal } from '../helpers/random.js'
import { kinds, potential, size } from './lion-kinds.js'

const separable = ['l1', 'half-square', 'power 1.5', 'power 3', 'huber', 'soft-abs', 'threshold', 'log-cosh']
const smooth = [
  'half-square',
  'log-sum-exp',
  'power 1.5',
  'power 3',
  'huber',
  'soft-abs',
  'log-cosh',
  'lp 1.5',
  'lp 2',
  'lp 4',
]

describe('the functions K of Lion-K', () => {
  for (const [name, k] of kinds) {
    const K = potential(k)
    const slope = (z: Float64Array): Float64Array => {
      const s = new Float64Array(z.length)
      K.subgradient(z, s)
      return s
    }

    it(`${name}: its subgradients support it`, () => {
      const next = randomNormal(3)
      for (let trial = 0; trial < 40; trial++) {
        const [z, w] = [fill(size, next), fill(size, () => 2 * next())]
        const s = slope(z)
        const below = K.value(z) + inner(s, w) - inner(s, z)
        expect(K.value(w)).to.be.at.least(below - 1e-12 * Math.max(1, Math.abs(below)))
      }
    })

    it(`${name}: K(z) + K*(s) = ⟨z, s⟩ at s = dK(z), and at least that elsewhere`, () => {
      const next = randomNormal(4)
      for (let trial = 0; trial < 40; trial++) {
        const z = fill(size, next)
        const s = slope(z)
        const sum = K.value(z) + K.conjugate(s, 1e-12)
        expect(sum).to.be.closeTo(inner(z, s), 1e-11 * Math.max(1, Math.abs(sum)))
        const w = fill(size, next)
        expect(K.value(w) + K.conjugate(s, 1e-12)).to.be.at.least(inner(w, s) - 1e-11)
      }
    })

    it(`${name}: K is 0 and smallest at 0, where the subgradient is finite`, () => {
      const zero = new Float64Array(size)
      const s = slope(zero)
      expect([...s].every(Number.isFinite)).to.equal(true)
      const from = name === 'log-sum-exp' ? Math.log(size) : 0
      expect(K.value(zero)).to.be.closeTo(from, 1e-15)
      if (name !== 'log-sum-exp') expect([...s].every((value) => value === 0)).to.equal(true)
    })

    it(`${name}: the subgradient may overwrite its argument`, () => {
      const z = fill(size, randomNormal(5))
      const s = slope(z)
      K.subgradient(z, z)
      expect([...z]).to.deep.equal([...s])
    })

    if (smooth.includes(name)) {
      it(`${name}: dK is the difference quotient of K`, () => {
        const next = randomNormal(6)
        const z = fill(size, next)
        const s = slope(z)
        for (let i = 0; i < size; i++) {
          const at = (by: number) => K.value(z.map((value, j) => (j === i ? value + by : value)))
          const quotient = (8 * (at(1e-4) - at(-1e-4)) - (at(2e-4) - at(-2e-4))) / 12e-4
          // Huber's second derivative jumps.
          expect(s[i]).to.be.closeTo(quotient, name === 'huber' ? 1e-3 : 1e-8)
        }
      })
    }
  }

  for (const [name, k] of kinds.filter(([name]) => separable.includes(name))) {
    const K = potential(k, [1])
    const value = (z: number) => K.value(Float64Array.of(z))
    const conjugate = (y: number) => K.conjugate(Float64Array.of(y), 0)

    it(`${name}: K* is the Legendre transform of K on a grid`, () => {
      for (const y of [-0.95, -0.5, -0.1, 0, 0.3, 0.7, 0.99]) {
        let most = Number.NEGATIVE_INFINITY
        for (let z = -6; z <= 6; z += 1e-3) most = Math.max(most, y * z - value(z))
        expect(conjugate(y)).to.be.closeTo(most, 2e-5)
      }
      const bounded = !name.startsWith('power') && name !== 'half-square'
      expect(conjugate(1.01)).to.satisfy((found: number) => (bounded ? found === Infinity : found > 0 && found < 1))
    })

    it(`${name}: the residual is the distance of −g from the subdifferential of K*`, () => {
      // ∂K*(y) between the slopes of K* on both sides.
      for (const y of [-0.8, -0.3, 0, 0.2, 0.9]) {
        const step = 1e-6
        const right = (conjugate(y + step) - conjugate(y)) / step
        const left = (conjugate(y) - conjugate(y - step)) / step
        for (const g of [-1.3, -0.2, 0, 0.05, 2]) {
          const expected = Math.max(0, left + g, -g - right)
          const found = K.residual!(Float64Array.of(g), Float64Array.of(y), 1e-12)
          // K* of power 3 has no second derivative at 0.
          expect(found).to.be.closeTo(expected, name === 'power 3' ? 2e-3 : 1e-4)
        }
      }
      const outside = K.residual!(Float64Array.of(0), Float64Array.of(1.5), 1e-12)
      if (K.excess(Float64Array.of(1.5)) > 0) expect(outside).to.equal(Number.POSITIVE_INFINITY)
    })

    if (K.prox !== undefined) {
      it(`${name}: the prox is the least point of its problem on a grid`, () => {
        for (const lambda of [0.5, 2]) {
          for (const v of [-3, -0.45, -0.1, 0.3, 0.7, 1.9]) {
            let [best, least] = [0, Number.POSITIVE_INFINITY]
            for (let x = -4; x <= 4; x += 1e-3) {
              const cost = (x - v) ** 2 / 2 + conjugate(lambda * x) / lambda
              if (cost < least) [best, least] = [x, cost]
            }
            expect(K.prox!(v, lambda)).to.be.closeTo(best, 1.1e-3)
          }
        }
      })
    }
  }

  it('box: at the border only slopes that push outward are solutions', () => {
    const K = potential('l1', [2])
    const at = (g: number) => K.residual!(Float64Array.of(g, 0), Float64Array.of(1, 0), 1e-12)
    expect([at(-3), at(0), at(2)]).to.deep.equal([0, 0, 2])
  })

  it('distances from the domain are those of the dual norm', () => {
    const y = Float64Array.of(2, -3, 0.5)
    const excess = (k: Parameters<typeof potential>[0]) => potential(k, [3]).excess(y)
    expect(excess('l1')).to.equal(2)
    expect(excess('linf')).to.equal(4.5)
    expect(excess({ kind: 'lp', p: 2 })).to.be.closeTo(Math.sqrt(13.25) - 1, 1e-15)
    expect(excess({ kind: 'top-k', k: 1 })).to.equal(4.5)
    expect(excess({ kind: 'top-k', k: 2 })).to.equal(2)
    expect(excess({ kind: 'group', groups: [[0, 2], [1]] })).to.equal(2)
    expect(excess('half-square')).to.equal(0)
    // The nearest point of the simplex is (1, 0, 0).
    expect(excess('log-sum-exp')).to.be.closeTo(Math.hypot(1, 3, 0.5), 1e-15)
    expect(potential('nuclear', [2, 2]).excess(Float64Array.of(0, 3, -2, 0))).to.be.closeTo(2, 1e-14)
  })
})
