import { expect } from 'chai'
import fc from 'fast-check'
import { type PointMetric, pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { methodsOn, sinkhornOn } from '../helpers/methods.js'
import { check } from '../helpers/property.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { expectSound } from '../helpers/sound.js'
import { asProblem, largestDifference, randomDense } from '../helpers/transport.js'

const product = (x: Float64Array, y: Float64Array) => x.reduce((sum, c, k) => sum + c * y[k], 0)
const length = (x: Float64Array) => Math.sqrt(product(x, x))

const distances: Record<PointMetric, (x: Float64Array, y: Float64Array) => number> = {
  sqeuclidean: (x, y) => x.reduce((sum, c, k) => sum + (c - y[k]) ** 2, 0),
  euclidean: (x, y) => length(x.map((c, k) => c - y[k])),
  cityblock: (x, y) => x.reduce((sum, c, k) => sum + Math.abs(c - y[k]), 0),
  cosine: (x, y) => 1 - product(x, y) / (length(x) * length(y)),
}
const metrics = Object.keys(distances) as PointMetric[]

interface Clouds {
  x: Float64Array
  y: Float64Array
  n: number
  m: number
  d: number
}

function formed(metric: PointMetric, { x, y, n, m, d }: Clouds): Float64Array {
  return Float64Array.from({ length: n * m }, (_, k) => {
    const [i, j] = [Math.floor(k / m), k % m]
    return distances[metric](x.subarray(i * d, (i + 1) * d), y.subarray(j * d, (j + 1) * d))
  })
}

function cloudOf(metric: PointMetric, { x, y, n, m, d }: Clouds) {
  return pointCloud({ data: x, shape: [n, d] }, { data: y, shape: [m, d] }, { cost: metric })
}

/** The costs that a backend computes, read off the plan after one iteration at an epsilon as large as they are. */
function computedCosts(backend: 'native' | 'portable', metric: PointMetric, clouds: Clouds, epsilon: number) {
  const { m } = clouds
  const solution = sinkhornOn(backend).runSync({ cost: cloudOf(metric, clouds) }, { epsilon, maxIterations: 1 })
  const { f, g } = solution.potentials
  return solution.plan().data.map((p, k) => f[Math.floor(k / m)] + g[k % m] - epsilon * Math.log(p))
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}

describe('transport: point clouds', () => {
  forEachBackend((backend) => {
    for (const metric of metrics) {
      // Past a dozen coordinates or so, costs come out of matrix products.
      it(`${metric}: the costs, for 1 to 40 coordinates`, () => {
        for (let d = 1; d <= 40; d++) {
          const next = randomNormal(80 + d)
          const clouds = { x: fill(21 * d, next), y: fill(13 * d, next), n: 21, m: 13, d }
          const costs = formed(metric, clouds)
          const most = largest(costs)
          expect(
            largestDifference(computedCosts(backend, metric, clouds, most), costs),
            `${d} coordinates`,
          ).to.be.below(1e-13 * most)
        }
      })

      it(`${metric}: the costs of points near each other and far from zero`, () => {
        for (const d of [1, 2, 3, 11, 12, 13, 24, 40]) {
          const next = random(120 + d)
          const far = () => 1e6 + next()
          const clouds = { x: fill(19 * d, far), y: fill(23 * d, far), n: 19, m: 23, d }
          const costs = formed(metric, clouds)
          // Cosine distances are differences of numbers near 1: no more than that can be had.
          const allowed = metric === 'cosine' ? 1e-14 : 1e-13 * largest(costs)
          const epsilon = metric === 'cosine' ? 1e-3 : largest(costs)
          const computed = computedCosts(backend, metric, clouds, epsilon)
          expect(largestDifference(computed, costs), `${d} coordinates`).to.be.below(allowed)
        }
      })

      it(`${metric}: points that coincide cost nothing`, () => {
        for (const d of [1, 2, 5, 11, 12, 13, 30]) {
          const x = fill(17 * d, randomNormal(140 + d))
          const clouds = { x, y: x.slice(), n: 17, m: 17, d }
          const costs = formed(metric, clouds)
          const most = largest(costs)
          const computed = computedCosts(backend, metric, clouds, most)
          for (let i = 0; i < 17; i++) {
            expect(computed[i * 18], `${d} coordinates, point ${i}`).to.be.closeTo(0, 1e-13 * most)
          }
          expect(largestDifference(computed, costs), `${d} coordinates`).to.be.below(1e-13 * most)
        }
      })

      it(`${metric}: solved as the matrix is`, () => {
        const size = fc.integer({ min: 1, max: 20 })
        const dimension = fc.integer({ min: 1, max: 40 })
        for (const method of methodsOn(backend)) {
          check(
            fc.property(size, size, dimension, fc.nat(), (n, m, d, seed) => {
              const next = randomNormal(seed)
              const clouds = { x: fill(n * d, next), y: fill(m * d, next), n, m, d }
              const cost = formed(metric, clouds)
              const dense = { ...randomDense(n, m, seed), cost }
              const options = { epsilon: 0.2 * largest(cost) + 1e-3, tolerance: 1e-12 }
              const fromPoints = method.runSync({ cost: cloudOf(metric, clouds), a: dense.a, b: dense.b }, options)
              const fromMatrix = method.runSync(asProblem(dense), options)
              expect(largestDifference(fromPoints.plan().data, fromMatrix.plan().data)).to.be.below(1e-10)
              expect(fromPoints.value).to.be.closeTo(fromMatrix.value, 1e-10 * (1 + fromMatrix.value))
              const costError = 1e-13 * largest(cost)
              expectSound(fromPoints, dense, { ...options, costError })
            }),
            { runs: 15 },
          )
        }
      })
    }

    it('takes float32 points, rows of numbers and strided views', () => {
      const next = randomNormal(161)
      const d = 3
      const clouds = { x: fill(10 * d, next).map(Math.fround), y: fill(8 * d, next).map(Math.fround), n: 10, m: 8, d }
      const options = { epsilon: 0.5, tolerance: 1e-11, backend }
      const expected = sinkhornOn(backend).runSync({ cost: cloudOf('sqeuclidean', clouds) }, options)
      const rowsOf = (data: Float64Array) =>
        Array.from({ length: data.length / d }, (_, i) => Array.from(data.subarray(i * d, i * d + d)))
      // Column by column, as other languages keep their matrices.
      const columnMajor = (data: Float64Array) => {
        const count = data.length / d
        const moved = Float64Array.from(data, (_, k) => data[(k % count) * d + Math.floor(k / count)])
        return { data: moved, shape: [count, d], stride: [1, count] }
      }
      const single = (data: Float64Array) => ({ data: Float32Array.from(data), shape: [data.length / d, d] })
      for (const form of [rowsOf, columnMajor, single]) {
        const { potentials } = sinkhornOn(backend).runSync(
          { cost: pointCloud(form(clouds.x), form(clouds.y)) },
          options,
        )
        expect(largestDifference(potentials.f, expected.potentials.f)).to.be.below(1e-12)
        expect(largestDifference(potentials.g, expected.potentials.g)).to.be.below(1e-12)
      }
    })

    it('survives structuredClone, and so the way to a worker', () => {
      const next = random(164)
      for (const cost of metrics) {
        const cloud = pointCloud(
          { data: fill(24, next), shape: [12, 2] },
          { data: fill(20, next), shape: [10, 2] },
          { cost },
        )
        const direct = sinkhornOn(backend).runSync({ cost: cloud }, { epsilon: 0.1 })
        const cloned = sinkhornOn(backend).runSync({ cost: structuredClone(cloud) }, { epsilon: 0.1 })
        expect(cloned.potentials).to.deep.equal(direct.potentials)
      }
    })

    it('lets small clouds be used again once the call has begun', async () => {
      const next = random(165)
      const data = fill(24, next)
      const y = { data: fill(20, next), shape: [10, 2] }
      const cost = pointCloud({ data, shape: [12, 2] }, y)
      const expected = sinkhornOn(backend).runSync({ cost }, { epsilon: 0.1 })
      const running = sinkhornOn(backend).run({ cost }, { epsilon: 0.1 })
      data.fill(0.5)
      const solution = await running
      expect(solution.potentials).to.deep.equal(expected.potentials)
      expect(solution.plan().data).to.deep.equal(expected.plan().data)
    })

    it('takes one cloud for many problems', () => {
      const next = random(162)
      const cost = pointCloud({ data: fill(24, next), shape: [12, 2] }, { data: fill(20, next), shape: [10, 2] })
      const first = sinkhornOn(backend).runSync({ cost }, { epsilon: 0.1 })
      const other = sinkhornOn(backend).runSync({ cost, ...weightsOf(randomDense(12, 10, 163)) }, { epsilon: 0.1 })
      const again = sinkhornOn(backend).runSync({ cost }, { epsilon: 0.1 })
      expect(again.potentials).to.deep.equal(first.potentials)
      expect(other.potentials).not.to.deep.equal(first.potentials)
    })
  })
})

function weightsOf({ a, b }: { a: Float64Array; b: Float64Array }) {
  return { a, b }
}
