import { expect } from 'chai'
import {
  clipByNorm,
  clipByValue,
  exponentialAverage,
  fromData,
  rankOneAverage,
  rankOneInverseAverage,
  type Tensor,
  tensor,
  withBackend,
} from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { identity, inverse, toRows } from '../helpers/matrices.js'
import { fill, randomNormal } from '../helpers/random.js'

describe('averages and clipping', () => {
  forEachBackend((backend) => {
    it('the average of a constant is 1 − γ^t of it', () => {
      const average = { a: new Float64Array(100), b: [tensor([0, 0])] }
      const x = { a: new Float64Array(100).fill(3), b: [tensor([1, -2])] }
      withBackend(backend, () => {
        for (let t = 0; t < 5; t++) exponentialAverage(average, x, 0.8)
      })
      for (const entry of average.a) expect(entry).to.be.closeTo(3 * (1 - 0.8 ** 5), 1e-14)
      expect(average.b[0].data[1]).to.be.closeTo(-2 * (1 - 0.8 ** 5), 1e-14)
    })

    it('a factor and its inverse stay inverse over 500 updates', () => {
      const n = 40
      const next = randomNormal(6)
      const [A, X] = [
        fromData(Float64Array.from(identity(n).flat()), [n, n]),
        fromData(Float64Array.from(identity(n).flat()), [n, n]),
      ]
      withBackend(backend, () => {
        for (let t = 0; t < 500; t++) {
          const v = fromData(fill(n, next), [n])
          rankOneAverage(A, v, 0.97)
          rankOneInverseAverage(X, v, 0.97)
        }
      })
      const expected = inverse(toRows(A.data, n)).inverse.flat()
      const scale = Math.max(...expected.map(Math.abs))
      expected.forEach((entry, i) => {
        expect(X.data[i]).to.be.closeTo(entry, 1e-10 * scale)
      })
    })

    it('clipByNorm gives the norm there was, of all leaves', () => {
      const make = () => ({ a: new Float64Array(100).fill(0.3), b: [tensor([4])] })
      const gradients = make()
      const norm = withBackend(backend, () => clipByNorm(gradients, 2))
      expect(norm).to.be.closeTo(5, 1e-14) // √(100 · 0.09 + 16)
      expect(gradients.a[50]).to.be.closeTo(0.12, 1e-15)
      expect(gradients.b[0].item()).to.be.closeTo(1.6, 1e-15)
      const free = make()
      expect(withBackend(backend, () => clipByNorm(free, 6))).to.be.closeTo(5, 1e-14)
      expect(free).to.deep.equal(make())
    })

    it('clipByValue moves entries into the interval', () => {
      const x = Float64Array.from({ length: 101 }, (_, i) => i - 50)
      x[3] = Number.POSITIVE_INFINITY
      withBackend(backend, () => clipByValue({ x }, 7))
      x.forEach((entry, i) => {
        expect(entry).to.equal(i === 3 ? 7 : Math.min(Math.max(i - 50, -7), 7))
      })
    })
  })

  it('norms whose squares leave the range of float64', () => {
    const x = Float64Array.of(3e200, 4e200)
    expect(clipByNorm(x, 1) / 5e200).to.be.closeTo(1, 1e-15)
    expect(x[1]).to.be.closeTo(0.8, 1e-15)
    expect(clipByNorm(Float64Array.of(3e-200, 4e-200), 1) / 5e-200).to.be.closeTo(1, 1e-15)
    expect(clipByNorm(new Float64Array(3), 1)).to.equal(0)
  })

  it('refuse what they would spoil, and change nothing', () => {
    const gradients = { a: Float64Array.of(9, 9), b: Float64Array.of(1, Number.NaN) }
    expectError(() => clipByNorm(gradients, 1), 'ERR_NOT_FINITE', 'gradients.b[1]: expected a finite number, got NaN')
    expectError(() => clipByValue(gradients, 1), 'ERR_NOT_FINITE', /gradients.b\[1\]: expected a number, got NaN/)
    expect([...gradients.a]).to.deep.equal([9, 9])
    expectError(() => clipByNorm(gradients, 0), 'ERR_NOT_POSITIVE', /limit/)
    const shared = new Float64Array(4)
    expectError(() => clipByNorm([shared, shared.subarray(1)], 1), 'ERR_BUFFER', /gradients\[1\]/)
    expectError(
      () => exponentialAverage(shared.subarray(0, 3), shared.subarray(1), 0.5),
      'ERR_BUFFER',
      /x: expected memory/,
    )
    expectError(
      () => exponentialAverage(shared, Float64Array.of(1, 2), 0.5),
      'ERR_SHAPE',
      /x: expected float64 of shape \[4\]/,
    )
    expectError(() => exponentialAverage(shared, new Float64Array(4), 1.5), 'ERR_OPTION', /decay/)
    const bad = Float64Array.of(0, 1, Number.POSITIVE_INFINITY, 0)
    expectError(() => exponentialAverage(shared, bad, 0.5), 'ERR_NOT_FINITE', /x\[2\]/)
    const A = tensor([
      [1, 0],
      [0, 1],
    ])
    const wrong: [Tensor, Tensor, RegExp][] = [
      [A, tensor([1, 2, 3]), /\[n, n\]/],
      [tensor([1, 2]), tensor([1, 2]), /\[n, n\]/],
    ]
    for (const [matrix, v, message] of wrong) expectError(() => rankOneAverage(matrix, v, 0.5), 'ERR_SHAPE', message)
    expectError(() => rankOneAverage(A, tensor([1, 2], { dtype: 'float32' }), 0.5), 'ERR_DTYPE', /v: expected float64/)
    expectError(() => rankOneAverage(A, tensor([1, Number.NaN]), 0.5), 'ERR_NOT_FINITE', /v\[1\]/)
    expectError(() => rankOneInverseAverage(A, tensor([1, 2]), 0), 'ERR_OPTION', /decay/)
    const indefinite = tensor([
      [-1, 0],
      [0, 1],
    ])
    expectError(() => rankOneInverseAverage(indefinite, tensor([1, 0]), 0.5), 'ERR_NOT_POSITIVE', /X: expected/)
    expect(A.toArray()).to.deep.equal([
      [1, 0],
      [0, 1],
    ])
  })
})
