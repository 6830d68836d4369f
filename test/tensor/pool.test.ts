import { expect } from 'chai'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { random } from '../helpers/random.js'
import { checkDerivatives, draw, expectNear, type Operation } from '../helpers/tensor.js'

/** Of each window of a plane of rows: what of its entries is there. */
function windows(
  plane: readonly (readonly number[])[],
  size: [number, number],
  stride: [number, number],
  padding: [[number, number], [number, number]],
): number[][] {
  const [h, w] = [plane.length, plane[0].length]
  const found: number[][] = []
  for (let y = -padding[0][0]; y + size[0] <= h + padding[0][1]; y += stride[0]) {
    for (let x = -padding[1][0]; x + size[1] <= w + padding[1][1]; x += stride[1]) {
      const seen: number[] = []
      for (let i = y; i < y + size[0]; i++) {
        for (let j = x; j < x + size[1]; j++) if (plane[i]?.[j] !== undefined) seen.push(plane[i][j])
      }
      found.push(seen)
    }
  }
  return found
}

describe('pooling', () => {
  forEachBackend((backend) => {
    const on = (body: () => void) => (): void => t.withBackend(backend, body)

    for (const dtype of ['float64', 'float32'] as const) {
      it(
        `takes the largest and the mean of what a window sees, in ${dtype}`,
        on(() => {
          const next = random(9)
          for (let trial = 0; trial < 60; trial++) {
            const pick = (least: number, most: number): number => least + Math.floor((most - least + 1) * next())
            const size: [number, number] = [pick(1, 4), pick(1, 4)]
            const stride: [number, number] = [pick(1, 3), pick(1, 3)]
            const pad = (axis: number): [number, number] => [pick(0, size[axis] - 1), pick(0, size[axis] - 1)]
            const padding: [[number, number], [number, number]] = [pad(0), pad(1)]
            const [batch, channels, h, w] = [pick(1, 2), pick(1, 3), pick(4, 9), pick(4, 20)]
            const x = draw([batch, channels, h, w], () => Math.floor(20 * next()) / 8, dtype)
            const planes = (x.toArray() as number[][][][]).flat()
            const expected = planes.flatMap((plane) => windows(plane, size, stride, padding))
            const options = { stride, padding }
            expectNear(
              t.maxPool2d(x, size, options),
              expected.map((seen) => Math.max(...seen)),
              0,
            )
            expectNear(
              t.avgPool2d(x, size, options),
              expected.map((seen) => seen.reduce((sum, value) => sum + value, 0) / seen.length),
              dtype === 'float64' ? 1e-14 : 1e-6,
            )
          }
        }),
      )
    }

    it(
      'one and three axes as two',
      on(() => {
        const next = random(2)
        const line = draw([2, 3, 31], next)
        const cube = draw([2, 2, 3, 5, 7], next)
        for (const [one, two, three] of [
          [t.maxPool1d, t.maxPool2d, t.maxPool3d],
          [t.avgPool1d, t.avgPool2d, t.avgPool3d],
        ] as const) {
          const options = { stride: 2, padding: 'same' } as const
          const flat = two(t.reshape(line, [2, 3, 1, 31]), [1, 3], { ...options, stride: [1, 2] })
          expectNear(one(line, 3, options), [...flat.data], 1e-15)
          // A window of one along the first axis.
          const layers = two(t.reshape(cube, [2, 6, 5, 7]), [2, 3])
          expectNear(three(cube, [1, 2, 3]), [...layers.data], 1e-15)
        }
        const pairs = t.maxPool3d(cube, [2, 5, 7], { stride: 1 })
        const wanted = t.max(
          t.stack([t.slice(cube, [undefined, undefined, [0, 2]]), t.slice(cube, [undefined, undefined, [1, 3]])], 2),
          [3, 4, 5],
        )
        expect([...pairs.data]).to.deep.equal([...wanted.data])
      }),
    )

    it(
      'of equal entries the first has the derivative',
      on(() => {
        const slope = t.grad((x: t.Tensor) => t.sum(t.maxPool2d(x, 2)))(t.zeros([3, 2, 4, 6]))
        const plane = [1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]
        expect([...slope.data.subarray(24, 48)]).to.deep.equal(plane)
        const low = t.full([1, 1, 8, 8], Number.NEGATIVE_INFINITY)
        expect(t.maxPool2d(low, 2).data[0]).to.equal(Number.NEGATIVE_INFINITY)
        expect(t.grad((x: t.Tensor) => t.sum(t.maxPool2d(x, 8)))(low).data[0]).to.equal(1)
      }),
    )

    it(
      'NaN wins',
      on(() => {
        const x = t.zeros([1, 1, 8, 9])
        x.data[10] = Number.NaN
        const y = t.maxPool2d(x, [2, 3])
        expect([...y.data].map(Number.isNaN)).to.deep.equal([true, ...new Array(11).fill(false)])
        const slope = t.grad((z: t.Tensor) => t.sum(t.maxPool2d(z, [2, 3])))(x)
        expect(slope.data[10]).to.equal(1)
      }),
    )

    const cases: [string, Operation, number[]][] = [
      ['maxPool1d', (x) => t.maxPool1d(t.square(x), 3, { stride: 2 }), [2, 3, 17]],
      ['maxPool2d', (x) => t.maxPool2d(t.sin(x), 3, { stride: [1, 2], padding: 1 }), [2, 2, 6, 7]],
      ['maxPool3d', (x) => t.square(t.maxPool3d(x, 2, { padding: 'same' })), [1, 2, 3, 5, 4]],
      ['avgPool1d', (x) => t.square(t.avgPool1d(x, 3, { stride: 2, padding: [[1, 2]] })), [2, 3, 17]],
      ['avgPool2d', (x) => t.square(t.avgPool2d(x, 2, { stride: 1, padding: 'same' })), [2, 2, 6, 7]],
      ['avgPool3d', (x) => t.square(t.avgPool3d(x, [1, 2, 3])), [1, 2, 3, 5, 4]],
      ['globalAveragePool', (x) => t.square(t.globalAveragePool(x)), [4, 3, 5, 4]],
      ['upsample nearest', (x) => t.square(t.upsample(x, [2, 3])), [2, 2, 4, 5]],
      ['upsample linear', (x) => t.square(t.upsample(x, [2, 3], { mode: 'linear' })), [2, 2, 4, 5]],
    ]
    for (const [name, f, shape] of cases) {
      it(
        `derivatives of ${name}`,
        on(() => {
          const next = random(name.length)
          checkDerivatives(f, [draw(shape, () => 4 * next() - 2)], () => 2 * next() - 1)
        }),
      )
    }

    it(
      'upsampling',
      on(() => {
        const x = t.tensor([[[1, 3, 2]]])
        expect(t.upsample(x, 2).toArray()).to.deep.equal([[[1, 1, 3, 3, 2, 2]]])
        expect(t.upsample(x, 2, { mode: 'linear' }).toArray()).to.deep.equal([[[1, 1.5, 2.5, 2.75, 2.25, 2]]])
        const next = random(6)
        const image = draw([2, 3, 6, 5], next)
        const tall = t.upsample(image, [3, 1], { mode: 'linear' })
        const wide = t.transpose(t.upsample(t.transpose(image, [0, 1, 3, 2]), [1, 3], { mode: 'linear' }), [0, 1, 3, 2])
        expectNear(tall, [...wide.data], 1e-15)
        // A linear function stays one inside.
        const slope = t.upsample(t.reshape(t.arange(0, 6), [1, 1, 1, 6]), [1, 4], { mode: 'linear' })
        for (let o = 2; o < 22; o++) expect(slope.data[o]).to.be.closeTo((o + 0.5) / 4 - 0.5, 1e-14)
        const near = t.upsample(image, [2, 3])
        expectNear(t.avgPool2d(near, [2, 3]), [...image.data], 1e-15)
        expect(t.upsample(t.zeros([0, 2, 3]), 2, { mode: 'linear' }).shape).to.deep.equal([0, 2, 6])
      }),
    )

    it(
      'of an empty batch',
      on(() => {
        const none = t.zeros([0, 3, 4, 4])
        expect(t.maxPool2d(none, 2).shape).to.deep.equal([0, 3, 2, 2])
        expect(t.avgPool2d(none, 2).shape).to.deep.equal([0, 3, 2, 2])
        expect(t.globalAveragePool(none).shape).to.deep.equal([0, 3])
        expect(t.grad((x: t.Tensor) => t.sum(t.maxPool2d(x, 2)))(none).shape).to.deep.equal([0, 3, 4, 4])
      }),
    )
  })

  it('refuses what does not fit', () => {
    const x = t.zeros([2, 3, 4, 4])
    expectError(() => t.maxPool2d(x, 5), 'ERR_SHAPE', /maxPool2d: .*\[2, 3, 4, 4\] and \[5, 5\]/)
    expectError(() => t.maxPool1d(x, 2), 'ERR_SHAPE', /maxPool1d: .*\[2, 3, 4, 4\]/)
    expectError(() => t.maxPool2d(x, 2, { padding: 2 }), 'ERR_OPTION', /maxPool2d.padding: .*less than the window/)
    expectError(
      () =>
        t.maxPool2d(x, 2, {
          padding: [
            [0, 0],
            [0, 2],
          ],
          stride: 1,
        }),
      'ERR_OPTION',
      /less than the window/,
    )
    expectError(() => t.avgPool2d(x, 0), 'ERR_OPTION', /avgPool2d.window/)
    expectError(() => t.avgPool2d(x, 2, { strides: 1 } as object), 'ERR_OPTION', /did you mean 'stride'/)
    expectError(() => t.maxPool2d(t.zeros([2, 3, 4, 4], { dtype: 'int32' }), 2), 'ERR_DTYPE', /int32/)
    expectError(() => t.globalAveragePool(t.zeros([2, 3])), 'ERR_SHAPE', /globalAveragePool/)
    expectError(() => t.upsample(t.zeros([2, 3]), 2), 'ERR_SHAPE', /upsample/)
    expectError(() => t.upsample(x, 1.5), 'ERR_OPTION', /upsample.factor/)
  })
})
