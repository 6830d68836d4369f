import { expect } from 'chai'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { random } from '../helpers/random.js'
import { checkDerivatives, draw, expectNear } from '../helpers/tensor.js'

interface Case {
  batch: number
  groups: number
  /** Of one group. */
  channels: number
  filters: number
  input: number[]
  kernel: number[]
  stride: number[]
  dilation: number[]
  padding: [number, number][]
}

type Conv = (x: t.Tensor, w: t.Tensor, options?: t.ConvOptions) => t.Tensor
type Transpose = (y: t.Tensor, w: t.Tensor, options?: t.ConvTransposeOptions) => t.Tensor
const convs: Conv[] = [t.conv1d, t.conv2d, t.conv3d]
const transposes: Transpose[] = [t.convTranspose1d, t.convTranspose2d, t.convTranspose3d]

const volume = (lengths: readonly number[]): number => lengths.reduce((product, length) => product * length, 1)

/** All index vectors below the lengths, the last index fastest. */
function* indices(lengths: readonly number[]): Generator<number[]> {
  const total = volume(lengths)
  for (let flat = 0; flat < total; flat++) {
    let rest = flat
    const index = lengths.map(() => 0)
    for (let axis = lengths.length - 1; axis >= 0; axis--) {
      index[axis] = rest % lengths[axis]
      rest = Math.floor(rest / lengths[axis])
    }
    yield index
  }
}

function outputOf({ input, kernel, stride, dilation, padding }: Case): number[] {
  return input.map((length, a) => {
    const last = length + padding[a][0] + padding[a][1] - dilation[a] * (kernel[a] - 1) - 1
    return Math.floor(last / stride[a]) + 1
  })
}

/** Calls term(y, x, w) for the flat places of every product in the definition. */
function forTerms(c: Case, term: (y: number, x: number, w: number) => void): void {
  const output = outputOf(c)
  const flat = (index: number[], lengths: number[]): number => index.reduce((sum, i, a) => sum * lengths[a] + i, 0)
  for (let b = 0; b < c.batch; b++) {
    for (let f = 0; f < c.groups * c.filters; f++) {
      for (let k = 0; k < c.channels; k++) {
        const channel = Math.floor(f / c.filters) * c.channels + k
        for (const o of indices(output)) {
          for (const tap of indices(c.kernel)) {
            const seen = o.map((place, a) => place * c.stride[a] - c.padding[a][0] + tap[a] * c.dilation[a])
            if (seen.some((place, a) => place < 0 || place >= c.input[a])) continue
            term(
              (b * c.groups * c.filters + f) * volume(output) + flat(o, output),
              (b * c.groups * c.channels + channel) * volume(c.input) + flat(seen, c.input),
              (f * c.channels + k) * volume(c.kernel) + flat(tap, c.kernel),
            )
          }
        }
      }
    }
  }
}

const pick = (next: () => number, least: number, most: number): number =>
  least + Math.floor((most - least + 1) * next())

function drawCase(axes: number, next: () => number): Case {
  for (;;) {
    const each = <T>(f: (a: number) => T): T[] => Array.from({ length: axes }, (_, a) => f(a))
    const c: Case = {
      batch: pick(next, 1, 3),
      groups: pick(next, 1, 3),
      channels: pick(next, 1, 3),
      filters: pick(next, 1, 5),
      input: each(() => pick(next, 1, axes === 1 ? 40 : axes === 2 ? 11 : 6)),
      kernel: each(() => pick(next, 1, axes === 3 ? 2 : 4)),
      stride: each(() => pick(next, 1, 3)),
      dilation: each(() => pick(next, 1, 2)),
      padding: each(() => [pick(next, 0, 3), pick(next, 0, 3)]),
    }
    if (outputOf(c).every((length) => length > 0)) return c
  }
}

const shapesOf = (c: Case): [x: number[], w: number[], y: number[]] => [
  [c.batch, c.groups * c.channels, ...c.input],
  [c.groups * c.filters, c.channels, ...c.kernel],
  [c.batch, c.groups * c.filters, ...outputOf(c)],
]

