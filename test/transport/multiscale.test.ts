import { expect } from 'chai'
import { kernels } from '../../lib/backend/index.js'
import {
  type PointMetric,
  pointCloud,
  type SinkhornOptions,
  sinkhorn,
  sinkhornBatch,
  sinkhornSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectRejection } from '../helpers/errors.js'
import { fill, random } from '../helpers/random.js'
import { largestDifference, normalized } from '../helpers/transport.js'

type Cloud = { data: Float64Array; shape: [number, number] }

function points(n: number, d: number, seed: number): Cloud {
  return { data: fill(n * d, random(seed)), shape: [n, d] }
}

const weights = (n: number, seed: number) => normalized(fill(n, random(seed)).map((w) => 0.1 + w))

describe('transport: multiscale', () => {
  forEachBackend((backend) => {
    const both = async (problem: Parameters<typeof sinkhorn>[0], options: SinkhornOptions) => ({
      plain: await sinkhorn(problem, { backend, ...options, multiscale: false }),
      scaled: await sinkhorn(problem, { backend, ...options, multiscale: true }),
    })

    for (const metric of ['sqeuclidean', 'euclidean', 'cityblock'] as PointMetric[]) {
      it(`finds the same plan in fewer iterations: ${metric}`, async () => {
        const cost = pointCloud(points(700, 2, 3), points(600, 2, 4), { cost: metric })
        const problem = { cost, a: weights(700, 5), b: weights(600, 6) }
        const { plain, scaled } = await both(problem, { epsilon: 0.02, tolerance: 1e-9 })
        expect([plain.status, scaled.status]).to.deep.equal(['converged', 'converged'])
        expect(scaled.residual).to.be.at.most(1e-9)
        expect(scaled.iterations).to.be.below(plain.iterations)
        const [p, q] = [plain.plan().data, scaled.plan().data] as Float64Array[]
        expect(largestDifference(p, q)).to.be.below(1e-10)
        expect(scaled.regularizedValue).to.be.closeTo(plain.regularizedValue, 1e-9)
        expect(scaled.certificate!.dual).to.be.closeTo(plain.certificate!.dual, 1e-6)
      })
    }

    const line = (n: number, seed: number): Cloud => {
      const t = fill(n, random(seed))
      return { data: Float64Array.from({ length: 2 * n }, (_, k) => (1 + (k % 2)) * t[k >> 1]), shape: [n, 2] }
    }
    const repeated = (n: number, seed: number): Cloud => {
      const few = points(3, 2, seed)
      return { data: Float64Array.from({ length: 2 * n }, (_, k) => few.data[k % 6]), shape: [n, 2] }
    }
    const grid = (n: number): Cloud => ({
      data: Float64Array.from({ length: 2 * n }, (_, k) => (k % 2 ? k >> 6 : (k >> 1) % 32) / 32),
      shape: [n, 2],
    })
    const degenerate: [string, Cloud, Cloud][] = [
      ['in one dimension', points(650, 1, 7), points(520, 1, 8)],
      ['on a line', line(650, 9), line(520, 10)],
      ['three places only', repeated(650, 11), repeated(520, 12)],
      ['one place only', { data: new Float64Array(1300), shape: [650, 2] }, points(520, 2, 13)],
      ['a grid, full of ties', grid(640), points(520, 2, 14)],
      ['one target', points(650, 2, 15), points(1, 2, 16)],
      ['few targets', points(650, 3, 17), points(9, 3, 18)],
    ]
    for (const [name, x, y] of degenerate) {
      it(`takes degenerate clouds: ${name}`, async () => {
        const options = { epsilon: 0.05, tolerance: 1e-9 }
        const { plain, scaled } = await both({ cost: pointCloud(x, y) }, options)
        expect(scaled.status).to.equal('converged')
        const [p, q] = [plain.plan().data, scaled.plan().data] as Float64Array[]
        expect(largestDifference(p, q)).to.be.below(1e-10)
        expect(scaled.value).to.be.closeTo(plain.value, 1e-8)
      })
    }

    it('leaves points without weight alone', async () => {
      const [a, b] = [weights(900, 21), weights(800, 22)]
      for (let i = 0; i < a.length; i += 3) a[i] = 0
      for (let j = 0; j < b.length; j += 7) b[j] = 0
      const problem = { cost: pointCloud(points(900, 2, 19), points(800, 2, 20)), a: normalized(a), b: normalized(b) }
      const { plain, scaled } = await both(problem, { epsilon: 0.05, tolerance: 1e-10 })
      const [p, q] = [plain.plan().data, scaled.plan().data] as Float64Array[]
      expect(largestDifference(p, q)).to.be.below(1e-11)
      for (let j = 0; j < 800; j++) expect(q[3 * 800 + j]).to.equal(0)
      for (const side of ['f', 'g'] as const) {
        expect(scaled.potentials[side].every(Number.isFinite)).to.equal(true)
      }
    })

    it('survives a tiny epsilon, few iterations and little time', async () => {
      const problem = { cost: pointCloud(points(600, 2, 23), points(600, 2, 24)) }
      for (const options of [{ maxIterations: 2 }, { timeLimit: 1e-3 }]) {
        const { scaled } = await both(problem, { epsilon: 1e-6, ...options })
        expect(scaled.status).to.be.oneOf(['iteration-limit', 'time-limit'])
        expect(scaled.potentials.f.every(Number.isFinite)).to.equal(true)
        expect(scaled.residual).to.satisfy(Number.isFinite)
      }
    })

    it('is the same in its synchronous form, and in single precision nearly', async () => {
      const data = Float32Array.from(points(600, 2, 25).data)
      const problem = { cost: pointCloud({ data, shape: [600, 2] }, points(550, 2, 26)) }
      const options = { backend, epsilon: 0.05, tolerance: 1e-5 }
      const apart = await sinkhorn(problem, options)
      expect(sinkhornSync(problem, options).potentials.g).to.deep.equal(apart.potentials.g)
      const single = await sinkhorn(problem, { ...options, precision: 'float32' })
      expect(single.status).to.equal('converged')
      expect(single.value).to.be.closeTo(apart.value, 1e-5)
    })

    it('does not read points that were changed or taken away meanwhile', async () => {
      const x = points(200_000, 2, 27)
      const pending = sinkhorn({ cost: pointCloud(x, points(2, 2, 28)) }, { epsilon: 0.05, backend })
      structuredClone(x.data.buffer, { transfer: [x.data.buffer as ArrayBuffer] })
      await expectRejection(pending, 'ERR_BUFFER', /transferred/)
    })

    it('stops when told to', async () => {
      const problem = { cost: pointCloud(points(3000, 2, 29), points(3000, 2, 30)) }
      const stop = new AbortController()
      const pending = sinkhorn(problem, { epsilon: 1e-4, backend, signal: stop.signal })
      stop.abort(new Error('enough'))
      const error = await pending.then(
        () => undefined,
        (reason) => reason,
      )
      expect(error).to.have.property('message', 'enough')
    })

    it('orders points into cells', () => {
      for (const [n, d] of [
        [1, 2],
        [8, 1],
        [9, 3],
        [1000, 2],
        [1025, 3],
      ]) {
        const cloud = points(n, d, n)
        for (let i = 0; i < n; i += 5) cloud.data[i * d] = 0.5 // ties
        const order = new Int32Array(n)
        const job = { points: cloud.data, n, d, order }
        kernels(backend).transport.cloudOrder.runSync(job, { timeLimit: Number.POSITIVE_INFINITY })
        expect(Array.from(order).sort((i, j) => i - j)).to.deep.equal(Array.from({ length: n }, (_, i) => i))
        // Halves of an aligned run are apart along some axis.
        for (let size = 16; size / 2 < n; size *= 2) {
          for (let begin = 0; begin + size / 2 < n; begin += size) {
            const part = (from: number, to: number) => Array.from(order.subarray(from, Math.min(to, n)))
            const [left, right] = [part(begin, begin + size / 2), part(begin + size / 2, begin + size)]
            const apart = Array.from({ length: d }, (_, k) => k).some((k) => {
              const at = (i: number) => cloud.data[i * d + k]
              return Math.max(...left.map(at)) <= Math.min(...right.map(at))
            })
            expect(apart, `${n} points, run of ${size} from ${begin}`).to.equal(true)
          }
        }
        const twin = new Int32Array(n)
        kernels('portable').transport.cloudOrder.runSync(
          { ...job, order: twin },
          { timeLimit: Number.POSITIVE_INFINITY },
        )
        expect(twin).to.deep.equal(order)
      }
    })

    it('refuses what is neither true nor false', async () => {
      const problem = { cost: pointCloud(points(5, 2, 1), points(5, 2, 2)) }
      const options = { epsilon: 1, backend, multiscale: 'yes' as unknown as boolean }
      await expectRejection(sinkhorn(problem, options), 'ERR_OPTION', /multiscale/)
      await expectRejection(sinkhornBatch([problem], { epsilon: 1, multiscale: true }), 'ERR_OPTION', /multiscale/)
    })
  })
})
