import { expect } from 'chai'
import {
  entropicMap,
  pointCloud,
  sinkhorn,
  sinkhornNewtonSparse,
  sinkhornNewtonSparseSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, rejection } from '../helpers/errors.js'
import { random, randomNormal } from '../helpers/random.js'

const metrics = ['sqeuclidean', 'euclidean', 'cosine', 'cityblock'] as const

function cloud(n: number, d: number, seed: number, shift = 0) {
  const next = randomNormal(seed)
  return { data: Float64Array.from({ length: n * d }, () => next() + shift), shape: [n, d] }
}

describe('transport: entropicMap', () => {
  forEachBackend((backend) => {
    it('at the sources: the barycentric projection of the plan', async () => {
      for (const cost of metrics) {
        for (const d of [2, 3, 15]) {
          const [n, m] = [40, 30]
          const [x, y] = [cloud(n, d, 1, 1), cloud(m, d, 2, 2)]
          const problem = { cost: pointCloud(x, y, { cost }) }
          const solution = await sinkhorn(problem, { epsilon: 0.2, tolerance: 1e-12, backend })
          const plan = solution.plan().data
          const { data, shape } = await entropicMap(solution, problem).map(x, { backend })
          expect(shape).to.deep.equal([n, d])
          for (let i = 0; i < n; i++) {
            const row = plan.subarray(i * m, (i + 1) * m)
            const mass = row.reduce((sum, p) => sum + p, 0)
            for (let k = 0; k < d; k++) {
              const mean = row.reduce((sum, p, j) => sum + p * y.data[j * d + k], 0) / mass
              expect(data[i * d + k], `${cost} in ${d}`).to.be.closeTo(mean, 1e-11)
            }
          }
        }
      }
    })

    it('anywhere: the softmax of its definition, and nothing from targets without weight', async () => {
      const [x, y] = [cloud(20, 2, 3), cloud(25, 2, 4)]
      const next = random(5)
      const raw = Float64Array.from({ length: 25 }, () => (next() < 0.3 ? 0 : next()))
      const b = raw.map((w) => w / raw.reduce((sum, v) => sum + v, 0))
      const problem = { cost: pointCloud(x, y), b }
      const epsilon = 0.3
      const solution = await sinkhornNewtonSparse(problem, { epsilon, backend })
      const { g } = solution.potentials
      const points = cloud(50, 2, 6, 0.5)
      const { data } = entropicMap(solution, problem).mapSync(points, { backend, threads: 1 })
      expect((await entropicMap(solution, problem).map(points, { backend, threads: 3 })).data).to.deep.equal(data)
      for (let i = 0; i < 50; i++) {
        const weights = g.map((value, j) => {
          const squared = [0, 1].reduce((sum, k) => sum + (points.data[2 * i + k] - y.data[2 * j + k]) ** 2, 0)
          return b[j] === 0 ? 0 : Math.exp((value - squared) / epsilon)
        })
        const total = weights.reduce((sum, w) => sum + w, 0)
        for (const k of [0, 1]) {
          const mean = weights.reduce((sum, w, j) => sum + w * y.data[2 * j + k], 0) / total
          expect(data[2 * i + k]).to.be.closeTo(mean, 1e-12)
        }
      }
    })

    it('between equal clouds: the identity as epsilon goes to zero', () => {
      const x = cloud(30, 2, 7)
      const problem = { cost: pointCloud(x, x) }
      let before = Number.POSITIVE_INFINITY
      for (const epsilon of [1, 0.1, 0.01, 1e-4]) {
        const solution = sinkhornNewtonSparseSync(problem, { epsilon, backend })
        const { data } = entropicMap(solution, problem).mapSync(x, { backend })
        const error = Math.max(...data.map((value, k) => Math.abs(value - x.data[k])))
        expect(error).to.be.below(before)
        before = error
      }
      expect(before).to.be.below(1e-12)
    })

    it('between normal clouds: nearly the linear map between them', async () => {
      // From N(0, 1) to N(3, 1/4): x -> 3 + x / 2, for entropic plans with a slope that epsilon shortens a little.
      const [x, y] = [cloud(500, 1, 8), cloud(500, 1, 9)]
      const z = { data: y.data.map((value) => 3 + value / 2), shape: y.shape }
      const problem = { cost: pointCloud(x, z) }
      const solution = await sinkhornNewtonSparse(problem, { epsilon: 0.02, tolerance: 1e-6, backend })
      const { data } = await entropicMap(solution, problem).map([[-1], [0], [1]], { backend })
      for (const [k, expected] of [2.5, 3, 3.5].entries()) expect(data[k]).to.be.closeTo(expected, 0.12)
    })

    it('far away from everything: the nearest targets, not NaN', () => {
      const problem = { cost: pointCloud([[0], [1]], [[0], [1]]) }
      const solution = sinkhornNewtonSparseSync(problem, { epsilon: 1e-3, backend })
      const { data } = entropicMap(solution, problem).mapSync([[1e6], [-1e6]], { backend })
      expect([...data]).to.deep.equal([1, 0])
    })

    it('stops when told to, and reports progress', async () => {
      const [x, y] = [cloud(2000, 2, 10), cloud(2000, 2, 11)]
      const problem = { cost: pointCloud(x, y) }
      const map = entropicMap(
        { epsilon: 1, potentials: { f: new Float64Array(2000), g: new Float64Array(2000) } },
        problem,
      )
      const points = cloud(100_000, 2, 12)
      const controller = new AbortController()
      const reason = new Error('enough')
      let reported = 0
      const onProgress = ({ iteration }: { iteration: number }) => {
        reported = iteration
        controller.abort(reason)
      }
      const running = map.map(points, { backend, signal: controller.signal, onProgress })
      expect(await rejection(running)).to.equal(reason)
      expect(reported).to.be.within(1, 100_000)
    })

    it('bad input', () => {
      const problem = { cost: pointCloud(cloud(3, 2, 1), cloud(4, 2, 2)) }
      const solution = sinkhornNewtonSparseSync(problem, { epsilon: 1, backend })
      const map = entropicMap(solution, problem)
      const { potentials } = solution
      const from = (changed: object) => entropicMap({ epsilon: 1, potentials, ...changed }, problem)
      expectError(
        () => map.mapSync([[1, 2, 3]]),
        'ERR_SHAPE',
        'points: expected n×2 points to match the targets, got 1×3',
      )
      expectError(() => map.mapSync([]), 'ERR_SHAPE', /points: expected n×2 points/)
      expectError(() => map.mapSync([[1, Number.NaN]]), 'ERR_NOT_FINITE', /points\[0\]\[1\]: expected a finite/)
      expectError(() => map.mapSync([[1e200, 0]]), 'ERR_NOT_FINITE', /points\[0\]: expected a finite cost/)
      expectError(() => map.mapSync([[1, 2]], { timeLimit: 1 } as object), 'ERR_OPTION', /unknown name 'timeLimit'/)
      expectError(() => from({ epsilon: 0 }), 'ERR_NOT_POSITIVE', /solution.epsilon: expected a finite number > 0/)
      const short = { f: potentials.f, g: potentials.g.slice(1) }
      expectError(() => from({ potentials: short }), 'ERR_SHAPE', /solution.potentials.g: expected 4 numbers/)
      const broken = { f: potentials.f, g: potentials.g.map(() => Number.NaN) }
      expectError(() => from({ potentials: broken }), 'ERR_NOT_FINITE', /solution.potentials.g\[0\]/)
      expectError(
        () => entropicMap(solution, { cost: [[1, 2]] }),
        'ERR_SHAPE',
        'problem.cost: expected a pointCloud, got a matrix, which has no points to map',
      )
    })
  })
})
