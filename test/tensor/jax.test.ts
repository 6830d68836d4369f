import { defaultDevice, grad, init, jvp, lax, nn, numpy as np, scipySpecial } from '@jax-js/jax'
import { expect } from 'chai'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { random } from '../helpers/random.js'
import { draw, expectNear, type Operation } from '../helpers/tensor.js'

type Theirs = np.Array

/**
 * The same function twice. Theirs owns its arguments: every use but the last is by `.ref`. Its exponentials, sines,
 * logarithms and error functions are good to five digits only, in float64 too: a case that has them is `rough`.
 */
interface Case {
  rough?: true
  ours: Operation
  theirs: (...inputs: Theirs[]) => Theirs
  shapes: number[][]
}

const pad = (lo: number, hi: number): [number, number] => [lo, hi]

const cases: Record<string, Case> = {
  'a perceptron': {
    rough: true,
    ours: (x, a, b) => t.matmul(t.tanh(t.matmul(x, a)), b),
    theirs: (x, a, b) => np.matmul(np.tanh(np.matmul(x, a)), b),
    shapes: [
      [9, 8],
      [8, 7],
      [7, 5],
    ],
  },
  'quotients and roots': {
    rough: true,
    ours: (x, y) => t.div(t.sqrt(t.add(1, t.square(x))), t.add(2, t.sin(y))),
    theirs: (x, y) => np.sqrt(np.square(x).add(1)).div(np.sin(y).add(2)),
    shapes: [[9, 8], [8]],
  },
  'sigmoid, softplus and silu': {
    rough: true,
    ours: (x) => t.mul(t.add(t.sigmoid(x), t.softplus(x)), t.silu(x)),
    theirs: (x) => nn.sigmoid(x.ref).add(nn.softplus(x.ref)).mul(nn.silu(x)),
    shapes: [[9, 8]],
  },
  'softmax and logSumExp': {
    rough: true,
    ours: (x) => t.mul(t.softmax(x), t.logSumExp(x, 1, { keepDims: true })),
    theirs: (x) => nn.softmax(x.ref, 1).mul(nn.logsumexp(x, 1, { keepdims: true })),
    shapes: [[9, 8]],
  },
  erf: { rough: true, ours: (x) => t.erf(x), theirs: (x) => scipySpecial.erf(x), shapes: [[9, 8]] },
  'means and variances': {
    ours: (x) => t.div(t.mean(x, 0), t.add(1, t.variance(x, 0))),
    theirs: (x) => np.mean(x.ref, 0).div(np.var_(x, 0).add(1)),
    shapes: [[9, 8]],
  },
  'cumsum and max': {
    ours: (x) => t.mul(t.cumsum(x), t.max(x, 1, { keepDims: true })),
    theirs: (x) => np.cumsum(x.ref, 1).mul(np.max(x, 1, { keepdims: true })),
    shapes: [[9, 8]],
  },
  'products of a batch': {
    ours: (a, b) => t.einsum('bij,bkj->ikb', a, b),
    theirs: (a, b) => np.transpose(np.matmul(a, np.transpose(b, [0, 2, 1])), [1, 2, 0]),
    shapes: [
      [3, 4, 5],
      [3, 6, 5],
    ],
  },
  conv1d: {
    ours: (x, w) => t.conv1d(x, w, { stride: 2, padding: [[2, 1]], dilation: 2 }),
    theirs: (x, w) => lax.convGeneralDilated(x, w, [2], [pad(2, 1)], { rhsDilation: [2] }),
    shapes: [
      [2, 3, 17],
      [4, 3, 3],
    ],
  },
  'conv2d, same': {
    ours: (x, w) => t.conv2d(x, w, { padding: 'same', stride: 2 }),
    theirs: (x, w) => lax.convGeneralDilated(x, w, [2, 2], 'SAME'),
    shapes: [
      [2, 3, 7, 6],
      [4, 3, 3, 2],
    ],
  },
  'conv2d in groups': {
    ours: (x, w) => t.conv2d(x, w, { groups: 2 }),
    theirs: (x, w) => lax.convGeneralDilated(x, w, [1, 1], 'VALID', { featureGroupCount: 2 }),
    shapes: [
      [2, 4, 5, 6],
      [6, 2, 3, 2],
    ],
  },
  conv3d: {
    ours: (x, w) => t.conv3d(x, w, { padding: 1 }),
    theirs: (x, w) => lax.convGeneralDilated(x, w, [1, 1, 1], [pad(1, 1), pad(1, 1), pad(1, 1)]),
    shapes: [
      [1, 2, 3, 4, 3],
      [3, 2, 2, 2, 2],
    ],
  },
  convTranspose2d: {
    ours: (y, w) => t.convTranspose2d(y, w, { stride: 2 }),
    theirs: (y, w) => lax.convTranspose(y, w, [2, 2], 'VALID', { transposeKernel: true }),
    shapes: [
      [2, 3, 4, 3],
      [3, 2, 3, 2],
    ],
  },
  'a convolutional net': {
    rough: true,
    ours: (x, a, b, c) => {
      const first = t.maxPool2d(t.tanh(t.conv2d(x, a, { padding: 'same' })), 2)
      const second = t.avgPool2d(t.sigmoid(t.conv2d(first, b)), 2)
      return t.logSoftmax(t.matmul(t.reshape(second, [2, -1]), c))
    },
    theirs: (x, a, b, c) => {
      const first = np.tanh(lax.convGeneralDilated(x, a, [1, 1], 'SAME'))
      const tops = np.max(first.reshape([2, 3, 4, 2, 4, 2]), [3, 5])
      const second = nn.sigmoid(lax.convGeneralDilated(tops, b, [1, 1], 'VALID'))
      return nn.logSoftmax(np.matmul(np.mean(second.reshape([2, 4, 1, 2, 1, 2]), [3, 5]).reshape([2, 4]), c), 1)
    },
    shapes: [
      [2, 2, 8, 8],
      [3, 2, 3, 3],
      [4, 3, 3, 3],
      [4, 5],
    ],
  },
  layerNorm: {
    ours: (x, a, b) => t.layerNorm(x, a, b, { epsilon: 1e-3 }),
    theirs: (x, a, b) => nn.standardize(x, -1, { epsilon: 1e-3 }).mul(a).add(b),
    shapes: [[9, 8], [8], [8]],
  },
  batchNorm: {
    ours: (x, a, b) => t.batchNorm(x, a, b).value,
    theirs: (x, a, b) => {
      const centred = x.ref.sub(np.mean(x, [0, 2], { keepdims: true }))
      const spread = np.sqrt(np.mean(np.square(centred.ref), [0, 2], { keepdims: true }).add(1e-5))
      return centred
        .div(spread)
        .mul(a.reshape([3, 1]))
        .add(b.reshape([3, 1]))
    },
    shapes: [[4, 3, 7], [3], [3]],
  },
  'causal attention': {
    rough: true,
    ours: (q, k, v) => t.attention(q, k, v, { causal: true }),
    theirs: (q, k, v) => {
      const scores = np.matmul(q, np.transpose(k, [0, 1, 3, 2])).mul(0.5)
      const later = np.triu(np.ones([5, 5], { dtype: np.float64 }), 1).mul(-1e9)
      return np.matmul(nn.softmax(scores.add(later), 3), v)
    },
    shapes: [
      [2, 3, 5, 4],
      [2, 3, 5, 4],
      [2, 3, 5, 4],
    ],
  },
}

