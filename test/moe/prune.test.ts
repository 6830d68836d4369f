import { expect } from 'chai'
import fc from 'fast-check'
import { type PruneLayer, prune, pruneSync, skipThreshold } from '../../lib/moe/index.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { random, randomNormal, shuffled } from '../helpers/random.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

interface Layer extends PruneLayer {
  logits: number[][]
  outputs: number[][][]
  k: number
}

/** Experts of which some answer alike, and some are used more than others. */
function layerOf(tokens: number, experts: number, dimension: number, k: number, seed: number): Layer {
  const next = randomNormal(seed)
  const popularity = Array.from({ length: experts }, () => next())
  const logits = Array.from({ length: tokens }, () => popularity.map((p) => p + next()))
  const shared = Array.from({ length: 3 }, () =>
    Array.from({ length: tokens }, () => Array.from({ length: dimension }, next)),
  )
  const outputs = Array.from({ length: experts }, (_, e) =>
    shared[e % 3].map((row) => row.map((x) => x + 0.5 * next())),
  )
  return { logits, outputs, k }
}

/** |Y - Y_S|_F from the definition. */
function lossOf({ logits, outputs, k }: Layer, kept: number[]): number {
  const answer = (t: number, allowed: number[]) => {
    const chosen = [...allowed].sort((a, b) => logits[t][b] - logits[t][a]).slice(0, k)
    const weights = chosen.map((e) => Math.exp(logits[t][e] - logits[t][chosen[0]]))
    const total = weights.reduce((sum, w) => sum + w, 0)
    return outputs[0][0].map((_, i) => chosen.reduce((sum, e, r) => sum + (weights[r] / total) * outputs[e][t][i], 0))
  }
  const all = outputs.map((_, e) => e)
  let squares = 0
  for (let t = 0; t < logits.length; t++) {
    const [full, part] = [answer(t, all), answer(t, kept)]
    full.forEach((y, i) => {
      squares += (y - part[i]) ** 2
    })
  }
  return Math.sqrt(squares)
}

function subsets(n: number, size: number): number[][] {
  return Array.from({ length: 1 << n }, (_, set) =>
    Array.from({ length: n }, (_, e) => e).filter((e) => (set >> e) % 2),
  ).filter((list) => list.length === size)
}

