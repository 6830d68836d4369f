import { expect } from 'chai'
import fc from 'fast-check'
import type { BackendName } from '../../lib/index.js'
import { type RouteMethod, type RouteOptions, type RouteSolution, route, routeSync } from '../../lib/moe/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { fill, random, shuffled } from '../helpers/random.js'
import { listsOf, type Scores, signed, solveProgram, traceScores } from './helpers.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

interface Small {
  scores: Scores
  k: number
  capacity: number[]
  partial: boolean
}

const methods: RouteMethod[] = [
  'exact',
  'dual',
  'sinkhorn',
  'sparse-ot',
  'expert-choice',
  'greedy',
  'topk-drop',
  'topk',
]

/** The best value over all ways to choose, -Infinity if there is none. */
function bruteForce({ scores, k, capacity, partial }: Small): number {
  const [tokens, experts] = scores.shape
  const left = [...capacity]
  const sets = Array.from({ length: 1 << experts }, (_, set) => set).filter((set) => {
    const size = set.toString(2).replaceAll('0', '').length
    return partial ? size <= k : size === k
  })
  const visit = (t: number): number => {
    if (t === tokens) return 0
    let best = Number.NEGATIVE_INFINITY
    for (const set of sets) {
      const list = Array.from({ length: experts }, (_, e) => e).filter((e) => (set >> e) % 2 === 1)
      if (list.some((e) => left[e] === 0)) continue
      for (const e of list) left[e]--
      best = Math.max(best, visit(t + 1) + list.reduce((sum, e) => sum + scores.data[t * experts + e], 0))
      for (const e of list) left[e]++
    }
    return best
  }
  return visit(0)
}

/** phi of the definition. */
function phi(scores: Scores, k: number, capacity: ArrayLike<number>, partial: boolean, prices: Float64Array): number {
  const [tokens, experts] = scores.shape
  let total = prices.reduce((sum, price, e) => sum + price * capacity[e], 0)
  for (let t = 0; t < tokens; t++) {
    const left = Array.from({ length: experts }, (_, e) => scores.data[t * experts + e] - prices[e])
    left.sort((a, b) => b - a)
    for (const x of left.slice(0, k)) total += partial ? Math.max(0, x) : x
  }
  return total
}

/** What every solution says about itself, recomputed from its lists. */
function expectSound(solution: RouteSolution, scores: Scores, k: number, method: RouteMethod): void {
  const [tokens, experts] = scores.shape
  const lists = listsOf(solution)
  const load = new Int32Array(experts)
  let value = 0
  for (const [t, list] of lists.entries()) {
    expect(new Set(list).size).to.equal(list.length)
    expect(list).to.deep.equal([...list].sort((a, b) => a - b))
    for (const e of list) {
      load[e]++
      value += scores.data[t * experts + e]
    }
  }
  expect(solution.routing.data.reduce((sum, score) => sum + score, 0)).to.be.closeTo(value, 1e-9)
  expect(solution.value).to.be.closeTo(value, 1e-9)
  expect([...solution.load]).to.deep.equal([...load])
  expect(solution.unrouted).to.equal(lists.filter((list) => list.length === 0).length)
  expect(solution.short).to.equal(lists.filter((list) => list.length < k).length)
  expect(solution.over).to.equal(lists.filter((list) => list.length > k).length)
  const placed = lists.reduce((sum, list) => sum + Math.min(k, list.length), 0)
  expect(solution.assigned).to.be.closeTo(placed / (tokens * k), 1e-12)
  const total = lists.reduce((sum, list) => sum + list.length, 0)
  if (total > 0) expect(solution.imbalance).to.be.closeTo((Math.max(...load) * experts) / total, 1e-12)
  if (method !== 'topk') for (let e = 0; e < experts; e++) expect(load[e]).to.be.at.most(solution.capacity[e])
  if (method !== 'expert-choice') expect(solution.over).to.equal(0)
  if (solution.bound === undefined) return
  expect(solution.gap).to.equal(solution.bound - solution.value)
  if (method !== 'expert-choice') expect(solution.gap).to.be.at.least(-1e-9 * (1 + Math.abs(value)))
}

/** Scores on a coarse grid tie all the time. */
const score = fc.oneof(fc.integer({ min: -3, max: 6 }), fc.double({ min: -1, max: 3, noNaN: true }))

