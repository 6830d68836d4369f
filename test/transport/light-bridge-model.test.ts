import { expect } from 'chai'
import fc from 'fast-check'
import { type LightBridge, lightBridgeFromJSON } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import {
  bridgeWith,
  conditionalOf,
  logDensityOf,
  mixtureMoments,
  type Potential,
  randomPotential,
} from '../helpers/bridge.js'
import { expectClose } from '../helpers/close.js'
import { combined, identity, inner, inverse, momentsOf, times, toRows } from '../helpers/matrices.js'
import { check } from '../helpers/property.js'
import { largestDifference } from '../helpers/transport.js'

/** log sum_k alpha_k |S_k|^-½ |A_k|^-½ exp(-r'S^-1 r / (2 epsilon) + ½ h'A^-1 h), of which the drift is the gradient. */
function logPotentialAt({ epsilon, logWeights, means, scales }: Potential, x: number[], t: number): number {
  const terms = logWeights.map((a, k) => {
    const s = inverse(scales[k])
    const precision = s.inverse.map((row) => row.map((value) => value / epsilon))
    const matrix = inverse(combined(precision, t / (epsilon * (1 - t)), identity(x.length)))
    const h = times(precision, means[k]).map((value, i) => value + x[i] / (epsilon * (1 - t)))
    const constant = Math.log(s.determinant) + Math.log(matrix.determinant)
    return a - constant / 2 - inner(means[k], times(precision, means[k])) / 2 + inner(h, times(matrix.inverse, h)) / 2
  })
  const most = Math.max(...terms)
  return most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0))
}

function driftOf(potential: Potential, x: number[], t: number): number[] {
  const step = 1e-5
  return x.map((value, i) => {
    const at = (by: number) => logPotentialAt(potential, x.with(i, value + by), t)
    return -value / (1 - t) + (potential.epsilon * (at(step) - at(-step))) / (2 * step)
  })
}

/**
 * Means of independent draws, and mean products of two coordinates, lie within `errors` standard errors of these; products
 * may be off by `bias` more.
 */
function expectMoments(
  draws: number[][],
  { mean, covariance }: ReturnType<typeof momentsOf>,
  errors: number,
  bias = 0,
): void {
  const n = draws.length
  const found = momentsOf(draws)
  mean.forEach((m, i) => {
    expect(Math.abs(found.mean[i] - m)).to.be.below(errors * Math.sqrt(covariance[i][i] / n))
    covariance[i].forEach((c, j) => {
      const products = draws.map((row) => (row[i] - mean[i]) * (row[j] - mean[j]))
      const spread = products.reduce((sum, value) => sum + (value - c) ** 2, 0) / n
      expect(Math.abs(products.reduce((sum, value) => sum + value, 0) / n - c)).to.be.below(
        errors * Math.sqrt(spread / n) + bias,
      )
    })
  })
}

const points = [
  [0.3, -0.8],
  [-1.5, 0.2],
  [0, 0],
  [2.5, 1.1],
]
const others = [
  [1.3, -0.1],
  [-0.5, 0.9],
  [3, -2],
  [0.4, 0.6],
]

