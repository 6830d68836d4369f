import { expect } from 'chai'
import fc from 'fast-check'
import { type MergedExpert, type MergeOptions, type MlpExpert, merge, mergeSync } from '../../lib/moe/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { fill, random, randomNormal, shuffled } from '../helpers/random.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

interface Plain {
  w1: number[][]
  b1: number[]
  gate?: number[][]
  w2: number[][]
  b2: number[]
}

function plainExpert(inputs: number, hidden: number, outputs: number, gated: boolean, next: () => number): Plain {
  const matrix = (n: number, m: number) => Array.from({ length: n }, () => Array.from(fill(m, next)))
  return {
    w1: matrix(hidden, inputs),
    b1: Array.from(fill(hidden, next)),
    ...(gated && { gate: matrix(hidden, inputs) }),
    w2: matrix(outputs, hidden),
    b2: Array.from(fill(outputs, next)),
  }
}

/** The same expert with its hidden units in another order. */
function permuted({ w1, b1, gate, w2, b2 }: Plain, order: number[]): Plain {
  return {
    w1: order.map((h) => w1[h]),
    b1: order.map((h) => b1[h]),
    ...(gate && { gate: order.map((h) => gate[h]) }),
    w2: w2.map((row) => order.map((h) => row[h])),
    b2,
  }
}

const acts = {
  relu: (x: number) => (x > 0 ? x : 0),
  silu: (x: number) => x / (1 + Math.exp(-x)),
  gelu: (x: number) => (x / 2) * (1 + Math.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))),
}

function answer({ w1, b1, gate, w2, b2 }: Plain, x: number[], act: (x: number) => number): number[] {
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0)
  const units = w1.map((row, h) => act(dot(row, x) + b1[h]) * (gate === undefined ? 1 : dot(gate[h], x)))
  return w2.map((row, o) => dot(row, units) + b2[o])
}

function plainOf({ w1, b1, gate, w2, b2 }: MergedExpert): Plain {
  const rows = ({ data, shape }: MergedExpert['w1']) =>
    Array.from({ length: shape[0] }, (_, i) => Array.from(data.subarray(i * shape[1], (i + 1) * shape[1])))
  return { w1: rows(w1), b1: [...b1], ...(gate && { gate: rows(gate) }), w2: rows(w2), b2: [...b2] }
}

function inputsOf(count: number, width: number, seed: number): number[][] {
  const next = randomNormal(seed)
  return Array.from({ length: count }, () => Array.from(fill(width, next)))
}

