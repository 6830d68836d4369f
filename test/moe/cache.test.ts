import { expect } from 'chai'
import fc from 'fast-check'
import {
  type CachePolicy,
  type CacheSolution,
  cache,
  cacheSync,
  type ExpertTrace,
  missCurves,
  syntheticTrace,
} from '../../lib/moe/index.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { random } from '../helpers/random.js'
import { solveProgram } from './helpers.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

const online: CachePolicy[] = ['lru', 'lfu', 'fifo', 'lifo', '2q', 'static']
const all: CachePolicy[] = [...online, 'belady', 'optimal']

/** The least cost of the misses over all choices of what to evict. */
function bruteForce(items: number[], size: number[], cost: number[], capacity: number): number {
  const sizeOf = (set: number) => size.reduce((sum, s, x) => sum + ((set >> x) % 2) * s, 0)
  let states = new Map([[0, 0]])
  for (const x of items) {
    const next = new Map<number, number>()
    const offer = (set: number, value: number) => {
      if (value < (next.get(set) ?? Number.POSITIVE_INFINITY)) next.set(set, value)
    }
    for (const [set, value] of states) {
      if ((set >> x) % 2 === 1) {
        offer(set, value)
        continue
      }
      for (let kept = set; ; kept = (kept - 1) & set) {
        if (sizeOf(kept) + size[x] <= capacity) offer(kept | (1 << x), value + cost[x])
        if (kept === 0) break
      }
    }
    states = next
  }
  return Math.min(...states.values())
}

/** Which requests miss when the least of the residents by `key` is evicted, found by looking at all of them. */
function naive(
  items: number[],
  capacity: number,
  key: (x: number, state: { loaded: number[]; used: number[]; count: number[] }) => number[],
): number[] {
  const state = { loaded: [] as number[], used: [] as number[], count: [] as number[] }
  const resident = new Set<number>()
  return items.map((x, i) => {
    state.count[x] = (state.count[x] ?? 0) + 1
    const misses = resident.has(x) ? 0 : 1
    if (misses === 1) {
      if (resident.size === capacity) {
        const order = [...resident].sort((a, b) => {
          const [p, q] = [key(a, state), key(b, state)]
          return p[0] - q[0] || (p[1] ?? 0) - (q[1] ?? 0)
        })
        resident.delete(order[0])
      }
      resident.add(x)
      state.loaded[x] = i
    }
    state.used[x] = i
    return misses
  })
}

const keys = {
  lru: (x, { used }) => [used[x]],
  fifo: (x, { loaded }) => [loaded[x]],
  lifo: (x, { loaded }) => [-loaded[x]],
  lfu: (x, { count, used }) => [count[x], used[x]],
} satisfies Record<string, Parameters<typeof naive>[2]>

function traceOf(items: number[], experts: number): ExpertTrace {
  return { data: items, shape: [1, items.length, 1], experts }
}

function strings(experts: number, length: number): fc.Arbitrary<number[]> {
  return fc.array(fc.nat(experts - 1), { minLength: 1, maxLength: length })
}

/** Some tokens of two layers with two experts each. */
const traces = fc
  .array(fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 2, maxLength: 2 }), { minLength: 2, maxLength: 24 })
  .map((sets): ExpertTrace => {
    const tokens = Math.floor(sets.length / 2)
    return { data: sets.slice(0, 2 * tokens).flat(), shape: [2, tokens, 2], experts: 5 }
  })

function expectSound(solution: CacheSolution, trace: ExpertTrace): void {
  const [layers, tokens, k] = Array.from(trace.shape)
  const misses = solution.missed.reduce((sum, missed) => sum + missed, 0)
  expect(solution.requests).to.equal(layers * tokens * k)
  expect(solution.misses).to.equal(misses)
  expect(solution.hitRate).to.be.closeTo(1 - misses / solution.requests, 1e-12)
  for (let l = 0; l < layers; l++) {
    const own = solution.missed.subarray(l * tokens * k, (l + 1) * tokens * k)
    expect(solution.layerMisses[l]).to.equal(own.reduce((sum, missed) => sum + missed, 0))
  }
}

