import { expect } from 'chai'
import {
  type ExpertTrace,
  type PrefetchOptions,
  type PrefetchSolution,
  prefetch,
  prefetchSync,
  syntheticTrace,
} from '../../lib/moe/index.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { random } from '../helpers/random.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

const predictors = ['markov', 'last-token', 'frequent', 'none'] as const

/** Counts again what a solution says of its sets. */
function expectSound(
  { sets, from, precision, recall, value, bound, bytes }: PrefetchSolution,
  { data, shape }: ExpertTrace,
  options: PrefetchOptions,
  at: (list: Wrong, l: number, e: number) => number,
): void {
  const [layers, tokens, k] = Array.from(shape)
  const sums = { chosen: 0, used: 0, requests: 0, value: 0, bytes: 0 }
  expect([sets.layers, sets.tokens, sets.indptr.length]).to.deep.equal([layers, tokens, layers * tokens + 1])
  for (let l = 0; l < layers; l++) {
    for (let t = 0; t < tokens; t++) {
      const place = l * tokens + t
      const list = Array.from(sets.indices.subarray(sets.indptr[place], sets.indptr[place + 1]))
      if (t < from) {
        expect(list).to.deep.equal([])
        continue
      }
      expect(new Set(list).size).to.equal(list.length)
      const used = Array.from({ length: k }, (_, r) => data[place * k + r])
      const size = list.reduce((sum, e) => sum + at(options.sizes, l, e), 0)
      expect(size).to.be.at.most(options.budget * (1 + 1e-9))
      sums.bytes += size
      sums.chosen += list.length
      sums.requests += k
      for (const e of list.filter((x) => used.includes(x))) {
        sums.used++
        sums.value += at(options.costs, l, e)
      }
    }
  }
  expect(precision).to.be.closeTo(sums.chosen === 0 ? 0 : sums.used / sums.chosen, 1e-12)
  expect(recall).to.be.closeTo(sums.used / sums.requests, 1e-12)
  expect(value).to.be.closeTo(sums.value, 1e-9)
  expect(bytes).to.be.closeTo(sums.bytes, 1e-9)
  expect(bound).to.be.at.least(value - 1e-9)
}

const one = () => 1

describe('moe: prefetch', () => {
  it('keeps the budget and counts what is used', () => {
    const { trace } = syntheticTrace({ tokens: 160, experts: 9, layers: 3, k: 2, seed: 4 })
    const sizes = Array.from({ length: 9 }, (_, e) => 1 + (e % 3) * 0.7)
    const costs = Array.from({ length: 9 }, (_, e) => 1 + (e % 4))
    for (const predictor of predictors) {
      expectSound(prefetchSync(trace, { budget: 3, predictor }), trace, { budget: 3 }, one)
      const options = { budget: 4.2, predictor, sizes, costs }
      expectSound(prefetchSync(trace, options), trace, options, (list, _, e) => list[e])
    }
    expect(prefetchSync(trace, { budget: 3, predictor: 'none' })).to.deep.include({
      precision: 0,
      recall: 0,
      value: 0,
      bytes: 0,
    })
    expect(prefetchSync(trace, { budget: 9 }).recall).to.equal(1)
  })

  it('the last token is what its name says', () => {
    const trace: ExpertTrace = { data: [0, 1, 1, 2, 3, 3], shape: [1, 6, 1] }
    const { sets, recall } = prefetchSync(trace, { budget: 1, predictor: 'last-token' })
    expect([...sets.indices]).to.deep.equal([1, 2, 3])
    expect(recall).to.be.closeTo(1 / 3, 1e-12)
  })

  it('learns a chain of layers that the frequencies do not show', () => {
    const next = random(5)
    // Layer 1 uses a fixed permutation of what layer 0 used, which is drawn anew for every token.
    const first = Array.from({ length: 400 }, () => Math.floor(8 * next()))
    const trace: ExpertTrace = {
      data: [...first, ...first.map((e) => (3 * e + 1) % 8)],
      shape: [2, 400, 1],
      experts: 8,
    }
    const solution = prefetchSync(trace, { budget: 1 })
    const hits = (layer: number) => {
      let count = 0
      for (let t = 200; t < 400; t++) {
        const place = layer * 400 + t
        if (solution.sets.indices[solution.sets.indptr[place]] === trace.data[place]) count++
      }
      return count / 200
    }
    expect(hits(1)).to.be.above(0.99)
    expect(hits(0)).to.be.below(0.3)
    expect(solution.weights!.data[4]).to.be.above(0.9)
  })

  it('on ten synthetic traces: better than the most frequent and than the last token', () => {
    let [markov, last, frequent] = [0, 0, 0]
    for (let seed = 0; seed < 10; seed++) {
      const { trace } = syntheticTrace({ tokens: 600, experts: 16, layers: 4, k: 2, seed })
      const recall = (predictor: (typeof predictors)[number]) => prefetchSync(trace, { budget: 4, predictor }).recall
      expect(recall('markov')).to.be.at.least(recall('frequent') - 0.02)
      markov += recall('markov')
      last += recall('last-token')
      frequent += recall('frequent')
    }
    expect(markov).to.be.above(1.1 * last)
    expect(markov).to.be.above(1.1 * frequent)
  })

  it('the same on the calling thread and off it; aborted', async () => {
    const { trace } = syntheticTrace({ tokens: 300, experts: 16, layers: 4, k: 2, seed: 5 })
    const options = { budget: 5, sizes: Array.from({ length: 16 }, (_, e) => 1 + 0.13 * e) }
    const { elapsed: _, ...expected } = prefetchSync(trace, options)
    const { elapsed, ...came } = await prefetch(trace, options)
    expect(came).to.deep.equal(expected)
    expect(elapsed).to.be.at.least(0)
    const reason = new Error('enough')
    const controller = new AbortController()
    const running = prefetch(trace, { ...options, signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    expect(await rejection(running)).to.equal(reason)
  })

  it('refuses bad traces and options', async () => {
    const good: ExpertTrace = { data: [0, 1, 1, 0], shape: [1, 4, 1] }
    const bad: [Wrong, Wrong, string, RegExp][] = [
      [null, { budget: 1 }, 'ERR_SHAPE', /^trace: expected/],
      [good, {}, 'ERR_OPTION', /^budget: expected a finite number > 0, got undefined$/],
      [good, { budget: 0 }, 'ERR_NOT_POSITIVE', /^budget: expected a finite number > 0, got 0$/],
      [
        good,
        { budget: 1, trainFraction: 0 },
        'ERR_OPTION',
        /^trainFraction: expected a part that leaves tokens on both sides of 4, got 0$/,
      ],
      [good, { budget: 1, trainFraction: 1 }, 'ERR_OPTION', /^trainFraction: /],
      [good, { budget: 1, sizes: [1] }, 'ERR_SHAPE', /^sizes: expected 2 numbers, one for each expert, got 1$/],
      [good, { budget: 1, predictor: 'oracle' }, 'ERR_OPTION', /^predictor: expected one of/],
      [good, { budget: 1, predict: 1 }, 'ERR_OPTION', /did you mean 'predictor'\?$/],
    ]
    for (const [trace, options, code, message] of bad) {
      expectError(() => prefetchSync(trace, options), code as 'ERR_SHAPE', message)
      await expectRejection(prefetch(trace, options), code as 'ERR_SHAPE', message)
    }
  })
})
