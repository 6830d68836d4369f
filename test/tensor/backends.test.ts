import { expect } from 'chai'
import { unaryOps } from '../../lib/backend/tensor.js'
import * as t from '../../lib/tensor/index.js'
import { random } from '../helpers/random.js'
import { draw } from '../helpers/tensor.js'

type Case = [string, (x: t.Tensor, y: t.Tensor) => t.Tensor]

const positive = new Set(['log', 'rsqrt', 'sqrt', 'lgamma', 'digamma', 'pow'])

const byName = { ...t }
/** One channel. */
const row = (x: t.Tensor): t.Tensor => t.reshape(x, [1, 1, x.size])
const first = (y: t.Tensor): t.Tensor => t.slice(y, [undefined, 0])
const cases: Case[] = [
  // Those two have a parameter.
  ...unaryOps.filter((name) => name !== 'polygamma' && name !== 'power'),
  ...(['digamma', 'sum', 'max', 'min', 'logSumExp', 'norm', 'softmax'] as const),
  ...(['logSoftmax', 'cumsum', 'transpose', 'variance'] as const),
].map((name): Case => [name, (x) => (byName[name] as (x: t.Tensor) => t.Tensor)(x)])
cases.push(
  ['prod', (x) => t.prod(t.add(1, t.mul(x, 0.01)))],
  ['add', t.add],
  ['div', t.div],
  ['pow', (x, y) => t.pow(t.add(t.abs(x), 0.5), y)],
  ['minimum', t.minimum],
  ['matmul', (x, y) => t.matmul(x, y, { transposeB: true })],
  ['squaredDistances', t.squaredDistances],
  ['columns', (x) => t.logSumExp(x, 0)],
  ['norms of columns', (x) => t.norm(x, 0)],
  ['conv1d', (x, y) => t.conv1d(row(x), t.reshape(t.slice(y, [undefined, [0, 3]]), [-1, 1, 3]), { padding: 'same' })],
  ['conv1d with a stride', (x) => t.conv1d(row(x), t.ones([5, 1, 4], { dtype: x.dtype }), { stride: 3, padding: 2 })],
  ['maxPool1d', (x) => t.maxPool1d(row(x), 3, { stride: 2 })],
  ['avgPool1d', (x) => t.avgPool1d(row(x), 3, { stride: 2, padding: 1 })],
  ['layerNorm', (x, y) => t.layerNorm(x, t.slice(y, [0]), t.slice(y, [1]))],
  ['batchNorm', (x, y) => t.batchNorm(t.reshape(x, [1, ...x.shape]), first(y), first(y)).value],
  ['attention', (x, y) => t.attention(x, y, x, { scale: 1e-3 })],
)

describe('native and portable tensor kernels', () => {
  for (const [dtype, tolerance] of [
    ['float64', 1e-12],
    ['float32', 1e-5],
  ] as const) {
    for (const [name, f] of cases) {
      it(`agree in ${dtype}: ${name}, values and gradients`, () => {
        const next = random(31)
        // Longer than the blocks of the kernels, and a multiple of no vector.
        for (const shape of [
          [7, 9],
          [3, 37],
          [2, 1291],
        ]) {
          const low = positive.has(name) ? 0.1 : name === 'log1p' ? -0.9 : -4
          const x = draw(shape, () => low + 4.2 * next(), dtype)
          const y = draw(shape, () => low + 4.1 * next(), dtype)
          const both = (): t.Tensor[] => {
            const gradient = (z: t.Tensor): t.Tensor => t.sum(t.mul(f(z, y), 0.7))
            return [f(x, y), t.grad(gradient)(x)]
          }
          const native = t.withBackend('native', both)
          const portable = t.withBackend('portable', both)
          native.forEach((came, k) => {
            expect(came.shape).to.deep.equal(portable[k].shape)
            for (let i = 0; i < came.size; i++) {
              const expected = portable[k].data[i]
              expect(came.data[i]).to.be.closeTo(expected, tolerance * Math.max(1, Math.abs(expected)))
            }
          })
        }
      })
    }
  }
})
