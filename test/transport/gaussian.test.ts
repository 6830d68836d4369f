import { expect } from 'chai'
import fc from 'fast-check'
import {
  type Gaussian,
  gaussianBarycenter,
  gaussianBarycenterSync,
  gaussianTransport,
  gaussianTransportSync,
} from '../../lib/transport/index.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { randomNormal } from '../helpers/random.js'

/** A covariance G Gᵀ + shift I with random G of d rows and `rank` columns. */
function covariance(d: number, seed: number, rank = d, shift = 0): number[][] {
  const next = randomNormal(seed)
  const g = Array.from({ length: d }, () => Array.from({ length: rank }, next))
  return g.map((p, i) => g.map((q, j) => p.reduce((sum, v, k) => sum + v * q[k], i === j ? shift : 0)))
}

function gaussian(d: number, seed: number, rank = d, shift = 0): Gaussian & { covariance: number[][] } {
  const next = randomNormal(seed + 1000)
  return { mean: Array.from({ length: d }, next), covariance: covariance(d, seed, rank, shift) }
}

const product = (a: number[][], b: number[][]) =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, v, k) => sum + v * b[k][j], 0)))
const rowsOf = ({ data, shape: [n, m] }: { data: Float64Array; shape: number[] }) =>
  Array.from({ length: n }, (_, i) => [...data.subarray(i * m, (i + 1) * m)])
const traceOf = (a: number[][]) => a.reduce((sum, row, i) => sum + row[i], 0)
const determinant = ([[a, b], [c, d]]: number[][]) => a * d - b * c