function smallProblems(mostTokens: number, mostExperts: number): fc.Arbitrary<Small> {
  return fc
    .tuple(fc.integer({ min: 1, max: mostTokens }), fc.integer({ min: 1, max: mostExperts }), fc.boolean())
    .chain(([tokens, experts, partial]) =>
      fc.record({
        scores: fc
          .array(score, { minLength: tokens * experts, maxLength: tokens * experts })
          .map((list): Scores => ({ data: Float64Array.from(list), shape: [tokens, experts] })),
        k: fc.integer({ min: 1, max: experts }),
        capacity: fc.array(fc.integer({ min: 0, max: tokens }), { minLength: experts, maxLength: experts }),
        partial: fc.constant(partial),
      }),
    )
}

describe('moe: route', () => {
  forEachBackend((backend: BackendName) => {
    const solve = (scores: Scores, options: RouteOptions = {}) => routeSync(scores, { backend, ...options })

    it('exact is the best of all by trying them, and its bound says so', () => {
      check(
        fc.property(smallProblems(5, 4), ({ scores, k, capacity, partial }) => {
          const best = bruteForce({ scores, k, capacity, partial })
          const options = { k, capacity, partial }
          if (best === Number.NEGATIVE_INFINITY) {
            expectError(() => solve(scores, options), 'ERR_INFEASIBLE', /^capacity: expected room for /)
            return
          }
          const solution = solve(scores, options)
          expect(solution.status).to.equal('converged')
          expect(solution.value).to.be.closeTo(best, 1e-9)
          expect(solution.bound).to.be.closeTo(best, 1e-9)
          expect(phi(scores, k, capacity, partial, solution.prices as Float64Array)).to.be.closeTo(best, 1e-9)
          expect(Math.min(...(solution.prices as Float64Array))).to.be.at.least(0)
          expectSound(solution, scores, k, 'exact')
          if (!partial) expect(solution.short).to.equal(0)
        }),
        { runs: 250 },
      )
    })

    it('exact and its bound meet, with experts that are full and others that are not', () => {
      const problems = fc.record({
        tokens: fc.integer({ min: 10, max: 80 }),
        experts: fc.integer({ min: 3, max: 9 }),
        k: fc.integer({ min: 1, max: 3 }),
        factor: fc.double({ min: 0.6, max: 2, noNaN: true }),
        seed: fc.nat(1e6),
      })
      check(
        fc.property(problems, ({ tokens, experts, k, factor, seed }) => {
          const next = random(seed)
          const popularity = fill(experts, () => 2 * next())
          const data = fill(tokens * experts, next).map((x, i) => x + popularity[i % experts])
          const options = { k, capacityFactor: factor, partial: factor < 1 }
          const scores: Scores = { data, shape: [tokens, experts] }
          const { value, bound, capacity, prices } = solve(scores, options)
          expect(bound).to.be.closeTo(value, 1e-10 * value)
          expect(phi(scores, k, capacity, factor < 1, prices as Float64Array)).to.be.closeTo(value, 1e-10 * value)
        }),
        { runs: 300 },
      )
    })

    it('exact is what a linear program finds', async () => {
      const scores = traceScores(60, 6, 3)
      for (const partial of [false, true]) {
        const capacity = partial ? 14 : 20
        const name = (t: number, e: number) => `x${t}_${e}`
        const all = (make: (t: number, e: number) => string) =>
          Array.from({ length: 360 }, (_, i) => make(Math.floor(i / 6), i % 6))
        const rows = Array.from({ length: 60 }, (_, t) =>
          [0, 1, 2, 3, 4, 5]
            .map((e) => name(t, e))
            .join(' + ')
            .concat(partial ? ' <= 2' : ' = 2'),
        )
        const columns = [0, 1, 2, 3, 4, 5].map((e) =>
          Array.from({ length: 60 }, (_, t) => name(t, e))
            .join('\n + ')
            .concat(` <= ${capacity}`),
        )
        const value = await solveProgram(
          `Maximize\n obj: ${all((t, e) => `${signed(scores.data[t * 6 + e])} ${name(t, e)}`).join('\n ')}\nSubject To\n` +
            `${[...rows, ...columns].map((row, i) => ` r${i}: ${row}`).join('\n')}\nBounds\n` +
            `${all((t, e) => ` 0 <= ${name(t, e)} <= 1`).join('\n')}\nEnd\n`,
        )
        const solution = solve(scores, { capacity, partial })
        expect(solution.value).to.be.closeTo(value, 1e-7)
        expect(solution.bound).to.be.closeTo(value, 1e-7)
      }
    })

    it('every method reports what it did, within the capacities, under the bound', () => {
      check(
        fc.property(smallProblems(9, 5), fc.constantFrom(...methods), ({ scores, k, capacity, partial }, method) => {
          const room = capacity.reduce((sum, limit) => sum + limit, 0)
          const fills = method === 'exact' || method === 'dual' || method === 'sparse-ot'
          if (!partial && fills && room < scores.shape[0] * k) return
          expectSound(solve(scores, { k, capacity, partial, method }), scores, k, method)
        }),
        { runs: 300 },
      )
    })

    it('greedy takes all pairs by score', () => {
      check(
        fc.property(smallProblems(9, 5), ({ scores, k, capacity, partial }) => {
          const [tokens, experts] = scores.shape
          const pairs = Array.from({ length: tokens * experts }, (_, i) => i)
          pairs.sort((a, b) => scores.data[b] - scores.data[a] || a - b)
          const lists: number[][] = Array.from({ length: tokens }, () => [])
          const left = [...capacity]
          for (const i of pairs) {
            const [t, e] = [Math.floor(i / experts), i % experts]
            if (left[e] === 0 || lists[t].length === k || (partial && scores.data[i] < 0)) continue
            left[e]--
            lists[t].push(e)
          }
          const solution = solve(scores, { k, capacity, partial, method: 'greedy', bound: false })
          expect(listsOf(solution)).to.deep.equal(lists.map((list) => list.sort((a, b) => a - b)))
        }),
        { runs: 200 },
      )
    })

    it('topk, topk-drop and expert-choice do what they say', () => {
      check(
        fc.property(smallProblems(9, 5), ({ scores, k, capacity }) => {
          const [tokens, experts] = scores.shape
          const best = (length: number, at: (i: number) => number, count: number) =>
            Array.from({ length }, (_, i) => i)
              .sort((a, b) => at(b) - at(a) || a - b)
              .slice(0, count)
          const top = Array.from({ length: tokens }, (_, t) => best(experts, (e) => scores.data[t * experts + e], k))
          const left = [...capacity]
          const dropped = top.map((list) => list.filter((e) => left[e]-- > 0))
          const chosen: number[][] = top.map(() => [])
          capacity.forEach((limit, e) => {
            for (const t of best(tokens, (t) => scores.data[t * experts + e], limit)) chosen[t].push(e)
          })
          const wanted = { topk: top, 'topk-drop': dropped, 'expert-choice': chosen }
          for (const method of ['topk', 'topk-drop', 'expert-choice'] as const) {
            const solution = solve(scores, { k, capacity, method, bound: false })
            expect(listsOf(solution), method).to.deep.equal(wanted[method].map((list) => list.sort((a, b) => a - b)))
          }
        }),
        { runs: 200 },
      )
    })

    it('the dual comes to the exact value by either kind of step', () => {
      const scores = traceScores(512, 8, 5)
      const exact = solve(scores, { capacityFactor: 1.1 })
      for (const steps of ['coordinate', 'subgradient'] as const) {
        const dual = solve(scores, { capacityFactor: 1.1, method: 'dual', steps })
        expect(dual.bound).to.be.within(exact.value - 1e-9, exact.value * 1.002)
        expect(dual.value).to.be.within(exact.value * 0.995, exact.value + 1e-9)
        expect(dual.assigned).to.equal(1)
        expect(dual.bound).to.be.closeTo(phi(scores, 2, dual.capacity, false, dual.prices as Float64Array), 1e-9)
      }
      const cut = solve(scores, { capacityFactor: 1.1, method: 'dual', maxIterations: 1 })
      expect(cut.status).to.equal('iteration-limit')
      expect(cut.bound).to.be.at.least(exact.value)
      expectSound(cut, scores, 2, 'dual')
    })

    it('on ten synthetic layers: the order of the methods, and how far they are apart', () => {
      for (let seed = 0; seed < (backend === 'native' ? 10 : 2); seed++) {
        const scores = traceScores(1024, 16, seed)
        for (const capacity of [160, 128]) {
          const by = Object.fromEntries(
            methods.map((method) => [method, solve(scores, { capacity, method })]),
          ) as Record<RouteMethod, RouteSolution>
          const { exact, greedy, sinkhorn } = by
          expect(exact.gap).to.be.within(-1e-9 * exact.value, 1e-9 * exact.value)
          expect(exact.assigned).to.equal(1)
          expect(by.dual.value).to.be.within(0.999 * exact.value, exact.value + 1e-9)
          expect(greedy.value).to.be.within(0.98 * exact.value, exact.value)
          expect(sinkhorn.value).to.be.within(0.8 * exact.value, greedy.value)
          expect(by['sparse-ot'].value).to.be.within(0.9 * exact.value, exact.value)
          expect(by['topk-drop'].value).to.be.at.most(0.85 * exact.value)
          expect(by['topk-drop'].value).to.be.below(sinkhorn.value)
          expect(by['topk-drop'].assigned).to.be.within(0.5, 0.8)
          const choice = by['expert-choice']
          const [short, over] = capacity === 160 ? [0.2, 0.43] : [0.34, 0.26]
          expect(choice.short / 1024).to.be.closeTo(short, 0.06)
          expect(choice.over / 1024).to.be.closeTo(over, 0.08)
        }
      }
    })

    it('thousands of tokens alike, or on a grid: ties in plenty', () => {
      const alike = { data: new Float64Array(3000 * 12).fill(0.5), shape: [3000, 12] as [number, number] }
      expect(solve(alike, { capacityFactor: 1 }).value).to.be.closeTo(3000, 1e-9)
      const row = fill(12, random(3))
      const same = { ...alike, data: alike.data.map((_, i) => row[i % 12]) }
      const total = row.reduce((sum, x) => sum + x, 0)
      const solution = solve(same, { capacityFactor: 1 })
      expect(solution.value).to.be.closeTo(500 * total, 1e-8)
      expect(solution.gap).to.be.closeTo(0, 1e-8)
      const next = random(4)
      const grid = { ...alike, data: alike.data.map(() => Math.floor(5 * next())) }
      for (const options of [{ capacityFactor: 1 }, { capacityFactor: 0.6, partial: true }]) {
        const { gap, value } = solve(grid, options)
        expect(gap).to.be.closeTo(0, 1e-9 * value)
      }
    })

    it('another order of the experts or tokens changes nothing else', () => {
      const scores = traceScores(300, 10, 8)
      const next = random(9)
      const experts = shuffled(10, next)
      const tokens = shuffled(300, next)
      const moved: Scores = {
        data: scores.data.map((_, i) => scores.data[tokens[Math.floor(i / 10)] * 10 + experts[i % 10]]),
        shape: [300, 10],
      }
      const [one, two] = [solve(scores, { capacityFactor: 1 }), solve(moved, { capacityFactor: 1 })]
      expect(two.value).to.be.closeTo(one.value, 1e-10)
      const lists = listsOf(one)
      listsOf(two).forEach((list, t) => {
        expect(list.map((e) => experts[e]).sort((a, b) => a - b)).to.deep.equal(lists[tokens[t]])
      })
    })

    it('float32 scores, strides, one token, one expert, k of all experts', () => {
      const scores = traceScores(40, 6, 10)
      const single = Float32Array.from(scores.data)
      const wanted = solve({ data: Float64Array.from(single), shape: [40, 6] })
      expect(routeSync({ data: single, shape: [40, 6] }, { backend }).value).to.equal(wanted.value)
      expect(solve({ data: Float64Array.of(3), shape: [1, 1] }).value).to.equal(3)
      expect(listsOf(solve(scores, { k: 6, capacity: 40 }))[7]).to.deep.equal([0, 1, 2, 3, 4, 5])
      expectError(() => solve(scores, { k: 6, capacity: 39 }), 'ERR_INFEASIBLE', /got 234 in 6 experts/)
      expect(solve(scores, { k: 6, capacity: 39, partial: true }).gap).to.be.closeTo(0, 1e-10)
      // 1.1 × 2 × 50 / 10 is 11, whatever rounding makes of it
      expect([...solve(traceScores(50, 10, 1), { capacityFactor: 1.1 }).capacity]).to.deep.equal(Array(10).fill(11))
    })

    it('the same on the calling thread and off it', async () => {
      const scores = traceScores(256, 8, 12)
      for (const method of methods) {
        const { elapsed: _, ...expected } = solve(scores, { method })
        const { elapsed, ...came } = await route(scores, { backend, method })
        expect(came).to.deep.equal(expected)
        expect(elapsed).to.be.at.least(0)
      }
    })

    it('out of time: a routing within the capacities all the same', async () => {
      const scores = traceScores(2000, 16, 13)
      const exact = solve(scores, { capacityFactor: 1 })
      const cut = await route(scores, { backend, capacityFactor: 1, timeLimit: 1e-6 })
      expect(cut.status).to.equal('time-limit')
      expectSound(cut, scores, 2, 'exact')
      expect(cut.value).to.be.at.most(exact.value + 1e-9)
      expect(cut.bound).to.be.at.least(exact.value - 1e-9)
    })

    it('can be aborted, before and during the call', async () => {
      const reason = new Error('enough')
      expect(await rejection(route([[1]], { backend, signal: AbortSignal.abort(reason) }))).to.equal(reason)
      const controller = new AbortController()
      const scores = traceScores(backend === 'native' ? 20000 : 4000, 64, 14)
      const running = route(scores, { backend, k: 4, capacityFactor: 1, signal: controller.signal })
      setImmediate(() => controller.abort(reason))
      expect(await rejection(running)).to.equal(reason)
    })

    it('refuses bad scores and options', async () => {
      const good = traceScores(6, 4, 1)
      const withScore = (i: number, value: number) => ({
        ...good,
        data: good.data.map((s, j) => (i === j ? value : s)),
      })
      const bad: [Wrong, Wrong, string, RegExp][] = [
        [null, {}, 'ERR_SHAPE', /^scores: expected a matrix, got null$/],
        [[], {}, 'ERR_SHAPE', /^scores: expected a non-empty matrix, got 0×0$/],
        [withScore(9, Number.NaN), {}, 'ERR_NOT_FINITE', /^scores\[2\]\[1\]: expected a finite number, got NaN$/],
        [withScore(0, Number.POSITIVE_INFINITY), {}, 'ERR_NOT_FINITE', /^scores\[0\]\[0\]: .+ got Infinity$/],
        [good, { k: 5 }, 'ERR_OPTION', /^k: expected at most 4 \(the experts\), got 5$/],
        [good, { k: 0 }, 'ERR_OPTION', /^k: expected a whole number from 1/],
        [good, { k: 1.5 }, 'ERR_OPTION', /^k: expected a whole number/],
        [
          good,
          { capacity: 2 },
          'ERR_INFEASIBLE',
          /^capacity: expected room for 12 \(6 tokens × 2\), got 8 in 4 experts; partial: true/,
        ],
        [good, { capacity: [9, 9, 9] }, 'ERR_SHAPE', /^capacity: expected a number or 4 of them, got 3$/],
        [good, { capacity: [9, 9, 9, -1] }, 'ERR_OPTION', /^capacity\[3\]: expected a whole number from 0/],
        [
          good,
          { capacity: 3, capacityFactor: 1 },
          'ERR_OPTION',
          /^capacity, capacityFactor: expected one of them, got both$/,
        ],
        [good, { capacityFactor: 0 }, 'ERR_NOT_POSITIVE', /^capacityFactor: expected a finite number > 0, got 0$/],
        [good, { method: 'topkdrop' }, 'ERR_OPTION', /did you mean 'topk-drop'\?$/],
        [good, { steps: 'subgradient' }, 'ERR_OPTION', /^steps: expected with method 'dual' only, got method 'exact'$/],
        [good, { epsilon: 1 }, 'ERR_OPTION', /^epsilon: expected with method 'sinkhorn' only/],
        [
          good,
          { maxIterations: 5 },
          'ERR_OPTION',
          /^maxIterations: expected with method 'dual' or 'sinkhorn' or 'sparse-ot' only/,
        ],
        [good, { gamma: 1 }, 'ERR_OPTION', /^gamma: expected with method 'sparse-ot' only/],
        [good, { partial: 1 }, 'ERR_OPTION', /^partial: expected true or false, got 1$/],
        [good, { capacityfactor: 1 }, 'ERR_OPTION', /did you mean 'capacityFactor'\?$/],
        [good, null, 'ERR_OPTION', /^options: expected \{ k, … \}, got null$/],
      ]
      for (const [scores, options, code, message] of bad) {
        expectError(() => routeSync(scores, options && { backend, ...options }), code as 'ERR_SHAPE', message)
        await expectRejection(route(scores, options && { backend, ...options }), code as 'ERR_SHAPE', message)
      }
    })
  })

  it('gives the same routing and prices on both backends, ties included', () => {
    const next = random(31)
    const grid: Scores = { data: fill(500 * 9, () => Math.floor(8 * next()) / 8), shape: [500, 9] }
    const problems: [Scores, RouteOptions][] = [
      [traceScores(700, 12, 20), { capacityFactor: 1 }],
      [traceScores(700, 12, 21), { capacityFactor: 0.7, partial: true, k: 3 }],
      [grid, { capacityFactor: 1, k: 3 }],
      [grid, { capacityFactor: 0.5, partial: true }],
      [traceScores(400, 37, 22), { capacityFactor: 1.02, k: 5 }],
      [traceScores(700, 12, 20), { method: 'dual', capacityFactor: 1 }],
      [traceScores(700, 12, 20), { method: 'dual', steps: 'subgradient', maxIterations: 300 }],
    ]
    for (const [scores, options] of problems) {
      const [native, portable] = (['native', 'portable'] as const).map((backend) => {
        const { elapsed, backend: name, ...rest } = routeSync(scores, { ...options, backend })
        expect(name).to.equal(backend)
        return rest
      })
      expect(native).to.deep.equal(portable)
    }
  })
})
