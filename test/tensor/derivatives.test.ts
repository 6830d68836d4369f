import { expect } from 'chai'
import { generator } from '../../lib/random/index.js'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { random } from '../helpers/random.js'
import { checkDerivatives, draw, type Operation } from '../helpers/tensor.js'

type Case = [name: string, f: Operation, shapes: number[][], domain?: [number, number], kinks?: number[]]

const pattern = {
  shape: [4, 5] as [number, number],
  indptr: Int32Array.of(0, 2, 2, 5, 6),
  indices: Int32Array.of(0, 3, 1, 2, 4, 0),
}

// Large enough for the native kernels (64 numbers and more).
const cases: Case[] = [
  ['neg', t.neg, [[9, 8]]],
  ['exp', t.exp, [[9, 8]]],
  ['log', t.log, [[9, 8]], [0.3, 3]],
  ['log1p', t.log1p, [[9, 8]], [-0.6, 3]],
  ['expm1', t.expm1, [[9, 8]]],
  ['sqrt', t.sqrt, [[9, 8]], [0.3, 3]],
  ['rsqrt', t.rsqrt, [[9, 8]], [0.3, 3]],
  ['reciprocal', t.reciprocal, [[9, 8]], [0.5, 3]],
  ['square', t.square, [[9, 8]]],
  ['abs', t.abs, [[9, 8]], [0.1, 2]],
  ['sin', t.sin, [[9, 8]], [-4, 4]],
  ['cos', t.cos, [[9, 8]], [-4, 4]],
  ['tanh', t.tanh, [[9, 8]], [-3, 3]],
  ['sigmoid', t.sigmoid, [[9, 8]], [-4, 4]],
  ['softplus', t.softplus, [[9, 8]], [-4, 4]],
  ['erf', t.erf, [[9, 8]], [-3, 3]],
  ['erfc', t.erfc, [[9, 8]], [-3, 3]],
  ['logNdtr', t.logNdtr, [[9, 8]], [-9, 4]],
  ['inverseMills', t.inverseMills, [[9, 8]], [-9, 4]],
  ['lgamma', t.lgamma, [[9, 8]], [0.5, 12]],
  ['digamma', t.digamma, [[9, 8]], [0.7, 12]],
  ['polygamma 2', (x) => t.polygamma(2, x), [[9, 8]], [1, 12]],
  ['polygamma 1 left of 0', (x) => t.polygamma(1, x), [[9, 8]], [-3.8, -3.2]],
  ['relu', t.relu, [[9, 8]], [0.1, 2]],
  ['relu of negative numbers', t.relu, [[9, 8]], [-2, -0.1]],
  ['leakyRelu', (x) => t.leakyRelu(x, 0.2), [[9, 8]], [-2, -0.1]],
  ['gelu', t.gelu, [[9, 8]], [-4, 4]],
  ['silu', t.silu, [[9, 8]], [-4, 4]],
  ['pow 3', (x) => t.pow(x, 3), [[9, 8]]],
  ['pow 2.5', (x) => t.pow(x, 2.5), [[9, 8]], [0.3, 3]],
  ['pow 1', (x) => t.pow(x, 1), [[9, 8]]],
  [
    'add',
    t.add,
    [
      [9, 8],
      [9, 8],
    ],
  ],
  ['sub with a row', t.sub, [[9, 8], [8]]],
  [
    'mul with a column',
    t.mul,
    [
      [9, 8],
      [9, 1],
    ],
  ],
  ['mul of itself', (x) => t.mul(x, x), [[9, 8]]],
  [
    'div',
    t.div,
    [
      [9, 8],
      [9, 8],
    ],
    [0.5, 2],
  ],
  ['div of a row by a column', t.div, [[8], [9, 1]], [0.5, 2]],
  [
    'pow',
    t.pow,
    [
      [9, 8],
      [9, 1],
    ],
    [0.4, 2],
  ],
  ['minimum', t.minimum, [[9, 8], [8]]],
  [
    'maximum',
    t.maximum,
    [
      [9, 8],
      [9, 1],
    ],
  ],
  ['clamp', (x) => t.clamp(x, -0.5, 0.7), [[9, 8]], [-1.5, 1.5], [-0.5, 0.7]],
  ['where', (x, y) => t.where(t.greater(x, 0), t.mul(x, y), t.sub(y, x)), [[9, 8], [8]]],
  ['sum', (x) => t.sum(t.square(x)), [[9, 8]]],
  ['sum over rows', (x) => t.sum(t.square(x), 0), [[9, 8]]],
  ['sum over axes apart', (x) => t.sum(t.square(x), [0, 2]), [[3, 4, 7]]],
  ['sum over the outermost and the last axis', (x) => t.sum(t.square(x), [0, 3]), [[2, 3, 4, 5]]],
  ['mean', (x) => t.mean(t.exp(x), 1), [[9, 8]]],
  ['max', (x) => t.max(t.square(x), 1), [[9, 8]]],
  ['min', (x) => t.min(t.square(x), 0, { keepDims: true }), [[9, 8]]],
  ['logSumExp', (x) => t.logSumExp(x, 1), [[9, 8]]],
  ['logSumExp over rows', (x) => t.logSumExp(x, 0), [[9, 8]]],
  ['norm', (x) => t.norm(x, 1), [[9, 8]]],
  ['prod', (x) => t.prod(x, 1), [[9, 8]]],
  ['prod over an odd axis', (x) => t.prod(x, 0), [[7, 11]]],
  ['variance', (x) => t.variance(x, 1, { correction: 1 }), [[9, 8]]],
  ['standardDeviation', (x) => t.standardDeviation(x), [[9, 8]]],
  ['broadcastTo', (x) => t.square(t.broadcastTo(x, [4, 9, 8])), [[9, 1]]],
  ['reshape', (x) => t.square(t.reshape(x, [4, -1])), [[9, 8]]],
  ['transpose', (x) => t.square(t.transpose(x)), [[9, 8]]],
  ['transpose of three axes', (x) => t.square(t.transpose(x, [1, 2, 0])), [[3, 4, 7]]],
  [
    'slice',
    (x) =>
      t.square(
        t.slice(x, [
          [1, 8, 3],
          [-2, 0, -2],
        ]),
      ),
    [[9, 8]],
  ],
  ['slice of leading rows', (x) => t.square(t.slice(x, [[2, 7]])), [[9, 8]]],
  ['one row', (x) => t.square(t.slice(x, [3])), [[9, 80]]],
  ['flip', (x) => t.square(t.flip(x, 0)), [[9, 8]]],
  [
    'pad',
    (x) =>
      t.square(
        t.pad(
          x,
          [
            [1, 2],
            [0, 3],
          ],
          7,
        ),
      ),
    [[9, 8]],
  ],
  [
    'concat',
    (x, y) => t.square(t.concat([x, y, x], 1)),
    [
      [9, 8],
      [9, 3],
    ],
  ],
  [
    'stack',
    (x, y) => t.square(t.stack([x, y], 1)),
    [
      [9, 8],
      [9, 8],
    ],
  ],
  ['roll', (x) => t.square(t.roll(x, -3, 1)), [[9, 8]]],
  ['tile', (x) => t.square(t.tile(x, [2, 3])), [[9, 8]]],
  [
    'matmul',
    (a, b) => t.matmul(a, b),
    [
      [9, 8],
      [8, 7],
    ],
  ],
  [
    'matmul transposed',
    (a, b) => t.matmul(a, b, { transposeA: true, transposeB: true }),
    [
      [8, 9],
      [7, 8],
    ],
  ],
  [
    'matmul Aᵀ B',
    (a, b) => t.matmul(a, b, { transposeA: true }),
    [
      [8, 9],
      [8, 7],
    ],
  ],
  [
    'matmul A Bᵀ',
    (a, b) => t.matmul(a, b, { transposeB: true }),
    [
      [9, 8],
      [7, 8],
    ],
  ],
  [
    'matmul of a batch',
    (a, b) => t.matmul(a, b),
    [
      [3, 5, 8],
      [3, 8, 4],
    ],
  ],
  [
    'matmul of a batch by one',
    (a, b) => t.matmul(a, b),
    [
      [3, 5, 8],
      [8, 4],
    ],
  ],
  [
    'matmul of one by a batch',
    (a, b) => t.matmul(a, b),
    [
      [5, 8],
      [3, 8, 4],
    ],
  ],
  [
    'matmul of batches that broadcast',
    (a, b) => t.matmul(a, b),
    [
      [2, 1, 5, 8],
      [3, 8, 4],
    ],
  ],
  ['matmul of a matrix and a vector', (a, b) => t.matmul(a, b), [[9, 8], [8]]],
  ['matmul of a vector and a matrix', (a, b) => t.matmul(a, b), [[9], [9, 8]]],
  ['gather', (x) => t.square(t.gather(x, [3, 0, 3, 8])), [[9, 16]]],
  [
    'gather along an axis',
    (x) =>
      t.square(
        t.gather(
          x,
          t.tensor(
            [
              [1, 7],
              [1, 0],
            ],
            { dtype: 'int32' },
          ),
          1,
        ),
      ),
    [[9, 8]],
  ],
  ['scatterAdd', (x) => t.square(t.scatterAdd(x, [2, 0, 2, 4, 4, 4, 1, 0, 3], 6)), [[9, 8]]],
  ['scatterAdd along an axis', (x) => t.square(t.scatterAdd(x, [2, 0, 2, 4, 4, 4, 1, 0], 6, 1)), [[9, 8]]],
  ['sort', (x) => t.mul(t.sort(x, 0), t.tensor([1, 2, 3, 4, 5, 6, 7, 8])), [[9, 8]]],
  ['topK', (x) => t.square(t.topK(x, 3).values), [[9, 8]]],
  ['cumsum', (x) => t.square(t.cumsum(x)), [[9, 8]]],
  ['cumsum backward', (x) => t.square(t.cumsum(x, 0, { reverse: true })), [[9, 8]]],
  ['softmax', (x) => t.softmax(x), [[9, 8]]],
  ['softmax over rows', (x) => t.softmax(x, 0), [[9, 8]]],
  ['logSoftmax', (x) => t.logSoftmax(x), [[9, 8]]],
  ['crossEntropy', (x) => t.crossEntropy(x, [1, 0, 7, 7, 3, 2, 5, 6, 4], { reduction: 'none' }), [[9, 8]]],
  ['mean crossEntropy', (x) => t.crossEntropy(x, [1, 0, 7, 7, 3, 2, 5, 6, 4]), [[9, 8]]],
  [
    'crossEntropy of shares',
    (x, y) => t.crossEntropy(x, t.softmax(y)),
    [
      [9, 8],
      [9, 8],
    ],
  ],
  [
    'mse',
    (x, y) => t.mse(x, y),
    [
      [9, 8],
      [9, 8],
    ],
  ],
  [
    'huber near',
    (x, y) => t.huber(x, y, { delta: 4 }),
    [
      [9, 8],
      [9, 8],
    ],
  ],
  ['huber far', (x) => t.huber(x, t.zeros([9, 8]), { delta: 0.2 }), [[9, 8]], [0.5, 2]],
  ['dropout', (x) => t.square(t.dropout(x, 0.4, generator(5))), [[9, 8]]],
  ['embedding', (x) => t.square(t.embedding(x, [1, 1, 0])), [[9, 30]]],
  [
    'squaredDistances',
    (x, y) => t.squaredDistances(x, y),
    [
      [9, 4],
      [7, 4],
    ],
  ],
  ['squaredDistances of a cloud', (x) => t.squaredDistances(x, x), [[9, 4]]],
  ['csrMatmul', (data, x) => t.csrMatmul(pattern, data, x), [[6], [5]]],
  ['csrMatmul of a matrix', (data, x) => t.csrMatmul(pattern, data, x), [[6], [5, 20]]],
  ['csrMatmul transposed', (data, x) => t.csrMatmul(pattern, data, x, { transpose: true }), [[6], [4, 20]]],
  [
    'einsum of a batch',
    (a, b) => t.einsum('bij,bkj->ikb', a, b),
    [
      [3, 4, 5],
      [3, 6, 5],
    ],
  ],
  [
    'einsum with sums',
    (a, b) => t.einsum('ijk,jl->li', a, b),
    [
      [3, 4, 5],
      [4, 6],
    ],
  ],
  [
    'einsum of three',
    (a, b, c) => t.einsum('ij,jk,ik->i', a, b, c),
    [
      [9, 8],
      [8, 3],
      [9, 3],
    ],
  ],
  ['a net', (w, b, x) => t.mean(t.square(t.tanh(t.add(t.matmul(x, w), b)))), [[8, 9], [9], [10, 8]]],
  ['dot', t.dot, [[70], [70]]],
  ['outer', t.outer, [[9], [8]]],
]