describe('moe: cache', () => {
  it('belady and the flow are the best of all, by trying them', () => {
    const problem = fc.record({ items: strings(5, 18), slots: fc.integer({ min: 1, max: 5 }) })
    check(
      fc.property(problem, ({ items, slots }) => {
        const best = bruteForce(items, Array(5).fill(1), Array(5).fill(1), slots)
        for (const policy of ['belady', 'optimal'] as const) {
          expect(cacheSync(traceOf(items, 5), { slots, policy }).misses).to.equal(best)
        }
        // Costs that differ by nothing but rounding are solved by the flow.
        const costs = [1, 1 + 1e-12, 1, 1, 1]
        expect(cacheSync(traceOf(items, 5), { slots, policy: 'optimal', costs }).misses).to.equal(best)
      }),
      { runs: 150 },
    )
  })

  it('with costs the flow is the best of all', () => {
    const problem = fc.record({
      items: strings(5, 18),
      slots: fc.integer({ min: 1, max: 4 }),
      costs: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 5, maxLength: 5 }),
    })
    check(
      fc.property(problem, ({ items, slots, costs }) => {
        const best = bruteForce(items, Array(5).fill(1), costs, slots)
        const solution = cacheSync(traceOf(items, 5), { slots, costs, policy: 'optimal' })
        expect(solution.value).to.be.closeTo(best, 1e-9)
        expect(solution.gap).to.be.closeTo(0, 1e-9)
        expect(cacheSync(traceOf(items, 5), { slots, costs, policy: 'belady' }).bound).to.be.closeTo(best, 1e-9)
      }),
      { runs: 200 },
    )
  })

  it('with costs the flow is what a linear program of the kept intervals finds', async () => {
    const next = random(12)
    for (const slots of [2, 3, 5]) {
      const items = Array.from({ length: 90 }, () => Math.floor(9 * next() ** 1.5))
      const costs = Array.from({ length: 9 }, () => 1 + Math.floor(20 * next()))
      const intervals = items.flatMap((x, i) => {
        const j = items.indexOf(x, i + 1)
        return j < 0 ? [] : [{ i, j, saved: costs[x] }]
      })
      const rows = items.map((_, t) => intervals.filter(({ i, j }) => i < t && t < j).map(({ i }) => `x${i}`))
      const kept = await solveProgram(
        `Maximize\n obj: ${intervals.map(({ i, saved }) => `+ ${saved} x${i}`).join('\n ')}\nSubject To\n` +
          rows
            .flatMap((list, t) => (list.length === 0 ? [] : [` t${t}: ${list.join(' + ')} <= ${slots - 1}\n`]))
            .join('') +
          `Bounds\n${intervals.map(({ i }) => ` x${i} <= 1\n`).join('')}End\n`,
      )
      const total = items.reduce((sum, x) => sum + costs[x], 0)
      const solution = cacheSync(traceOf(items, 9), { slots, costs, policy: 'optimal' })
      expect(solution.value).to.be.closeTo(total - kept, 1e-6)
    }
  })

  it('with sizes the bound is below what any choice can do, and often near', () => {
    let near = 0
    const problem = fc.record({
      items: strings(5, 18),
      sizes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 5, maxLength: 5 }),
      bytes: fc.integer({ min: 4, max: 12 }),
      costs: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 5, maxLength: 5 }),
    })
    check(
      fc.property(problem, ({ items, sizes, bytes, costs }) => {
        const best = bruteForce(items, sizes, costs, bytes)
        const solution = cacheSync(traceOf(items, 5), { bytes, sizes, costs })
        expect(solution.bound).to.be.at.most(best + 1e-9)
        expect(solution.value).to.be.at.least(best - 1e-9)
        if (solution.bound! >= 0.9 * best) near++
      }),
      { runs: 200 },
    )
    expect(near).to.be.at.least(150)
  })

  it('online policies do what their names say', () => {
    const problem = fc.record({ items: strings(7, 60), slots: fc.integer({ min: 1, max: 7 }) })
    check(
      fc.property(problem, ({ items, slots }) => {
        for (const [policy, key] of Object.entries(keys)) {
          const { missed } = cacheSync(traceOf(items, 7), { slots, policy: policy as CachePolicy })
          expect([...missed], policy).to.deep.equal(naive(items, slots, key))
        }
      }),
      { runs: 120 },
    )
  })

  it('no policy beats the bound on any trace, in caches of layers or a shared one', () => {
    const problem = fc.record({
      trace: traces,
      slots: fc.integer({ min: 1, max: 6 }),
      scope: fc.constantFrom('layer' as const, 'shared' as const),
      policy: fc.constantFrom(...all),
      costs: fc.option(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 5, maxLength: 5 }), { nil: undefined }),
    })
    check(
      fc.property(problem, ({ trace, slots, scope, policy, costs }) => {
        const solution = cacheSync(trace, { slots, scope, policy, ...(costs && { costs }) })
        expectSound(solution, trace)
        expect(solution.gap).to.be.at.least(-1e-9)
        if (policy === 'optimal') expect(solution.gap).to.be.closeTo(0, 1e-9)
        if (costs === undefined) expect(solution.value).to.equal(solution.misses)
      }),
      { runs: 300 },
    )
  })

  it('a shared cache sees the layers token by token', () => {
    // Two layers with one expert each, one slot: every request evicts the other layer's expert.
    const trace: ExpertTrace = { data: [0, 0, 0, 0, 0, 0], shape: [2, 3, 1] }
    expect(cacheSync(trace, { slots: 1, scope: 'shared' }).misses).to.equal(6)
    expect(cacheSync(trace, { slots: 2, scope: 'shared' }).misses).to.equal(2)
    expect(cacheSync(trace, { slots: 1 }).misses).to.equal(2)
    expect([...cacheSync(trace, { slots: 2, scope: 'shared' }).missed]).to.deep.equal([1, 0, 0, 1, 0, 0])
    // In a cycle over the layers LRU fails and LIFO within the layer does not.
    const cycle: ExpertTrace = { data: Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 0 : 1)), shape: [4, 10, 1] }
    const misses = (policy: CachePolicy) => cacheSync(cycle, { slots: 7, scope: 'shared', policy }).misses
    expect(misses('lru')).to.equal(40)
    expect(misses('lifo')).to.be.below(20)
  })

  it('the bytes of what is loaded, and slots of each layer', () => {
    const trace: ExpertTrace = { data: [0, 1, 0, 2, 2, 2], shape: [2, 3, 1], experts: 3 }
    const solution = cacheSync(trace, {
      bytes: [3, 4],
      sizes: [
        [1, 2, 4],
        [1, 1, 4],
      ],
    })
    expect([solution.misses, solution.bytes]).to.deep.equal([3, 7])
    expect([...cacheSync(trace, { slots: [1, 1] }).layerMisses]).to.deep.equal([3, 1])
  })

  it('on ten synthetic traces: the order of the policies', () => {
    for (let seed = 0; seed < 10; seed++) {
      const { trace } = syntheticTrace({
        ...{ tokens: 1024, experts: 16, layers: 8, k: 2, seed },
        sharpness: [0.5, 0.7, 0.8, 1, 1, 1.2, 1.5, 2],
      })
      for (const slots of [8, 4]) {
        const rate = Object.fromEntries(
          all.map((policy) => [policy, cacheSync(trace, { slots, policy, bound: false }).hitRate]),
        ) as Record<CachePolicy, number>
        expect(rate.belady).to.equal(rate.optimal)
        for (const policy of online) expect(rate.belady).to.be.above(rate[policy])
        expect(rate.lru).to.be.above(rate.lfu + 0.02)
        expect(rate.lru).to.be.above(rate.static + 0.01)
        expect(rate.belady).to.be.closeTo(slots === 8 ? 0.957 : 0.836, 0.03)
        expect(rate.lru).to.be.closeTo(slots === 8 ? 0.923 : 0.744, 0.04)
      }
    }
  })

  it('its miss curves are the misses of LRU at every size', () => {
    const { trace } = syntheticTrace({ tokens: 300, experts: 9, layers: 3, k: 2, seed: 4 })
    const { data, shape } = missCurves(trace)
    expect(shape).to.deep.equal([3, 10])
    for (let slots = 1; slots <= 9; slots++) {
      const { layerMisses } = cacheSync(trace, { slots, bound: false })
      for (let l = 0; l < 3; l++) expect(data[l * 10 + slots]).to.equal(layerMisses[l])
    }
    for (let l = 0; l < 3; l++) expect(data[l * 10]).to.equal(600)
  })

  it('the same on the calling thread and off it; aborted', async () => {
    const { trace } = syntheticTrace({ tokens: 400, experts: 12, layers: 4, k: 2, seed: 5 })
    const options = { bytes: 9, sizes: Array.from({ length: 12 }, (_, e) => 1 + (e % 3)) }
    const { elapsed: _, ...expected } = cacheSync(trace, options)
    const { elapsed, ...came } = await cache(trace, options)
    expect(came).to.deep.equal(expected)
    expect(elapsed).to.be.at.least(0)
    const reason = new Error('enough')
    const controller = new AbortController()
    const running = cache(trace, { ...options, scope: 'shared', bytes: 40, signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    expect(await rejection(running)).to.equal(reason)
  })

  it('refuses bad traces and options', async () => {
    const good: ExpertTrace = { data: [0, 1, 1, 2], shape: [2, 2, 1], experts: 3 }
    const bad: [Wrong, Wrong, string, RegExp][] = [
      [{ ...good, data: [] }, { slots: 1 }, 'ERR_SHAPE', /^trace.data: expected 2×2×1 experts, got 0$/],
      [{ data: [], shape: [0, 0, 0] }, { slots: 1 }, 'ERR_SHAPE', /^trace: expected at least one request/],
      [good, {}, 'ERR_OPTION', /^slots, bytes: expected one of them, got neither$/],
      [good, { slots: 1, bytes: 1 }, 'ERR_OPTION', /^slots, bytes: expected one of them, got both$/],
      [good, { slots: 0 }, 'ERR_OPTION', /^slots: expected a whole number from 1/],
      [good, { slots: [1] }, 'ERR_SHAPE', /^slots: expected a number or 2 of them, got 1$/],
      [good, { slots: [1, 0] }, 'ERR_OPTION', /^slots\[1\]: expected a whole number from 1/],
      [good, { slots: 1, sizes: [1, 1, 1] }, 'ERR_OPTION', /^sizes: expected with bytes only, got slots$/],
      [good, { bytes: 2, sizes: [1, 1] }, 'ERR_SHAPE', /^sizes: expected 3 numbers, one for each expert, got 2$/],
      [good, { bytes: 2, sizes: [1, 0, 1] }, 'ERR_NOT_POSITIVE', /^sizes\[1\]: expected a finite number > 0, got 0$/],
      [
        good,
        { bytes: 2, sizes: [1, 3, 1] },
        'ERR_INFEASIBLE',
        /^bytes: expected room for one expert at least \(an expert of layer 0 takes 3\), got 2$/,
      ],
      [good, { bytes: 2, sizes: [[1, 2, 3]] }, 'ERR_SHAPE', /^sizes: expected 2×3 numbers, got 1×3$/],
      [good, { bytes: Number.NaN }, 'ERR_OPTION', /^bytes: expected a finite number > 0, got NaN$/],
      [
        good,
        { slots: 1, costs: [1, -1, 1] },
        'ERR_NOT_POSITIVE',
        /^costs\[1\]: expected a finite number >= 0, got -1$/,
      ],
      [good, { slots: 1, policy: 'mru' }, 'ERR_OPTION', /^policy: expected one of/],
      [good, { bytes: 3, sizes: [1, 2, 1], policy: 'optimal' }, 'ERR_OPTION', /^policy: expected experts of one size/],
      [good, { slots: 1, scope: 'global' }, 'ERR_OPTION', /^scope: expected one of 'layer', 'shared'/],
      [good, { slot: 1 }, 'ERR_OPTION', /did you mean 'slots'\?$/],
    ]
    for (const [trace, options, code, message] of bad) {
      expectError(() => cacheSync(trace, options), code as 'ERR_SHAPE', message)
      await expectRejection(cache(trace, options), code as 'ERR_SHAPE', message)
    }
  })
})