describe('light bridge: the model', () => {
  forEachBackend((backend) => {
    for (const full of [false, true]) {
      const kind = full ? 'full' : 'diagonal'
      const potential = randomPotential(4, 2, 0.8, full, full ? 31 : 30)
      const bridge = (p = potential) => bridgeWith(p, full, backend)

      it(`${kind}: the conditional plan, its moments and its density are those of the formula`, () => {
        const model = bridge()
        const plan = model.conditional(points)
        expect([plan.weights.shape, plan.means.shape]).to.deep.equal([
          [4, 4],
          [4, 4, 2],
        ])
        const means = model.conditionalMean(points)
        const covariances = model.conditionalCovariance(points)
        const densities = model.logDensity(points, others)
        points.forEach((x0, b) => {
          const expected = conditionalOf(potential, x0)
          expectClose([[...plan.weights.data.subarray(4 * b, 4 * b + 4)]], [expected.weights], 1e-13)
          expectClose(toRows(plan.means.data.subarray(8 * b, 8 * b + 8), 2), expected.means, 1e-13)
          const moments = mixtureMoments(expected)
          expectClose([[...means.data.subarray(2 * b, 2 * b + 2)]], [moments.mean], 1e-13)
          expectClose(toRows(covariances.data.subarray(4 * b, 4 * b + 4), 2), moments.covariance, 1e-13)
          expect(densities[b]).to.be.closeTo(logDensityOf(expected, others[b]), 1e-12)
        })
        const { covariances: spread } = conditionalOf(potential, points[0])
        const expected = full ? spread.flat() : spread.map((c) => c.map((row, i) => row[i]))
        expect(plan.covariances.shape).to.deep.equal(full ? [4, 2, 2] : [4, 2])
        expectClose(toRows(plan.covariances.data, 2), expected, 1e-13)
      })

      it(`${kind}: a vector is one point, and results have no axis for it`, () => {
        const model = bridge()
        const [x0] = points
        expect(model.conditionalMean(x0)).to.deep.equal({
          data: model.conditionalMean([x0]).data,
          shape: [2],
        })
        expect(model.conditional(Float64Array.from(x0)).means.shape).to.deep.equal([4, 2])
        expect(model.conditionalCovariance(x0).shape).to.deep.equal([2, 2])
        expect(model.drift(x0, 0.5).shape).to.deep.equal([2])
        expect(model.sample(x0).shape).to.deep.equal([2])
        expect(model.sample(x0, { count: 3 }).shape).to.deep.equal([3, 2])
        expect(model.sample(points, { count: 3 }).shape).to.deep.equal([4, 3, 2])
        expect(model.trajectories(x0, { steps: 5 }).shape).to.deep.equal([6, 2])
        expect(model.trajectories(points, { times: [0.1, 1] }).shape).to.deep.equal([4, 2, 2])
        expect(model.bridge(x0, others[0], 0.5).shape).to.deep.equal([2])
        expect(model.logDensity(x0, others[0])).to.have.length(1)
      })

      it(`${kind}: the drift is the gradient of the log-potential`, () => {
        const model = bridge()
        for (const t of [0, 0.2, 0.7, 0.95]) {
          expectClose(
            toRows(model.drift(points, t).data, 2),
            points.map((x) => driftOf(potential, x, t)),
            2e-6,
          )
        }
        // At the end it stays finite, the limit from before.
        const before = model.drift(points, 1 - 1e-9).data
        expect(largestDifference(model.drift(points, 1).data, before)).to.be.below(1e-6)
      })

      it(`${kind}: draws have the moments of the mixture`, () => {
        const model = bridge()
        const draws = model.sample(points, { count: 20_000, seed: 3 })
        points.forEach((x0, b) => {
          const own = toRows(draws.data.subarray(40_000 * b, 40_000 * (b + 1)), 2)
          expectMoments(own, mixtureMoments(conditionalOf(potential, x0)), 4)
        })
      })

      it(`${kind}: the ends of simulated paths have the moments of the plan`, () => {
        const paths = backend === 'native' ? 50_000 : 5_000
        const [x0] = points
        const starts = { data: new Float64Array(2 * paths).map((_, i) => x0[i % 2]), shape: [paths, 2] }
        const { data } = bridge().trajectories(starts, { steps: 200, times: [1], seed: 11 })
        // Euler's steps are of first order.
        expectMoments(toRows(data, 2), mixtureMoments(conditionalOf(potential, x0)), 3, 1 / 200)
      })

      it(`${kind}: drawing the end and then the bridge is simulating up to there`, () => {
        const n = 20_000
        const model = bridge()
        const [, x0] = points
        const starts = { data: new Float64Array(2 * n).map((_, i) => x0[i % 2]), shape: [n, 2] }
        const ends = model.sample(starts, { seed: 5 })
        const t = 0.4
        const between = toRows(model.bridge(starts, ends, t, { seed: 6 }).data, 2)
        const simulated = toRows(model.trajectories(starts, { steps: 100, times: [t], seed: 7 }).data, 2)
        // Both are samples: the difference of their means has twice the variance.
        expectMoments(simulated, momentsOf(between), 4 * Math.SQRT2)
      })

      it(`${kind}: JSON gives the same model to the last bit`, () => {
        const model = bridge()
        for (const json of [model.toJSON(), JSON.stringify(model)]) {
          const again = lightBridgeFromJSON(json, { backend })
          expect(again.toJSON()).to.deep.equal(model.toJSON())
          expect(again.sample(points, { seed: 1 })).to.deep.equal(model.sample(points, { seed: 1 }))
          expect(again.parameters).to.deep.equal(model.parameters)
        }
      })

      it(`${kind}: parameters make the same model without a transform`, () => {
        const transform = { source: [3, -1], target: [0.5, 100], scale: 2.5 }
        const model = lightBridgeFromJSON({ ...bridge().toJSON(), transform }, { backend })
        const { logWeights, means, scales } = model.parameters
        const squares = full
          ? [0, 4, 8, 12].map((k) => toRows(scales.data.subarray(k, k + 4), 2))
          : toRows(scales.data, 2).map((s) => s.map((value, i) => s.map((_, j) => (i === j ? value : 0))))
        const same: Potential = {
          epsilon: model.epsilon,
          logWeights: [...logWeights],
          means: toRows(means.data, 2),
          scales: squares,
        }
        points.forEach((x0, b) => {
          const expected = conditionalOf(same, x0)
          expectClose([[...model.conditional(x0).weights.data]], [expected.weights], 1e-11)
          expectClose([[...model.conditionalMean(x0).data]], [mixtureMoments(expected).mean], 1e-11)
          const x1 = [others[b][0], 100 + others[b][1]]
          expect(model.logDensity(x0, x1)[0]).to.be.closeTo(logDensityOf(expected, x1), 1e-9)
        })
        expectClose([[...model.drift([1, 2], 0.3).data]], [driftOf(same, [1, 2], 0.3)], 1e-4)
      })
    }

    it('the density integrates to 1', () => {
      const model = bridgeWith(randomPotential(3, 1, 0.5, false, 33), false, backend)
      const [low, high, count] = [-20, 20, 4000]
      const grid = Array.from({ length: count + 1 }, (_, k) => [low + ((high - low) * k) / count])
      for (const x0 of [-2, 0, 1.3]) {
        const density = model.logDensity(
          grid.map(() => [x0]),
          grid,
        )
        // The trapezoidal rule converges faster than any power here.
        const integral = density.reduce((sum, value) => sum + Math.exp(value), 0) * ((high - low) / count)
        expect(integral).to.be.closeTo(1, 1e-12)
      }
    })

    it('far points give finite answers: everything is in logarithms', () => {
      for (const full of [false, true]) {
        const model = bridgeWith(randomPotential(4, 2, 1e-3, full, 34), full, backend)
        const far = [
          [1e4, -1e4],
          [-1e6, 3],
        ]
        const { weights } = model.conditional(far)
        for (const row of toRows(weights.data, 4)) expect(row.reduce((a, b) => a + b)).to.be.closeTo(1, 1e-12)
        for (const t of [0, 0.5, 1]) expect(model.drift(far, t).data.every(Number.isFinite)).to.equal(true)
        expect(model.logDensity(far, points.slice(0, 2)).every(Number.isFinite)).to.equal(true)
        expect(model.sample(far).data.every(Number.isFinite)).to.equal(true)
      }
    })

    it('bridges: both ends exactly, and their spread in between', () => {
      const model = bridgeWith(randomPotential(2, 2, 0.8, false, 35), false, backend)
      expect([...model.bridge(points, others, 0).data]).to.deep.equal(points.flat())
      expect([...model.bridge(points, others, 1).data]).to.deep.equal(others.flat())
      const n = 20_000
      const repeated = (x: number[]) => ({ data: new Float64Array(2 * n).map((_, i) => x[i % 2]), shape: [n, 2] })
      const draws = model.bridge(repeated(points[0]), repeated(others[0]), 0.25)
      const mean = points[0].map((x, i) => 0.75 * x + 0.25 * others[0][i])
      expectMoments(toRows(draws.data, 2), { mean, covariance: identity(2, 0.25 * 0.75 * 0.8) }, 4)
    })

    it('paths: times refine the grid, and fewer times show the same path', () => {
      const model = bridgeWith(randomPotential(3, 2, 0.8, false, 36), false, backend)
      const all = model.trajectories(points, { steps: 4, seed: 2 })
      expect(all.shape).to.deep.equal([4, 5, 2])
      expect(toRows(all.data, 10).map((row) => row.slice(0, 2))).to.deep.equal(points)
      const some = model.trajectories(points, { steps: 4, times: [0, 0.5, 1], seed: 2 })
      expectClose(
        toRows(some.data, 6),
        toRows(all.data, 10).map((row) => [0, 1, 4, 5, 8, 9].map((i) => row[i])),
        0,
      )
      const refined = model.trajectories(points, { steps: 4, times: [0.25, 0.3, 0.5], seed: 2 })
      expect(refined.data[0]).to.equal(all.data[2])
      expect(refined.data[4]).not.to.equal(all.data[4])
      expect(model.trajectories(points, { steps: 4 }).data).not.to.deep.equal(all.data)
    })

    it('asynchronous calls give the same numbers', async () => {
      const model = bridgeWith(randomPotential(3, 2, 0.8, true, 37), true, backend)
      const progress: number[] = []
      const options = { steps: 300, seed: 4 }
      const paths = await model.trajectoriesAsync(points, {
        ...options,
        onProgress: ({ iteration }) => progress.push(iteration),
      })
      expect(paths).to.deep.equal(model.trajectories(points, options))
      expect(await model.sampleAsync(points, { count: 5, seed: 4 })).to.deep.equal(
        model.sample(points, { count: 5, seed: 4 }),
      )
    })
  })

  it('both backends and any number of threads draw the same numbers', () => {
    for (const full of [false, true]) {
      const potential = randomPotential(9, 3, 0.6, full, 38)
      const json = bridgeWith(potential, full, 'native').toJSON()
      const starts = toRows(randomPotential(100, 3, 1, false, 39).means.flat(), 3)
      const models = [
        lightBridgeFromJSON(json, { backend: 'native', threads: 1 }),
        lightBridgeFromJSON(json, { backend: 'native', threads: 3 }),
        lightBridgeFromJSON(json, { backend: 'portable' }),
      ]
      const [one, ...rest] = models
      const answers = (model: LightBridge) => [
        model.sample(starts, { count: 3, seed: 5 }).data,
        model.trajectories(starts, { steps: 7, seed: 6 }).data,
        model.drift(starts, 0.6).data,
        model.conditional(starts).weights.data,
        model.logDensity(starts, starts.toReversed()),
      ]
      expect(answers(rest[0])).to.deep.equal(answers(one))
      answers(rest[1]).forEach((values, k) => {
        expect(largestDifference(values, answers(one)[k])).to.be.below(1e-11)
      })
    }
  })

  it('weights count up to a factor only', () => {
    check(
      fc.property(fc.double({ min: -500, max: 500, noNaN: true }), (shift) => {
        const potential = randomPotential(3, 2, 0.8, false, 40)
        const moved = { ...potential, logWeights: potential.logWeights.map((value) => value + shift) }
        const plan = (p: Potential) => bridgeWith(p, false, 'portable').conditional(points).weights.data
        expect(largestDifference(plan(moved), plan(potential))).to.be.below(1e-12)
      }),
    )
  })
})
