import { expect } from 'chai'
import { exp, expInto } from '../../lib/backend/portable/math.js'

const FRACTION_BITS = 1300n
const words = new DataView(new ArrayBuffer(8))

/** x * 2^1300, exactly. */
function toFixed(x: number): bigint {
  words.setFloat64(0, x)
  const bits = words.getBigUint64(0)
  const exponent = (bits >> 52n) & 0x7ffn
  const fraction = bits & 0xfffffffffffffn
  const mantissa = exponent === 0n ? fraction : fraction | (1n << 52n)
  const magnitude = mantissa << (FRACTION_BITS + (exponent === 0n ? 1n : exponent) - 1075n)
  return bits >> 63n ? -magnitude : magnitude
}

/** exp(x) * 2^1300 to hundreds of digits: the Taylor series at x / 1024, squared ten times. */
function exactExp(x: number): bigint {
  const r = toFixed(Math.abs(x)) >> 10n
  const one = 1n << FRACTION_BITS
  let sum = one
  let term = one
  for (let k = 1n; term > 0n; k++) {
    term = ((term * r) >> FRACTION_BITS) / k
    sum += term
  }
  for (let i = 0; i < 10; i++) sum = (sum * sum) >> FRACTION_BITS
  return x < 0 ? (one << FRACTION_BITS) / sum : sum
}

/** Distance of y from exp(x), in units in the last place of exp(x). */
function ulpError(y: number, x: number): number {
  const truth = exactExp(x)
  const ulp = 1n << BigInt(truth.toString(2).length - 53)
  const difference = toFixed(y) - truth
  return Number(((difference < 0n ? -difference : difference) * 1000000n) / ulp) / 1e6
}

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** y = expInto of xs, with neighbours around them to catch stray writes. */
function expRow(xs: ArrayLike<number>): Float64Array {
  const x = Float64Array.from([7, ...Array.from(xs), 7])
  const y = new Float64Array(x.length).fill(-1)
  expInto(x, y, 1, x.length - 1)
  expect(y[0]).to.equal(-1)
  expect(y[y.length - 1]).to.equal(-1)
  return y.slice(1, -1)
}

describe('portable exponential', () => {
  it('is within 2 ulp of the exact value', () => {
    const next = random(1)
    const xs: number[] = []
    for (let i = 0; i < 300; i++) {
      xs.push(-708 + 1417 * next(), -40 * next(), 2 * next() - 1, (next() - 0.5) * 2 ** (-40 * next()))
    }
    for (let k = -300; k <= 300; k += 7) xs.push(((k + 0.5) * Math.LN2) / 256, (k * Math.LN2) / 256)
    xs.push(-708.04, -708.0498449419, 709.4, 709.779999, 709.78, 709.7827128933839, Number.MIN_VALUE)
    const ys = expRow(xs)
    xs.forEach((x, i) => {
      expect(ulpError(ys[i]!, x), `exp(${x})`).to.be.at.most(2)
    })
  })

  it('agrees with Math.exp to 3 ulp on a million points', () => {
    const next = random(2)
    const x = Float64Array.from({ length: 1_000_000 }, (_, i) => (i % 2 ? -708 + 1417 * next() : -60 * next()))
    const y = expRow(x)
    let worst = 0
    x.forEach((v, i) => {
      worst = Math.max(worst, Math.abs(y[i]! / Math.exp(v) - 1))
    })
    expect(worst).to.be.at.most(3 * Number.EPSILON)
  })

  it('takes special values as the native kernels do', () => {
    const { MAX_VALUE, MIN_VALUE } = Number
    const cases: [number, number][] = [
      [0, 1],
      [-0, 1],
      [MIN_VALUE, 1],
      [-MIN_VALUE, 1],
      [Number.NaN, Number.NaN],
      [Infinity, Infinity],
      [-Infinity, 0],
      [709.7827128933841, Infinity],
      [710, Infinity],
      [MAX_VALUE, Infinity],
      [-708.05, 0],
      [-708.4, 0],
      [-745, 0],
      [-1e9, 0],
      [-MAX_VALUE, 0],
    ]
    for (const [x, y] of cases) {
      expect(exp(x), `exp(${x})`).to.deep.equal(y)
      // In both positions of a pair and alone, without touching the neighbour.
      expect(expRow([x, 0.5, 0.5, x, x])).to.deep.equal(Float64Array.of(y, exp(0.5), exp(0.5), y, y))
    }
  })

  it('gives the bits of exp for every length and offset, in place too', () => {
    const next = random(3)
    for (let n = 0; n <= 9; n++) {
      const xs = Array.from({ length: n }, () => -3 + 4 * next())
      const expected = Float64Array.from(xs, exp)
      expect(expRow(xs)).to.deep.equal(expected)
      const inPlace = Float64Array.from(xs)
      expInto(inPlace, inPlace, 0, n)
      expect(inPlace).to.deep.equal(expected)
    }
  })
})
