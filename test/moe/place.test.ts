import { expect } from 'chai'
import fc from 'fast-check'
import { migrationCost, type PlaceOptions, type PlaceSolution, place, placeSync } from '../../lib/moe/index.js'
import { generator } from '../../lib/random/index.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { fill, random, shuffled } from '../helpers/random.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

/** The least largest load over all replica counts and placements without two replicas of an expert on a device. */
function bruteForce(load: number[], devices: number, slots: number): number {
  let best = Number.POSITIVE_INFINITY
  const [least, larger] = [Math.floor(slots / devices), slots % devices]
  const sets = Array.from({ length: (1 << devices) - 1 }, (_, i) => i + 1)
  const total = new Float64Array(devices)
  const size = new Int32Array(devices)
  const visit = (e: number, left: number) => {
    if (e === load.length) {
      const sizes = [...size].sort((a, b) => a - b)
      const fits = left === 0 && sizes.every((count, g) => count === least + (g >= devices - larger ? 1 : 0))
      if (fits) best = Math.min(best, Math.max(...total))
      return
    }
    for (const set of sets) {
      const list = Array.from({ length: devices }, (_, g) => g).filter((g) => (set >> g) % 2 === 1)
      if (list.length > left - (load.length - e - 1) || list.some((g) => size[g] > least)) continue
      for (const g of list) {
        total[g] += load[e] / list.length
        size[g]++
      }
      visit(e + 1, left - list.length)
      for (const g of list) {
        total[g] -= load[e] / list.length
        size[g]--
      }
    }
  }
  visit(0, slots)
  return best
}

/** What a solution says about itself, recomputed from its lists. */
function expectSound(solution: PlaceSolution, load: ArrayLike<number>, devices: number, slots: number): void {
  expect(solution.devices.length).to.equal(devices)
  const counts = new Int32Array(load.length)
  for (const list of solution.devices) {
    expect([...list]).to.deep.equal([...list].sort((a, b) => a - b))
    expect(list.length).to.be.within(Math.floor(slots / devices), Math.ceil(slots / devices))
    for (const e of list) counts[e]++
  }
  expect([...solution.replicas]).to.deep.equal([...counts])
  expect(Math.min(...counts)).to.be.at.least(1)
  expect(counts.reduce((sum, n) => sum + n, 0)).to.equal(slots)
  const totals = solution.devices.map((list) => list.reduce((sum, e) => sum + load[e] / counts[e], 0))
  for (const [g, total] of totals.entries()) expect(solution.load[g]).to.be.closeTo(total, 1e-9 * (1 + total))
  const value = Math.max(...totals)
  expect(solution.value).to.be.closeTo(value, 1e-9 * (1 + value))
  const sum = Array.from(load).reduce((x, y) => x + y, 0)
  if (sum > 0) expect(solution.imbalance).to.be.closeTo((value * devices) / sum, 1e-9)
  expect(solution.gap).to.equal(solution.value - solution.bound)
  expect(solution.gap).to.be.at.least(0)
  const duplicates = solution.devices.reduce((count, list) => count + list.length - new Set(list).size, 0)
  expect(solution.duplicates).to.equal(duplicates)
}

/** Zipf's law with noise, in random order. */
function zipf(experts: number, seed: number): Float64Array {
  const rng = generator(seed)
  const rank = rng.permutation(experts)
  return rng.normal(experts).map((noise, e) => Math.exp(0.3 * noise) / (rank[e] + 1))
}

const small = fc
  .record({ experts: fc.integer({ min: 1, max: 6 }), devices: fc.integer({ min: 1, max: 3 }), extra: fc.nat(3) })
  .chain(({ experts, devices, extra }) =>
    fc.record({
      load: fc.array(fc.oneof(fc.nat(9), fc.double({ min: 1e-3, max: 5, noNaN: true })), {
        minLength: experts,
        maxLength: experts,
      }),
      devices: fc.constant(devices),
      replicas: fc.constant(Math.min(extra, experts * (devices - 1))),
    }),
  )