const theirsOf = (x: t.Tensor): Theirs => np.array(x.data as Float64Array, { shape: [...x.shape], dtype: np.float64 })

describe('tensors against jax-js', () => {
  // It asks for a class that Node 20 does not have yet, to tell what came from it.
  const world = globalThis as { Float16Array?: unknown }
  const had = 'Float16Array' in world

  before(async () => {
    if (!had) world.Float16Array = class {}
    await init('wasm')
    defaultDevice('wasm')
  })

  after(() => {
    if (!had) delete world.Float16Array
  })

  forEachBackend((backend) => {
    for (const [name, { ours, theirs, shapes, rough }] of Object.entries(cases)) {
      it(`${name}: values, gradients, J v and H v`, () => {
        const next = random(name.length)
        const sample = (): number => 2 * next() - 1
        const x = shapes.map((shape) => draw(shape, sample))
        const v = shapes.map((shape) => draw(shape, sample))
        t.withBackend(backend, () => {
          const f = (leaves: t.Tensor[]): t.Tensor => ours(...leaves)
          const value = f(x)
          const u = draw(value.shape, sample)
          const weighed = (leaves: t.Tensor[]): t.Tensor => t.sum(t.mul(u, f(leaves)))
          const all = (leaves: Theirs[]): Theirs => theirs(...leaves)
          const weight = theirsOf(u)
          const theirWeighed = (leaves: Theirs[]): Theirs => np.sum(weight.ref.mul(all(leaves)))
          const at = (): Theirs[] => x.map(theirsOf)

          const near = (came: t.Tensor, expected: Theirs): void => {
            expect(came.shape).to.deep.equal(expected.shape)
            expectNear(came, expected.dataSync() as Float64Array, rough ? 2e-5 : 1e-10)
          }
          near(value, all(at()))
          const slopes = grad(theirWeighed)(at()) as Theirs[]
          t.grad(weighed)(x).forEach((slope, k) => {
            near(slope, slopes[k])
          })
          const [, tangent] = jvp(all, [at()], [v.map(theirsOf)]) as [Theirs, Theirs]
          near(t.jvp(f, x, v).tangent, tangent)
          const [, product] = jvp(grad(theirWeighed), [at()], [v.map(theirsOf)]) as unknown as [Theirs[], Theirs[]]
          t.hvp(weighed, x, v).forEach((part, k) => {
            near(part, product[k])
          })
          weight.dispose()
        })
      })
    }
  })
})
