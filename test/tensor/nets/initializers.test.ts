import { expect } from 'chai'
import { generator } from '../../../lib/random/index.js'
import * as t from '../../../lib/tensor/index.js'
import { expectError } from '../../helpers/errors.js'

const shape = [300, 200]
const fans = { in: 300, out: 200 }

function moments(data: ArrayLike<number>): { mean: number; variance: number; kurtosis: number; most: number } {
  const list = Array.from(data)
  const mean = list.reduce((a, b) => a + b, 0) / list.length
  const variance = list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length
  const kurtosis = list.reduce((a, b) => a + (b - mean) ** 4, 0) / list.length / variance ** 2
  return { mean, variance, kurtosis, most: list.reduce((a, b) => Math.max(a, Math.abs(b)), 0) }
}

describe('initializers', () => {
  const variances = [
    ['glorot', t.glorot, 2 / 500],
    ['he', t.he, 2 / 300],
    ['lecun', t.lecun, 1 / 300],
  ] as const
  for (const [name, make, variance] of variances) {
    for (const distribution of ['uniform', 'normal'] as const) {
      it(`${name}, ${distribution}: variance and form of the distribution`, () => {
        const gain = 1.5
        const x = make({ distribution, gain })(generator(7), shape, fans, 'float64')
        const expected = gain ** 2 * variance
        const found = moments(x.data)
        // Six standard errors over 60,000 numbers.
        expect(found.mean).to.be.closeTo(0, 6 * Math.sqrt(expected / 60_000))
        const kurtosis = distribution === 'uniform' ? 1.8 : 3
        expect(found.variance / expected).to.be.closeTo(1, 6 * Math.sqrt((kurtosis - 1) / 60_000))
        expect(found.kurtosis).to.be.closeTo(kurtosis, 0.15)
        if (distribution === 'uniform') expect(found.most).to.be.at.most(Math.sqrt(3 * expected))
      })
    }
  }

  it('orthogonal: as many orthonormal rows or columns as there can be, in any shape', () => {
    for (const dims of [
      [5, 9],
      [9, 5],
      [6, 2, 3, 3],
      [4, 4],
    ]) {
      const x = t.orthogonal({ gain: 2 })(generator(3), dims, { in: 1, out: 1 }, 'float64')
      expect(x.shape).to.deep.equal(dims)
      const rows = dims[0]
      const columns = x.size / rows
      const small = Math.min(rows, columns)
      for (let i = 0; i < small; i++) {
        for (let j = 0; j < small; j++) {
          let inner = 0
          for (let k = 0; k < Math.max(rows, columns); k++) {
            const at = (m: number): number => (rows <= columns ? m * columns + k : k * columns + m)
            inner += x.data[at(i)] * x.data[at(j)]
          }
          expect(inner).to.be.closeTo(i === j ? 4 : 0, 1e-13)
        }
      }
    }
  })

  it('orthogonal: no direction is preferred', () => {
    // An entry of a random rotation in d dimensions has mean 0 and variance 1 / d.
    const entries = Array.from({ length: 400 }, (_, k) =>
      t.orthogonal()(generator(k), [4, 4], { in: 4, out: 4 }, 'float64').data.slice(),
    )
    for (const place of [0, 5, 10, 15, 3]) {
      const { mean, variance } = moments(entries.map((data) => data[place]))
      expect(mean).to.be.closeTo(0, 5 * Math.sqrt(0.25 / 400))
      expect(variance).to.be.closeTo(0.25, 0.08)
    }
  })

  it('depend on the generator alone, and take float32', () => {
    for (const make of [t.glorot(), t.orthogonal(), t.normalWeights(0.1)]) {
      const one = make(generator(1), [8, 8], fans, 'float32')
      expect(one.dtype).to.equal('float32')
      expect([...one.data]).to.deep.equal([...make(generator(1), [8, 8], fans, 'float32').data])
      expect([...one.data]).to.not.deep.equal([...make(generator(2), [8, 8], fans, 'float32').data])
    }
  })

  it('refuse gains and distributions that are none', () => {
    expectError(() => t.glorot({ gain: 0 }), 'ERR_NOT_POSITIVE', /gain: expected a finite number > 0, got 0/)
    expectError(() => t.he({ distribution: 'gauss' as 'normal' }), 'ERR_OPTION', /distribution/)
  })
})