describe('moe: prune', () => {
  it('finds the best of all subsets, and says what each method loses', () => {
    const problem = fc.record({
      experts: fc.integer({ min: 2, max: 7 }),
      k: fc.integer({ min: 1, max: 3 }),
      share: fc.double({ min: 0, max: 0.99, noNaN: true }),
      seed: fc.nat(1e6),
    })
    check(
      fc.property(problem, ({ experts, k: wanted, share, seed }) => {
        const k = Math.min(wanted, experts)
        const layer = layerOf(10, experts, 4, k, seed)
        const keep = 1 + Math.floor(share * experts)
        const best = Math.min(...subsets(experts, keep).map((list) => lossOf(layer, list)))
        for (const method of ['enumerate', 'greedy', 'swap', 'frequency', 'random', 'auto'] as const) {
          const solution = pruneSync(layer, { keep, method })
          expect(solution.keep.length).to.equal(keep)
          expect([...solution.keep]).to.deep.equal([...new Set(solution.keep)].sort((a, b) => a - b))
          const loss = lossOf(layer, [...solution.keep])
          expect(solution.value).to.be.closeTo(loss, 1e-7 * (1 + loss))
          expect(solution.value).to.be.at.least(best - 1e-7)
          if (method === 'enumerate' || method === 'auto') {
            expect(solution.value).to.be.closeTo(best, 1e-7)
            expect(solution.optimal).to.equal(true)
          }
        }
        const [greedy, swap] = (['greedy', 'swap'] as const).map((method) => pruneSync(layer, { keep, method }).value)
        expect(swap).to.be.at.most(greedy + 1e-9)
      }),
      { runs: 60 },
    )
  })

  it('on ten layers: random, frequency, greedy, swap, all, each better than the one before', () => {
    const sum = { random: 0, frequency: 0, greedy: 0, swap: 0, enumerate: 0 }
    for (let seed = 0; seed < 10; seed++) {
      const layer = layerOf(100, 12, 8, 2, seed)
      const value = { ...sum }
      for (const method of Object.keys(sum) as (keyof typeof sum)[]) {
        value[method] = pruneSync(layer, { keep: 8, method, seed }).value
        sum[method] += value[method]
      }
      expect(value.enumerate).to.be.at.most(value.swap + 1e-9)
      expect(value.enumerate).to.be.at.most(value.frequency + 1e-9)
      expect(value.swap).to.be.at.most(1.02 * value.enumerate)
    }
    expect(sum.enumerate).to.be.at.most(sum.swap)
    expect(sum.swap).to.be.at.most(sum.greedy)
    expect(sum.greedy).to.be.below(sum.frequency)
    expect(sum.frequency).to.be.below(0.9 * sum.random)
  })

  it('keeping all changes nothing; another order of the experts neither', () => {
    const layer = layerOf(40, 6, 5, 2, 3)
    const all = pruneSync(layer, { keep: 6 })
    expect([all.value, all.relative, all.residual]).to.deep.equal([0, 0, 0])
    const order = shuffled(6, random(4))
    const moved = {
      ...layer,
      logits: layer.logits.map((row) => order.map((e) => row[e])),
      outputs: order.map((e) => layer.outputs[e]),
    }
    const [one, two] = [pruneSync(layer, { keep: 3 }), pruneSync(moved, { keep: 3 })]
    expect(two.value).to.be.closeTo(one.value, 1e-9)
    expect(Array.from(two.keep, (e) => order[e]).sort()).to.deep.equal([...one.keep])
  })

  it('the same on the calling thread and off it; out of time; aborted', async () => {
    const layer = layerOf(200, 16, 8, 2, 5)
    const { elapsed: _, ...expected } = pruneSync(layer, { keep: 14 })
    const { elapsed, ...came } = await prune(layer, { keep: 14 })
    expect(came).to.deep.equal(expected)
    expect(elapsed).to.be.at.least(0)
    const cut = await prune(layer, { keep: 8, method: 'enumerate', timeLimit: 1e-6 })
    expect([cut.status, cut.optimal]).to.deep.equal(['time-limit', false])
    expect(cut.value).to.be.closeTo(lossOf(layer, [...cut.keep]), 1e-6)
    const reason = new Error('enough')
    const controller = new AbortController()
    const running = prune(layer, { keep: 8, method: 'enumerate', signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    expect(await rejection(running)).to.equal(reason)
  })

  it('refuses bad layers and options', async () => {
    const good = {
      logits: [
        [1, 2],
        [0, 1],
      ],
      outputs: [
        [[1], [2]],
        [[0], [1]],
      ],
    }
    const bad: [Wrong, Wrong, string, RegExp][] = [
      [null, { keep: 1 }, 'ERR_SHAPE', /^layer: expected \{ logits, outputs, k \}, got null$/],
      [{ ...good, logits: [] }, { keep: 1 }, 'ERR_SHAPE', /^layer.logits: expected a non-empty matrix/],
      [{ ...good, logits: [[1, Number.NaN]] }, { keep: 1 }, 'ERR_NOT_FINITE', /^layer.logits\[0\]\[1\]: /],
      [
        { ...good, outputs: [[[1], [2]]] },
        { keep: 1 },
        'ERR_SHAPE',
        /^layer.outputs: expected 2 matrices, one for each expert, got 1$/,
      ],
      [
        { ...good, outputs: [[[1], [2]], [[1]]] },
        { keep: 1 },
        'ERR_SHAPE',
        /^layer.outputs\[1\]: expected 2×1 numbers, got 1×1$/,
      ],
      [{ ...good, k: 3 }, { keep: 1 }, 'ERR_OPTION', /^layer.k: expected a whole number from 1 to 2, got 3$/],
      [{ ...good, top: 3 }, { keep: 1 }, 'ERR_OPTION', /^layer: unknown name 'top'/],
      [good, {}, 'ERR_OPTION', /^keep: expected a whole number from 1 to 2/],
      [good, { keep: 3 }, 'ERR_OPTION', /^keep: expected a whole number from 1 to 2, got 3$/],
      [good, { keep: 1, methods: 'swap' }, 'ERR_OPTION', /did you mean 'method'\?$/],
      [
        layerOf(2, 24, 1, 2, 1),
        { keep: 12, method: 'enumerate' },
        'ERR_OPTION',
        /^method: expected at most 50000 subsets to enumerate, got 2704156$/,
      ],
    ]
    for (const [layer, options, code, message] of bad) {
      expectError(() => pruneSync(layer, options), code as 'ERR_SHAPE', message)
      await expectRejection(prune(layer, options), code as 'ERR_SHAPE', message)
    }
  })
})

describe('moe: skipThreshold', () => {
  const weights = (tokens: number, k: number, seed: number) => {
    const next = random(seed)
    return Array.from({ length: tokens }, () => Array.from({ length: k }, () => 0.05 + next()))
  }

  it('is the median ratio of two, by which half of the tokens keep one', () => {
    const list = weights(501, 2, 3)
    const ratios = list.map((w) => Math.min(...w) / Math.max(...w)).sort((a, b) => a - b)
    for (const rule of ['ratio', 'mass'] as const) {
      const threshold = skipThreshold(list, { rule })
      expect(threshold.ratios[0]).to.be.closeTo(ratios[250], 1e-12)
      expect(threshold.mass).to.be.closeTo(1 / (1 + ratios[250]), 1e-12)
      const kept = list.map((w) => threshold.keep(w))
      for (const [t, w] of list.entries()) {
        const ratio = Math.min(...w) / Math.max(...w)
        if (Math.abs(ratio - ratios[250]) > 1e-9) expect(kept[t]).to.equal(ratio < ratios[250] ? 1 : 2)
      }
      expect(kept.filter((count) => count === 1).length).to.be.closeTo(250, 1)
    }
  })

  it('leaves out the part that is asked for, of any number of experts', () => {
    const list = weights(1000, 5, 4)
    for (const skip of [0, 0.3, 0.8, 1]) {
      const { keep } = skipThreshold(list, { rule: 'mass', skip })
      const left = list.reduce((sum, w) => sum + 5 - keep(w), 0)
      expect(left / 4000).to.be.closeTo(skip, 0.002)
    }
    const { keep, ratios } = skipThreshold(list)
    for (const w of list.slice(0, 50)) {
      const sorted = [...w].sort((a, b) => b - a)
      const first = sorted.findIndex((x, r) => r > 0 && x < ratios[r - 1] * sorted[0])
      expect(keep(w)).to.equal(first < 0 ? 5 : first)
    }
  })

  it('refuses bad weights and options', () => {
    const bad: [() => unknown, string, RegExp][] = [
      [() => skipThreshold([]), 'ERR_SHAPE', /^weights: expected a non-empty matrix/],
      [
        () => skipThreshold([[1, -1]]),
        'ERR_NOT_POSITIVE',
        /^weights\[0\]\[1\]: expected a finite weight >= 0, got -1$/,
      ],
      [() => skipThreshold([[1, 1]], { skip: 2 }), 'ERR_OPTION', /^skip: expected a part from 0 to 1, got 2$/],
      [() => skipThreshold([[1, 1]], { rule: 'none' } as Wrong), 'ERR_OPTION', /^rule: expected one of/],
      [() => skipThreshold([[1, 1]]).keep([1]), 'ERR_SHAPE', /^weights: expected 2 numbers, got 1$/],
    ]
    for (const [call, code, message] of bad) expectError(call, code as 'ERR_SHAPE', message)
  })
})
