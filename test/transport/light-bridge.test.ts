import { expect } from 'chai'
import { bridgeBenchmark } from '../../bench/lib/bridge-benchmark.js'
import type { BackendName } from '../../lib/backend/index.js'
import { generator } from '../../lib/random/index.js'
import {
  type LightBridge,
  type LightBridgeOptions,
  lightBridge,
  lightBridgeSync,
  pointCloud,
  sinkhorn,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { bridgeWith, conditionalOf, halfBures, mixtureMoments } from '../helpers/bridge.js'
import { expectClose } from '../helpers/close.js'
import {
  combined,
  diagonal,
  identity,
  inverse,
  momentsOf,
  product,
  type Rows,
  squareRoot,
  times,
  toRows,
  transpose,
} from '../helpers/matrices.js'
import { random, randomNormal } from '../helpers/random.js'
import { largestDifference } from '../helpers/transport.js'

/** Points of a normal distribution, squeezed and moved. */
function cloud(n: number, d: number, seed: number, spread = 1, mean = 0): number[][] {
  const gaussian = randomNormal(seed)
  return Array.from({ length: n }, () => Array.from({ length: d }, (_, i) => mean + spread * (1 + i / 2) * gaussian()))
}

/** Two clusters in the plane, one side up, one down. */
function clusters(n: number, seed: number): number[][] {
  const next = random(seed)
  return cloud(n, 2, seed + 1, 0.3).map(([x, y]) => (next() < 0.4 ? [x + 2, y + 1] : [x - 1, y - 1]))
}

/** The S of one component that is optimal for these covariances: S = C' / Sigma0 with C the covariance of the entropic plan. */
function gaussianSlope(first: Rows, second: Rows, epsilon: number): Rows {
  const root = squareRoot(first)
  const inner = combined(product(product(root, second), root), epsilon ** 2 / 4, identity(first.length))
  const inverseRoot = inverse(root).inverse
  const cross = combined(product(product(root, squareRoot(inner)), inverseRoot), -epsilon / 2, identity(first.length))
  return product(transpose(cross), inverse(first).inverse)
}

/** Everything a fit can say, as plain numbers. */
function numbersOf(bridge: LightBridge): Float64Array {
  const { logWeights, means, scales } = bridge.parameters
  return Float64Array.of(...logWeights, ...means.data, ...scales.data)
}

describe('light bridge: fits', () => {
  forEachBackend((backend) => {
    const solve = (source: number[][], target: number[][], options: LightBridgeOptions) =>
      lightBridge({ source, target }, { backend, ...options })

    it('clusters in many dimensions under much noise: each is drawn as often as it is there', async () => {
      const [n, d] = [400, 96]
      const centres = [0, 1, 2].map((c) => Array.from({ length: d }, (_, i): number => (i % 3 === c ? 2 : 0)))
      const gaussian = randomNormal(5)
      const target = Array.from({ length: n }, (_, i) => centres[i % 4 === 3 ? 0 : i % 4].map((x) => x + gaussian()))
      const fit = await lightBridge(
        { source: target.map((y) => y.map(() => gaussian())), target },
        { epsilon: 20, components: 12, optimizer: 'adam', maxIterations: 300, backend },
      )
      const drawn = fit.sample({ data: new Float64Array(2000 * d), shape: [2000, d] }, { seed: 3 })
      const counts = [0, 0, 0]
      const distances: number[] = []
      for (let i = 0; i < 2000; i++) {
        const away = centres.map((c) => c.reduce((sum, x, l) => sum + (drawn.data[i * d + l] - x) ** 2, 0))
        counts[away.indexOf(Math.min(...away))] += 1 / 2000
        distances.push(Math.min(...away))
      }
      expect(counts[0]).to.be.closeTo(0.5, 0.08)
      expect(counts[1]).to.be.closeTo(0.25, 0.08)
      // Root of the mean square per coordinate, of noise 1; one component for everything would have the clusters' spread on top.
      const near = distances.reduce((sum, away) => sum + Math.sqrt(away / d), 0) / 2000
      expect(near).to.be.closeTo(1, 0.1)
    })

    it('one component: the Gaussian bridge of the data, per coordinate', async () => {
      const source = cloud(60, 3, 1, 1, 5)
      const target = cloud(80, 3, 2, 0.6, -2)
      for (const epsilon of [0.05, 1, 20]) {
        const bridge = await solve(source, target, { epsilon, components: 1, tolerance: 1e-11 })
        expect(bridge.status).to.equal('converged')
        const first = momentsOf(source)
        const second = momentsOf(target)
        const slopes = first.mean.map((_, i) => {
          const [a, b] = [first.covariance[i][i], second.covariance[i][i]]
          return (-epsilon + Math.sqrt(epsilon ** 2 + 4 * a * b)) / (2 * a)
        })
        const { scales, means } = bridge.parameters
        expectClose([[...scales.data]], [slopes], 1e-9)
        expectClose([[...means.data]], [second.mean.map((m, i) => m - slopes[i] * first.mean[i])], 1e-8)
      }
    })

    it('one component of any form: the Gaussian bridge of the data', async () => {
      const turn = [
        [0.8, -0.6, 0.3],
        [0.2, 1, -0.5],
        [0.4, 0.1, 0.9],
      ]
      const source = cloud(60, 3, 3)
      const target = cloud(70, 3, 4, 0.7, 1).map((x) => times(turn, x))
      for (const epsilon of [0.1, 3]) {
        const bridge = await solve(source, target, { epsilon, components: 1, covariance: 'full', tolerance: 1e-11 })
        expect(bridge.status).to.equal('converged')
        const slope = gaussianSlope(momentsOf(source).covariance, momentsOf(target).covariance, epsilon)
        expectClose(toRows(bridge.parameters.scales.data, 3), slope, 1e-8)
      }
    })

    it('one component, by Adam and by matching: near the Gaussian bridge', async () => {
      const source = cloud(400, 2, 5)
      const target = cloud(400, 2, 6, 0.7, 1)
      for (const objective of ['likelihood', 'matching'] as const) {
        for (const covariance of ['diagonal', 'full'] as const) {
          const options = { epsilon: 0.5, components: 1, optimizer: 'adam', maxIterations: 2000, seed: 4 } as const
          const bridge = await solve(source, target, { ...options, objective, covariance })
          const slope = gaussianSlope(momentsOf(source).covariance, momentsOf(target).covariance, 0.5)
          const { data } = bridge.parameters.scales
          const found =
            covariance === 'full'
              ? toRows(data, 2)
              : [
                  [data[0], 0],
                  [0, data[1]],
                ]
          expectClose(found, slope, 0.1)
          expectClose([[...bridge.conditionalMean([1, -1]).data]], [[1 + slope[0][0], 1 - slope[1][1]]], 0.15)
        }
      }
    })

    it("conditional means are those of Sinkhorn's plan between the points", async () => {
      const n = backend === 'native' ? 2000 : 500
      const source = cloud(n, 2, 7, 0.8)
      const target = clusters(n, 8)
      const epsilon = 0.5
      const bridge = await solve(source, target, { epsilon, components: 10, optimizer: 'lbfgs', maxIterations: 150 })
      // The same cost without its factor 1/2.
      const plan = await sinkhorn(
        { cost: pointCloud(source, target) },
        { epsilon: 2 * epsilon, tolerance: 1e-6, certificate: false },
      )
      const means = toRows(bridge.conditionalMean(source).data, 2)
      const columns = [0, 1].map((i) => plan.apply(target.map((y) => y[i])))
      const errors = means.map((m, b) => Math.hypot(m[0] - n * columns[0][b], m[1] - n * columns[1][b]))
      const spread = Math.sqrt(momentsOf(target).covariance[0][0])
      expect(errors.reduce((sum, e) => sum + e, 0) / n).to.be.below(0.1 * spread)
    })

    it('the benchmark of the paper: the conditional plan to 0.3 %', async () => {
      const cells: [number, number, number][] =
        backend === 'native'
          ? [
              [0.1, 2, 3000],

              [1, 16, 1500],
              [10, 16, 1500],
            ]
          : [[1, 2, 1500]]
      for (const [epsilon, d, maxIterations] of cells) {
        const json = bridgeBenchmark(d, epsilon, 50)
        const potential = { ...json, scales: (json.scales as Rows).map(diagonal) }
        const truth = bridgeWith(potential, false, backend)
        const draws = generator(9)
        let seed = 0
        const points = (n: number) => ({ data: draws.normal(n * d), shape: [n, d] })
        const target = (n: number) => truth.sample(points(n), { seed: seed++ })
        const options: LightBridgeOptions = { epsilon, maxIterations, components: 30, backend }
        const bridge = await lightBridge({ source: points, target }, options)
        const variance = momentsOf(toRows(target(4000).data, d)).covariance.reduce((sum, row, i) => sum + row[i], 0)
        const starts = toRows(points(20).data, d)
        const fitted = bridge.conditionalMean(starts).data
        const covariances = bridge.conditionalCovariance(starts).data
        const independent = { mean: Array<number>(d).fill(0), covariance: identity(d, variance / d) }
        let error = 0
        let errorOfIndependent = 0
        starts.forEach((x0, b) => {
          const expected = mixtureMoments(conditionalOf(potential, x0))
          const mean = [...fitted.subarray(b * d, (b + 1) * d)]
          const covariance = toRows(covariances.subarray(b * d * d, (b + 1) * d * d), d)
          error += halfBures({ mean, covariance }, expected) / starts.length
          errorOfIndependent += halfBures(independent, expected) / starts.length
        })
        expect((100 * error) / (variance / 2)).to.be.below(0.3)
        if (epsilon <= 1) expect(error).to.be.below(errorOfIndependent / 100)
      }
    })

    it('units and origin do not matter', async () => {
      const source = cloud(100, 2, 9)
      const target = clusters(120, 10)
      const [a, b0, b1] = [250, 1e5, -3e4]
      const moved = (rows: number[][], b: number) => rows.map((row) => row.map((x) => a * x + b))
      for (const optimizer of ['adam', 'lbfgs'] as const) {
        const options = { components: 4, optimizer, maxIterations: 40, seed: 2 }
        const here = await solve(source, target, { epsilon: 0.3, ...options })
        const there = await solve(moved(source, b0), moved(target, b1), { epsilon: 0.3 * a * a, ...options })
        expect(there.loss).to.be.closeTo(here.loss, 1e-7)
        const means = toRows(here.conditionalMean(source).data, 2)
        expectClose(toRows(there.conditionalMean(moved(source, b0)).data, 2), moved(means, b1), 1e-3)
      }
    })

    it('turning the data turns the bridge, with S of any form', async () => {
      const source = cloud(150, 2, 11)
      const target = clusters(150, 12)
      const turn = [
        [0.6, -0.8],
        [0.8, 0.6],
      ]
      const turned = (rows: number[][]) => rows.map((row) => times(turn, row))
      const options = { epsilon: 1, components: 2, covariance: 'full', tolerance: 1e-9, maxIterations: 2000 } as const
      const here = await solve(source, target, options)
      const there = await solve(turned(source), turned(target), options)
      expect([here.status, there.status]).to.deep.equal(['converged', 'converged'])
      expect(there.loss).to.be.closeTo(here.loss, 1e-10)
      const means = toRows(here.conditionalMean(source).data, 2)
      expectClose(toRows(there.conditionalMean(turned(source)).data, 2), turned(means), 1e-5)
    })

    it('matching comes to the same bridge from any coupling', async () => {
      const source = cloud(500, 1, 13)
      const optimal = source.map(([x]) => [2 * x + 1])
      const options = { epsilon: 0.01, components: 1, objective: 'matching', maxIterations: 1500 } as const
      const variances = momentsOf(source).covariance[0][0]
      const slope = (-0.01 + Math.sqrt(1e-4 + 16 * variances ** 2)) / (2 * variances)
      const losses: number[] = []
      for (const [target, pairing] of [
        [optimal, 'rows'],
        [optimal, 'independent'],
        [source.map(([x]) => [1 - 2 * x]), 'rows'],
      ] as const) {
        const bridge = await solve(source, target, { ...options, pairing })
        expect(bridge.parameters.scales.data[0]).to.be.closeTo(slope, 0.15)
        losses.push(bridge.loss)
      }
      // But the paths are straightest between the pairs of the optimal plan.
      expect(losses[0]).to.be.below(losses[1])
      expect(losses[1]).to.be.below(losses[2])
    })

    it('the synchronous call gives the same bridge', async () => {
      const source = cloud(90, 2, 14)
      const target = clusters(70, 15)
      for (const options of [
        { optimizer: 'adam', maxIterations: 30 },
        { optimizer: 'lbfgs', maxIterations: 10 },
        { objective: 'matching', maxIterations: 30 },
        { initialization: 'kmeans++', maxIterations: 5 },
        { variant: 'paper', optimizer: 'adam', maxIterations: 30 },
      ] as const) {
        const all = { epsilon: 0.5, components: 5, backend, ...options }
        const here = lightBridgeSync({ source, target }, all)
        const there = await lightBridge({ source, target }, all)
        expect(numbersOf(there)).to.deep.equal(numbersOf(here))
        expect(there.history).to.deep.equal(here.history)
        expect(there.history).to.have.length(there.iterations)
        expect(there.history.every(Number.isFinite)).to.equal(true)
        expect([there.status, there.loss, there.residual]).to.deep.equal([here.status, here.loss, here.residual])
        expect(there.backend).to.equal(backend)
      }
    })

    it('a seed gives the same bridge again, another one another', async () => {
      const source = cloud(90, 2, 16)
      const target = clusters(70, 17)
      const once = (seed?: number | bigint) =>
        solve(source, target, { epsilon: 0.5, components: 5, maxIterations: 10, optimizer: 'adam', seed })
      const [first, again, other] = [await once(7), await once(7n), await once(8)]
      expect(numbersOf(again)).to.deep.equal(numbersOf(first))
      expect(numbersOf(other)).not.to.deep.equal(numbersOf(first))
      expect(numbersOf(await once())).to.deep.equal(numbersOf(await once(0)))
    })

    it('matrices in all forms, none of which is changed', async () => {
      const source = cloud(40, 2, 18)
      const target = clusters(30, 19)
      const options = { epsilon: 0.5, components: 3, maxIterations: 5, backend }
      const expected = numbersOf(lightBridgeSync({ source, target }, options))
      const data = Float64Array.from(source.flat())
      const transposed = Float64Array.from(transpose(target).flat())
      const forms = {
        source: { data, shape: [40, 2] },
        target: { data: transposed, shape: [30, 2], stride: [1, 30] },
      }
      expect(numbersOf(lightBridgeSync(forms, options))).to.deep.equal(expected)
      expect([...data]).to.deep.equal(source.flat())
      const single = { data: Float32Array.from(data), shape: [40, 2] }
      const rounded = toRows(single.data, 2)
      expect(numbersOf(lightBridgeSync({ source: single, target }, options))).to.deep.equal(
        numbersOf(lightBridgeSync({ source: rounded, target }, options)),
      )
    })
  })

  it('both backends come to the same bridge', () => {
    const source = cloud(300, 3, 20)
    const target = cloud(250, 3, 21, 0.4, 1).map((x, i) => (i % 3 === 0 ? x.map((value) => value - 3) : x))
    for (const options of [
      { optimizer: 'adam', maxIterations: 200 },
      { optimizer: 'adam', variant: 'paper', maxIterations: 200 },
      { optimizer: 'adam', covariance: 'full', maxIterations: 100 },
      { objective: 'matching', maxIterations: 100 },
      { objective: 'matching', covariance: 'full', maxIterations: 50 },
      { optimizer: 'lbfgs', maxIterations: 25 },
      { optimizer: 'lbfgs', covariance: 'full', initialization: 'kmeans++', maxIterations: 25 },
    ] as const) {
      const on = (backend: BackendName, threads: number) =>
        lightBridgeSync({ source, target }, { epsilon: 0.4, components: 8, seed: 3, ...options, backend, threads })
      const native = on('native', 1)
      const size = Math.max(...numbersOf(native).map(Math.abs))
      expect(numbersOf(on('native', 4))).to.deep.equal(numbersOf(native))
      expect(largestDifference(numbersOf(on('portable', 1)), numbersOf(native))).to.be.below(1e-9 * size)
    }
  })
})
