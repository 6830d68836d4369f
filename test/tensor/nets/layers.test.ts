import { expect } from 'chai'
import { generator } from '../../../lib/random/index.js'
import * as t from '../../../lib/tensor/index.js'
import { forEachBackend } from '../../helpers/backends.js'
import { expectError } from '../../helpers/errors.js'
import { random } from '../../helpers/random.js'
import { draw } from '../../helpers/tensor.js'

type Rows = number[][]

const rows = (x: t.Tensor): Rows => x.toArray() as Rows

function close(came: t.Tensor, expected: unknown, tolerance = 1e-12): void {
  const wanted = t.tensor(expected as t.Nested)
  expect(came.shape).to.deep.equal(wanted.shape)
  for (let i = 0; i < wanted.size; i++) expect(came.data[i]).to.be.closeTo(wanted.data[i], tolerance)
}

/** x W + b in plain numbers. */
function plainDense(x: Rows, { weight, bias }: t.DenseParams): Rows {
  const w = rows(weight)
  const b = bias === undefined ? w[0].map(() => 0) : (bias.toArray() as number[])
  return x.map((row) => b.map((shift, j) => shift + row.reduce((sum, value, i) => sum + value * w[i][j], 0)))
}

/** Holds the gradient by all parameters and the input against differences. */
function checkGradient<P>(layer: t.Layer<P>, x: t.Tensor, context?: t.LayerContext): void {
  const params = layer.init(generator(11))
  const weights = draw(layer.apply(params, x, context).shape, random(5))
  const f = (at: { params: P; x: t.Tensor }): t.Tensor => t.sum(t.mul(weights, layer.apply(at.params, at.x, context)))
  const { passed, error } = t.gradCheck(f, { params, x }, { step: 1e-4, tolerance: 1e-8 })
  expect(passed, `error ${error}`).to.equal(true)
}