describe('moe: place', () => {
  it('exact is the best of all by trying them, and no method or bound does better', () => {
    check(
      fc.property(small, ({ load, devices, replicas }) => {
        const slots = load.length + replicas
        const best = bruteForce(load, devices, slots)
        const exact = placeSync(load, { devices, replicas, method: 'exact' })
        expectSound(exact, load, devices, slots)
        expect(exact.value).to.be.closeTo(best, 1e-9)
        expect(exact.gap).to.be.at.most(1e-9)
        expect([exact.status, exact.duplicates]).to.deep.equal(['converged', 0])
        const found = placeSync(load, { devices, replicas })
        expectSound(found, load, devices, slots)
        expect(found.duplicates).to.equal(0)
        expect(found.value).to.be.at.least(best - 1e-9)
        expect(found.bound).to.be.at.most(best + 1e-9)
        expectSound(placeSync(load, { devices, replicas, method: 'eplb' }), load, devices, slots)
      }),
      { runs: 250 },
    )
  })

  it('the search comes near the best on larger problems', () => {
    for (let seed = 0; seed < 6; seed++) {
      const load = zipf(10, seed)
      const exact = placeSync(load, { devices: 3, replicas: 5, method: 'exact' })
      const found = placeSync(load, { devices: 3, replicas: 5, tolerance: 0 })
      expect(found.value).to.be.within(exact.value * (1 - 1e-12), exact.value * 1.01)
    }
  })

  it('eplb gives what its authors print', () => {
    // The example of the repository deepseek-ai/EPLB: 16 replicas of 12 experts in 4 groups, on 8 devices in 2 nodes.
    const load = [
      [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
      [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
    ]
    const printed = [
      [5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1],
      [7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1],
    ]
    for (const [layer, weights] of load.entries()) {
      const solution = placeSync(weights, { devices: 8, replicas: 4, groups: 4, nodes: 2, method: 'eplb' })
      const wanted = Array.from({ length: 8 }, (_, g) => printed[layer].slice(2 * g, 2 * g + 2).sort((a, b) => a - b))
      const totals = wanted.map((list) => list.reduce((sum, e) => sum + weights[e] / solution.replicas[e], 0))
      expect([...solution.load]).to.deep.equal(totals)
      // Experts 8 and 9 of the second layer tie.
      if (layer === 0) expect(solution.devices.map((list) => [...list])).to.deep.equal(wanted)
    }
  })

  it('on ten loads after Zipf: without duplicates, and nearer to the mean than eplb', () => {
    for (let seed = 0; seed < 10; seed++) {
      const load = zipf(64, seed)
      const eplb = placeSync(load, { devices: 8, replicas: 16, method: 'eplb' })
      const found = placeSync(load, { devices: 8, replicas: 16 })
      expectSound(found, load, 8, 80)
      expect(found.duplicates).to.equal(0)
      expect(found.imbalance).to.be.at.most(1.0015)
      expect(found.status).to.equal('converged')
      expect(found.residual).to.be.at.most(1e-4)
      expect(eplb.imbalance).to.be.within(found.imbalance, 1.02)
      const single = placeSync(load, { devices: 8 })
      const greedy = placeSync(load, { devices: 8, method: 'eplb' })
      expect(single.value).to.be.at.most(greedy.value)
      const sorted = load.slice().sort()
      const bound = sorted[63] + sorted.subarray(0, 7).reduce((sum, w) => sum + w, 0)
      expect(single.bound).to.be.at.least(bound - 1e-12)
      const contiguous = Array.from({ length: 8 }, (_, g) => load.subarray(8 * g, 8 * g + 8).reduce((x, y) => x + y, 0))
      expect(Math.max(...contiguous)).to.be.at.least(greedy.value)
    }
  })

  it('groups stay on a node, and replicas with their group', () => {
    const load = zipf(32, 3)
    for (const method of ['optimal-search', 'eplb'] as const) {
      const solution = placeSync(load, { devices: 8, slotsPerDevice: 6, groups: 8, nodes: 4, method })
      expectSound(solution, load, 8, 48)
      const nodeOf = new Map<number, number>()
      solution.devices.forEach((list, g) => {
        for (const e of list) {
          const group = Math.floor(e / 4)
          expect(nodeOf.get(group) ?? Math.floor(g / 2)).to.equal(Math.floor(g / 2))
          nodeOf.set(group, Math.floor(g / 2))
        }
      })
      if (method === 'optimal-search') expect(solution.duplicates).to.equal(0)
    }
  })

  it('sizes differ by one where they must', () => {
    const load = zipf(13, 4)
    const solution = placeSync(load, { devices: 4, replicas: 4 })
    expectSound(solution, load, 4, 17)
    expect(solution.devices.map((list) => list.length).sort()).to.deep.equal([4, 4, 4, 5])
  })

  it('as many replicas as there are devices, and loads of zero', () => {
    const everywhere = placeSync([3, 1, 2], { devices: 4, slotsPerDevice: 3 })
    expect(everywhere.devices.map((list) => [...list])).to.deep.equal(Array(4).fill([0, 1, 2]))
    expect(everywhere.gap).to.be.closeTo(0, 1e-12)
    const idle = placeSync([0, 0, 0, 0], { devices: 2 })
    expect([idle.value, idle.imbalance, idle.residual, idle.status]).to.deep.equal([0, 1, 0, 'converged'])
  })

  it('another order of the experts changes nothing else', () => {
    const next = random(5)
    const load = fill(9, next)
    const order = shuffled(9, next)
    const options: PlaceOptions = { devices: 3, replicas: 3, method: 'exact' }
    const moved = placeSync(
      order.map((e) => load[e]),
      options,
    )
    expect(moved.value).to.be.closeTo(placeSync(load, options).value, 1e-12)
  })

  it('the same on the calling thread and off it, and for the same seed', async () => {
    const load = zipf(40, 6)
    const options = { devices: 5, replicas: 5, tolerance: 0, starts: 3, seed: 4 }
    const { elapsed: _, ...expected } = placeSync(load, options)
    const { elapsed, ...came } = await place(load, options)
    expect(came).to.deep.equal(expected)
    expect(elapsed).to.be.at.least(0)
  })

  it('out of time: the best so far; aborted: the reason', async () => {
    const load = zipf(300, 7)
    const cut = await place(load, { devices: 10, replicas: 60, tolerance: 0, timeLimit: 1e-6 })
    expect(cut.status).to.equal('time-limit')
    expectSound(cut, load, 10, 360)
    const reason = new Error('enough')
    const controller = new AbortController()
    const running = place(load, { devices: 10, replicas: 60, tolerance: 0, signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    expect(await rejection(running)).to.equal(reason)
  })

  it('migration: the fewest moves over all ways to number the devices', () => {
    const lists = fc.integer({ min: 1, max: 4 }).chain((devices) => {
      const side = fc.array(fc.array(fc.nat(5), { maxLength: 4 }), { minLength: devices, maxLength: devices })
      return fc.tuple(side, side)
    })
    check(
      fc.property(lists, ([before, after]) => {
        const { kept, moved, relabelling } = migrationCost(before, after)
        const common = (a: number[], b: number[]) => {
          const left = [...b]
          return a.filter((e) => {
            const at = left.indexOf(e)
            if (at >= 0) left.splice(at, 1)
            return at >= 0
          }).length
        }
        let best = 0
        const visit = (g: number, used: number, sum: number) => {
          if (g === after.length) best = Math.max(best, sum)
          else
            for (let h = 0; h < before.length; h++) {
              if ((used >> h) % 2 === 0) visit(g + 1, used | (1 << h), sum + common(after[g], before[h]))
            }
        }
        visit(0, 0, 0)
        expect(kept).to.equal(best)
        expect(moved).to.equal(after.flat().length - best)
        const sum = after.reduce((total, list, g) => total + common(list, before[relabelling[g]]), 0)
        expect(sum).to.equal(best)
      }),
      { runs: 150 },
    )
  })

  it('a placement given as the previous one stays where it is', () => {
    const load = zipf(24, 8)
    for (const nodes of [1, 2]) {
      const options = { devices: 6, replicas: 6, nodes }
      const first = placeSync(load, options)
      const turned = nodes === 1 ? [3, 1, 5, 0, 2, 4] : [4, 3, 5, 2, 0, 1]
      const again = placeSync(load, { ...options, previous: turned.map((g) => first.devices[g]) })
      expect(again.migration).to.deep.include({ kept: 30, moved: 0 })
      expect(again.devices).to.deep.equal(turned.map((g) => first.devices[g]))
      expect(first.migration).to.equal(undefined)
    }
  })

  it('refuses bad loads and options', async () => {
    const good = [1, 2, 3, 4]
    const bad: [Wrong, Wrong, string, RegExp][] = [
      [good, undefined, 'ERR_OPTION', /^options: expected \{ devices, … \}, got undefined$/],
      [[], { devices: 1 }, 'ERR_SHAPE', /^load: expected at least one expert, got none$/],
      [[1, -1], { devices: 1 }, 'ERR_NOT_POSITIVE', /^load\[1\]: expected a finite load >= 0, got -1$/],
      [[Number.NaN], { devices: 1 }, 'ERR_NOT_FINITE', /^load\[0\]: .+ got NaN$/],
      [good, {}, 'ERR_OPTION', /^devices: expected a whole number/],
      [good, { devices: 2, slotsPerDevice: 1 }, 'ERR_INFEASIBLE', /expected 4 to 8 slots .+, got 2$/],
      [good, { devices: 2, replicas: 5 }, 'ERR_INFEASIBLE', /expected 4 to 8 slots .+, got 9$/],
      [good, { devices: 2, replicas: 1, slotsPerDevice: 3 }, 'ERR_OPTION', /expected one of them, got both$/],
      [good, { devices: 4, nodes: 3 }, 'ERR_OPTION', /^nodes: expected a divisor of the 4 devices, got 3$/],
      [
        good,
        { devices: 4, nodes: 2, replicas: 2 },
        'ERR_OPTION',
        /^devices: expected a divisor of the 6 slots, got 4$/,
      ],
      [good, { devices: 4, nodes: 2, groups: 3 }, 'ERR_OPTION', /^nodes: expected a divisor of the 3 groups, got 2$/],
      [good, { devices: 2, groups: 2 }, 'ERR_OPTION', /^groups: expected together with nodes > 1/],
      [good, { devices: 2, nodes: 2, method: 'exact' }, 'ERR_OPTION', /^nodes: expected 1 with method 'exact'/],
      [Array(25).fill(1), { devices: 5, method: 'exact' }, 'ERR_OPTION', /^method: expected at most 24 slots/],
      [good, { devices: 2, method: 'best' }, 'ERR_OPTION', /^method: expected one of/],
      [good, { devices: 2, start: 3 }, 'ERR_OPTION', /did you mean 'starts'\?$/],
      [good, { devices: 2, previous: [[1]] }, 'ERR_SHAPE', /^before: expected the lists of 2 devices, got 1$/],
      [
        good,
        { devices: 2, previous: [[1], [-1]] },
        'ERR_SHAPE',
        /^before\[1\]\[0\]: expected the number of an expert, got -1$/,
      ],
    ]
    for (const [load, options, code, message] of bad) {
      expectError(() => placeSync(load, options), code as 'ERR_SHAPE', message)
      await expectRejection(place(load, options), code as 'ERR_SHAPE', message)
    }
  })
})
