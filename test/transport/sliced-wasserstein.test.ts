import { expect } from 'chai'
import { slicedWasserstein, slicedWassersteinSync, wasserstein1dSync } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { random, randomNormal } from '../helpers/random.js'

function cloud(n: number, d: number, seed: number, shift = 0) {
  const next = randomNormal(seed)
  return { data: Float64Array.from({ length: n * d }, () => next() + shift), shape: [n, d] }
}

function weights(n: number, seed: number): Float64Array {
  const next = random(seed)
  const raw = Float64Array.from({ length: n }, next)
  const total = raw.reduce((sum, value) => sum + value, 0)
  return raw.map((value) => value / total)
}

describe('transport: slicedWasserstein', () => {
  forEachBackend((backend) => {
    it('in one dimension: exact transport on the line', () => {
      const [x, y] = [cloud(30, 1, 1), cloud(20, 1, 2)]
      const [a, b] = [weights(30, 3), weights(20, 4)]
      for (const order of [1, 2, 3]) {
        const sliced = slicedWassersteinSync({ x, y, a, b }, { order, projections: 3, backend })
        const exact = wasserstein1dSync({ x: x.data, y: y.data, a, b }, { order, backend })
        expect(sliced.value).to.be.closeTo(exact.value, 1e-13)
        expect(sliced.distance).to.be.closeTo(exact.distance, 1e-13)
      }
    })

    it('of a shift in d dimensions: |shift|² / d, within the standard error', () => {
      // Along a direction the cost is (shift · direction)², whose mean over the sphere is |shift|² / d.
      const x = cloud(200, 5, 5)
      const shift = [1, -2, 0.5, 0, 3]
      const y = { data: x.data.map((value, k) => value + shift[k % 5]), shape: x.shape }
      const sliced = slicedWassersteinSync({ x, y }, { projections: 2000, seed: 1, backend })
      const expected = shift.reduce((sum, s) => sum + s * s, 0) / 5
      expect(sliced.value).to.be.closeTo(expected, 4 * sliced.standardError)
      expect(sliced.standardError).to.be.within(0.01 * expected, 0.05 * expected)
      expect(sliced.residual).to.equal(sliced.standardError / sliced.value)
    })

    it('its gradient is that of finite differences', () => {
      const [x, y] = [cloud(7, 3, 6), cloud(5, 3, 7, 0.3)]
      const [a, b] = [weights(7, 8), weights(5, 9)]
      for (const order of [1, 1.7, 2]) {
        const options = { order, projections: 40, seed: 5, backend } as const
        const { gradient } = slicedWassersteinSync({ x, y, a, b }, { ...options, gradient: true })
        const step = 1e-6
        for (const [side, points] of [
          ['x', x],
          ['y', y],
        ] as const) {
          for (let k = 0; k < points.data.length; k++) {
            const value = (change: number) => {
              const moved = { data: points.data.slice(), shape: points.shape }
              moved.data[k] += change
              return slicedWassersteinSync({ x, y, a, b, [side]: moved }, options).value
            }
            const slope = (value(step) - value(-step)) / (2 * step)
            expect(gradient?.[side].data[k]).to.be.closeTo(slope, 1e-6)
          }
        }
      }
    })

    it('of a cloud with itself: zero, and symmetric', () => {
      const [x, y] = [cloud(40, 3, 10), cloud(60, 3, 11)]
      expect(slicedWassersteinSync({ x, y: x }, { backend }).value).to.equal(0)
      const forth = slicedWassersteinSync({ x, y }, { backend }).value
      expect(slicedWassersteinSync({ x: y, y: x }, { backend }).value).to.be.closeTo(forth, 1e-12)
    })

    it('any number of threads and directions: the same numbers', async () => {
      const [x, y] = [cloud(50, 2, 12), cloud(50, 2, 13)]
      const options = { projections: 71, gradient: true, seed: 3, backend } as const
      const one = slicedWassersteinSync({ x, y }, { ...options, threads: 1 })
      const many = await slicedWasserstein({ x, y }, { ...options, threads: 7 })
      expect(many.value).to.equal(one.value)
      expect(many.gradient).to.deep.equal(one.gradient)
      expect(one.projections).to.have.length(71)
    })

    it('a time limit: the mean over what was done', () => {
      const [x, y] = [cloud(2000, 2, 14), cloud(2000, 2, 15)]
      const whole = slicedWassersteinSync({ x, y }, { projections: 32, backend })
      const cut = slicedWassersteinSync({ x, y }, { projections: 200_000, timeLimit: 1e-3, gradient: true, backend })
      expect(cut.status).to.equal('time-limit')
      expect(cut.iterations).to.be.within(1, 32)
      expect(cut.projections).to.have.length(cut.iterations)
      expect(cut.projections[0]).to.equal(whole.projections[0])
    })

    it('bad input', () => {
      const x = cloud(3, 2, 1)
      const wrong = (problem: object, options: object, code: Parameters<typeof expectError>[1], message: RegExp) =>
        expectError(
          () => slicedWassersteinSync(problem as { x: typeof x; y: typeof x }, { ...options, backend }),
          code,
          message,
        )
      wrong({ x, y: cloud(3, 3, 1) }, {}, 'ERR_SHAPE', /x, y: expected non-empty n×d and m×d points, got 3×2 and 3×3/)
      wrong({ x, y: [[1, Number.NaN]] }, {}, 'ERR_NOT_FINITE', /y\[0\]\[1\]: expected a finite coordinate, got NaN/)
      wrong({ x, y: x, b: [1, 1] }, {}, 'ERR_SHAPE', /b: expected 3 weights to match the 3 points of y, got 2/)
      wrong({ x, y: x }, { projections: 0 }, 'ERR_OPTION', /projections: expected a whole number from 1/)
      wrong({ x, y: x }, { projection: 5 }, 'ERR_OPTION', /did you mean 'projections'/)
      wrong({ x, y: x }, { seed: -1 }, 'ERR_OPTION', /seed: expected/)
    })
  })

  it('agrees between the backends', () => {
    const [x, y] = [cloud(300, 4, 20), cloud(200, 4, 21)]
    const [native, portable] = (['native', 'portable'] as const).map((backend) =>
      slicedWassersteinSync({ x, y }, { order: 1.5, gradient: true, backend }),
    )
    expect(native.value).to.be.closeTo(portable.value, 1e-13)
    for (let k = 0; k < 1200; k++) {
      expect(native.gradient?.x.data[k]).to.be.closeTo(portable.gradient?.x.data[k] as number, 1e-13)
    }
  })
})
