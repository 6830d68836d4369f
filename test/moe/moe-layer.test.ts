import { expect } from 'chai'
import { adam } from '../../lib/descent/index.js'
import { cacheSync, type MoeParams, mergeSync, moeLayer, pruneSync, routeSync, tinyMoe } from '../../lib/moe/index.js'
import { generator } from '../../lib/random/index.js'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { random } from '../helpers/random.js'
import { draw } from '../helpers/tensor.js'

type Rows = number[][]
const rows = (x: t.Tensor): Rows => x.toArray() as Rows

const shares = (row: number[]): number[] => {
  const most = Math.max(...row)
  const sizes = row.map((value) => Math.exp(value - most))
  const total = sizes.reduce((a, b) => a + b, 0)
  return sizes.map((value) => value / total)
}

/** One expert on one token, in plain numbers. */
function expert(params: MoeParams, e: number, x: number[]): number[] {
  const [w1, b1, w2, b2] = [params.w1, params.b1, params.w2, params.b2].map((w) => (w.toArray() as Rows[])[e] as Rows)
  const hidden = b1[0].map((shift, h) => Math.max(0, shift + x.reduce((sum, value, i) => sum + value * w1[i][h], 0)))
  return b2[0].map((shift, o) => shift + hidden.reduce((sum, value, h) => sum + value * w2[h][o], 0))
}

/** The layer in plain loops, for the experts of each token. */
function plain(params: MoeParams, x: Rows, chosen: number[][], normalize: boolean): Rows {
  const router = rows(params.router)
  return x.map((token, n) => {
    const logits = router[0].map((_, e) => token.reduce((sum, value, i) => sum + value * router[i][e], 0))
    const all = shares(logits)
    const own = normalize ? shares(chosen[n].map((e) => logits[e])) : chosen[n].map((e) => all[e])
    const out = expert(params, 0, token).map(() => 0)
    chosen[n].forEach((e, r) => {
      expert(params, e, token).forEach((value, o) => {
        out[o] += own[r] * value
      })
    })
    return out
  })
}

/** The k most probable experts of each token. */
function best(params: MoeParams, x: Rows, k: number, among: (e: number) => boolean = () => true): number[][] {
  const router = rows(params.router)
  return x.map((token) => {
    const logits = router[0].map((_, e) => token.reduce((sum, value, i) => sum + value * router[i][e], 0))
    const order = logits.map((_, e) => e).filter(among)
    return order.sort((a, b) => logits[b] - logits[a]).slice(0, k)
  })
}

function expectRows(came: t.Tensor, expected: Rows, tolerance = 1e-12): void {
  expect(came.shape).to.deep.equal([expected.length, expected[0].length])
  expected.flat().forEach((value, i) => {
    expect(came.data[i]).to.be.closeTo(value, tolerance)
  })
}

const sizes = { width: 4, hidden: 5, experts: 6, k: 2, outputs: 3 }

/** With biases that are not 0. */
function paramsOf(layer: t.Layer<MoeParams>): MoeParams {
  const params = layer.init(generator(3))
  for (const b of [params.b1, params.b2]) b.data.set(draw([b.size], random(8)).data)
  return params
}

