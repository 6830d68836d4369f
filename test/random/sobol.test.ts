import { expect } from 'chai'
import { type Sobol, sobol } from '../../lib/random/index.js'
import { directionBits, polynomialCounts } from '../../lib/random/joe-kuo.js'
import { expectError } from '../helpers/errors.js'

const pointsOf = (sequence: Sobol, n: number, first = 0) =>
  Array.from({ length: n }, (_, i) => Array.from(sequence.point(first + i)))

describe('sobol', () => {
  it('gives the points that SciPy gives without scrambling', () => {
    // scipy.stats.qmc.Sobol(6, scramble=False).random(10)
    expect(pointsOf(sobol({ dimensions: 6, scramble: 'none' }), 10)).to.deep.equal([
      [0, 0, 0, 0, 0, 0],
      [0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
      [0.75, 0.25, 0.25, 0.25, 0.75, 0.75],
      [0.25, 0.75, 0.75, 0.75, 0.25, 0.25],
      [0.375, 0.375, 0.625, 0.875, 0.375, 0.125],
      [0.875, 0.875, 0.125, 0.375, 0.875, 0.625],
      [0.625, 0.125, 0.875, 0.625, 0.625, 0.875],
      [0.125, 0.625, 0.375, 0.125, 0.125, 0.375],
      [0.1875, 0.3125, 0.9375, 0.4375, 0.5625, 0.3125],
      [0.6875, 0.8125, 0.4375, 0.9375, 0.0625, 0.8125],
    ])
    // Point 1000 of scipy.stats.qmc.Sobol(1111, scramble=False), in some of its coordinates.
    const point = sobol({ dimensions: 1111, scramble: 'none' }).point(1000)
    expect([0, 1, 2, 50, 500, 1109, 1110].map((j) => point[j])).to.deep.equal([
      0.2197265625, 0.0966796875, 0.5185546875, 0.3525390625, 0.7255859375, 0.9892578125, 0.3701171875,
    ])
  })

  it('has polynomials that are primitive, all of each degree', () => {
    const bits = [...Buffer.from(directionBits, 'base64')].flatMap((byte) => [...byte.toString(2).padStart(8, '0')])
    let position = 0
    polynomialCounts.forEach((count, before) => {
      const degree = before + 1
      const seen = new Set<number>()
      for (let i = 0; i < count; i++) {
        const inner = bits.slice(position, position + degree - 1).join('')
        const polynomial = Number.parseInt(`1${inner}1`, 2)
        position += degree - 1 + (degree * (degree - 1)) / 2
        seen.add(polynomial)
        expect(orderOfX(polynomial, degree), `polynomial ${polynomial}`).to.equal(2 ** degree - 1)
      }
      expect(seen.size).to.equal(count)
      // There are phi(2^s - 1) / s primitive polynomials of degree s.
      expect(count).to.equal(totient(2 ** degree - 1) / degree)
    })
  }).timeout(20_000)

  for (const scramble of ['none', 'shift', 'owen'] as const) {
    it(`puts one point into each of 64 intervals, in every dimension (${scramble})`, () => {
      // Nested scrambling costs more, and does not depend on the dimension.
      const dimensions = scramble === 'owen' ? 200 : 1111
      const { data } = sobol({ dimensions, scramble, seed: 7 }).points(64)
      for (let j = 0; j < dimensions; j++) {
        const cells = new Set(Array.from({ length: 64 }, (_, i) => Math.floor(64 * data[i * dimensions + j])))
        expect(cells.size, `dimension ${j}`).to.equal(64)
      }
    })

    it(`puts one point into each box of volume 1/64 of the first two dimensions (${scramble})`, () => {
      const points = pointsOf(sobol({ dimensions: 2, scramble, seed: 3 }), 64)
      for (let across = 0; across <= 6; across++) {
        const boxes = new Set(
          points.map(([x, y]) => `${Math.floor(2 ** across * x!)},${Math.floor(2 ** (6 - across) * y!)}`),
        )
        expect(boxes.size, `${2 ** across} columns`).to.equal(64)
      }
    })
  }

  it('keeps the digits that two coordinates share when it scrambles, and no more', () => {
    // Nested scrambling is a tree of flips: the first digit that differs stays where it is.
    const bare = pointsOf(sobol({ dimensions: 3, scramble: 'none' }), 40)
    const scrambled = pointsOf(sobol({ dimensions: 3, seed: 11 }), 40)
    const shared = (x: number, y: number) => {
      const digits = (value: number) => (value * 2 ** 32).toString(2).padStart(32, '0')
      const [a, b] = [digits(x), digits(y)]
      let k = 0
      while (k < 32 && a[k] === b[k]) k++
      return k
    }
    for (let i = 0; i < 40; i++) {
      for (let k = 0; k < i; k++) {
        for (let j = 0; j < 3; j++) {
          expect(shared(scrambled[i]![j]!, scrambled[k]![j]!)).to.equal(shared(bare[i]![j]!, bare[k]![j]!))
        }
      }
    }
  })

  it('is uniform over seeds', () => {
    // Mean 1/2 and variance 1/12 of one coordinate over 2000 seeds, within four standard errors; two points are uncorrelated digits.
    for (const scramble of ['shift', 'owen'] as const) {
      const values = Array.from({ length: 2000 }, (_, seed) => sobol({ dimensions: 2, scramble, seed }).point(5)[1]!)
      const mean = values.reduce((sum, x) => sum + x, 0) / 2000
      const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 2000
      expect(Math.abs(mean - 0.5)).to.be.below(4 * Math.sqrt(1 / 12 / 2000))
      expect(Math.abs(variance - 1 / 12)).to.be.below(4 * Math.sqrt(1 / 180 / 2000))
    }
  })

  it('integrates a smooth function better than random points by orders of magnitude', () => {
    // The integral of prod (1 + (x_j - 1/2) / j²) over the cube is 1; random points err by about 0.3 / sqrt(4096) = 5e-3.
    const { data } = sobol({ dimensions: 8, seed: 1 }).points(4096)
    let sum = 0
    for (let i = 0; i < 4096; i++) {
      let product = 1
      for (let j = 0; j < 8; j++) product *= 1 + (data[i * 8 + j]! - 0.5) / (j + 1) ** 2
      sum += product
    }
    expect(Math.abs(sum / 4096 - 1)).to.be.below(5e-5)
  })

  it('gives the same points one by one, in blocks and from anywhere', () => {
    const sequence = sobol({ dimensions: 5, seed: 9 })
    const { data, shape } = sequence.points(20, 13)
    expect(shape).to.deep.equal([20, 5])
    expect(Array.from(data)).to.deep.equal(pointsOf(sobol({ dimensions: 5, seed: 9 }), 20, 13).flat())
    expect(Array.from(sequence.point(2 ** 32 - 1)).every((x) => x >= 0 && x < 1)).to.equal(true)
    expect(Array.from(sobol({ dimensions: 5, seed: 10 }).point(3))).not.to.deep.equal(Array.from(sequence.point(3)))
  })

  it('refuses what is out of range', () => {
    const wrong = (options: unknown) => () => sobol(options as Parameters<typeof sobol>[0])
    expectError(wrong(undefined), 'ERR_OPTION', /^options: /)
    expectError(wrong({ dimensions: 1112 }), 'ERR_OPTION', /^dimensions: expected a whole number from 1 to 1111/)
    expectError(wrong({ dimensions: 2, seed: -1 }), 'ERR_OPTION', /^seed: /)
    expectError(wrong({ dimensions: 2, scramble: 'owens' }), 'ERR_OPTION', /did you mean 'owen'/)
    expectError(wrong({ dimension: 2 }), 'ERR_OPTION', /did you mean 'dimensions'/)
    expectError(() => sobol({ dimensions: 2 }).point(2 ** 32), 'ERR_OPTION', /^index: /)
    expectError(() => sobol({ dimensions: 2 }).points(2, 2 ** 32 - 1), 'ERR_OPTION', /^first: /)
  })
})

/** The least k > 0 with x^k = 1 modulo the polynomial over GF(2). */
function orderOfX(polynomial: number, degree: number): number {
  const times = (value: number) => {
    const shifted = value << 1
    return shifted & (1 << degree) ? shifted ^ polynomial : shifted
  }
  let power = times(1)
  let k = 1
  for (; power !== 1; k++) power = times(power)
  return k
}

function totient(n: number): number {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))
  let count = 0
  for (let k = 1; k <= n; k++) if (gcd(k, n) === 1) count++
  return count
}
