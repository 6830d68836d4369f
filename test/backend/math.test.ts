import { expect } from 'chai'
import { exp, expSteps, STEPS_PER_UNIT } from '../../lib/backend/portable/math.js'

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

/** exp(x / 2^1300) * 2^1300 to hundreds of digits: the Taylor series at x / 1024, squared ten times. */
function exactExp(x: bigint): bigint {
  const r = (x < 0n ? -x : x) >> 10n
  const one = 1n << FRACTION_BITS
  let sum = one
  let term = one
  for (let k = 1n; term > 0n; k++) {
    term = ((term * r) >> FRACTION_BITS) / k
    sum += term
  }
  for (let i = 0; i < 10; i++) sum = (sum * sum) >> FRACTION_BITS
  return x < 0n ? (one << FRACTION_BITS) / sum : sum
}

/** log 2 * 2^1300, from log 2 = sum 1 / (k 2^k). */
const LOG_2 = (() => {
  let sum = 0n
  for (let k = 1n; k <= FRACTION_BITS; k++) sum += (1n << (FRACTION_BITS - k)) / k
  return sum
})()

/** Distance of y from exp(x / 2^1300), in units in the last place of the latter. */
function ulpError(y: number, x: bigint): number {
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

describe('portable exponential', () => {
  it('is within 2 ulp of the exact value', () => {
    const next = random(1)
    const xs: number[] = []
    for (let i = 0; i < 300; i++) {
      xs.push(-708 + 1417 * next(), -40 * next(), 2 * next() - 1, (next() - 0.5) * 2 ** (-40 * next()))
    }
    for (let k = -300; k <= 300; k += 7) xs.push(((k + 0.5) * Math.LN2) / 256, (k * Math.LN2) / 256)
    xs.push(-708.04, -708.0498449419, 709.4, 709.779999, 709.78, 709.7827128933839, Number.MIN_VALUE)
    for (const x of xs) expect(ulpError(exp(x), toFixed(x)), `exp(${x})`).to.be.at.most(2)
  })

  it('agrees with Math.exp to 3 ulp on a million points', () => {
    const next = random(2)
    const x = Float64Array.from({ length: 1_000_000 }, (_, i) => (i % 2 ? -708 + 1417 * next() : -60 * next()))
    let worst = 0
    for (const v of x) worst = Math.max(worst, Math.abs(exp(v) / Math.exp(v) - 1))
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
      [-708.052, 0],
      [-708.4, 0],
      [-709.1, 0],
      [-745, 0],
      [-4.99e6, 0],
      [-5e6, 0],
      [-6e6, 0],
      [-1e9, 0],
      [-MAX_VALUE, 0],
    ]
    for (const [x, y] of cases) {
      expect(exp(x), `exp(${x})`).to.deep.equal(y)
    }
  })

  it('is within 2 ulp of 2^(s/256) in steps', () => {
    const next = random(3)
    const steps: number[] = [-261504, -261503.5, -256.5, -0.5, 0.5, 127.5, 262142.9, 262143.49]
    for (let i = 0; i < 300; i++) steps.push((-708 + 1417 * next()) * STEPS_PER_UNIT, 600 * next() - 300, next() - 0.5)
    for (const s of steps) {
      expect(ulpError(expSteps(s), (toFixed(s) * LOG_2) / (256n << FRACTION_BITS)), `${s} steps`).to.be.at.most(2)
    }
  })

  it('takes special values in steps as it does otherwise', () => {
    expect(expSteps(0)).to.equal(1)
    expect(expSteps(-0)).to.equal(1)
    expect(expSteps(Number.NaN)).to.deep.equal(Number.NaN)
    for (const s of [262143.5, 262144, 262145, 1e9, 1e300, Infinity])
      expect(expSteps(s), `${s} steps`).to.equal(Infinity)
    for (const s of [-261505, -262144, -262400, -1.8e9, -2e9, -3e9, -1e300, -Infinity]) {
      expect(expSteps(s), `${s} steps`).to.equal(0)
    }
  })
})