describe('moe: trainable layer', () => {
  forEachBackend((backend) => {
    const on = (body: () => void) => () => t.withBackend(backend, body)

    it(
      'adds the outputs of the k most probable experts, by either weights, against plain loops',
      on(() => {
        const x = draw([9, 4], random(1))
        for (const normalize of [true, false]) {
          const layer = moeLayer({ ...sizes, normalize })
          const params = paramsOf(layer)
          const chosen = best(params, rows(x), 2)
          const { value, choices, load, probabilities, balanceLoss } = layer.forward(params, x)
          expectRows(value, plain(params, rows(x), chosen, normalize))
          expect([...choices]).to.deep.equal(chosen.flat())
          const counts = Array.from({ length: 6 }, (_, e) => chosen.flat().filter((c) => c === e).length)
          expect([...load]).to.deep.equal(counts)
          const p = rows(probabilities)
          const expected = counts.reduce((sum, n, e) => sum + (n / 18) * (p.reduce((s, row) => s + row[e], 0) / 9), 0)
          expect(balanceLoss.item()).to.be.closeTo(6 * expected, 1e-13)
          const cube = layer.apply(params, t.reshape(x, [3, 3, 4]))
          expect([cube.shape, [...cube.data]]).to.deep.equal([[3, 3, 3], [...value.data]])
        }
      }),
    )

    it(
      'takes any routing: fewer experts for some tokens, none for others; and a part of the experts',
      on(() => {
        const layer = moeLayer(sizes)
        const params = paramsOf(layer)
        const x = draw([8, 4], random(2))
        const scores = t.softmax(t.matmul(x, params.router))
        const { routing } = routeSync({ data: scores.data, shape: [8, 6] } as never, {
          k: 2,
          capacity: 2,
          method: 'topk-drop',
        })
        const chosen = Array.from({ length: 8 }, (_, n) =>
          Array.from(routing.indices.subarray(routing.indptr[n], routing.indptr[n + 1])),
        )
        expect(chosen.some((list) => list.length === 0)).to.equal(true)
        expectRows(layer.forward(params, x, { routing }).value, plain(params, rows(x), chosen, true))
        const keep = [4, 1, 3]
        const among = best(params, rows(x), 2, (e) => keep.includes(e))
        expectRows(layer.forward(params, x, { keep }).value, plain(params, rows(x), among, true))
        expectRows(
          layer.forward(params, x, { keep: [5] }).value,
          rows(x).map((token) => expert(params, 5, token)),
        )
        const all = layer.all(params, x)
        expect(all.shape).to.deep.equal([6, 8, 3])
        expectRows(
          t.slice(all, [2]),
          rows(x).map((token) => expert(params, 2, token)),
        )
      }),
    )

    it(
      'has the gradient of its value and of the balance loss',
      on(() => {
        for (const normalize of [true, false]) {
          const layer = moeLayer({ ...sizes, normalize })
          const params = paramsOf(layer)
          const x = draw([7, 4], random(4))
          const weights = draw([7, 3], random(6))
          const f = (at: { params: MoeParams; x: t.Tensor }): t.Tensor => {
            const { value, balanceLoss } = layer.forward(at.params, at.x)
            return t.add(t.sum(t.mul(weights, value)), balanceLoss)
          }
          const { passed, error } = t.gradCheck(f, { params, x }, { step: 1e-5, tolerance: 1e-8 })
          expect(passed, `error ${error}`).to.equal(true)
        }
      }),
    )
  })

  it('does not care how the experts are numbered', () => {
    const layer = moeLayer(sizes)
    const params = paramsOf(layer)
    const order = Int32Array.of(3, 1, 5, 0, 4, 2)
    const other: MoeParams = {
      router: t.gather(params.router, order, 1),
      w1: t.gather(params.w1, order),
      b1: t.gather(params.b1, order),
      w2: t.gather(params.w2, order),
      b2: t.gather(params.b2, order),
    }
    const x = draw([20, 4], random(9))
    expectRows(layer.forward(other, x).value, rows(layer.forward(params, x).value), 1e-13)
  })

  it('balances by biases, which choose but do not weigh, and come with the state', () => {
    const layer = moeLayer({ ...sizes, experts: 8, balance: 'bias', step: 0.01 })
    const params = layer.init(generator(5))
    const state = layer.state?.() as { bias: t.Tensor }
    const next = random(3)
    const total = new Float64Array(8)
    const imbalance = [...Array(300)].map((_, batch) => {
      const x = draw([64, 4], () => next() + 0.2)
      const before = [...state.bias.data]
      const { load, value, choices } = layer.forward(params, x, { context: { training: true, state } })
      const chosen = Array.from({ length: 64 }, (_, n) => Array.from(choices.subarray(2 * n, 2 * n + 2)))
      if (batch % 100 === 99) expectRows(value, plain(params, rows(x), chosen, true))
      if (batch >= 200) for (const [e, n] of load.entries()) total[e] += n
      // Against the sign of the error of the load, 16 tokens in the mean.
      state.bias.data.forEach((bias, e) => {
        expect(bias - before[e]).to.be.closeTo(0.01 * Math.sign(16 - load[e]), 1e-12)
      })
      return Math.max(...load) / 16
    })
    const mean = (part: number[]): number => part.reduce((a, b) => a + b, 0) / part.length
    expect(mean(imbalance.slice(0, 10))).to.be.greaterThan(2.5)
    expect(Math.max(...total) / 1600).to.be.lessThan(1.1)
    const kept = [...state.bias.data]
    layer.forward(params, draw([64, 4], next), { context: { state } })
    expect([...state.bias.data]).to.deep.equal(kept)
  })

  it('refuses what does not fit', () => {
    const layer = moeLayer(sizes)
    const params = layer.init(generator(0))
    const x = t.ones([2, 4])
    expectError(() => moeLayer({ ...sizes, k: 7 }), 'ERR_OPTION', /k: expected a whole number from 1 to 6, got 7/)
    expectError(() => moeLayer({ ...sizes, expert: 7 } as never), 'ERR_OPTION', /did you mean 'experts'/)
    expectError(() => moeLayer({} as never), 'ERR_OPTION', /width/)
    expectError(() => layer.forward(params, t.ones([2, 5])), 'ERR_SHAPE', /tokens: expected .* 4 numbers, got \[2, 5\]/)
    expectError(() => layer.forward(params, x, { keep: [1, 1] }), 'ERR_OPTION', /keep: expected different experts/)
    const routing = {
      shape: [2, 6],
      indptr: Int32Array.of(0, 1, 1),
      indices: Int32Array.of(6),
      data: Float64Array.of(1),
    }
    expectError(
      () => layer.forward(params, x, { routing: routing as never }),
      'ERR_SHAPE',
      /routing.indices\[0\]: .* below 6, got 6/,
    )
    expectError(
      () => layer.forward(params, x, { routing: { ...routing, shape: [3, 6] } as never }),
      'ERR_SHAPE',
      /2×6, got 3×6/,
    )
    const context = { state: { bias: t.zeros([5]) } }
    expectError(
      () => layer.forward(params, x, { context }),
      'ERR_SHAPE',
      /state: expected a bias for each of 6 experts/,
    )
  })
})

