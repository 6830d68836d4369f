import { expect } from 'chai'
import * as t from '../../lib/tensor/index.js'
import { expectError } from '../helpers/errors.js'

const byName = { ...t }

describe('tensors', () => {
  it('come from nested arrays, typed arrays and constructors', () => {
    const x = t.tensor([
      [1, 2, 3],
      [4, 5, 6],
    ])
    expect([x.shape, x.dtype, x.size, x.rank]).to.deep.equal([[2, 3], 'float64', 6, 2])
    expect(x.toArray()).to.deep.equal([
      [1, 2, 3],
      [4, 5, 6],
    ])
    expect(t.tensor(Float32Array.of(1.5, 2)).dtype).to.equal('float32')
    expect(t.tensor(Float32Array.of(1.5, 2), { dtype: 'float64' }).data).to.be.instanceOf(Float64Array)
    expect(t.tensor(Float64Array.of(1, 2), { dtype: 'int32' }).data).to.deep.equal(Int32Array.of(1, 2))
    expectError(() => t.tensor(Float64Array.of(0.5), { dtype: 'int32' }), 'ERR_DTYPE', /0\.5/)
    expect(t.tensor(7).item()).to.equal(7)
    expect(t.tensor([]).shape).to.deep.equal([0])
    expect(t.eye(2, 3).toArray()).to.deep.equal([
      [1, 0, 0],
      [0, 1, 0],
    ])
    expect(t.arange(1, 2, 0.25).toArray()).to.deep.equal([1, 1.25, 1.5, 1.75])
    expect(t.full([2], 3, { dtype: 'int32' }).data).to.deep.equal(Int32Array.of(3, 3))
    const data = Float64Array.of(1, 2)
    expect(t.fromData(data, [2, 1]).data).to.equal(data)
  })

  it('share memory in reshape and slices of leading axes, and nowhere else', () => {
    const x = t.tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ])
    expect(t.reshape(x, [2, 3]).data.buffer).to.equal(x.data.buffer)
    expect(t.slice(x, [[1, 3]]).data.buffer).to.equal(x.data.buffer)
    expect(t.slice(x, [undefined, [0, 1]]).data.buffer).to.not.equal(x.data.buffer)
  })

  it('refuse what is no tensor', () => {
    expectError(() => t.tensor([[1, 2], [3]]), 'ERR_SHAPE', 'tensor: expected 2 entries at depth 1, got 1 entries')
    expectError(() => t.tensor([1, 'a'] as never), 'ERR_SHAPE', /depth 1, got 'a'/)
    expectError(() => t.tensor([1.5], { dtype: 'int32' }), 'ERR_DTYPE', /1\.5/)
    expectError(() => t.tensor([1], { dtype: 'float16' as never }), 'ERR_OPTION', /dtype/)
    expectError(() => t.fromData(Float64Array.of(1), [2]), 'ERR_SHAPE', /\[2\].*got 1/)
    expectError(() => t.zeros([-1]), 'ERR_SHAPE', /shape/)
    expectError(() => t.tensor([1, 2]).item(), 'ERR_SHAPE', /\[2\]/)
    for (const name of [
      'exp',
      'sum',
      'mean',
      'prod',
      'reshape',
      'transpose',
      'slice',
      'softmax',
      'cumsum',
      'argmax',
    ] as const) {
      expectError(
        () => byName[name]([1, 2] as never, [] as never),
        'ERR_SHAPE',
        `${name}: expected a tensor, got Array`,
      )
    }
    for (const name of ['add', 'matmul', 'dot', 'mse', 'squaredDistances'] as const) {
      expectError(
        () => byName[name](t.ones([1]), undefined as never),
        'ERR_SHAPE',
        `${name}: expected a tensor, got undefined`,
      )
    }
    const moved = Float64Array.of(1, 2)
    const x = t.fromData(moved, [2])
    structuredClone(moved.buffer, { transfer: [moved.buffer] })
    expectError(() => t.add(x, 1), 'ERR_BUFFER', /transferred/)
  })

  it('errors name the operation and both shapes', () => {
    const [a, b] = [t.zeros([2, 3]), t.zeros([4, 3])]
    const single = t.zeros([2, 3], { dtype: 'float32' })
    const both = /\[2, 3\] and \[4, 3\]/
    const { add, sub, mul, div, pow, minimum, maximum, less, equal } = t
    for (const [name, operation] of Object.entries({ add, sub, mul, div, pow, minimum, maximum, less, equal })) {
      expectError(() => operation(a, b), 'ERR_SHAPE', new RegExp(`^${name}: .*${both.source}`))
      expectError(
        () => operation(a, single),
        'ERR_DTYPE',
        new RegExp(`^${name}: .*float64 \\[2, 3\\] and float32 \\[2, 3\\]`),
      )
    }
    expectError(() => t.matmul(a, b), 'ERR_SHAPE', /^matmul: .*\[2, 3\] and \[4, 3\]/)
    expectError(() => t.matmul(a, single), 'ERR_DTYPE', /^matmul: /)
    expectError(() => t.matmul(t.zeros([2, 2, 3]), t.zeros([3, 3, 2])), 'ERR_SHAPE', /^matmul: .*\[2\] and \[3\]/)
    expectError(() => t.concat([a, b], 1), 'ERR_SHAPE', /^concat: .*\[2, 3\] and \[4, 3\]/)
    expectError(() => t.stack([a, b]), 'ERR_SHAPE', both)
    expectError(() => t.dot(a, b), 'ERR_SHAPE', both)
    expectError(() => t.mse(a, b), 'ERR_SHAPE', both)
    expectError(() => t.crossEntropy(a, [0, 1, 2]), 'ERR_SHAPE', /^crossEntropy: .*\[2, 3\] and \[3\]/)
    expectError(() => t.crossEntropy(a, [0, 3]), 'ERR_SHAPE', /from 0 to 2, got 3/)
    expectError(() => t.squaredDistances(a, t.zeros([4, 2])), 'ERR_SHAPE', /\[2, 3\] and \[4, 2\]/)
    expectError(() => t.einsum('ij,jk->ik', a, b), 'ERR_SHAPE', /\[2, 3\] and \[4, 3\]/)
    expectError(() => t.einsum('ii->i', t.zeros([2, 2])), 'ERR_SHAPE', /einsum/)
    expectError(() => t.reshape(a, [4, -1]), 'ERR_SHAPE', /^reshape: .*\[2, 3\], got \[4, -1\]/)
    expectError(() => t.broadcastTo(a, [2, 4]), 'ERR_SHAPE', /^broadcastTo: .*\[2, 4\], got \[2, 3\]/)
    expectError(() => t.sum(a, 2), 'ERR_SHAPE', /^sum: /)
    expectError(() => t.sum(a, [0, -2]), 'ERR_SHAPE', /^sum: .*different/)
    expectError(() => t.max(t.zeros([0])), 'ERR_SHAPE', /^max: .*\[0\]/)
    expectError(() => t.transpose(a, [0, 0]), 'ERR_SHAPE', /^transpose: /)
    expectError(() => t.transpose(t.ones([100]), [0, 0]), 'ERR_SHAPE', /^transpose: .*\[100\].*\[0, 0\]/)
    expectError(() => t.broadcastTo(t.ones([1]), [-1]), 'ERR_SHAPE', /^broadcastTo: /)
    expectError(() => t.broadcastTo(t.ones([1]), [2.5]), 'ERR_SHAPE', /^broadcastTo: /)
    expectError(() => t.broadcastTo(t.ones([1]), [Number.NaN, 1]), 'ERR_SHAPE', /^broadcastTo: /)
    expectError(() => t.gather(a, [2]), 'ERR_SHAPE', /^gather: .*got 2/)
    expectError(() => t.gather(a, t.zeros([1])), 'ERR_DTYPE', /^gather: /)
    expectError(() => t.exp(t.zeros([2], { dtype: 'int32' })), 'ERR_DTYPE', /^exp: .*int32 \[2\]/)
    expectError(() => t.add(t.zeros([2], { dtype: 'int32' }), 0.5), 'ERR_DTYPE', /^add: .*int32 \[2\] and 0\.5/)
    const pattern = { shape: [2, 2] as [number, number], indptr: Int32Array.of(0, 1, 2), indices: Int32Array.of(0, 5) }
    expectError(() => t.csrMatmul(pattern, t.zeros([2]), t.zeros([2])), 'ERR_SHAPE', /^pattern: /)
    const floats = { ...pattern, indices: Float64Array.of(0, 1) as never }
    expectError(() => t.csrMatmul(floats, t.zeros([2]), t.zeros([2])), 'ERR_DTYPE', /^pattern: .*Int32Array as indices/)
    const half = { ...pattern, shape: [2, 1.5] as [number, number] }
    expectError(() => t.csrMatmul(half, t.zeros([2]), t.zeros([2])), 'ERR_SHAPE', /^pattern: /)
    const whole = t.ones([2, 3], { dtype: 'int32' })
    const { logSumExp, norm, softmax, logSoftmax } = t
    for (const [name, operation] of Object.entries({ logSumExp, norm, softmax, logSoftmax })) {
      expectError(() => operation(whole), 'ERR_DTYPE', new RegExp(`^${name}: .*int32 \\[2, 3\\]`))
    }
    expectError(() => t.crossEntropy(whole, [0, 1]), 'ERR_DTYPE', /^crossEntropy: /)
    expectError(() => t.pow(whole, 1), 'ERR_DTYPE', /^pow: /)
  })

  it('the pattern of a sparse product stays the one that was given', () => {
    const pattern = { shape: [2, 2] as [number, number], indptr: Int32Array.of(0, 1, 2), indices: Int32Array.of(1, 0) }
    const { pullback } = t.vjp((x: t.Tensor) => t.csrMatmul(pattern, t.tensor([2, 3]), x), t.tensor([5, 7]))
    pattern.shape = [100, 100]
    pattern.indices = Int32Array.of(99, 99)
    expect(pullback(t.tensor([1, 10])).toArray()).to.deep.equal([30, 2])
  })

  it('int32 tensors count and compare', () => {
    const x = t.tensor([1, 2, 3], { dtype: 'int32' })
    expect(t.mul(t.add(x, 1), x).toArray()).to.deep.equal([2, 6, 12])
    expect(t.greater(x, 2).toArray()).to.deep.equal([0, 0, 1])
    expect(t.cast(t.tensor([1.7, -1.7]), 'int32').toArray()).to.deep.equal([1, -1])
  })
})
