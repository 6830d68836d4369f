import { expect } from 'chai'
import { type BackendName, kernels } from '../../lib/backend/index.js'
import { Coordinates } from '../../lib/backend/portable/transport/light-bridge/coordinates.js'
import type { BridgeMixture, BridgeShape, FitJob } from '../../lib/backend/transport-light-bridge.js'
import { forEachBackend } from '../helpers/backends.js'
import { conditionalOf, dataOf, logNormal, lossAt, type Potential } from '../helpers/bridge.js'
import { inner, product, times, toRows, transpose } from '../helpers/matrices.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { largestDifference } from '../helpers/transport.js'

const noControl = { timeLimit: Number.POSITIVE_INFINITY }

interface Case {
  shape: BridgeShape
  floor: number
  theta: Float64Array
  source: number[][]
  target: number[][]
}

/** Parameters and points of moderate size. Full triangles are zero above the diagonal. */
function randomCase(components: number, dimension: number, full: boolean, rows: [number, number], seed: number): Case {
  const gaussian = randomNormal(seed)
  const perScale = full ? dimension * dimension : dimension
  const start = components * (1 + dimension)
  const theta = fill(start + components * perScale, () => 0.5 * gaussian())
  if (full) {
    for (let k = start; k < theta.length; k++) {
      const place = (k - start) % perScale
      if (place % dimension > Math.floor(place / dimension)) theta[k] = 0
    }
  }
  const points = (n: number) => toRows(fill(n * dimension, gaussian), dimension)
  const shape = { components, dimension, full, epsilon: 0.7 }
  return { shape, floor: 0.01, theta, source: points(rows[0]), target: points(rows[1]) }
}

function lossOf(backend: BackendName, at: Case, matching: boolean, theta = at.theta, threads = 2) {
  const { shape, floor, source, target } = at
  return lossAt(backend, { shape, floor, matching, theta, threads, source: dataOf(source), target: dataOf(target) })
}

/** S_k of a mixture, written out. */
function potentialOf({
  components: K,
  dimension: D,
  full,
  epsilon,
  logWeights,
  means,
  scales,
}: BridgeMixture): Potential {
  const square = (k: number) => {
    if (!full)
      return Array.from({ length: D }, (_, i) => Array.from({ length: D }, (_, j) => (i === j ? scales[k * D + i] : 0)))
    const triangle = toRows(scales.subarray(k * D * D, (k + 1) * D * D), D)
    return product(triangle, transpose(triangle))
  }
  return {
    epsilon,
    logWeights: [...logWeights],
    means: toRows(means, D),
    scales: Array.from({ length: K }, (_, k) => square(k)),
  }
}

/** mean log c(x0) - mean log v(x1), term by term. */
function naiveLoss(potential: Potential, source: number[][], target: number[][]): number {
  const { epsilon, logWeights, means, scales } = potential
  const logSum = (terms: number[]) => Math.log(terms.reduce((sum, term) => sum + Math.exp(term), 0))
  const logC = source.map((x) =>
    logSum(logWeights.map((a, k) => a + (inner(x, times(scales[k], x)) + 2 * inner(means[k], x)) / (2 * epsilon))),
  )
  const logV = target.map((x) =>
    logSum(
      logWeights.map(
        (a, k) =>
          a +
          logNormal(
            x,
            means[k],
            scales[k].map((row) => row.map((value) => epsilon * value)),
          ),
      ),
    ),
  )
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  return mean(logC) - mean(logV)
}

const shapes: [string, Case][] = [
  ['diagonal', randomCase(4, 3, false, [70, 131], 1)],
  ['diagonal, one component and coordinate', randomCase(1, 1, false, [5, 3], 2)],
  ['full', randomCase(3, 3, true, [70, 131], 3)],
  ['full, one component and coordinate', randomCase(1, 1, true, [5, 3], 4)],
]

