import { expect } from 'chai'
import { record } from '../../lib/tensor/grad.js'
import * as t from '../../lib/tensor/index.js'
import { pullRows } from '../../lib/tensor/per-sample/pull-rows.js'
import type { TapeTracer } from '../../lib/tensor/trace.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { random } from '../helpers/random.js'
import { draw } from '../helpers/tensor.js'

type Params = Record<string, t.Tensor>
type Losses = (p: Params, x: t.Tensor) => t.Tensor

const samples = 6
const labels = Int32Array.of(2, 0, 1, 1, 4, 3)
const draws = random(3)
const next = (): number => 2 * draws() - 1
const shared = (...parts: t.Tensor[]): t.Tensor => parts.reduce((total, part) => t.add(total, part))

const table = t.tensor(
  [
    [3, 1],
    [0, 0],
    [1, 2],
    [3, 3],
    [2, 0],
    [1, 1],
  ],
  { dtype: 'int32' },
)

const cases: [name: string, f: Losses, params: Record<string, number[]>, x: number[]][] = [
  [
    'a perceptron',
    (p, x) => {
      const hidden = t.relu(t.add(t.matmul(x, p.w1), p.b1))
      const more = t.tanh(t.add(t.matmul(hidden, p.w2, { transposeB: true }), p.b2))
      return t.crossEntropy(t.matmul(more, p.w3), labels, { reduction: 'none' })
    },
    { w1: [7, 9], b1: [9], w2: [8, 9], b2: [1, 8], w3: [8, 5] },
    [samples, 7],
  ],
  [
    'several rows for each sample, and shared weights used twice',
    (p, x) => {
      const hidden = t.gelu(t.add(t.matmul(x, p.w), p.b))
      const again = t.add(t.matmul(hidden, p.w), t.mul(p.scale, hidden))
      return t.sum(t.square(again), [1, 2])
    },
    { w: [7, 7], b: [7], scale: [4, 1] },
    [samples, 4, 7],
  ],
  [
    'attention',
    (p, x) => {
      const [q, k, v] = [t.matmul(x, p.q), t.matmul(x, p.k), t.matmul(x, p.v)]
      const weights = t.softmax(t.mul(0.5, t.matmul(q, k, { transposeB: true })))
      return t.mean(t.logSumExp(t.matmul(weights, v), -1), -1)
    },
    { q: [7, 3], k: [7, 3], v: [7, 5] },
    [samples, 4, 7],
  ],
  [
    'parameters that are computed first, and some that only serve as data',
    (p, x) => {
      const weight = t.transpose(t.div(p.w, t.norm(p.w, 1, { keepDims: true })))
      const out = t.matmul(t.div(t.sub(x, p.mean), t.exp(p.spread)), weight)
      return t.add(t.sum(t.maximum(out, t.square(p.level)), 1), t.sum(t.square(p.w)))
    },
    { w: [5, 7], mean: [7], spread: [7], level: [], unused: [3] },
    [samples, 7],
  ],
  [
    'matrices of each sample times shared ones, on either side',
    (p, x) => {
      const turned = t.transpose(t.matmul(p.a, x), [0, 2, 1])
      return t.sum(
        t.slice(
          t.pad(t.matmul(turned, p.b), [
            [0, 0],
            [1, 0],
            [0, 2],
          ]),
          [undefined, [0, 4], [1, 6]],
        ),
        [1, 2],
      )
    },
    { a: [3, 4], b: [3, 5] },
    [samples, 4, 7],
  ],
  [
    'broadcast parameters, cumulative sums and places along the row',
    (p, x) => {
      const wide = t.mul(t.broadcastTo(p.w, [samples, 7]), t.cumsum(t.mul(x, p.w)))
      const both = t.concat([wide, t.gather(wide, [6, 0, 0], 1)], 1)
      return t.max(t.where(t.greater(both, 0), t.sin(both), t.mul(2, both)), 1)
    },
    { w: [7] },
    [samples, 7],
  ],
  [
    'an embedding, by one pass for each sample',
    (p, x) => {
      const found = t.reshape(t.embedding(p.table, table), [samples, 6])
      return t.sum(t.mul(t.matmul(found, p.w), x), 1)
    },
    { table: [4, 3], w: [6, 7] },
    [samples, 7],
  ],
  [
    'samples that influence each other, by one pass for each',
    (p, x) => {
      const hidden = t.matmul(x, p.w)
      const centred = t.sub(hidden, t.mean(hidden, 0))
      return t.sum(t.mul(t.square(centred), p.b), 1)
    },
    { w: [7, 5], b: [5] },
    [samples, 7],
  ],
  [
    'samples along the last axis, by one pass for each',
    (p, x) => t.sum(t.tanh(t.matmul(p.w, x, { transposeB: true })), 0),
    { w: [5, 7] },
    [samples, 7],
  ],
  [
    'a parameter of as many rows as there are samples',
    (p, x) => t.add(t.sum(t.mul(x, t.sin(p.own)), 1), t.sum(t.matmul(x, p.w), 1)),
    { own: [samples, 7], w: [7, 2] },
    [samples, 7],
  ],
  ['losses without parameters', (_p, x) => t.sum(x, 1), { w: [2] }, [samples, 7]],
  [
    'modes and factors, by one pass for each sample',
    (p, x) => {
      const modes = t.rfft(t.mul(x, p.w))
      return t.sum(t.squaredModulus(modes), 1)
    },
    { w: [7] },
    [samples, 7],
  ],
]

