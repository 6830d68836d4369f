import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { bfloat16, float16, fromSmall, type SmallFloat, toSmall } from '../../../lib/tensor/files/small-floats.js'
import { random } from '../../helpers/random.js'

/** All finite numbers of a format in ascending order, with their bits, and what it does to them by another way. */
function finiteNumbers(format: SmallFloat): { value: number; bits: number }[] {
  const infinite = (2 ** format.exponentBits - 1) << format.fractionBits
  const codes = Uint16Array.from({ length: infinite }, (_, bits) => bits)
  return Array.from(fromSmall(codes, format), (value, bits) => ({ value, bits }))
}

/** Nearest by search, of two equally near ones the even bits; beyond the middle between the largest and the next: infinite. */
function nearest(x: number, numbers: { value: number; bits: number }[]): number {
  const sign = Object.is(Math.sign(x), -0) || x < 0 ? 0x8000 : 0
  const size = Math.abs(x)
  let [low, high] = [0, numbers.length]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (numbers[middle].value <= size) low = middle
    else high = middle
  }
  const largest = numbers[numbers.length - 1].value
  const above = high === numbers.length ? 2 * largest - numbers[numbers.length - 2].value : numbers[high].value
  const [down, up] = [size - numbers[low].value, above - size]
  const takesLower = down < up || (down === up && numbers[low].bits % 2 === 0)
  return sign | (takesLower ? numbers[low].bits : numbers[low].bits + 1)
}

describe('numbers of 16 bits', () => {
  for (const [name, format] of [
    ['float16', float16],
    ['bfloat16', bfloat16],
  ] as const) {
    it(`${name}: every pattern comes back, and every number between two goes to the nearer, the even one from the middle`, () => {
      const numbers = finiteNumbers(format)
      const inputs: number[] = []
      for (let i = 0; i + 1 < numbers.length; i++) {
        const [a, b] = [numbers[i].value, numbers[i + 1].value]
        expect(b).to.be.greaterThan(a)
        const middle = (a + b) / 2
        inputs.push(a, -a, middle, -middle, middle * (1 + 2 ** -52), middle * (1 - 2 ** -52))
      }
      const { value: largest } = numbers[numbers.length - 1]
      const end = largest + (largest - numbers[numbers.length - 2].value) / 2
      inputs.push(largest, end, end * (1 - 2 ** -53), -end, 5e-324, -5e-324)
      const next = random(2)
      for (let i = 0; i < 5000; i++) inputs.push((next() - 0.5) * 2 ** (60 * next() - 30))
      const bits = toSmall(inputs, format)
      let wrong = 0
      inputs.forEach((x, i) => {
        if (bits[i] !== nearest(x, numbers)) wrong++
      })
      expect(wrong).to.equal(0)
    })

    it(`${name}: zeros, infinities and NaN`, () => {
      const infinite = (2 ** format.exponentBits - 1) << format.fractionBits
      const bits = toSmall([0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300], format)
      expect([...bits]).to.deep.equal([0, 0x8000, infinite, 0x8000 | infinite, infinite])
      const back = fromSmall(Uint16Array.of(...bits, ...toSmall([Number.NaN], format)), format)
      expect([...back.subarray(2, 5)]).to.deep.equal([1, -1, 1].map((sign) => sign * Number.POSITIVE_INFINITY))
      expect([Object.is(back[0], 0), Object.is(back[1], -0), Number.isNaN(back[5])]).to.deep.equal([true, true, true])
    })
  }

  it('a bfloat16 is the upper half of a float32', () => {
    const codes = Uint16Array.from({ length: 2 ** 16 }, (_, code) => code)
    const wide = new Float32Array(Uint32Array.from(codes, (code) => code << 16).buffer)
    const came = fromSmall(codes, bfloat16)
    for (let i = 0; i < 2 ** 16; i++) if (!Object.is(came[i], wide[i])) expect(i).to.equal('as the float32')
  })

  it("agrees with PyTorch's conversions of float32 numbers both ways", () => {
    const url = new URL('../../fixtures/small-floats.json', import.meta.url)
    const {
      float32,
      float16: halves,
      bfloat16: brains,
    } = JSON.parse(readFileSync(url, 'utf8')) as Record<string, number[]>
    const inputs = new Float32Array(Uint32Array.from(float32).buffer)
    for (const [format, expected] of [
      [float16, halves],
      [bfloat16, brains],
    ] as const) {
      const bits = toSmall(inputs, format)
      const back = fromSmall(bits, format)
      expected.forEach((code, i) => {
        if (Number.isNaN(inputs[i])) expect(Number.isNaN(back[i])).to.equal(true)
        else expect(bits[i], `of ${inputs[i]}`).to.equal(code)
      })
    }
  })
})