describe('derivatives of tensor operations', () => {
  forEachBackend((backend) => {
    for (const [name, f, shapes, [lo, hi] = [-1.5, 1.5], kinks = []] of cases) {
      it(name, () => {
        const next = random(name.length + 17)
        t.withBackend(backend, () => {
          const smooth = (): number => {
            const value = lo + (hi - lo) * next()
            return kinks.some((kink) => Math.abs(value - kink) < 0.02) ? smooth() : value
          }
          const inputs = shapes.map((shape) => draw(shape, smooth))
          checkDerivatives(f, inputs, () => 2 * next() - 1)
        })
      })
    }
  })

  it('pow at 0^0', () => {
    const [x, y] = [t.tensor([0, 2, 0]), t.tensor([0, 0, 1])]
    expect(
      t
        .grad((z: t.Tensor) => t.sum(t.pow(z, y)))(x)
        .toArray(),
    ).to.deep.equal([0, 0, 1])
    expect(t.hvp((z: t.Tensor) => t.sum(t.pow(z, y)), x, t.ones([3])).toArray()).to.deep.equal([0, -0, 0])
    expect(
      t
        .grad((z: t.Tensor) => t.sum(t.pow(z, 0)))(x)
        .toArray(),
    ).to.deep.equal([0, 0, 0])
    const cube = t.grad((z: t.Tensor) => t.pow(z, 3))
    expect(t.grad(t.grad(cube))(t.tensor(0)).item()).to.equal(6)
  })

  forEachBackend((backend) => {
    it('crossEntropy and huber keep the digits of float32', () => {
      t.withBackend(backend, () => {
        const length = 97
        const logits = t.full([2, length], -1e9, { dtype: 'float32' })
        logits.data[0] = logits.data[length] = 3
        const gradient = t.grad((x: t.Tensor) => t.crossEntropy(x, [1, 0], { reduction: 'sum' }))(logits)
        expect([...gradient.data.subarray(0, 3)]).to.deep.equal([1, -1, 0])
        expect([...gradient.data.subarray(length, length + 3)]).to.deep.equal([0, 0, 0])
        const far = t.full([length], 1e-3, { dtype: 'float32' })
        const loss = t.huber(far, t.zerosLike(far), { delta: 1e4, reduction: 'none' })
        expect(loss.data[0]).to.be.closeTo(5e-7, 1e-13)
      })
    })
  })
})