describe('moe: merge', () => {
  forEachBackend((backend) => {
    it('a permuted copy of an expert changes nothing, gated or not', () => {
      const problem = fc.record({ hidden: fc.integer({ min: 1, max: 12 }), gated: fc.boolean(), seed: fc.nat(1e6) })
      check(
        fc.property(problem, ({ hidden, gated, seed }) => {
          const next = randomNormal(seed)
          const [a, b] = [plainExpert(4, hidden, 3, gated, next), plainExpert(4, hidden, 3, gated, next)]
          const order = shuffled(hidden, random(seed))
          const inputs = inputsOf(12, 4, seed + 1)
          const experts = [a, b, permuted(a, order), permuted(b, order)]
          const solution = mergeSync(experts, { groups: 2, inputs, backend })
          expect([...solution.groupOf]).to.deep.equal([0, 1, 0, 1])
          expect(solution.error).to.be.closeTo(0, 1e-12)
          const merged = solution.experts.map(plainOf)
          for (const x of inputs) {
            experts.forEach((expert, e) => {
              const wanted = answer(expert, x, acts.relu)
              answer(merged[solution.groupOf[e]], x, acts.relu).forEach((y, o) => {
                expect(y).to.be.closeTo(wanted[o], 1e-9)
              })
            })
          }
        }),
        { runs: 40 },
      )
    })

    it('alignment loses less than none, on ten layers of experts that differ', () => {
      for (let seed = 0; seed < 10; seed++) {
        const next = randomNormal(seed)
        const origins = Array.from({ length: 3 }, () => plainExpert(6, 16, 4, false, next))
        const experts = Array.from({ length: 9 }, (_, e) => {
          const noisy = permuted(origins[e % 3], shuffled(16, random(seed * 9 + e)))
          const shake = (row: number[]) => row.map((x) => x + 0.15 * next())
          return {
            ...noisy,
            w1: noisy.w1.map(shake),
            b1: shake(noisy.b1),
            w2: noisy.w2.map(shake),
            b2: shake(noisy.b2),
          }
        })
        const inputs = inputsOf(60, 6, seed + 50)
        const relative = (options: Partial<MergeOptions>) =>
          mergeSync(experts, { groups: 3, inputs, backend, ...options }).relative as number
        const aligned = relative({})
        expect([...mergeSync(experts, { groups: 3, inputs, backend }).groupOf]).to.deep.equal([
          0, 1, 2, 0, 1, 2, 0, 1, 2,
        ])
        expect(aligned).to.be.below(0.35)
        expect(aligned).to.be.below(0.6 * relative({ align: false }))
        expect(aligned).to.be.below(0.6 * relative({ method: 'random', seed }))
        expect(relative({ method: 'k-means', seed })).to.be.at.least(aligned - 1e-12)
      }
    })
  })

  it('averages in proportion to frequency, and measures the change with every activation', () => {
    const next = randomNormal(3)
    const experts = [plainExpert(3, 5, 2, true, next), plainExpert(3, 5, 2, true, next)]
    const inputs = inputsOf(20, 3, 4)
    const frequency = [3, 1]
    for (const activation of ['relu', 'silu', 'gelu'] as const) {
      const solution = mergeSync(experts, { groups: 1, inputs, frequency, align: false, activation })
      const [merged] = solution.experts.map(plainOf)
      const mean = (a: number, b: number) => 0.75 * a + 0.25 * b
      expect(merged.w1[2][1]).to.be.closeTo(mean(experts[0].w1[2][1], experts[1].w1[2][1]), 1e-12)
      expect(merged.gate![4][2]).to.be.closeTo(mean(experts[0].gate![4][2], experts[1].gate![4][2]), 1e-12)
      expect(merged.b2[1]).to.be.closeTo(mean(experts[0].b2[1], experts[1].b2[1]), 1e-12)
      let [squares, norm] = [0, 0]
      for (const x of inputs) {
        const y = answer(merged, x, acts[activation])
        experts.forEach((expert, e) => {
          answer(expert, x, acts[activation]).forEach((own, o) => {
            squares += frequency[e] * (own - y[o]) ** 2
            norm += frequency[e] * own ** 2
          })
        })
      }
      expect(solution.error).to.be.closeTo(Math.sqrt(squares / (4 * 20 * 2)), 1e-10)
      expect(solution.relative).to.be.closeTo(Math.sqrt(squares / norm), 1e-10)
      expect(solution.residual).to.equal(solution.relative)
    }
    // The most frequent expert lends the order of the units.
    const { orders } = mergeSync(experts, { groups: 1, inputs, frequency: [1, 3] })
    expect([...orders[1]]).to.deep.equal([0, 1, 2, 3, 4])
    expect([...orders[0]].sort()).to.deep.equal([0, 1, 2, 3, 4])
  })

  it('clusters by each linkage as their definitions say', () => {
    const points = fc.record({ count: fc.integer({ min: 1, max: 9 }), seed: fc.nat(1e6) }).map(({ count, seed }) => {
      const next = random(seed)
      return Array.from({ length: count }, () => [next(), next()])
    })
    const far = (a: number[], b: number[]) => Math.hypot(a[0] - b[0], a[1] - b[1])
    const links = {
      single: (list: number[]) => Math.min(...list),
      complete: (list: number[]) => Math.max(...list),
      average: (list: number[]) => list.reduce((sum, x) => sum + x, 0) / list.length,
    }
    check(
      fc.property(
        points,
        fc.nat(7),
        fc.constantFrom('single' as const, 'complete' as const, 'average' as const),
        (features, g, linkage) => {
          const groups = 1 + (g % features.length)
          let clusters = features.map((_, i) => [i])
          let isTied = false
          while (clusters.length > groups) {
            const pairs = clusters.flatMap((a, i) =>
              clusters.slice(i + 1).map((b, k) => {
                const list = a.flatMap((x) => b.map((y) => far(features[x], features[y])))
                return { i, j: i + 1 + k, distance: links[linkage](list) }
              }),
            )
            pairs.sort((p, q) => p.distance - q.distance)
            isTied ||= pairs.length > 1 && pairs[1].distance - pairs[0].distance < 1e-9
            const { i, j } = pairs[0]
            clusters = [...clusters.filter((_, c) => c !== i && c !== j), [...clusters[i], ...clusters[j]]]
          }
          if (isTied) return
          const experts = features.map((_, e) => ({ w1: [[e]], w2: [[1]] }))
          const { groupOf } = mergeSync(experts, { groups, features, linkage })
          for (const list of clusters) expect(new Set(list.map((i) => groupOf[i])).size).to.equal(1)
          expect(new Set(groupOf).size).to.equal(groups)
        },
      ),
      { runs: 150 },
    )
  })

  it('k-means and random leave no group empty', () => {
    const features = [[0], [0], [0], [0], [9]]
    const experts = features.map((_, e) => ({ w1: [[e]], w2: [[1]] }))
    for (const method of ['k-means', 'random'] as const) {
      for (let groups = 1; groups <= 5; groups++) {
        const { groupOf } = mergeSync(experts, { groups, features, method, seed: groups })
        expect(new Set(groupOf).size).to.equal(groups)
        expect(groupOf[0]).to.equal(0)
      }
    }
    const { groupOf } = mergeSync(experts, { groups: 2, features, method: 'k-means' })
    expect([...groupOf]).to.deep.equal([0, 0, 0, 0, 1])
  })

  it('the same on the calling thread and off it; aborted', async () => {
    const next = randomNormal(7)
    const experts = Array.from({ length: 6 }, () => plainExpert(8, 60, 8, false, next))
    const inputs = inputsOf(40, 8, 8)
    const { elapsed: _, ...expected } = mergeSync(experts, { groups: 2, inputs })
    const { elapsed, ...came } = await merge(experts, { groups: 2, inputs })
    expect(came).to.deep.equal(expected)
    expect(elapsed).to.be.at.least(0)
    const reason = new Error('enough')
    expect(await rejection(merge(experts, { groups: 2, inputs, signal: AbortSignal.abort(reason) }))).to.equal(reason)
  })

  it('refuses bad experts and options', async () => {
    const good: MlpExpert = { w1: [[1, 2]], w2: [[1], [2]] }
    const inputs = [[1, 1]]
    const bad: [Wrong, Wrong, string, RegExp][] = [
      [null, { groups: 1, inputs }, 'ERR_SHAPE', /^experts: expected at least one of/],
      [[], { groups: 1, inputs }, 'ERR_SHAPE', /got none$/],
      [[null], { groups: 1, inputs }, 'ERR_SHAPE', /^experts\[0\]: expected \{ w1, b1, w2, b2 \}, got null$/],
      [[{ ...good, w2: [[1, 2]] }], { groups: 1, inputs }, 'ERR_SHAPE', /^experts\[0\].w2: expected 1 columns/],
      [
        [good, { ...good, b1: [1, 2] }],
        { groups: 1, inputs },
        'ERR_SHAPE',
        /^experts\[1\].b1: expected 1 numbers, got 2$/,
      ],
      [[good, { ...good, b2: [1, Number.NaN] }], { groups: 1, inputs }, 'ERR_NOT_FINITE', /^experts\[1\].b2\[1\]: /],
      [[{ ...good, w1: [[1, Number.NaN]] }], { groups: 1, inputs }, 'ERR_NOT_FINITE', /^experts\[0\].w1\[0\]\[1\]: /],
      [
        [good, { w1: [[1]], w2: [[1], [2]] }],
        { groups: 1, inputs },
        'ERR_SHAPE',
        /^experts\[1\]: expected the shape of the first, 2 → 1 → 2, got 1 → 1 → 2$/,
      ],
      [[good, { ...good, gate: [[1, 2]] }], { groups: 1, inputs }, 'ERR_SHAPE', /got 2 → 1 \(gated\) → 2$/],
      [
        [{ ...good, gate: [[1]] }],
        { groups: 1, inputs },
        'ERR_SHAPE',
        /^experts\[0\].gate: expected 1×2 numbers as w1 has, got 1×1$/,
      ],
      [[{ ...good, w3: 1 }], { groups: 1, inputs }, 'ERR_OPTION', /^experts\[0\]: unknown name 'w3'/],
      [[good], { inputs }, 'ERR_OPTION', /^groups: expected a whole number from 1 to 1/],
      [[good], { groups: 2, inputs }, 'ERR_OPTION', /^groups: expected a whole number from 1 to 1, got 2$/],
      [
        [good],
        { groups: 1 },
        'ERR_OPTION',
        /^inputs, features: expected one of them with method 'hierarchical', got neither$/,
      ],
      [[good], { groups: 1, inputs, features: [[1]] }, 'ERR_OPTION', /got both$/],
      [[good], { groups: 1, inputs: [[1]] }, 'ERR_SHAPE', /^inputs: expected rows of 2 numbers, got 1×1$/],
      [
        [good],
        { groups: 1, features: [[1], [2]] },
        'ERR_SHAPE',
        /^features: expected 1 rows, one for each expert, got 2×1$/,
      ],
      [[good], { groups: 1, inputs, frequency: [1, 2] }, 'ERR_SHAPE', /^frequency: expected 1 numbers, got 2$/],
      [[good], { groups: 1, inputs, linkage: 'ward' }, 'ERR_OPTION', /^linkage: expected one of/],
      [
        [good],
        { groups: 1, inputs, activation: 'tanh' },
        'ERR_OPTION',
        /^activation: expected one of 'relu', 'silu', 'gelu'/,
      ],
    ]
    for (const [experts, options, code, message] of bad) {
      expectError(() => mergeSync(experts, options), code as 'ERR_SHAPE', message)
      await expectRejection(merge(experts, options), code as 'ERR_SHAPE', message)
    }
  })
})
