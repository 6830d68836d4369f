import { expect } from 'chai'
import {
  type FreeBarycenterOptions,
  type FreeBarycenterProblem,
  freeBarycenter,
  freeBarycenterSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { linearProgram } from '../helpers/linear-program.js'
import { naiveSinkhorn } from '../helpers/naive-sinkhorn.js'
import { random, randomNormal } from '../helpers/random.js'
import { dot, largestDifference, normalized } from '../helpers/transport.js'

function cloud(n: number, d: number, seed: number, shift = 0) {
  const next = randomNormal(seed)
  return { data: Float64Array.from({ length: n * d }, () => next() + shift), shape: [n, d] }
}

function weights(n: number, seed: number): Float64Array {
  const next = random(seed)
  return normalized(Float64Array.from({ length: n }, () => 0.2 + next()))
}

const squares = (x: Float64Array, y: Float64Array, d: number) => {
  const [n, m] = [x.length / d, y.length / d]
  return Float64Array.from({ length: n * m }, (_, k) => {
    const [i, j] = [Math.floor(k / m), k % m]
    let sum = 0
    for (let c = 0; c < d; c++) sum += (x[i * d + c] - y[j * d + c]) ** 2
    return sum
  })
}

describe('transport: freeBarycenter', () => {
  forEachBackend((backend) => {
    const solve = (problem: FreeBarycenterProblem, options: FreeBarycenterOptions) =>
      freeBarycenterSync(problem, { backend, ...options })

    it('is where it says: the mean of where entropic plans send its points (naive Sinkhorn)', () => {
      const d = 2
      const measures = [
        { points: cloud(12, d, 1), weights: weights(12, 2) },
        { points: cloud(9, d, 3, 2), weights: weights(9, 4) },
        { points: cloud(15, d, 5, -1) },
      ]
      const lambda = [0.5, 0.2, 0.3]
      const b = weights(6, 6)
      for (const method of ['sinkhorn', 'sinkhornNewtonSparse'] as const) {
        const options = { epsilon: 0.5, method, tolerance: 1e-9 }
        const solution = solve({ measures, weights: lambda, initial: cloud(6, d, 7), supportWeights: b }, options)
        expect(solution.status).to.equal('converged')
        expect(solution.residual).to.be.at.most(1e-9)
        expect(solution.points.shape).to.deep.equal([6, d])
        expect(largestDifference(solution.weights, b)).to.be.below(1e-15)
        const x = solution.points.data
        const image = new Float64Array(x.length)
        let value = 0
        measures.forEach(({ points, weights: w }, k) => {
          const m = points.shape[0]
          const dense = { n: 6, m, cost: squares(x, points.data, d), a: b, b: w ?? new Float64Array(m).fill(1 / m) }
          const { plan } = naiveSinkhorn(dense, 0.5)
          value += lambda[k] * dot(plan, dense.cost)
          for (let i = 0; i < 6; i++) {
            for (let j = 0; j < m; j++) {
              for (let c = 0; c < d; c++)
                image[i * d + c] += (lambda[k] * plan[i * m + j] * points.data[j * d + c]) / b[i]
            }
          }
        })
        expect(largestDifference(image, x)).to.be.below(1e-7)
        expect(solution.value).to.be.closeTo(value, 1e-7)
      }
    })

    it('a single point: the mean of all', () => {
      const measures = [
        {
          points: [
            [0, 0],
            [2, 0],
          ],
          weights: [3, 1],
        },
        { points: [[4, 6]], weights: [4] },
      ]
      const { points, weights: b, value } = solve({ measures, weights: [3, 1], supportSize: 1 }, { epsilon: 1 })
      expect(points.data[0]).to.be.closeTo(0.75 * 0.5 + 0.25 * 4, 1e-9)
      expect(points.data[1]).to.be.closeTo(0.25 * 6, 1e-9)
      expect([...b]).to.deep.equal([4])
      const [p, q] = points.data
      const spread = 0.75 * (3 * (p ** 2 + q ** 2) + (p - 2) ** 2 + q ** 2) + 0.25 * 4 * ((p - 4) ** 2 + (q - 6) ** 2)
      expect(value).to.be.closeTo(spread, 1e-8)
      // From anywhere one step leads there, and the value is that of the points returned.
      const once = solve({ measures, weights: [3, 1], initial: [[50, 50]] }, { epsilon: 1, maxIterations: 1 })
      expect(once.status).to.equal('iteration-limit')
      expect(once.value).to.be.closeTo(spread, 1e-8)
    })

    it('of moved copies of a cloud: the cloud, moved by the mean', () => {
      const y = cloud(20, 2, 8)
      const moved = (dx: number, dy: number) => ({
        points: { data: y.data.map((v, k) => v + (k % 2 === 0 ? dx : dy)), shape: y.shape },
      })
      const measures = [moved(0, 0), moved(3, 1), moved(-1, 5)]
      const options = { epsilon: 1e-3, tolerance: 1e-9 }
      const { points, value } = solve({ measures, weights: [1, 2, 1], initial: moved(1, 1).points }, options)
      const mean = [0.5 * 3 - 0.25, 0.5 + 0.25 * 5]
      expect(
        largestDifference(
          points.data,
          y.data.map((v, k) => v + mean[k % 2]),
        ),
      ).to.be.below(1e-6)
      // sum lambda |shift - mean|²
      const spread = [
        [0, 0],
        [3, 1],
        [-1, 5],
      ].map(([p, q]) => (p - mean[0]) ** 2 + (q - mean[1]) ** 2)
      expect(value).to.be.closeTo(0.25 * spread[0] + 0.5 * spread[1] + 0.25 * spread[2], 1e-6)
    })

    it('does not depend on the order of measures, a shift of all or the unit', () => {
      const measures = [{ points: cloud(10, 2, 9) }, { points: cloud(14, 2, 10, 1) }]
      const initial = cloud(7, 2, 11)
      const options = { epsilon: 0.3, maxIterations: 5, tolerance: 0, planTolerance: 1e-11 }
      const first = solve({ measures, weights: [1, 3], initial }, options)
      const turned = solve({ measures: measures.toReversed(), weights: [3, 1], initial }, options)
      expect(largestDifference(turned.points.data, first.points.data)).to.be.below(1e-9)
      const changed = (p: { data: Float64Array; shape: number[] }) => ({
        data: p.data.map((v) => 10 * (v + 5)),
        shape: p.shape,
      })
      const other = solve(
        {
          measures: measures.map(({ points }) => ({ points: changed(points) })),
          weights: [1, 3],
          initial: changed(initial),
        },
        { ...options, epsilon: 30 },
      )
      const back = other.points.data.map((v) => v / 10 - 5)
      expect(largestDifference(back, first.points.data)).to.be.below(1e-8)
    })

    it('costs less with every iteration; the seed decides the start', () => {
      const measures = [{ points: cloud(30, 3, 12) }, { points: cloud(25, 3, 13, 2) }]
      let before = Number.POSITIVE_INFINITY
      for (const maxIterations of [1, 2, 4, 8]) {
        const solution = solve({ measures, supportSize: 10 }, { epsilon: 0.01, maxIterations, tolerance: 0 })
        expect(solution.status).to.equal('iteration-limit')
        expect(solution.iterations).to.equal(maxIterations)
        expect(solution.value).to.be.below(before)
        before = solution.value
      }
      const points = (seed: number) =>
        solve({ measures, supportSize: 5 }, { epsilon: 0.1, maxIterations: 1, seed }).points.data
      expect(points(1)).to.deep.equal(points(1))
      expect(points(2)).to.not.deep.equal(points(1))
      expect(solve({ measures }, { epsilon: 0.1, maxIterations: 1 }).points.shape).to.deep.equal([30, 3])
    })

    it('exact, on the line: the mean of the quantiles, after one step', () => {
      const [n, lambda] = [12, [0.25, 0.75]]
      const measures = [{ points: cloud(n, 1, 20) }, { points: cloud(n, 1, 21, 3) }]
      const [p, q] = measures.map(({ points }) => points.data.toSorted())
      const expected = p.map((v, i) => lambda[0] * v + lambda[1] * q[i])
      const solution = freeBarycenterSync({ measures, weights: lambda, supportSize: n }, { backend })
      expect(solution.status).to.equal('converged')
      expect(solution.iterations).to.be.at.most(2)
      expect(largestDifference(solution.points.data.toSorted(), expected)).to.be.below(1e-13)
      const squared = p.map((v, i) => lambda[0] * (v - expected[i]) ** 2 + lambda[1] * (q[i] - expected[i]) ** 2)
      expect(solution.value).to.be.closeTo(squared.reduce((sum, v) => sum + v, 0) / n, 1e-13)
    })

    it('exact: its value is that of linear programs (HiGHS), and entropic ones come to it', async () => {
      const d = 2
      const measures = [
        { points: cloud(9, d, 22), weights: weights(9, 23) },
        { points: cloud(7, d, 24, 1), weights: weights(7, 25) },
      ]
      const problem = { measures, weights: [2, 1], initial: cloud(5, d, 26), supportWeights: weights(5, 27) }
      const solution = await freeBarycenter(problem, { backend, tolerance: 1e-12 })
      expect(solution.status).to.equal('converged')
      const [x, b] = [solution.points.data, solution.weights]
      let value = 0
      for (const [k, { points, weights: w }] of measures.entries()) {
        const dense = { n: 5, m: w.length, cost: squares(x, points.data, d), a: b, b: w }
        value += ((2 - k) / 3) * (await linearProgram(dense)).value
      }
      expect(solution.value).to.be.closeTo(value, 1e-9)
      const entropic = solve({ ...problem, initial: solution.points }, { epsilon: 1e-3 })
      expect(largestDifference(entropic.points.data, x)).to.be.below(0.02)
    })

    it('points without weight or spread, equal points', () => {
      const measures = [
        { points: [[0], [100], [1]], weights: [1, 0, 1] },
        { points: [[2], [2]], weights: [1, 1] },
      ]
      const solution = solve({ measures, initial: [[0.4], [0.6]] }, { epsilon: 1e-2 })
      expect(solution.status).to.equal('converged')
      expect(solution.points.data[0]).to.be.closeTo(1, 1e-6)
      expect(solution.points.data[1]).to.be.closeTo(1.5, 1e-6)
      const same = solve({ measures: [{ points: [[3], [3]] }] }, { epsilon: 1 })
      expect([...same.points.data]).to.deep.equal([3, 3])
      expect(same.value).to.equal(0)
    })

    it('the same off the event loop, with any number of threads', async () => {
      const measures = [{ points: cloud(40, 2, 14) }, { points: cloud(30, 2, 15, 1) }]
      const options = { epsilon: 0.1, maxIterations: 4, backend }
      const one = freeBarycenterSync({ measures, supportSize: 12 }, { ...options, threads: 1 })
      const many = await freeBarycenter({ measures, supportSize: 12 }, { ...options, threads: 4 })
      expect(many.points.data).to.deep.equal(one.points.data)
      expect(many.value).to.equal(one.value)
      expect(many.backend).to.equal(backend)
    })

    it('statuses, abort and progress', async () => {
      const measures = [{ points: cloud(60, 2, 16) }, { points: cloud(60, 2, 17, 1) }]
      const late = solve({ measures }, { epsilon: 1e-2, timeLimit: 1e-3, tolerance: 0 })
      expect(late.status).to.equal('time-limit')
      expect(late.points.data.every(Number.isFinite)).to.equal(true)
      const rough = solve({ measures }, { epsilon: 1e-3, planTolerance: 0, tolerance: 10 })
      expect(rough.status).to.equal('stalled') // near enough, but with plans short of their tolerance
      const controller = new AbortController()
      const reason = new Error('enough')
      const seen: number[] = []
      const onProgress = ({ iteration }: { iteration: number }) => {
        seen.push(iteration)
        controller.abort(reason)
      }
      const options = { epsilon: 1e-2, tolerance: 0, signal: controller.signal, onProgress, backend }
      expect(await rejection(freeBarycenter({ measures }, options))).to.equal(reason)
      expect(seen).to.deep.equal([1])
      expect(await rejection(freeBarycenter({ measures }, options))).to.equal(reason)
    })

    it('bad input', async () => {
      const measures = [
        {
          points: [
            [0, 0],
            [1, 1],
          ],
        },
        { points: [[2, 2]] },
      ]
      const wrong = (problem: object, options: object, ...expected: [Parameters<typeof expectError>[1], RegExp]) =>
        expectError(() => solve({ measures, ...problem }, { epsilon: 1, ...options }), ...expected)
      wrong({ measures: [] }, {}, 'ERR_SHAPE', /measures: expected an array of at least one .*, got none/)
      wrong({ measures: 3 }, {}, 'ERR_SHAPE', /measures: expected an array/)
      wrong(
        { measures: [{ points: [] }] },
        {},
        'ERR_SHAPE',
        /measures\[0\].points: expected non-empty n×d points, got 0×0/,
      )
      wrong(
        { measures: [measures[0], { points: [[1]] }] },
        {},
        'ERR_SHAPE',
        /measures\[1\].points: expected n×2 points, got 1×1/,
      )
      wrong({ measures: [{ points: [[0, Number.NaN]] }] }, {}, 'ERR_NOT_FINITE', /measures\[0\].points\[0\]\[1\]/)
      wrong(
        { measures: [{ points: [[0]], weights: [1, 1] }] },
        {},
        'ERR_SHAPE',
        /measures\[0\].weights: expected 1 weights/,
      )
      wrong({ measures: [{ points: [[0]], weights: [-1] }] }, {}, 'ERR_NOT_POSITIVE', /measures\[0\].weights\[0\]/)
      wrong({ measures: [{ points: [[0]], weight: [1] }] }, {}, 'ERR_OPTION', /measures\[0\]: unknown name 'weight'/)
      const heavy = [measures[0], { points: [[2, 2]], weights: [2] }]
      wrong({ measures: heavy }, {}, 'ERR_MASS', /measures\[1\].weights: expected the total of measures\[0\], 1/)
      wrong({ weights: [1] }, {}, 'ERR_SHAPE', /weights: expected 2 weights to match the 2 measures, got 1/)
      wrong({ initial: [[1]] }, {}, 'ERR_SHAPE', /initial: expected n×2 points, got 1×1/)
      wrong(
        { initial: [[1, 1]], supportSize: 1 },
        {},
        'ERR_OPTION',
        /supportSize: expected initial or supportSize, got both/,
      )
      wrong({ supportSize: 0 }, {}, 'ERR_OPTION', /supportSize: expected a whole number/)
      wrong(
        { supportSize: 2, supportWeights: [1, 0] },
        {},
        'ERR_NOT_POSITIVE',
        /supportWeights\[1\]: expected a weight > 0/,
      )
      wrong({ supportSize: 2, supportWeights: [1] }, {}, 'ERR_SHAPE', /supportWeights: expected 2 weights/)
      wrong({}, { epsilon: 0 }, 'ERR_NOT_POSITIVE', /epsilon: expected a finite number > 0/)
      wrong({}, { method: 'exact' }, 'ERR_OPTION', /method: expected one of/)
      wrong({}, { epsilon: undefined, method: 'sinkhorn' }, 'ERR_OPTION', /method: expected with epsilon only/)
      wrong({}, { planTolerance: -1 }, 'ERR_OPTION', /planTolerance/)
      wrong({}, { plantolerance: 1 }, 'ERR_OPTION', /did you mean 'planTolerance'/)
      await expectRejection(freeBarycenter({ measures }, { epsilon: -1 }), 'ERR_NOT_POSITIVE', /epsilon/)
    })
  })
})