/** Larger than the bound of the workspace for one image, and small images of which many go into one product. */
const special: Case[] = [
  {
    batch: 2,
    groups: 1,
    channels: 40,
    filters: 3,
    input: [25, 29],
    kernel: [5, 5],
    stride: [1, 1],
    dilation: [1, 1],
    padding: [
      [2, 2],
      [2, 2],
    ],
  },
  {
    batch: 70,
    groups: 2,
    channels: 2,
    filters: 5,
    input: [3, 2],
    kernel: [2, 2],
    stride: [1, 1],
    dilation: [1, 1],
    padding: [
      [1, 0],
      [0, 1],
    ],
  },
  {
    batch: 3,
    groups: 2,
    channels: 3,
    filters: 7,
    input: [13, 11],
    kernel: [1, 1],
    stride: [1, 1],
    dilation: [1, 1],
    padding: [
      [0, 0],
      [0, 0],
    ],
  },
  {
    batch: 2,
    groups: 5,
    channels: 1,
    filters: 2,
    input: [9, 17],
    kernel: [3, 3],
    stride: [2, 1],
    dilation: [1, 2],
    padding: [
      [1, 1],
      [2, 2],
    ],
  },
]

describe('convolutions', () => {
  forEachBackend((backend) => {
    for (const [dtype, tolerance] of [
      ['float64', 1e-12],
      ['float32', 1e-5],
    ] as const) {
      it(`are the sums of their definition, and so are both gradients, in ${dtype}`, () => {
        const next = random(5)
        const drawn = [1, 2, 3].flatMap((axes) => Array.from({ length: 12 }, () => drawCase(axes, next)))
        for (const c of [...drawn, ...special]) {
          const axes = c.input.length
          const [shapeX, shapeW, shapeY] = shapesOf(c)
          const sample = (): number => 2 * next() - 1
          const [x, w, u] = [shapeX, shapeW, shapeY].map((shape) => draw(shape, sample, dtype))
          const [y, gx, gw] = [u, x, w].map(({ size }) => new Float64Array(size))
          forTerms(c, (o, i, k) => {
            y[o] += x.data[i] * w.data[k]
            gx[i] += u.data[o] * w.data[k]
            gw[k] += u.data[o] * x.data[i]
          })
          const { stride, dilation, groups, padding } = c
          t.withBackend(backend, () => {
            const f = (a: t.Tensor[]): t.Tensor => convs[axes - 1](a[0], a[1], { stride, dilation, groups, padding })
            const { value, pullback } = t.vjp(f, [x, w])
            const [slopeX, slopeW] = pullback(u)
            const size = Math.sqrt(c.channels * volume(c.kernel)) * tolerance
            expect(value.shape).to.deep.equal(shapeY)
            expectNear(value, y, size)
            expectNear(slopeX, gx, Math.sqrt(c.filters * volume(c.kernel)) * tolerance)
            expectNear(slopeW, gw, Math.sqrt(c.batch * volume(outputOf(c))) * tolerance)
            // The transpose with the padding of the output that gives this input is the gradient.
            const room = c.input.map(
              (length, a) => length + padding[a][0] + padding[a][1] - dilation[a] * (c.kernel[a] - 1) - 1,
            )
            const outputPadding = room.map((length, a) => length % stride[a])
            const back = transposes[axes - 1](u, w, { stride, dilation, groups, padding, outputPadding })
            expect([...back.data]).to.deep.equal([...slopeX.data])
            expect(back.shape).to.deep.equal(shapeX)
          })
        }
      })
    }

    const derivatives: [string, (x: t.Tensor, w: t.Tensor) => t.Tensor, number[][]][] = [
      [
        'conv1d',
        (x, w) => t.conv1d(x, w, { stride: 2, padding: 2, dilation: 2 }),
        [
          [2, 3, 17],
          [4, 3, 3],
        ],
      ],
      [
        'conv2d',
        (x, w) => t.conv2d(x, w, { padding: 'same' }),
        [
          [2, 3, 5, 6],
          [4, 3, 3, 2],
        ],
      ],
      [
        'conv2d in groups',
        (x, w) => t.conv2d(x, w, { groups: 2, stride: [2, 1] }),
        [
          [2, 4, 5, 6],
          [4, 2, 3, 2],
        ],
      ],
      [
        'depthwise',
        (x, w) => t.conv2d(x, w, { groups: 3, padding: 1 }),
        [
          [2, 3, 5, 6],
          [6, 1, 3, 3],
        ],
      ],
      [
        'pointwise',
        (x, w) => t.conv2d(x, w),
        [
          [2, 3, 5, 6],
          [4, 3, 1, 1],
        ],
      ],
      [
        'conv3d',
        (x, w) =>
          t.conv3d(x, w, {
            padding: [
              [1, 0],
              [0, 1],
              [1, 1],
            ],
            stride: 2,
          }),
        [
          [2, 2, 3, 4, 5],
          [3, 2, 2, 2, 3],
        ],
      ],
      [
        'convTranspose1d',
        (y, w) => t.convTranspose1d(y, w, { stride: 3, outputPadding: 2 }),
        [
          [2, 3, 9],
          [3, 4, 4],
        ],
      ],
      [
        'convTranspose2d',
        (y, w) => t.convTranspose2d(y, w, { stride: 2, padding: 'same', groups: 2 }),
        [
          [2, 4, 3, 4],
          [4, 2, 3, 3],
        ],
      ],
      [
        'convTranspose3d',
        (y, w) => t.convTranspose3d(y, w, { padding: 1, dilation: 2 }),
        [
          [1, 2, 3, 4, 3],
          [2, 3, 2, 2, 2],
        ],
      ],
      [
        'a net of them',

        (x, w) => t.conv2d(t.avgPool2d(t.tanh(t.conv2d(x, w, { padding: 'same' })), 2), w),
        [
          [2, 3, 8, 8],
          [3, 3, 3, 3],
        ],
      ],
    ]
    for (const [name, f, shapes] of derivatives) {
      it(`derivatives of ${name}`, () => {
        const next = random(name.length + 3)
        t.withBackend(backend, () => {
          checkDerivatives(
            f as (...inputs: t.Tensor[]) => t.Tensor,
            shapes.map((shape) => draw(shape, () => 2 * next() - 1)),
            () => 2 * next() - 1,
          )
        })
      })
    }

    it('of nothing', () => {
      t.withBackend(backend, () => {
        const w = t.ones([4, 3, 3, 3])
        const empty = t.zeros([0, 3, 8, 8])
        expect(t.conv2d(empty, w).shape).to.deep.equal([0, 4, 6, 6])
        const f = ([x, weights]: t.Tensor[]): t.Tensor => t.conv2d(x, weights)
        const [x, slopes] = t.vjp(f, [empty, w]).pullback(t.zeros([0, 4, 6, 6]))
        expect(x.shape).to.deep.equal([0, 3, 8, 8])
        expect([...slopes.data].every((value) => value === 0)).to.equal(true)
        const none = t.conv2d(t.zeros([2, 0, 8, 8]), t.zeros([4, 0, 3, 3]))
        expect(none.shape).to.deep.equal([2, 4, 6, 6])
        expect([...none.data].every((value) => value === 0)).to.equal(true)
        expect(t.conv2d(t.zeros([2, 3, 8, 8]), t.zeros([0, 3, 3, 3])).shape).to.deep.equal([2, 0, 6, 6])
        expect(t.convTranspose2d(t.zeros([0, 3, 4, 4]), t.zeros([3, 2, 3, 3])).shape).to.deep.equal([0, 2, 6, 6])
      })
    })

    it('NaN stays where it is seen', () => {
      t.withBackend(backend, () => {
        const x = t.zeros([1, 2, 70])
        x.data[30] = Number.NaN
        const y = t.conv1d(x, t.ones([5, 2, 3]), { padding: 'same' })
        const wrong = [...y.data].map((value, i) => (Number.isNaN(value) ? i % 70 : -1)).filter((i) => i >= 0)
        expect(new Set(wrong)).to.deep.equal(new Set([29, 30, 31]))
      })
    })
  })

  it('same padding keeps the length divided by the stride', () => {
    for (const [length, taps, stride] of [
      [7, 3, 1],
      [7, 4, 2],
      [8, 3, 3],
      [5, 1, 3],
      [9, 2, 1],
    ]) {
      const y = t.conv1d(t.ones([1, 1, length]), t.ones([1, 1, taps]), { padding: 'same', stride })
      expect(y.shape).to.deep.equal([1, 1, Math.ceil(length / stride)])
      const back = t.convTranspose1d(y, t.ones([1, 1, taps]), { padding: 'same', stride })
      expect(back.shape).to.deep.equal([1, 1, Math.ceil(length / stride) * stride])
    }
    // The odd zero lies at the end.
    const y = t.conv1d(t.tensor([[[1, 2, 3]]]), t.tensor([[[10, 1]]]), { padding: 'same' })
    expect(y.toArray()).to.deep.equal([[[12, 23, 30]]])
  })

  it('refuse what does not fit', () => {
    const [x, w] = [t.zeros([2, 3, 8, 8]), t.zeros([4, 3, 3, 3])]
    const refuses = (call: () => unknown, code: 'ERR_SHAPE' | 'ERR_OPTION' | 'ERR_DTYPE', message: RegExp): void =>
      expectError(call, code, message)
    refuses(() => t.conv2d(x, t.zeros([4, 2, 3, 3])), 'ERR_SHAPE', /conv2d: .*\[2, 3, 8, 8\] and \[4, 2, 3, 3\]/)
    refuses(() => t.conv1d(x, w), 'ERR_SHAPE', /conv1d: .*\[2, 3, 8, 8\] and \[4, 3, 3, 3\]/)
    refuses(() => t.conv2d(x, w, { groups: 3 }), 'ERR_SHAPE', /in 3 groups, got \[2, 3, 8, 8\] and \[4, 3, 3, 3\]/)
    refuses(() => t.conv2d(x, t.zeros([4, 3, 9, 3])), 'ERR_SHAPE', /fit .*\[2, 3, 8, 8\] and \[4, 3, 9, 3\]/)
    refuses(() => t.conv2d(x, t.zeros([4, 3, 0, 3])), 'ERR_SHAPE', /\[4, 3, 0, 3\]/)
    refuses(() => t.conv2d(x, t.zeros([4, 3, 3, 3], { dtype: 'float32' })), 'ERR_DTYPE', /conv2d: .*float32/)
    const whole = { dtype: 'int32' } as const
    refuses(() => t.conv2d(t.zeros([2, 3, 8, 8], whole), t.zeros([4, 3, 3, 3], whole)), 'ERR_DTYPE', /int32/)
    refuses(() => t.conv2d(x, w, { stride: 0 }), 'ERR_OPTION', /conv2d.stride: .* got 0/)
    refuses(() => t.conv2d(x, w, { stride: [1, 1, 1] }), 'ERR_OPTION', /got \[1,1,1\]/)
    refuses(() => t.conv2d(x, w, { padding: -1 }), 'ERR_OPTION', /conv2d.padding: /)
    refuses(() => t.conv2d(x, w, { padding: 'full' as 'same' }), 'ERR_OPTION', /got 'full'/)
    refuses(() => t.conv2d(x, w, { dilatation: 2 } as object), 'ERR_OPTION', /did you mean 'dilation'/)
    refuses(() => t.convTranspose2d(x, w), 'ERR_SHAPE', /convTranspose2d: .*\[2, 3, 8, 8\] and \[4, 3, 3, 3\]/)
    const up = t.zeros([3, 2, 3, 3])
    refuses(() => t.convTranspose2d(x, up, { outputPadding: 1 }), 'ERR_OPTION', /outputPadding: .*below the stride/)
    refuses(() => t.convTranspose2d(x, up, { outputPadding: 0, padding: 'same' }), 'ERR_OPTION', /outputPadding/)
    refuses(() => t.convTranspose2d(x, up, { padding: 5 }), 'ERR_SHAPE', /positive lengths/)
  })
})
