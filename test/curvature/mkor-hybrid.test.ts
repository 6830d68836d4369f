import { expect } from 'chai'
import { type HybridEvent, type MkorEvent, type MkorHybridOptions, mkorHybrid } from '../../lib/curvature/index.js'
import { sgd } from '../../lib/descent/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'

describe('curvature: mkorHybrid', () => {
  forEachBackend((backend) => {
    const statistics = [{ input: [1, 2], outputGradient: [1] }]

    /** Steps with losses and seconds that are given; the events, and the parameters after each step. */
    function play(losses: number[], options: Partial<MkorHybridOptions> = {}) {
      const events: (MkorEvent | HybridEvent)[] = []
      let time = 0
      const optimizer = mkorHybrid({
        base: sgd({ learningRate: 0.1, momentum: 0.5 }),
        layers: [{ weight: 'w' }],
        ...{ window: 2, patience: 2, smoothing: 0, interval: 1, storage: 'float64', backend },
        now: () => time,
        onEvent: (event) => events.push(event),
        ...options,
      })
      const params = { w: Float64Array.of(1, 1) }
      const trail: number[][] = []
      const phases: string[] = []
      for (const loss of losses) {
        optimizer.step(params, { w: Float64Array.of(1, 0.5) }, optimizer.wantsStatistics ? statistics : undefined, loss)
        time += 500
        trail.push(Array.from(params.w))
        phases.push(optimizer.phase)
      }
      return { optimizer, events, trail, phases, params }
    }

    it('switches for good when the base optimizer does no worse', () => {
      // Windows of two steps, a second each: 0.5, then 0.01 twice, and the trial at 0.02.
      const { events, optimizer, phases } = play([100, 75, 50, 49.75, 49.5, 49.25, 49.005, 48.5, 48.02, 48, 48])
      expect(events.map(({ type }) => type)).to.deep.equal(['probe', 'switch'])
      const [probe, change] = events as [HybridEvent & { type: 'probe' }, HybridEvent & { type: 'switch' }]
      expect(probe.step).to.equal(6)
      expect(probe.best).to.be.closeTo(0.5, 1e-12)
      expect(probe.rate).to.be.closeTo((49.5 - 49.005) / 49.5, 1e-12)
      expect(change.firstOrder).to.be.closeTo((49.005 - 48.02) / 49.005, 1e-12)
      expect(change.secondOrder).to.equal(probe.rate)
      expect(phases.at(-1)).to.equal('first-order')
      expect(optimizer.memoryBytes).to.equal(0)
      expect(optimizer.wantsStatistics).to.equal(false)
      expect(optimizer.state().header.factors).to.deep.equal([null])
    })

    it('goes back to the snapshot when it does worse, and waits twice as long', () => {
      const poor = [100, 75, 50, 49.75, 49.5, 49.25, 49.005]
      const { events, optimizer, trail, phases } = play([
        ...poor,
        60,
        70,
        49,
        48.9,
        48.8,
        48.7,
        48.6,
        48.5,
        48.4,
        48.3,
        48.2,
      ])
      expect(events.slice(0, 2).map(({ type }) => type)).to.deep.equal(['probe', 'resume'])
      expect(events[1]).to.include({ step: 8, patience: 4 })
      // Of the step that found out nothing but the snapshot is left.
      expect(phases.slice(5, 9)).to.deep.equal(['second-order', 'probe', 'probe', 'second-order'])
      expect(trail[8]).to.deep.equal(trail[5])
      // Four poor windows of two steps each, and it is tried again.
      expect(events[2]).to.include({ type: 'probe', step: 15 })
      expect(optimizer.phase).to.equal('probe')
      expect(events).to.have.length(3)
    })

    it('does not switch while the loss falls fast', () => {
      const { events, phases } = play(Array.from({ length: 40 }, (_, t) => 100 * 0.9 ** t))
      expect(events).to.deep.equal([])
      expect(new Set(phases)).to.deep.equal(new Set(['second-order']))
    })

    it('goes on from a state', () => {
      const losses = [100, 75, 50, 49.75, 49.5]
      const clock = () => {
        let calls = 0
        return () => 500 * calls++
      }
      const { optimizer, params } = play(losses, { now: clock() })
      const state = structuredClone(optimizer.state())
      const twin = play([], { now: clock() }).optimizer
      twin.restore(state)
      const copy = { w: params.w.slice() }
      for (const loss of [49.25, 49.005]) {
        optimizer.step(params, { w: Float64Array.of(1, 0.5) }, statistics, loss)
        twin.step(copy, { w: Float64Array.of(1, 0.5) }, statistics, loss)
      }
      expect(copy).to.deep.equal(params)
      expect(twin.phase).to.equal('probe')
      expect(twin.state().arrays).to.deep.equal(optimizer.state().arrays)
    })

    it('refuses what it cannot use', () => {
      expectError(() => play([], { window: 0 }), 'ERR_OPTION', /^window: /)
      expectError(() => play([], { switchRatio: 2 }), 'ERR_OPTION', /^switchRatio: /)
      expectError(() => play([], { patience: 0 }), 'ERR_OPTION', /^patience: /)
      expectError(() => play([], { smoothing: 1 }), 'ERR_OPTION', /^smoothing: /)
      expectError(() => play([Number.NaN]), 'ERR_NOT_FINITE', /^loss: /)
      expectError(() => play([], { decay: 0 }), 'ERR_OPTION', /^decay: /)
    })
  })
})
