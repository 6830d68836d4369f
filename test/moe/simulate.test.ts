import { expect } from 'chai'
import {
  cacheSync,
  type ExpertTrace,
  type PrefetchSets,
  placeAffinitySync,
  prefetchSync,
  type SimulateOptions,
  simulate,
  simulateSync,
  syntheticTrace,
} from '../../lib/moe/index.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

/** Sets that know what comes. */
function foreseen({ data, shape }: ExpertTrace): PrefetchSets {
  const [layers, tokens, k] = Array.from(shape)
  return {
    layers,
    tokens,
    indptr: Int32Array.from({ length: layers * tokens + 1 }, (_, i) => i * k),
    indices: Int32Array.from(data),
  }
}

describe('moe: simulate', () => {
  it('times a small case as one does by hand', () => {
    // Two layers, two tokens; loads take 4 ms, experts 1 ms, the rest of a layer 2 ms.
    const trace: ExpertTrace = { data: [0, 1, 0, 2, 0, 1, 0, 1], shape: [2, 2, 2], experts: 3 }
    const options: SimulateOptions = { bandwidth: 0.25, expertTime: 1, layerTime: 2, slots: 2 }
    const { time, latency, stall, hitRate, bytes, bound, busy, throughput } = simulateSync(trace, options)
    // Token 0: layer 0 waits for expert 0 until 6, computes to 7, waits for expert 1 until 10, ends at 11; layer 1 alike,
    // 11 + 11. Token 1: layer 0 has expert 0, so 2 + 1, and expert 2 after 4 ms: 24 … 28, done at 29; layer 1 has both: 33.
    expect([time, latency.p50, latency.p99]).to.deep.equal([33, 11, 22])
    expect(stall).to.equal(4 + 3 + (4 + 3) + 3)
    expect(hitRate).to.be.closeTo(3 / 8, 1e-12)
    expect([bytes, bound, busy[0]]).to.deep.equal([5, 16, 8])
    expect(throughput).to.be.closeTo(2000 / 33, 1e-9)
    // With all that comes loaded ahead only the first layer waits; loads go on during the 2 ms that follow.
    const ahead = simulateSync(trace, { ...options, prefetch: foreseen(trace), bandwidth: 4 })
    expect(ahead.time).to.be.closeTo(2.25 + 1 + 1 + 3 * 4, 1e-9)
    expect(ahead.prefetched).to.deep.equal({ loads: 3, used: 3 })
  })

  it('a load ahead that has not begun gives way to what is needed', () => {
    // Layer 0 uses expert 0, layer 1 expert 3, but experts 1 and 2 are expected there. Loads take 4 ms.
    const trace: ExpertTrace = { data: [0, 3], shape: [2, 1, 1], experts: 4 }
    const prefetch = { layers: 2, tokens: 1, indptr: [0, 0, 2] as Wrong, indices: Int32Array.of(1, 2) }
    const { time, bytes, prefetched } = simulateSync(trace, { bandwidth: 0.25, expertTime: 1, prefetch })
    // Expert 0 is there at 4, and done at 5. By then expert 1 is on the link until 8; expert 3 comes before expert 2, at 12.
    expect([time, bytes]).to.deep.equal([13, 3])
    expect(prefetched).to.deep.equal({ loads: 1, used: 0 })
  })

  it('without limits every expert is loaded once, and with all the time in the world none is waited for', () => {
    const { trace } = syntheticTrace({ tokens: 100, experts: 6, layers: 3, k: 2, seed: 3 })
    const solution = simulateSync(trace, { bandwidth: 1, expertTime: 0.1 })
    const used = new Set(trace.data.map((e, i) => Math.floor(i / 200) * 6 + e))
    expect(solution.bytes).to.equal(used.size)
    expect(solution.time).to.be.closeTo(solution.bound + solution.stall, 1e-9)
    const fast = simulateSync(trace, { bandwidth: 1e12, expertTime: 0.1, slots: 2 })
    expect(fast.gap).to.be.closeTo(0, 1e-6)
  })

  it('misses what a cache of each layer misses, under every policy', () => {
    const { trace } = syntheticTrace({ tokens: 300, experts: 8, layers: 3, k: 1, seed: 4 })
    for (const policy of ['lru', 'lfu', 'fifo', 'lifo'] as const) {
      const { misses, requests } = cacheSync(trace, { slots: 3, policy, bound: false })
      const solution = simulateSync(trace, { slots: 3, policy, bandwidth: 1, expertTime: 0.1 })
      expect(solution.hitRate).to.be.closeTo(1 - misses / requests, 1e-12)
      expect(solution.bytes).to.equal(misses)
      const shared = cacheSync(trace, { slots: 9, policy: 'lru', scope: 'shared', bound: false })
      expect(simulateSync(trace, { slots: 9, scope: 'shared', bandwidth: 1, expertTime: 0.1 }).bytes).to.equal(
        shared.misses,
      )
    }
  })

  it('more slots, bandwidth or devices never cost time; a perfect forecast saves stalls', () => {
    for (let seed = 0; seed < 5; seed++) {
      const { trace } = syntheticTrace({ tokens: 200, experts: 12, layers: 4, k: 2, seed })
      const options = { bandwidth: 1, expertTime: 0.1, layerTime: 1.5, slots: 4 }
      const base = simulateSync(trace, options)
      expect(base.gap).to.be.at.least(0)
      expect(base.residual).to.be.closeTo(base.gap / base.time, 1e-12)
      expect(simulateSync(trace, { ...options, slots: 8 }).time).to.be.below(base.time)
      expect(simulateSync(trace, { ...options, bandwidth: 2 }).time).to.be.below(base.time)
      const two = simulateSync(trace, { ...options, devices: 2 })
      expect(two.time).to.be.below(base.time)
      expect(two.busy.reduce((sum, x) => sum + x, 0)).to.be.closeTo(base.busy[0], 1e-6)
      const ahead = simulateSync(trace, { ...options, prefetch: foreseen(trace) })
      expect(ahead.stall).to.be.below(0.5 * base.stall)
      expect(ahead.prefetched.used).to.be.at.most(ahead.prefetched.loads)
      const { sets } = prefetchSync(trace, { budget: 2 })
      const learned = simulateSync(trace, { ...options, prefetch: sets })
      expect(learned.prefetched.loads).to.be.above(0)
      expect(learned.gap).to.be.at.least(0)
    }
  })

  it('affinity saves activations between devices', () => {
    const { trace } = syntheticTrace({ tokens: 300, experts: 8, layers: 5, k: 1, seed: 6 })
    const { placement, locality } = placeAffinitySync(trace, { devices: 2 })
    const options = { bandwidth: 1e9, expertTime: 0.1, activationBytes: 2, interconnect: 4 }
    const far = simulateSync(trace, { ...options, devices: 2 })
    const near = simulateSync(trace, { ...options, placement })
    expect(near.activationBytes).to.be.closeTo(2 * 300 * 4 * (1 - locality), 1e-6)
    expect(near.activationBytes).to.be.below(far.activationBytes)
    expect(near.time).to.be.below(far.time)
    expect(near.busy.length).to.equal(2)
  })

  it('batches share loads', () => {
    const { trace } = syntheticTrace({ tokens: 240, experts: 8, layers: 3, k: 2, seed: 7 })
    const options = { bandwidth: 1, expertTime: 0.01, layerTime: 1 }
    const single = simulateSync(trace, options)
    const batched = simulateSync(trace, { ...options, batch: 16 })
    expect(batched.iterations).to.equal(15)
    expect(batched.time).to.be.below(single.time / 4)
    expect(batched.latency.p50).to.be.above(single.latency.p50)
    expect(batched.busy[0]).to.be.closeTo(single.busy[0], 1e-9)
  })

  it('the same on the calling thread and off it, twice; aborted', async () => {
    const { trace } = syntheticTrace({ tokens: 2000, experts: 16, layers: 6, k: 2, seed: 8 })
    const options = { slots: [4, 5, 6, 4, 5, 6], bandwidth: 1, expertTime: 0.1, devices: 2, batch: 2 }
    const { elapsed: _, ...expected } = simulateSync(trace, options)
    const { elapsed, ...came } = await simulate(trace, options)
    expect(came).to.deep.equal(expected)
    expect(elapsed).to.be.at.least(0)
    const reason = new Error('enough')
    const controller = new AbortController()
    const running = simulate(trace, { ...options, signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    expect(await rejection(running)).to.equal(reason)
  })

  it('refuses bad traces and options', async () => {
    const good: ExpertTrace = { data: [0, 1, 1, 0], shape: [1, 2, 2] }
    const base = { bandwidth: 1, expertTime: 1 }
    const sets = foreseen(good)
    const bad: [Wrong, Wrong, string, RegExp][] = [
      [null, base, 'ERR_SHAPE', /^trace: expected/],
      [good, { expertTime: 1 }, 'ERR_OPTION', /^bandwidth: expected a finite number > 0, got undefined$/],
      [good, { bandwidth: 1 }, 'ERR_OPTION', /^expertTime: expected a finite number >= 0, got null$/],
      [
        good,
        { ...base, slots: 1 },
        'ERR_INFEASIBLE',
        /^slots, bytes: expected room for the experts that a batch needs in layer 0 \(2\), got 1$/,
      ],
      [good, { ...base, slots: 2, bytes: 2 }, 'ERR_OPTION', /^slots, bytes: expected one of them, got both$/],
      [good, { ...base, slots: 2, sizes: [1, 1] }, 'ERR_OPTION', /^sizes: expected with bytes only, got slots$/],
      [good, { ...base, scope: 'all' }, 'ERR_OPTION', /^scope: expected one of/],
      [good, { ...base, policy: 'belady' }, 'ERR_OPTION', /^policy: expected one of 'lru', 'lfu', 'fifo', 'lifo'/],
      [good, { ...base, batch: 0 }, 'ERR_OPTION', /^batch: expected a whole number from 1/],
      [good, { ...base, placement: [] }, 'ERR_SHAPE', /^placement: expected 1 layers of devices, got 0$/],
      [good, { ...base, placement: [[0]] }, 'ERR_SHAPE', /^placement\[0\]: expected 2 devices, got 1$/],
      [good, { ...base, placement: [[0, -1]] }, 'ERR_OPTION', /^placement\[0\]\[1\]: expected a whole number from 0/],
      [good, { ...base, placement: [[0, 2]], devices: 2 }, 'ERR_OPTION', /^devices: expected a whole number from 3/],
      [
        good,
        { ...base, prefetch: { ...sets, tokens: 3 } },
        'ERR_SHAPE',
        /^prefetch: expected sets for 1 layers × 2 tokens/,
      ],
      [
        good,
        { ...base, prefetch: { ...sets, indices: [0, 1, 1, 2] } },
        'ERR_OPTION',
        /^prefetch.indices\[3\]: expected a whole number from 0 to 1/,
      ],
      [good, { ...base, bandwith: 1 }, 'ERR_OPTION', /did you mean 'bandwidth'\?$/],
    ]
    for (const [trace, options, code, message] of bad) {
      expectError(() => simulateSync(trace, options), code as 'ERR_SHAPE', message)
      await expectRejection(simulate(trace, options), code as 'ERR_SHAPE', message)
    }
  })
})
