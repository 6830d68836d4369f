import { expect } from 'chai'
import { unaryOps } from '../../lib/backend/tensor.js'
import * as t from '../../lib/tensor/index.js'
import { random } from '../helpers/random.js'
import { draw } from '../helpers/tensor.js'

type Case = [string, (x: t.Tensor, y: t.Tensor) => t.Tensor]

const positive = new Set(['log', 'rsqrt', 'sqrt', 'lgamma', 'digamma', 'pow'])

const byName = { ...t }
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