describe('transport: normal distributions', () => {
  describe('gaussianTransport', () => {
    it('on the line: (difference of means)² + (difference of deviations)²', () => {
      const solution = gaussianTransportSync({
        source: { mean: [1], covariance: [[4]] },
        target: { mean: [4], covariance: [[9]] },
      })
      expect(solution.value).to.be.closeTo(10, 1e-14)
      expect(solution.distance).to.be.closeTo(Math.sqrt(10), 1e-14)
      expect(solution.bures).to.be.closeTo(1, 1e-14)
      expect(solution.map.matrix.data[0]).to.be.closeTo(1.5, 1e-15)
      expect(solution.map.offset[0]).to.be.closeTo(2.5, 1e-15)
      expect(solution.status).to.equal('converged')
    })

    it('in the plane: tr (A B)^1/2 = (tr A B + 2 (det A B)^1/2)^1/2', () => {
      for (let seed = 1; seed <= 20; seed++) {
        const [source, target] = [gaussian(2, seed), gaussian(2, seed + 50)]
        const both = product(source.covariance, target.covariance)
        const cross = Math.sqrt(traceOf(both) + 2 * Math.sqrt(determinant(both)))
        const bures = traceOf(source.covariance) + traceOf(target.covariance) - 2 * cross
        const means = [0, 1].reduce((sum, k) => sum + (source.mean[k] - target.mean[k]) ** 2, 0)
        const solution = gaussianTransportSync({ source, target })
        expect(solution.bures).to.be.closeTo(bures, 1e-12 * traceOf(source.covariance))
        expect(solution.value).to.be.closeTo(bures + means, 1e-12 * (1 + solution.value))
      }
    })

    it('of covariances with common axes: the deviations along each', () => {
      // A rotation by 0.6 in the plane of the first two axes.
      const [c, s] = [Math.cos(0.6), Math.sin(0.6)]
      const axes = [
        [c, -s, 0],
        [s, c, 0],
        [0, 0, 1],
      ]
      const along = (variances: number[]) =>
        product(
          axes,
          axes[0].map((_, k) => axes.map((row) => variances[k] * row[k])),
        )
      const mean = [0, 0, 0]
      const { value, map } = gaussianTransportSync({
        source: { mean, covariance: along([1, 4, 9]) },
        target: { mean, covariance: along([16, 4, 1]) },
      })
      expect(value).to.be.closeTo(9 + 0 + 4, 1e-12)
      const expected = along([4, 1, 1 / 3]).flat()
      map.matrix.data.forEach((entry, k) => {
        expect(entry).to.be.closeTo(expected[k], 1e-13)
      })
    })

    it('the map takes the source to the target and is symmetric; the distance is symmetric', () => {
      check(
        fc.property(fc.integer({ min: 1, max: 12 }), fc.nat({ max: 1e6 }), (d, seed) => {
          const [source, target] = [gaussian(d, seed, d, 0.05), gaussian(d, seed + 1, d, 0.05)]
          const { map, value, residual } = gaussianTransportSync({ source, target })
          expect(map.defect).to.be.below(1e-9)
          expect(residual).to.be.below(1e-12)
          const matrix = rowsOf(map.matrix)
          const image = product(product(matrix, source.covariance), matrix)
          const scale = traceOf(target.covariance)
          for (let i = 0; i < d; i++) {
            for (let j = 0; j < d; j++) expect(image[i][j]).to.be.closeTo(target.covariance[i][j], 1e-9 * scale)
            const moved = matrix[i].reduce((sum, v, k) => sum + v * source.mean[k], map.offset[i])
            expect(moved).to.be.closeTo(target.mean[i], 1e-9 * scale)
          }
          const back = gaussianTransportSync({ source: target, target: source }).value
          expect(back).to.be.closeTo(value, 1e-11 * (scale + traceOf(source.covariance) + value))
        }),
        { runs: 30 },
      )
    })

    it('its derivative in the source covariance is I - T', () => {
      const [source, target] = [gaussian(4, 3, 4, 0.5), gaussian(4, 4, 4, 0.5)]
      const { map } = gaussianTransportSync({ source, target })
      const step = 1e-5
      for (let i = 0; i < 4; i++) {
        for (let j = 0; j <= i; j++) {
          const value = (change: number) => {
            const moved = source.covariance.map((row) => [...row])
            moved[i][j] += change
            if (i !== j) moved[j][i] += change
            return gaussianTransportSync({ source: { mean: source.mean, covariance: moved }, target }).value
          }
          const slope = (value(step) - value(-step)) / (2 * step)
          const expected = i === j ? 1 - map.matrix.data[5 * i] : -2 * map.matrix.data[4 * i + j]
          expect(expected).to.be.closeTo(slope, 1e-7)
        }
      }
    })

    it('between equal distributions, and nearly equal ones: no digits lost', () => {
      const source = gaussian(6, 5, 6, 0.5)
      expect(gaussianTransportSync({ source, target: source }).distance).to.be.below(1e-13)
      // (1 + t)² A: the deviations grow by the factor 1 + t.
      const t = 1e-9
      const covariance = source.covariance.map((row) => row.map((v) => v * (1 + t) ** 2))
      const { bures } = gaussianTransportSync({ source, target: { mean: source.mean, covariance } })
      expect(bures / (t * t * traceOf(source.covariance))).to.be.closeTo(1, 1e-4)
    })

    it('singular covariances: points, and lines', () => {
      const mean = [0, 0]
      const point = {
        mean,
        covariance: [
          [0, 0],
          [0, 0],
        ],
      }
      const target = gaussian(2, 6)
      const apart = target.mean[0] ** 2 + target.mean[1] ** 2
      const spread = gaussianTransportSync({ source: point, target })
      expect(spread.value).to.be.closeTo(apart + traceOf(target.covariance), 1e-13)
      expect([...spread.map.matrix.data]).to.deep.equal([0, 0, 0, 0])
      expect(spread.map.defect).to.equal(1)
      expect(gaussianTransportSync({ source: target, target: point }).map.defect).to.be.below(1e-13)
      expect(gaussianTransportSync({ source: point, target: point }).value).to.equal(0)
      // |u|² + |v|² - 2 |u·v|
      const outer = ([a, b]: number[]) => ({
        mean,
        covariance: [
          [a * a, a * b],
          [a * b, b * b],
        ],
      })
      const lines = gaussianTransportSync({ source: outer([3, 4]), target: outer([1, 1]) })
      expect(lines.value).to.be.closeTo(25 + 2 - 2 * 7, 1e-12)
    })

    it('bad input', async () => {
      const good = {
        mean: [0, 0],
        covariance: [
          [1, 0],
          [0, 1],
        ],
      }
      const wrong = (source: object, ...expected: [Parameters<typeof expectError>[1], RegExp]) =>
        expectError(() => gaussianTransportSync({ source: { ...good, ...source }, target: good }), ...expected)
      wrong({ mean: [] }, 'ERR_SHAPE', /source.mean: expected at least one numbers?, got 0/)
      wrong({ mean: [0] }, 'ERR_SHAPE', /source.covariance: expected 1×1 numbers to match the mean, got 2×2/)
      wrong({ mean: [0, Number.NaN] }, 'ERR_NOT_FINITE', /source.mean\[1\]: expected a finite number, got NaN/)
      wrong({ covariance: [[1, 2]] }, 'ERR_SHAPE', /source.covariance: expected 2×2/)
      wrong(
        {
          covariance: [
            [1, 2],
            [3, 1],
          ],
        },
        'ERR_SHAPE',
        /source.covariance: expected a symmetric matrix, got 3 at/,
      )
      wrong(
        {
          covariance: [
            [1, 2],
            [2, 1],
          ],
        },
        'ERR_NOT_POSITIVE',
        /source.covariance: expected a positive semidefinite/,
      )
      wrong(
        {
          covariance: [
            [-1, 0],
            [0, -2],
          ],
        },
        'ERR_NOT_POSITIVE',
        /source.covariance: expected a positive semidefinite/,
      )
      wrong(
        {
          covariance: [
            [1, 0],
            [0, Infinity],
          ],
        },
        'ERR_NOT_FINITE',
        /source.covariance\[1\]\[1\]/,
      )
      wrong({ covarience: [] }, 'ERR_OPTION', /did you mean 'covariance'/)
      const target = { mean: [0], covariance: [[1]] }
      expectError(
        () => gaussianTransportSync({ source: good, target }),
        'ERR_SHAPE',
        /target.mean: expected 2 numbers, got 1/,
      )
      expectError(() => gaussianTransportSync({ source: good } as never), 'ERR_SHAPE', /target: expected { mean, cov/)
      const options = { threads: 2 } as object
      expectError(() => gaussianTransportSync({ source: good, target: good }, options), 'ERR_OPTION', /threads/)
      const indefinite = {
        mean: [0, 0],
        covariance: [
          [1, 0],
          [0, -1],
        ],
      }
      const failing = gaussianTransport({ source: good, target: indefinite })
      await expectRejection(failing, 'ERR_NOT_POSITIVE', /target.covariance: expected a positive semidefinite/)
    })
  })

  describe('gaussianBarycenter', () => {
    it('on the line: the mean deviation', () => {
      const gaussians = [1, 9, 25].map((v, k) => ({ mean: [k], covariance: [[v]] }))
      const { mean, covariance: S, value, status } = gaussianBarycenterSync({ gaussians, weights: [2, 1, 1] })
      expect(status).to.equal('converged')
      expect(mean[0]).to.be.closeTo(0.75, 1e-15)
      expect(S.data[0]).to.be.closeTo(2.5 ** 2, 1e-12)
      const spread = 0.5 * (0.75 ** 2 + 1.5 ** 2) + 0.25 * (0.25 ** 2 + 0.5 ** 2) + 0.25 * (1.25 ** 2 + 2.5 ** 2)
      expect(value).to.be.closeTo(spread, 1e-12)
    })

    it('the mean of the maps to the distributions is the identity, and the value is that of gaussianTransport', () => {
      for (const [d, count, seed] of [
        [2, 2, 1],
        [3, 4, 2],
        [8, 3, 3],
      ]) {
        const gaussians = Array.from({ length: count }, (_, k) => gaussian(d, 10 * seed + k))
        const raw = gaussians.map((_, k) => 1 + k)
        const weights = raw.map((w) => w / raw.reduce((sum, v) => sum + v, 0))
        const solution = gaussianBarycenterSync({ gaussians, weights: raw })
        expect(solution.status).to.equal('converged')
        expect(solution.residual).to.be.below(1e-10)
        const source = { mean: solution.mean, covariance: solution.covariance }
        const transports = gaussians.map((target) => gaussianTransportSync({ source, target }))
        const value = transports.reduce((sum, t, k) => sum + weights[k] * t.value, 0)
        expect(solution.value).to.be.closeTo(value, 1e-10 * value)
        for (let k = 0; k < d * d; k++) {
          const mean = transports.reduce((sum, { map }, i) => sum + weights[i] * map.matrix.data[k], 0)
          expect(mean).to.be.closeTo(k % (d + 1) === 0 ? 1 : 0, 1e-8)
        }
      }
    })

    it('singular covariances beside others, or alone', () => {
      const mean = [0, 0]
      // Common axes: deviations (1, 0) and (0, 1) have the mean (1/2, 1/2).
      const gaussians = [
        {
          mean,
          covariance: [
            [1, 0],
            [0, 0],
          ],
        },
        {
          mean,
          covariance: [
            [0, 0],
            [0, 1],
          ],
        },
      ]
      const { covariance: S } = gaussianBarycenterSync({ gaussians })
      for (const [k, expected] of [0.25, 0, 0, 0.25].entries()) expect(S.data[k]).to.be.closeTo(expected, 1e-12)
      const points = [1, 3].map((x) => ({ mean: [x], covariance: [[0]] }))
      const between = gaussianBarycenterSync({ gaussians: points })
      expect(between.status).to.equal('converged')
      expect(between.mean[0]).to.equal(2)
      expect(between.value).to.equal(1)
      const beside = gaussianBarycenterSync({ gaussians: [gaussian(4, 7), gaussian(4, 8, 2)] })
      expect(beside.status).to.equal('converged')
    })

    it('statuses, abort and progress', async () => {
      const gaussians = Array.from({ length: 4 }, (_, k) => gaussian(40, 20 + k))
      const cut = gaussianBarycenterSync({ gaussians }, { maxIterations: 2 })
      expect(cut.status).to.equal('iteration-limit')
      expect(cut.iterations).to.equal(2)
      expect(cut.residual).to.be.above(1e-10)
      const late = gaussianBarycenterSync({ gaussians }, { timeLimit: 1e-3 })
      expect(late.status).to.equal('time-limit')
      const floor = gaussianBarycenterSync({ gaussians: gaussians.slice(0, 2) }, { tolerance: 0 })
      expect(floor.status).to.be.oneOf(['stalled', 'converged'])
      expect(floor.residual).to.be.below(1e-12)
      const controller = new AbortController()
      const reason = new Error('enough')
      const onProgress = () => controller.abort(reason)
      const running = gaussianBarycenter({ gaussians }, { signal: controller.signal, onProgress, tolerance: 0 })
      expect(await rejection(running)).to.equal(reason)
    })

    it('bad input', () => {
      const wrong = (problem: object, ...expected: [Parameters<typeof expectError>[1], RegExp]) =>
        expectError(() => gaussianBarycenterSync(problem as never), ...expected)
      const one = { mean: [0], covariance: [[1]] }
      wrong({ gaussians: [] }, 'ERR_SHAPE', /gaussians: expected an array of at least one .*, got none/)
      wrong({ gaussians: one }, 'ERR_SHAPE', /gaussians: expected an array/)
      wrong({ gaussians: [one, gaussian(2, 1)] }, 'ERR_SHAPE', /gaussians\[1\].mean: expected 1 numbers, got 2/)
      wrong({ gaussians: [one], weights: [1, 1] }, 'ERR_SHAPE', /weights: expected 1 weights to match the 1 gaussians/)
      wrong({ gaussians: [{ mean: [0], covariance: [[-1]] }] }, 'ERR_NOT_POSITIVE', /gaussians\[0\].covariance/)
      wrong({ gaussian: [one] }, 'ERR_OPTION', /did you mean 'gaussians'/)
      expectError(() => gaussianBarycenterSync({ gaussians: [one] }, { tolerance: -1 }), 'ERR_OPTION', /tolerance/)
    })
  })
})
