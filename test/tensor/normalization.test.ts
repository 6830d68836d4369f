import { expect } from 'chai'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { random } from '../helpers/random.js'
import { checkDerivatives, draw, expectNear, type Operation } from '../helpers/tensor.js'

/** (x - mean) / √(variance + ε) of the entries that share a key, and the moments by key. */
function whitened(
  x: ArrayLike<number>,
  key: (i: number) => number,
  epsilon: number,
): { values: number[]; means: number[]; variances: number[] } {
  const sums: number[][] = []
  for (let i = 0; i < x.length; i++) {
    sums[key(i)] ??= []
    sums[key(i)].push(x[i])
  }
  const means = sums.map((group) => group.reduce((a, b) => a + b, 0) / group.length)
  const variances = sums.map((group, k) => group.reduce((a, b) => a + (b - means[k]) ** 2, 0) / group.length)
  const values = Array.from(x, (value, i) => (value - means[key(i)]) / Math.sqrt(variances[key(i)] + epsilon))
  return { values, means, variances }
}

describe('normalization', () => {
  forEachBackend((backend) => {
    const on = (body: () => void) => (): void => t.withBackend(backend, body)

    for (const [dtype, tolerance] of [
      ['float64', 1e-12],
      ['float32', 1e-5],
    ] as const) {
      it(
        `values in ${dtype}`,
        on(() => {
          const next = random(3)
          // Far from 0: sums of squares would lose all digits of float32.
          const sample = (): number => 100 + next()
          for (const shape of [
            [5, 6],
            [3, 6, 19],
            [2, 6, 5, 7],
          ]) {
            const x = draw(shape, sample, dtype)
            const [scale, shift] = [draw([6], next, dtype), draw([6], next, dtype)]
            const inner = x.size / shape[0] / 6
            const channel = (i: number): number => Math.floor(i / inner) % 6
            const affine = (values: number[]): number[] =>
              values.map((value, i) => value * scale.data[channel(i)] + shift.data[channel(i)])

            const batch = whitened(x.data, channel, 1e-3)
            const came = t.batchNorm(x, scale, shift, { epsilon: 1e-3 })
            expectNear(came.value, affine(batch.values), tolerance)
            expectNear(came.mean, batch.means, tolerance)
            expectNear(came.variance, batch.variances, tolerance)
            const statistics = { mean: t.full([6], 99, { dtype }), variance: draw([6], next, dtype) }
            const fixed = t.batchNorm(x, scale, shift, { statistics })
            const own = Array.from(
              x.data,
              (value, i) => (value - 99) / Math.sqrt(statistics.variance.data[channel(i)] + 1e-5),
            )
            expectNear(fixed.value, affine(own), 100 * tolerance)
            expect(fixed.mean).to.equal(statistics.mean)

            const size = x.size / shape[0] / 2
            const grouped = whitened(x.data, (i) => Math.floor(i / size), 1e-5)
            expectNear(t.groupNorm(x, scale, shift, { groups: 2 }), affine(grouped.values), tolerance)

            const last = shape[shape.length - 1]
            const [weights, ends] = [draw([last], next, dtype), draw([last], next, dtype)]
            const rows = whitened(x.data, (i) => Math.floor(i / last), 1e-5)
            expectNear(
              t.layerNorm(x, weights, ends),
              rows.values.map((value, i) => value * weights.data[i % last] + ends.data[i % last]),
              tolerance,
            )
            const item = shape.slice(1)
            const whole = whitened(x.data, (i) => Math.floor(i / (x.size / shape[0])), 1e-5)
            const [one, none] = [t.ones(item, { dtype }), t.zeros(item, { dtype })]
            expectNear(t.layerNorm(x, one, none), whole.values, tolerance)
          }
        }),
      )
    }

    const cases: [string, Operation, number[][]][] = [
      ['batchNorm', (x, a, b) => t.batchNorm(x, a, b).value, [[4, 3, 5, 4], [3], [3]]],
      ['batchNorm of vectors', (x, a, b) => t.batchNorm(x, a, b).value, [[24, 3], [3], [3]]],
      ['batchNorm of one input', (x) => t.batchNorm(x, t.ones([3]), t.zeros([3])).value, [[4, 3, 7]]],
      [
        'batchNorm with statistics',
        (x, a, b, mean, root) => t.batchNorm(x, a, b, { statistics: { mean, variance: t.square(root) } }).value,
        [[4, 3, 7], [3], [3], [3], [3]],
      ],
      ['layerNorm', (x, a, b) => t.layerNorm(x, a, b), [[4, 5, 6], [6], [6]]],
      [
        'layerNorm of two axes',
        (x, a, b) => t.layerNorm(x, a, b, { epsilon: 0.1 }),
        [
          [4, 5, 6],
          [5, 6],
          [5, 6],
        ],
      ],
      ['groupNorm', (x, a, b) => t.groupNorm(x, a, b, { groups: 2 }), [[3, 4, 6], [4], [4]]],
    ]
    for (const [name, f, shapes] of cases) {
      it(
        `derivatives of ${name}`,
        on(() => {
          const next = random(name.length)
          const inputs = shapes.map((shape) => draw(shape, () => 0.4 + 2 * next()))
          checkDerivatives(f, inputs, () => 2 * next() - 1)
        }),
      )
    }

    it(
      'of an empty batch',
      on(() => {
        const [one, none] = [t.ones([3]), t.zeros([3])]
        expect(t.layerNorm(t.zeros([0, 3]), one, none).shape).to.deep.equal([0, 3])
        expect(t.groupNorm(t.zeros([0, 3, 4]), one, none, { groups: 3 }).shape).to.deep.equal([0, 3, 4])
        const statistics = { mean: none, variance: one }
        expect(t.batchNorm(t.zeros([0, 3]), one, none, { statistics }).value.shape).to.deep.equal([0, 3])
      }),
    )
  })

  it('the statistics of a batch are constants', () => {
    const x = t.tensor([
      [1, 2],
      [3, 5],
    ])
    const f = (z: t.Tensor): t.Tensor => t.sum(t.batchNorm(z, t.ones([2]), t.zeros([2])).mean)
    expect([...t.grad(f)(x).data]).to.deep.equal([0, 0, 0, 0])
  })

  it('refuses what does not fit', () => {
    const [x, one, none] = [t.zeros([2, 3, 4]), t.ones([3]), t.zeros([3])]
    expectError(() => t.batchNorm(x, t.ones([4]), none), 'ERR_SHAPE', /batchNorm: .*\[3\] for \[2, 3, 4\], got \[4\]/)
    expectError(() => t.batchNorm(t.zeros([0, 3]), one, none), 'ERR_SHAPE', /batchNorm: .*\[0, 3\]/)
    expectError(() => t.batchNorm(t.zeros([3]), one, none), 'ERR_SHAPE', /batchNorm: .*\[3\]/)
    expectError(() => t.batchNorm(x, one, none, { epsilon: 0 }), 'ERR_NOT_POSITIVE', /batchNorm.epsilon/)
    const statistics = { mean: none, variance: t.full([3], -1) }
    expectError(() => t.batchNorm(x, one, none, { statistics }), 'ERR_OPTION', /variance: .*got -1/)
    expectError(() => t.layerNorm(x, one, none), 'ERR_SHAPE', /layerNorm: .*\[4\] for \[2, 3, 4\], got \[3\]/)
    expectError(() => t.layerNorm(none, t.ones([2, 3]), none), 'ERR_SHAPE', /layerNorm/)
    expectError(() => t.groupNorm(x, one, none, { groups: 2 }), 'ERR_OPTION', /2 groups of 3 channels/)
    expectError(() => t.groupNorm(x, one, none, {} as { groups: number }), 'ERR_OPTION', /groupNorm/)
    expectError(() => t.layerNorm(x, t.ones([4], { dtype: 'float32' }), t.zeros([4])), 'ERR_DTYPE', /float32/)
  })
})