describe('moe: tinyMoe', () => {
  /** Which of eight directions a point in the plane is nearest to, hidden among noise. */
  const sectors = (count: number, seed: number) => {
    const next = random(seed)
    const x = draw([count, 6], () => 2 * next() - 1)
    const y = Int32Array.from({ length: count }, (_, i) => {
      const angle = Math.atan2(x.data[6 * i + 1], x.data[6 * i]) / (2 * Math.PI)
      return Math.floor(8 * (angle + 0.5)) % 8
    })
    return { x, y: t.tensor(y) }
  }
  const options = { inputs: 6, outputs: 8, width: 12, hidden: 8, experts: 6, k: 2 }
  const learn = (more: object) => {
    const model = tinyMoe({ ...options, ...more })
    const data = t.dataLoader(sectors(600, 1), { batchSize: 50, shuffle: true })
    const params = model.init(generator(2))
    const start = { params, state: model.state?.(), loss: model.loss, data }
    return { model, training: t.train(start, { optimizer: adam({ learningRate: 1e-2 }), epochs: 15 }) }
  }
  const held = sectors(300, 2)
  const imbalance = (load: Int32Array): number => (Math.max(...load) * load.length) / load.reduce((a, b) => a + b, 0)

  it('learns, and either balancing evens out the load', async () => {
    const figures = await Promise.all(
      [{}, { auxiliary: 0.05 }, { balance: 'bias', step: 5e-3 }].map(async (more) => {
        const { model, training } = learn(more)
        const { params, state } = await training
        const { logits, moe } = model.forward(params, held.x, { context: { state } })
        return { accuracy: t.accuracy(logits, held.y), imbalance: imbalance(moe.load) }
      }),
    )
    for (const { accuracy } of figures) expect(accuracy).to.be.at.least(0.7)
    expect(figures[1].imbalance).to.be.lessThan(figures[0].imbalance)
    expect(figures[2].imbalance).to.be.lessThan(figures[0].imbalance)
  })

  it('gives its experts, calibration and trace to the other functions of the room', async () => {
    const { model, training } = learn({})
    const { params } = await training
    const full = model.forward(params, held.x).moe
    const layer = model.calibration(params, held.x)
    const { keep, value } = pruneSync(layer, { keep: 4 })
    const part = model.layer.forward(params.moe, model.tokens(params, held.x), { keep })
    expect(t.norm(t.sub(part.value, full.value)).item()).to.be.closeTo(value, 1e-10)
    const experts = model.experts(params)
    const { experts: same } = mergeSync(experts, { groups: 6, features: [...Array(6)].map((_, e) => [e]) })
    expect(same.length).to.equal(6)
    const token = rows(model.tokens(params, held.x))[3]
    experts.forEach(({ w1, w2 }, e) => {
      const hidden = { ...(w1 as { data: Float64Array; shape: number[]; stride: number[] }) }
      expect(hidden.shape).to.deep.equal([8, 12])
      const first = hidden.data[2 * hidden.stride[0] + 5 * hidden.stride[1]]
      expect(first).to.equal(t.slice(params.moe.w1, [e, 5, 2]).item())
      expect((w2 as unknown as { shape: number[] }).shape).to.deep.equal([12, 8])
      const outputs = (layer.outputs[e] as { data: Float64Array }).data.slice(36, 48)
      expert(params.moe, e, token).forEach((wanted, o) => {
        expect(outputs[o]).to.be.closeTo(wanted, 1e-12)
      })
    })
    const trace = model.trace(params, held.x)
    expect([trace.shape, trace.experts]).to.deep.equal([[1, 300, 2], 6])
    expect(cacheSync(trace, { slots: 6 }).hitRate).to.be.at.least(0.98)
  })

  it('adds the balance loss while training only', () => {
    const model = tinyMoe({ ...options, auxiliary: 0.5 })
    const params = model.init(generator(1))
    const { moe } = model.forward(params, held.x)
    const [on, off] = [true, false].map((training) => model.loss(params, held, { training }).item())
    expect(on - off).to.be.closeTo(0.5 * moe.balanceLoss.item(), 1e-12)
    expectError(() => tinyMoe({ ...options, auxiliary: -1 }), 'ERR_OPTION', /auxiliary/)
    expectError(() => tinyMoe({ ...options, inputs: 0 }), 'ERR_OPTION', /inputs/)
  })
})
