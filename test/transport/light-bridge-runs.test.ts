import { expect } from 'chai'
import type { Progress } from '../../lib/core/index.js'
import { generator } from '../../lib/random/index.js'
import { type LightBridgeOptions, lightBridge, lightBridgeSync } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { rejection } from '../helpers/errors.js'
import { momentsOf, toRows } from '../helpers/matrices.js'
import { fill, randomNormal } from '../helpers/random.js'

function cloud(n: number, seed: number, mean = 0): number[][] {
  return toRows(fill(2 * n, randomNormal(seed)), 2).map((row) => row.map((x) => x + mean))
}

const source = cloud(500, 1)
const target = cloud(400, 2, 3).map(([x, y], i) => [i % 2 === 0 ? x : x - 6, y / 2])
const endless = { maxIterations: 10_000_000, tolerance: 0 }

describe('light bridge: how fits end', () => {
  forEachBackend((backend) => {
    const base = { epsilon: 0.5, components: 6, backend }
    const solve = (options: Partial<LightBridgeOptions>) => lightBridge({ source, target }, { ...base, ...options })

    it('converged: the residual is at most the tolerance', async () => {
      const bridge = await solve({ optimizer: 'lbfgs', tolerance: 1e-3, maxIterations: 2000 })
      expect(bridge.status).to.equal('converged')
      expect(bridge.residual).to.be.at.most(1e-3)
      expect(bridge.iterations).to.be.above(5)
      expect(bridge.history).to.have.length(bridge.iterations)
      expect(bridge.history.at(-1)).to.be.closeTo(bridge.loss, 1e-9)
      // A start that is good enough is returned as it is.
      for (const optimizer of ['adam', 'lbfgs'] as const) {
        const start = await solve({ optimizer, tolerance: 1e3 })
        expect([start.status, start.iterations]).to.deep.equal(['converged', 0])
      }
      // Minibatches that are all points have no noise.
      const adam = await solve({
        optimizer: 'adam',
        batchSize: 1000,
        components: 1,
        tolerance: 1e-3,
        maxIterations: 3000,
      })
      expect(adam.status).to.equal('converged')
      expect(adam.iterations).to.be.within(1, 3000)
    })

    it('iteration-limit: exactly so many iterations', async () => {
      for (const options of [{ optimizer: 'adam' }, { optimizer: 'lbfgs' }, { objective: 'matching' }] as const) {
        const bridge = await solve({ ...options, maxIterations: 7 })
        expect([bridge.status, bridge.iterations]).to.deep.equal(['iteration-limit', 7])
        expect(bridge.residual).to.be.above(0)
        expect(Number.isFinite(bridge.loss)).to.equal(true)
      }
    })

    it('time-limit: what there is by then', async () => {
      for (const options of [
        { optimizer: 'adam' },
        { optimizer: 'lbfgs', components: 100 },
        { objective: 'matching' },
      ] as const) {
        const all = { ...options, ...endless, timeLimit: 20 }
        const bridges = [await solve(all), lightBridgeSync({ source, target }, { ...base, ...all })]
        for (const bridge of bridges) {
          // On few points L-BFGS may come to the end of what rounding lets it see.
          expect(bridge.status).to.be.oneOf(options.optimizer === 'lbfgs' ? ['time-limit', 'stalled'] : ['time-limit'])
          expect(bridge.iterations).to.be.below(endless.maxIterations)
          expect(Number.isFinite(bridge.residual)).to.equal(true)
          expect(bridge.parameters.means.data.every(Number.isFinite)).to.equal(true)
        }
      }
    })

    it('stalled: after divergence, the last parameters that were good', async () => {
      const bridge = await solve({ optimizer: 'adam', learningRate: 1e4, maxIterations: 50 })
      expect(bridge.status).to.equal('stalled')
      expect(bridge.warnings.join()).to.match(/the loss was not finite after \d+ iterations/)
      for (const value of [bridge.loss, bridge.residual, ...bridge.parameters.means.data]) {
        expect(Number.isFinite(value)).to.equal(true)
      }
      expect(bridge.sample(source).data.every(Number.isFinite)).to.equal(true)
    })

    it('abort: rejects with the reason', async () => {
      const reason = new Error('enough')
      const before = AbortSignal.abort(reason)
      expect(await rejection(solve({ signal: before }))).to.equal(reason)
      for (const options of [{ optimizer: 'adam' }, { optimizer: 'lbfgs' }, { objective: 'matching' }] as const) {
        const controller = new AbortController()
        const running = solve({ ...options, ...endless, signal: controller.signal, components: 50 })
        setTimeout(() => controller.abort(reason), 20)
        expect(await rejection(running)).to.equal(reason)
      }
      const bridge = await solve({ maxIterations: 1 })
      const controller = new AbortController()
      const paths = bridge.trajectoriesAsync(source, { steps: 20_000, times: [1], signal: controller.signal })
      setTimeout(() => controller.abort(reason), 20)
      expect(await rejection(paths)).to.equal(reason)
      expect(await rejection(bridge.sampleAsync(source, { signal: before }))).to.equal(reason)
    })

    it('progress: iterations ascend', async () => {
      for (const options of [{ optimizer: 'adam' }, { optimizer: 'lbfgs' }] as const) {
        const seen: Progress[] = []
        await solve({ ...options, maxIterations: 400, timeLimit: 400, onProgress: (progress) => seen.push(progress) })
        expect(seen.length).to.be.above(0)
        seen.forEach(({ iteration, residual, elapsed }, k) => {
          if (k > 0) expect(iteration).to.be.at.least(seen[k - 1].iteration)
          expect(residual).to.be.above(0)
          expect(elapsed).to.be.above(0)
        })
      }
      const failure = new Error('from the callback')
      const failing = solve({
        optimizer: 'adam',
        ...endless,
        onProgress: () => {
          throw failure
        },
      })
      expect(await rejection(failing)).to.equal(failure)
    })

    it('more components than target points: reduced, and told', async () => {
      const few = target.slice(0, 4)
      for (const initialization of ['samples', 'kmeans++'] as const) {
        const bridge = await lightBridge(
          { source, target: few },
          { epsilon: 0.5, backend, initialization, maxIterations: 20 },
        )
        expect(bridge.components).to.equal(4)
        expect(bridge.parameters.logWeights).to.have.length(4)
        expect(bridge.warnings).to.deep.equal([
          'components: 50 are more than the 4 different target points; reduced to these',
        ])
      }
      expect((await solve({ maxIterations: 3 })).warnings).to.deep.equal([])
    })

    it('repeated target points: components collapse no further than the floor', async () => {
      const places = [
        [0, 0],
        [5, 1],
        [-2, 3],
      ]
      const repeated = Array.from({ length: 300 }, (_, i) => places[i % 3])
      for (const covariance of ['diagonal', 'full'] as const) {
        for (const optimizer of ['adam', 'lbfgs'] as const) {
          const bridge = await lightBridge(
            { source, target: repeated },
            { epsilon: 0.3, components: 5, covariance, optimizer, backend, maxIterations: 600, learningRate: 0.1 },
          )
          const { scales, means } = bridge.parameters
          expect(means.data.every(Number.isFinite)).to.equal(true)
          expect(bridge.components).to.equal(3)
          for (let k = 0; k < 3; k++) {
            const [first, cross, last] =
              covariance === 'full'
                ? [0, 1, 3].map((i) => scales.data[4 * k + i])
                : [scales.data[2 * k], 0, scales.data[2 * k + 1]]
            expect(first * last - cross * cross).to.be.above(0)
            expect(Math.min(first, last)).to.be.at.least(1e-6)
          }
          if (covariance === 'full') continue // takes longer to come near the floor
          const draws = toRows(bridge.sample(source, { seed: 1 }).data, 2)
          const distances = draws.map((x) => Math.min(...places.map((y) => Math.hypot(x[0] - y[0], x[1] - y[1]))))
          expect(distances.reduce((sum, d) => sum + d) / distances.length).to.be.below(0.05)
        }
      }
      const one = Array.from({ length: 10 }, () => [2, 2])
      const bridge = await lightBridge({ source: one, target: one }, { epsilon: 0.3, backend, maxIterations: 20 })
      expect(bridge.sample(one).data.every(Number.isFinite)).to.equal(true)
    })

    it('epsilon far above the variance: both sides are independent', async () => {
      const bridge = await solve({ epsilon: 1e10, components: 1, tolerance: 1e-9, optimizer: 'lbfgs' })
      const plan = bridge.conditional(source[0])
      expect([...plan.means.data].every((m, i) => Math.abs(m - momentsOf(target).mean[i]) < 1e-3)).to.equal(true)
      plan.covariances.data.forEach((c, i) => {
        expect(c / momentsOf(target).covariance[i][i]).to.be.closeTo(1, 1e-3)
      })
    })

    it('a tiny epsilon is warned of, and works in logarithms', async () => {
      const bridge = await solve({ epsilon: 1e-5, maxIterations: 30 })
      expect(bridge.warnings.join()).to.match(/^epsilon is \S+ times the variance of the data/)
      expect(bridge.sample(source).data.every(Number.isFinite)).to.equal(true)
    })

    describe('samplers', () => {
      /** Fresh normal points; remembers how many it was asked for. */
      const sampler = (seed: number, mean: number, asked: number[] = []) => {
        const draws = generator(seed)
        return (n: number) => {
          asked.push(n)
          return { data: draws.normal(2 * n).map((z) => mean + z), shape: [n, 2] }
        }
      }

      it('synchronous and asynchronous ones give the same bridge', async () => {
        const options = { epsilon: 1, components: 3, maxIterations: 150, batchSize: 32, backend }
        const asked: number[] = []
        const plain = lightBridgeSync({ source: sampler(1, 0, asked), target: sampler(2, 4, asked) }, options)
        // 64 batches at a time, source and target in turn.
        expect(asked).to.deep.equal(Array(6).fill(2048))
        expect([plain.status, plain.iterations]).to.deep.equal(['iteration-limit', 150])
        expect(plain.history).to.have.length(150)
        const [first, second] = [sampler(1, 0), sampler(2, 4)]
        const later = await lightBridge(
          {
            source: async (n) => first(n),
            target: (n) => new Promise((resolve) => setTimeout(() => resolve(second(n)), 2)),
          },
          options,
        )
        expect(later.parameters).to.deep.equal(plain.parameters)
        expect(later.history).to.deep.equal(plain.history)
        expect([later.loss, later.residual]).to.deep.equal([plain.loss, plain.residual])
      })

      it('come to the bridge of their distributions', async () => {
        const options = { epsilon: 1, components: 1, maxIterations: 1500, learningRate: 0.02, backend }
        const bridge = await lightBridge({ source: sampler(3, 0), target: sampler(4, 4) }, options)
        const slope = (-1 + Math.sqrt(5)) / 2
        for (const scale of bridge.parameters.scales.data) expect(scale).to.be.closeTo(slope, 0.02)
        const draws = toRows(bridge.sample(source, { seed: 1 }).data, 2)
        for (const mean of momentsOf(draws).mean) expect(mean).to.be.closeTo(4, 0.3)
      })

      it('stop at the tolerance and at the time limit', async () => {
        const both = { source: sampler(5, 0), target: sampler(6, 1) }
        const options = { epsilon: 1, components: 1, batchSize: 256, backend, maxIterations: 100_000 }
        const loose = await lightBridge(both, { ...options, learningRate: 0.05, tolerance: 0.05 })
        expect(loose.status).to.equal('converged')
        expect(loose.residual).to.be.at.most(0.05)
        const short = await lightBridge(both, { ...options, tolerance: 0, timeLimit: 60 })
        expect(short.status).to.equal('time-limit')
        expect(Number.isFinite(short.residual)).to.equal(true)
      })

      it('failures come through, aborts end them', async () => {
        const failure = new Error('no more points')
        let calls = 0
        const target = sampler(8, 0)
        const failing = (n: number) => {
          if (++calls > 2) throw failure
          return target(n)
        }
        const options = { epsilon: 1, components: 2, ...endless, backend }
        expect(await rejection(lightBridge({ source: sampler(7, 0), target: failing }, options))).to.equal(failure)
        expect(() => lightBridgeSync({ source: sampler(7, 0), target: failing }, options)).to.throw(failure)
        expect(await rejection(lightBridge({ source: async () => Promise.reject(failure), target }, options))).to.equal(
          failure,
        )
        const reason = new Error('enough')
        const controller = new AbortController()
        const running = lightBridge({ source: sampler(7, 0), target }, { ...options, signal: controller.signal })
        setTimeout(() => controller.abort(reason), 20)
        expect(await rejection(running)).to.equal(reason)
      })

      it('progress goes on from one part to the next', async () => {
        const seen: Progress[] = []
        const options = { epsilon: 1, components: 20, maxIterations: 3000, timeLimit: 500, backend }
        await lightBridge(
          { source: sampler(9, 0), target: sampler(10, 1) },
          { ...options, onProgress: (progress) => seen.push(progress) },
        )
        expect(seen.length).to.be.within(1, 20)
        seen.forEach(({ iteration, elapsed }, k) => {
          if (k === 0) return
          expect(iteration).to.be.above(seen[k - 1].iteration)
          expect(elapsed - seen[k - 1].elapsed).to.be.at.least(49)
        })
      })
    })
  })
})