describe('layers', () => {
  forEachBackend((backend) => {
    const on = (body: () => void) => () => t.withBackend(backend, body)

    it(
      'dense, mlp and sequential: x W + b, one behind the other',
      on(() => {
        const net = t.mlp([3, 5, 2], { activation: 'tanh', output: 'sigmoid' })
        const params = net.init(generator(1)) as t.DenseParams[]
        const x = draw([4, 3], random(2))
        const hidden = plainDense(rows(x), params[0]).map((row) => row.map(Math.tanh))
        const out = plainDense(hidden, params[2]).map((row) => row.map((value) => 1 / (1 + Math.exp(-value))))
        close(net.apply(params, x), out)
        const pair = t.sequential(t.dense(3, 2, { bias: false }), t.activation('relu'))
        const [first, none] = pair.init(generator(4))
        expect(first.bias).to.equal(undefined)
        expect(none).to.deep.equal([])
        close(
          pair.apply([first, none], x),
          plainDense(rows(x), first).map((row) => row.map((value) => Math.max(0, value))),
        )
        checkGradient(net, x)
      }),
    )

    it(
      'residual, with and without a shortcut, and embedding',
      on(() => {
        const x = draw([4, 3], random(3))
        const plain = t.residual(t.dense(3, 3))
        const params = plain.init(generator(2))
        const branch = plainDense(rows(x), params.branch)
        close(
          plain.apply(params, x),
          rows(x).map((row, i) => row.map((value, j) => value + branch[i][j])),
        )
        const wide = t.residual(t.dense(3, 5), t.dense(3, 5, { bias: false }))
        const both = wide.init(generator(2))
        const [own, kept] = [plainDense(rows(x), both.branch), plainDense(rows(x), both.shortcut)]
        close(
          wide.apply(both, x),
          own.map((row, i) => row.map((value, j) => value + kept[i][j])),
        )
        checkGradient(wide, x)
        const words = t.embeddingLayer(6, 4)
        const { table } = words.init(generator(1))
        const looked = words.apply({ table }, t.tensor(Int32Array.of(5, 0, 5)))
        close(
          looked,
          [5, 0, 5].map((i) => rows(table)[i]),
        )
      }),
    )

    it(
      'convolution of one to three axes, against plain loops',
      on(() => {
        const layer = t.convLayer(2, 3, [3, 2], { stride: [2, 1], padding: 1 })
        const params = layer.init(generator(5))
        params.bias?.data.set([0.5, -1, 2])
        const x = draw([2, 2, 5, 4], random(6))
        const at = (b: number, c: number, i: number, j: number): number =>
          i < 0 || j < 0 || i >= 5 || j >= 4 ? 0 : x.data[((b * 2 + c) * 5 + i) * 4 + j]
        const expected = Array.from({ length: 2 }, (_, b) =>
          Array.from({ length: 3 }, (_, f) =>
            Array.from({ length: 3 }, (_, i) =>
              Array.from({ length: 5 }, (_, j) => {
                let sum = params.bias?.data[f] ?? 0
                for (let c = 0; c < 2; c++) {
                  for (let p = 0; p < 3; p++) {
                    for (let q = 0; q < 2; q++) {
                      sum += params.weight.data[((f * 2 + c) * 3 + p) * 2 + q] * at(b, c, 2 * i - 1 + p, j - 1 + q)
                    }
                  }
                }
                return sum
              }),
            ),
          ),
        )
        close(layer.apply(params, x), expected)
        checkGradient(layer, x)
        const line = t.convLayer(4, 6, [3], { groups: 2, bias: false })
        expect(line.init(generator(1)).weight.shape).to.deep.equal([6, 2, 3])
        checkGradient(line, draw([2, 4, 6], random(1)))
        const cube = t.convLayer(1, 2, [2, 2, 2])
        expect(cube.apply(cube.init(generator(1)), draw([1, 1, 3, 4, 5], random(1))).shape).to.deep.equal([
          1, 2, 2, 3, 4,
        ])
      }),
    )

    it(
      'batch normalization keeps running statistics, and goes by them when not training',
      on(() => {
        const layer = t.batchNormLayer(2, { momentum: 0.25, epsilon: 1e-3 })
        const params = { scale: t.tensor([2, 3]), shift: t.tensor([-1, 0.5]) }
        const state = layer.state?.() as { mean: t.Tensor; variance: t.Tensor }
        let means = [0, 0]
        let variances = [1, 1]
        for (const seed of [1, 2]) {
          const x = draw([6, 2], random(seed))
          const columns = [0, 1].map((c) => rows(x).map((row) => row[c]))
          const mean = columns.map((column) => column.reduce((a, b) => a + b, 0) / 6)
          const spread = columns.map((column, c) => column.reduce((a, b) => a + (b - mean[c]) ** 2, 0) / 6)
          const y = layer.apply(params, x, { training: true, state })
          close(
            y,
            rows(x).map((row) =>
              row.map((value, c) => ((value - mean[c]) / Math.sqrt(spread[c] + 1e-3)) * [2, 3][c] + [-1, 0.5][c]),
            ),
          )
          means = means.map((old, c) => 0.75 * old + 0.25 * mean[c])
          // The unbiased variance is taken in.
          variances = variances.map((old, c) => 0.75 * old + 0.25 * spread[c] * (6 / 5))
        }
        close(state.mean, means)
        close(state.variance, variances)
        const x = draw([3, 2], random(9))
        const before = [...state.mean.data]
        close(
          layer.apply(params, x, { state }),
          rows(x).map((row) =>
            row.map((value, c) => ((value - means[c]) / Math.sqrt(variances[c] + 1e-3)) * [2, 3][c] + [-1, 0.5][c]),
          ),
        )
        expect([...state.mean.data]).to.deep.equal(before)
        checkGradient(layer, draw([5, 2], random(2)), { training: true })
        expectError(() => layer.apply(params, x), 'ERR_OPTION', /state: expected running statistics/)
      }),
    )

    it(
      'layer and group normalization',
      on(() => {
        const layer = t.layerNormLayer(4)
        const x = draw([3, 4], random(4))
        close(
          layer.apply(layer.init(generator(0)), x),
          rows(x).map((row) => {
            const mean = row.reduce((a, b) => a + b, 0) / 4
            const spread = row.reduce((a, b) => a + (b - mean) ** 2, 0) / 4
            return row.map((value) => (value - mean) / Math.sqrt(spread + 1e-5))
          }),
        )
        checkGradient(layer, x)
        const group = t.groupNormLayer(4, 2)
        const y = group.apply(group.init(generator(0)), draw([2, 4, 3], random(5)))
        for (let k = 0; k < 4; k++) {
          const part = Array.from(y.data.slice(k * 6, (k + 1) * 6))
          expect(part.reduce((a, b) => a + b, 0)).to.be.closeTo(0, 1e-12)
          expect(part.reduce((a, b) => a + b * b, 0) / 6).to.be.closeTo(1, 1e-3)
        }
        checkGradient(group, draw([2, 4, 3], random(5)))
      }),
    )

    it(
      'attention: softmax(Q Kᵀ / √d) V for each head, against plain loops',
      on(() => {
        const layer = t.attentionLayer({ width: 4, heads: 2, causal: true })
        const params = layer.init(generator(3))
        const x = draw([3, 4], random(7))
        const [q, k, v] = (['query', 'key', 'value'] as const).map((name) => plainDense(rows(x), params[name]))
        const joined = rows(x).map((_, i) =>
          [0, 1].flatMap((head) => {
            const parts = [2 * head, 2 * head + 1]
            const scores = rows(x)
              .slice(0, i + 1)
              .map((_, j) => Math.exp(parts.reduce((sum, p) => sum + q[i][p] * k[j][p], 0) / Math.SQRT2))
            const total = scores.reduce((a, b) => a + b, 0)
            return parts.map((p) => scores.reduce((sum, score, j) => sum + (score / total) * v[j][p], 0))
          }),
        )
        close(layer.apply(params, x), plainDense(joined, params.out))
        checkGradient(layer, draw([2, 3, 4], random(8)))
      }),
    )

    it(
      'a transformer does not care for the order of places, nor for hidden ones; a causal one not for later ones',
      on(() => {
        const layer = t.transformerEncoder({ width: 8, heads: 2, depth: 2, feedForward: 12 })
        const params = layer.init(generator(1))
        const x = draw([1, 5, 8], random(2))
        const y = rows(t.reshape(layer.apply(params, x), [5, 8]))
        const order = Int32Array.of(3, 0, 4, 1, 2)
        close(
          t.reshape(layer.apply(params, t.gather(x, order, 1)), [5, 8]),
          [...order].map((i) => y[i]),
          1e-11,
        )
        const mask = t.tensor([[1, 1, 1, 0, 0]])
        const masked = t.slice(layer.apply(params, x, { mask }), [0, [0, 3]])
        close(masked, rows(t.slice(layer.apply(params, t.slice(x, [undefined, [0, 3]])), [0])), 1e-11)
        const causal = t.transformerEncoder({ width: 8, heads: 4, depth: 2, causal: true })
        const weights = causal.init(generator(2))
        const early = causal.apply(weights, x)
        const short = causal.apply(weights, t.slice(x, [undefined, [0, 2]]))
        close(t.slice(early, [0, [0, 2]]), rows(t.slice(short, [0])), 1e-11)
        checkGradient(
          t.transformerEncoder({ width: 4, heads: 2, depth: 1, feedForward: 5 }),
          draw([2, 3, 4], random(3)),
        )
      }),
    )

    it(
      'a set encoder does not care for order and padding',
      on(() => {
        for (const aggregate of ['sum', 'mean', 'max'] as const) {
          const layer = t.setEncoder({ embed: [3, 6, 4], out: [5, 2], aggregate, embedBias: aggregate !== 'sum' })
          const params = layer.init(generator(4))
          const x = draw([2, 5, 3], random(6))
          const y = layer.apply(params, x)
          expect(y.shape).to.deep.equal([2, 2])
          close(layer.apply(params, t.gather(x, Int32Array.of(4, 2, 0, 1, 3), 1)), y.toArray())
          const mask = t.tensor([
            [1, 1, 1, 0, 0],
            [1, 1, 1, 0, 0],
          ])
          const fewer = layer.apply(params, t.slice(x, [undefined, [0, 3]]))
          close(layer.apply(params, x, { mask }), fewer.toArray())
          // Without bias items of zeros add nothing to a sum.
          if (aggregate === 'sum') {
            close(
              layer.apply(
                params,
                t.pad(t.slice(x, [undefined, [0, 3]]), [
                  [0, 0],
                  [0, 2],
                  [0, 0],
                ]),
              ),
              fewer.toArray(),
            )
          }
          const empty = layer.apply(params, x, { mask: t.zeros([2, 5]) })
          expect([...empty.data].every(Number.isFinite)).to.equal(true)
          checkGradient(layer, x, { mask })
        }
      }),
    )

    it(
      'a mixture of operations weighs by the softmax of its numbers',
      on(() => {
        const layer = t.mixtureOfOps(t.dense(3, 3), t.activation('identity'), t.activation('tanh'))
        const params = layer.init(generator(2))
        params.mixture = t.tensor([Math.log(2), 0, Math.log(5)])
        const x = draw([4, 3], random(1))
        const y = plainDense(rows(x), params.ops[0])
        close(
          layer.apply(params, x),
          rows(x).map((row, i) => row.map((value, j) => (2 * y[i][j] + value + 5 * Math.tanh(value)) / 8)),
        )
        checkGradient(layer, x)
      }),
    )

    it(
      'a convolutional net has the right shapes, gradient and state',
      on(() => {
        const net = t.cnn({ inputs: [1, 9, 6], filters: [2, 3], head: [7, 4], norm: 'batch' })
        const params = net.init(generator(1), { dtype: 'float32' })
        const state = net.state?.({ dtype: 'float32' })
        const x = draw([2, 1, 9, 6], random(2), 'float32')
        const y = net.apply(params, x, { training: true, state, random: generator(1) })
        expect([y.shape, y.dtype]).to.deep.equal([[2, 4], 'float32'])
        const { mean } = (state as { mean: t.Tensor }[])[1]
        expect(mean.data.some((value) => value !== 0)).to.equal(true)
        checkGradient(
          t.cnn({ inputs: [2, 6], filters: [2], head: [2], activation: 'tanh', pool: 3 }),
          draw([2, 2, 6], random(3)),
        )
      }),
    )
  })

  it('dropout drops while training only, from the generator of the context', () => {
    const layer = t.dropoutLayer(0.25)
    const x = t.ones([400])
    expect(layer.apply([], x)).to.equal(x)
    const y = layer.apply([], x, { training: true, random: generator(3) })
    const draws = generator(3).uniform(400)
    expect([...y.data]).to.deep.equal(Array.from(draws, (u) => (u < 0.25 ? 0 : 1 / 0.75)))
    expectError(() => layer.apply([], x, { training: true }), 'ERR_OPTION', /random: expected a generator/)
    expectError(() => t.dropoutLayer(1), 'ERR_OPTION', /rate: expected a number in \[0, 1\), got 1/)
  })

  it('times become sines and cosines of geometric frequencies', () => {
    const y = t.timeEmbedding(6, { maxPeriod: 1000 }).apply([], t.tensor([0, 2.5]))
    const frequencies = [1, 0.1, 0.01]
    close(
      y,
      [0, 2.5].map((time) => [
        ...frequencies.map((f) => Math.sin(time * f)),
        ...frequencies.map((f) => Math.cos(time * f)),
      ]),
      1e-14,
    )
    expectError(() => t.timeEmbedding(5), 'ERR_OPTION', /width: expected an even number, got 5/)
  })

  it('refuse what does not fit, naming it', () => {
    const x = t.ones([2, 3])
    expectError(
      () => t.dense(4, 2).apply(t.dense(4, 2).init(generator(0)), x),
      'ERR_SHAPE',
      /dense: .* of 4, got \[2, 3\]/,
    )
    expectError(() => t.dense(0, 2), 'ERR_OPTION', /inputs: expected a whole number >= 1, got 0/)
    expectError(() => t.dense(1, 2, { biass: true } as t.DenseOptions), 'ERR_OPTION', /did you mean 'bias'/)
    expectError(() => t.mlp([3]), 'ERR_OPTION', /sizes: expected at least 2 whole numbers, got \[3\]/)
    expectError(
      () => t.residual(t.dense(3, 2)).apply({ branch: t.dense(3, 2).init(generator(0)), shortcut: [] }, x),
      'ERR_SHAPE',
      /residual: /,
    )
    expectError(() => t.attentionLayer({ width: 6, heads: 4 }), 'ERR_OPTION', /heads: expected a divisor/)
    expectError(() => t.activation('rely' as 'relu'), 'ERR_OPTION', /did you mean 'relu'/)
    expectError(() => t.convLayer(3, 4, [3, 3], { groups: 2 }), 'ERR_OPTION', /groups: expected a divisor/)
    expectError(
      () => t.cnn({ inputs: [1, 4, 4], filters: [2, 2, 2], head: [3] }),
      'ERR_OPTION',
      /inputs: expected lengths/,
    )
    const net = t.sequential(t.dense(3, 3), t.batchNormLayer(3))
    expectError(() => net.apply(net.init(generator(0)), x, { training: true, state: [] }), 'ERR_SHAPE', /state: .*'0'/)
    const set = t.setEncoder({ embed: [3, 4], out: [2] })
    const run = (): unknown => set.apply(set.init(generator(0)), t.ones([2, 4, 3]), { mask: t.ones([4]) })
    expectError(run, 'ERR_SHAPE', /mask: expected shape \[2, 4\], got \[4\]/)
  })
})