describe('light bridge: kernels', () => {
  forEachBackend((backend) => {
    for (const [name, at] of shapes) {
      it(`loss, ${name}: as by its definition`, () => {
        const mixture = new Coordinates(at.shape, at.floor).expand(at.theta)
        const expected = naiveLoss(potentialOf(mixture), at.source, at.target)
        expect(lossOf(backend, at, false).value).to.be.closeTo(expected, 1e-12 * (1 + Math.abs(expected)))
      })

      for (const matching of [false, true]) {
        it(`gradient of ${matching ? 'matching' : 'the likelihood'}, ${name}: as by differences`, () => {
          const { gradient } = lossOf(backend, at, matching)
          const step = 1e-5
          const differences = at.theta.map((value, i) => {
            // What is above the diagonal is no parameter.
            if (value === 0) return 0
            const shifted = (by: number) => {
              const theta = at.theta.slice()
              theta[i] += by
              return lossOf(backend, at, matching, theta).value
            }
            return (shifted(step) - shifted(-step)) / (2 * step)
          })
          expect(largestDifference(gradient, differences)).to.be.below(2e-8)
        })
      }
    }

    it('the loss is stationary at the true parameters, in expectation', () => {
      const at = randomCase(3, 2, false, [20_000, 1], 5)
      const potential = potentialOf(new Coordinates(at.shape, at.floor).expand(at.theta))
      const gaussian = randomNormal(6)
      const next = random(7)
      // x1 from the conditional plan of other draws x0, drawn here by hand.
      const target = Array.from({ length: 20_000 }, () => {
        const { weights, means, covariances } = conditionalOf(potential, [gaussian(), gaussian()])
        let u = next()
        let k = 0
        while (k < weights.length - 1 && u >= weights[k]) u -= weights[k++]
        return means[k].map((m, i) => m + Math.sqrt(covariances[k][i][i]) * gaussian())
      })
      const { gradient } = lossOf(backend, { ...at, target }, false)
      // Derivatives by logarithms and scaled means are averages of terms of size about one.
      expect(Math.max(...gradient.map(Math.abs))).to.be.below(4 * Math.sqrt(2 / 20_000))
      const moved = at.theta.map((value) => value + 0.1)
      const elsewhere = lossOf(backend, { ...at, target }, false, moved).gradient
      expect(Math.max(...elsewhere.map(Math.abs))).to.be.above(0.05)
    })

    it('matching: rows are pairs', () => {
      const at = randomCase(2, 2, false, [200, 200], 8)
      const same = lossOf(backend, at, true).value
      const turned = { ...at, target: [...at.target.slice(1), at.target[0]] }
      expect(lossOf(backend, turned, true).value).not.to.be.closeTo(same, 1e-3)
      expect(lossOf(backend, turned, false).value).to.be.closeTo(lossOf(backend, at, false).value, 1e-12)
    })
  })

  it('both backends compute the same, on any number of threads', () => {
    for (const [components, dimension, full] of [
      [50, 16, false],
      [7, 5, true],
    ] as const) {
      const at = randomCase(components, dimension, full, [1500, 2500], 9)
      for (const matching of [false, true]) {
        const native = lossOf('native', at, matching, at.theta, 1)
        for (const threads of [2, 3, 8]) {
          const again = lossOf('native', at, matching, at.theta, threads)
          expect(again.value).to.equal(native.value)
          expect(again.gradient).to.deep.equal(native.gradient)
        }
        const portable = lossOf('portable', at, matching)
        expect(portable.value).to.be.closeTo(native.value, 1e-12 * Math.abs(native.value))
        const size = Math.max(...native.gradient.map(Math.abs))
        expect(largestDifference(portable.gradient, native.gradient)).to.be.below(1e-12 * size)
      }
    }
  })

  it('Adam in parts is Adam in one', () => {
    for (const backend of ['native', 'portable'] as const) {
      const at = randomCase(3, 2, false, [64, 64], 10)
      const run = (theta: Float64Array, parts: [number, number][]) => {
        const report = new Float64Array(4)
        const moments = new Float64Array(2 * theta.length)
        for (const [first, iterations] of parts) {
          const job: FitJob = {
            shape: at.shape,
            floor: at.floor,
            source: dataOf(at.source),
            target: dataOf(at.target),
            method: 'adam',
            matching: false,
            learningRate: 0.05,
            cosine: true,
            batch: 64,
            first,
            iterations,
            total: 40,
            tolerance: 0,
            checkEvery: 1000,
            threads: 1,
            draws: new Uint32Array(12),
            theta,
            moments,
            history: new Float64Array(iterations),
            report,
          }
          kernels(backend).transport.lightBridge.fit.runSync(job, noControl)
        }
        return { theta, report: [...report] }
      }
      const whole = run(at.theta.slice(), [[0, 40]])
      const parts = run(at.theta.slice(), [
        [0, 15],
        [15, 5],
        [20, 20],
      ])
      expect(parts.theta).to.deep.equal(whole.theta)
      expect(parts.report[2]).to.equal(whole.report[2])
      expect(parts.report[3]).to.equal(whole.report[3])
    }
  })
})
