import { expect } from 'chai'
import fc from 'fast-check'
import { quantizationErrors, quantize } from '../../lib/moe/index.js'
import { expectError } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { fill, random, randomNormal } from '../helpers/random.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

const rows = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 6 })).chain(([n, m]) =>
  fc.array(fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: m, maxLength: m }), {
    minLength: n,
    maxLength: n,
  }),
)

/** Inputs whose columns have much in common. */
function correlated(count: number, columns: number, seed: number) {
  const next = randomNormal(seed)
  const data = new Float64Array(count * columns)
  for (let n = 0; n < count; n++) {
    const [a, b] = [next(), next()]
    for (let j = 0; j < columns; j++) data[n * columns + j] = a + b * Math.cos(j) + 0.3 * next()
  }
  return { data, shape: [count, columns] }
}

describe('moe: quantize', () => {
  it('takes the nearest level of a symmetric grid, the sign with one bit', () => {
    check(
      fc.property(rows, fc.integer({ min: 1, max: 8 }), (matrix, bits) => {
        const { weights, scale, levels, error } = quantize(matrix, { bits })
        const most = 2 ** (bits - 1) - 1
        let squares = 0
        matrix.forEach((row, i) => {
          const size = row.map(Math.abs)
          const wanted = bits === 1 ? size.reduce((sum, w) => sum + w, 0) / row.length : Math.max(...size) / most
          expect(scale[i]).to.be.closeTo(wanted, 1e-12)
          row.forEach((w, j) => {
            const k = i * row.length + j
            const grid = bits === 1 ? [-1, 1] : Array.from({ length: 2 * most + 1 }, (_, level) => level - most)
            const nearest = Math.min(...grid.map((level) => Math.abs(w - level * scale[i])))
            expect(Math.abs(w - weights.data[k])).to.be.closeTo(nearest, 1e-12)
            expect(weights.data[k]).to.equal(levels[k] * scale[i])
            squares += (w - weights.data[k]) ** 2
          })
        })
        expect(error).to.be.closeTo(squares, 1e-12 * (1 + squares))
      }),
      { runs: 200 },
    )
  })

  it('errs by no more than half a level, so less with every bit from some width on; but two bits may be worse than one', () => {
    const matrix = { data: fill(40 * 60, randomNormal(3)), shape: [40, 60] }
    const { data, shape } = quantizationErrors([matrix], { bits: [1, 2, 3, 4, 5, 6, 7, 8] })
    expect(shape).to.deep.equal([1, 8])
    for (let c = 2; c < 8; c++) expect(data[c]).to.be.below(data[c - 1])
    expect(data[1]).to.be.above(data[0])
    for (let bits = 2; bits <= 8; bits++) {
      const { scale } = quantize(matrix, { bits })
      const most = scale.reduce((sum, s) => sum + 60 * (s / 2) ** 2, 0)
      expect(data[bits - 1]).to.be.at.most(most)
    }
  })

  it('measures the error on inputs, and error feedback lowers it', () => {
    const inputs = correlated(300, 24, 5)
    const matrix = { data: fill(10 * 24, randomNormal(6)), shape: [10, 24] }
    for (const bits of [2, 3, 4]) {
      const nearest = quantize(matrix, { bits, inputs })
      const fed = quantize(matrix, { bits, inputs, method: 'error-feedback' })
      expect(fed.error).to.be.below(0.6 * nearest.error)
      expect([...fed.scale]).to.deep.equal([...nearest.scale])
      let squares = 0
      for (let n = 0; n < 300; n++) {
        for (let i = 0; i < 10; i++) {
          let sum = 0
          for (let j = 0; j < 24; j++) {
            sum += (matrix.data[i * 24 + j] - fed.weights.data[i * 24 + j]) * inputs.data[n * 24 + j]
          }
          squares += sum * sum
        }
      }
      expect(fed.error).to.be.closeTo(squares, 1e-9 * squares)
    }
  })

  it('error feedback is the nearest level where the inputs have nothing in common', () => {
    const identity = { data: Float64Array.from({ length: 25 }, (_, k) => (k % 6 === 0 ? 1 : 0)), shape: [5, 5] }
    const matrix = { data: fill(15, random(7)), shape: [3, 5] }
    const options = { bits: 3, inputs: identity }
    const fed = quantize(matrix, { ...options, method: 'error-feedback' })
    expect([...fed.levels]).to.deep.equal([...quantize(matrix, options).levels])
  })

  it('rows of zeros, and inputs that do not span', () => {
    expect([...quantize([[0, 0]], { bits: 4 }).weights.data]).to.deep.equal([0, 0])
    const inputs = [
      [1, 1, 0],
      [2, 2, 0],
    ]
    const { error } = quantize([[0.3, -0.8, 0.5]], { bits: 3, inputs, method: 'error-feedback' })
    expect(error).to.be.below(0.5)
  })

  it('refuses bad matrices and options', () => {
    const bad: [Wrong, Wrong, string, RegExp][] = [
      [[], { bits: 2 }, 'ERR_SHAPE', /^matrix: expected a non-empty matrix/],
      [[[1, Number.NaN]], { bits: 2 }, 'ERR_NOT_FINITE', /^matrix\[0\]\[1\]: /],
      [[[1]], {}, 'ERR_OPTION', /^bits: expected a whole number from 1 to 16/],
      [[[1]], { bits: 17 }, 'ERR_OPTION', /^bits: expected a whole number from 1 to 16, got 17$/],
      [[[1]], { bits: 2, method: 'error-feedback' }, 'ERR_OPTION', /^inputs: expected with method 'error-feedback'/],
      [
        [[1]],
        { bits: 2, inputs: [[1, 2]] },
        'ERR_SHAPE',
        /^inputs: expected rows of 1 numbers to match the matrix, got 1×2$/,
      ],
      [[[1]], { bits: 2, input: [[1]] }, 'ERR_OPTION', /did you mean 'inputs'\?$/],
      [[[1]], undefined, 'ERR_OPTION', /^options: expected \{ bits, … \}/],
      [
        [[1, 2]],
        { bits: 2, inputs: [[1, 1]], method: 'error-feedback', damping: 0 },
        'ERR_SINGULAR',
        /^inputs: expected them to span/,
      ],
    ]
    for (const [matrix, options, code, message] of bad) {
      expectError(() => quantize(matrix, options), code as 'ERR_SHAPE', message)
    }
    expectError(() => quantizationErrors([]), 'ERR_SHAPE', /^matrices: expected a list of matrices/)
  })
})