/** The gradient of every loss by a pass of its own, through `grad`. */
function byLoop(f: Losses, p: Params, x: t.Tensor): Params {
  const each = Array.from({ length: x.shape[0] }, (_, b) => t.grad((q: Params) => t.slice(f(q, x), [b]))(p))
  return Object.fromEntries(Object.keys(p).map((name) => [name, t.stack(each.map((one) => one[name]))]))
}

function expectSame(found: Params, expected: Params, tolerance: number): void {
  for (const [name, leaf] of Object.entries(expected)) {
    expect(found[name].shape, name).to.deep.equal(leaf.shape)
    expect(found[name].dtype).to.equal(leaf.dtype)
    for (let i = 0; i < leaf.size; i++) expect(found[name].data[i], name).to.be.closeTo(leaf.data[i], tolerance)
  }
}

describe('perSampleGrad', () => {
  forEachBackend((backend) => {
    for (const [name, f, shapes, shape] of cases) {
      it(name, () => {
        t.withBackend(backend, () => {
          for (const dtype of ['float64', 'float32'] as const) {
            const p = Object.fromEntries(Object.entries(shapes).map(([key, one]) => [key, draw(one, next, dtype)]))
            const x = draw(shape, next, dtype)
            expectSame(t.perSampleGrad(f)(p, x), byLoop(f, p, x), dtype === 'float64' ? 1e-12 : 1e-4)
          }
        })
      })
    }

    it('is itself differentiated', () => {
      t.withBackend(backend, () => {
        const x = draw([samples, 7], next)
        const p: Params = { w: draw([7, 5], next), b: draw([5], next) }
        const losses: Losses = (q, y) => t.sum(t.sin(t.add(t.matmul(y, q.w), q.b)), 1)
        // The squared norms of the gradients, which depend on the parameters again.
        const penalty = (gradients: Params): t.Tensor =>
          shared(...Object.values(gradients).map((leaf) => t.sum(t.square(leaf))))
        const found = t.grad((q: Params) => penalty(t.perSampleGrad(losses)(q, x)))(p)
        const expected = t.grad((q: Params) => penalty(byLoop(losses, q, x)))(p)
        expectSame(found, expected, 1e-12)
        const v: Params = { w: draw([7, 5], next), b: draw([5], next) }
        const moved = t.jvp((q: Params) => t.perSampleGrad(losses)(q, x), p, v).tangent
        const loop = t.jvp((q: Params) => byLoop(losses, q, x), p, v).tangent
        expectSame(moved, loop, 1e-12)
      })
    })

    it('of one sample and of none', () => {
      t.withBackend(backend, () => {
        const losses: Losses = (q, y) => t.sum(t.sin(t.matmul(y, q.w)), 1)
        const p: Params = { w: draw([7, 5], next) }
        const one = draw([1, 7], next)
        expectSame(t.perSampleGrad(losses)(p, one), byLoop(losses, p, one), 1e-13)
        expect(t.perSampleGrad(losses)(p, t.zeros([0, 7])).w.shape).to.deep.equal([0, 7, 5])
      })
    })

    it('outlives the arena it is returned from', () => {
      t.withBackend(backend, () => {
        const losses: Losses = (q, y) => t.sum(t.square(t.sub(y, t.mean(t.mul(y, q.w), 0))), 1)
        const p: Params = { w: draw([70], next) }
        const x = draw([samples, 70], next)
        expectSame(
          t.withArena(() => t.perSampleGrad(losses)(p, x)),
          byLoop(losses, p, x),
          1e-12,
        )
      })
    })
  })

  it('goes back once where samples keep to their rows, and only there', () => {
    for (const [name, f, shapes, shape] of cases.filter(([name]) => name !== 'losses without parameters')) {
      const p = Object.fromEntries(Object.entries(shapes).map(([key, one]) => [key, draw(one, next)]))
      const tape = record('perSampleGrad', (q: Params) => f(q, draw(shape, next)), p)
      const atOnce = pullRows(tape, tape.outputs.leaves[0] as TapeTracer, samples) !== undefined
      expect(atOnce, name).to.equal(!/one pass for each|as many rows/.test(name))
    }
  })

  it('refuses what is no vector of losses', () => {
    const f = (w: t.Tensor, x: t.Tensor): t.Tensor => t.sum(t.matmul(x, w))
    expectError(
      () => t.perSampleGrad(f)(t.ones([3, 2]), t.ones([4, 3])),
      'ERR_SHAPE',
      /perSampleGrad: .*one for each sample, got Tensor\(float64, \[\]\)/,
    )
    expectError(() => t.perSampleGrad(f)(t.ones([3, 2], { dtype: 'int32' }), t.ones([4, 3])), 'ERR_DTYPE', /int32/)
  })
})
