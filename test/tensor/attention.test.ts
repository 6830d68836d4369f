import { expect } from 'chai'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { random } from '../helpers/random.js'
import { checkDerivatives, draw, expectNear, type Operation } from '../helpers/tensor.js'

/** One head, by its definition. `score(i, j)` is added; -∞ forbids. */
function naive(
  q: number[][],
  k: number[][],
  v: number[][],
  scale: number,
  score: (i: number, j: number) => number,
): number[] {
  return q.flatMap((query, i) => {
    const scores = k.map((key, j) => scale * key.reduce((sum, value, l) => sum + value * query[l], 0) + score(i, j))
    const powers = scores.map((value) => Math.exp(value))
    const total = powers.reduce((a, b) => a + b, 0)
    return v[0].map((_, l) => (total === 0 ? 0 : powers.reduce((sum, p, j) => sum + p * v[j][l], 0) / total))
  })
}

describe('attention', () => {
  const next = random(12)
  const sample = (): number => 2 * next() - 1
  const [heads, n, m, width, depth] = [3, 5, 7, 6, 4]
  const q = draw([2, heads, n, width], sample)
  const k = draw([2, heads, m, width], sample)
  const v = draw([2, heads, m, depth], sample)
  const mask = t.reshape(
    t.tensor(Int32Array.from({ length: n * m }, (_, i) => (next() < 0.6 || i % m === 2 ? 3 : 0))),
    [n, m],
  )
  const bias = draw([heads, n, m], sample)

  function expected(scale: number, score: (head: number, i: number, j: number) => number): number[] {
    const [a, b, c] = [q, k, v].map((x) => x.toArray() as number[][][][])
    return a.flatMap((item, s) =>
      item.flatMap((_, h) => naive(a[s][h], b[s][h], c[s][h], scale, (i, j) => score(h, i, j))),
    )
  }

  const never = Number.NEGATIVE_INFINITY
  forEachBackend((backend) => {
    const on = (body: () => void) => (): void => t.withBackend(backend, body)

    it(
      'is the weighted mean of its definition',
      on(() => {
        const root = 1 / Math.sqrt(width)
        const plain = t.attention(q, k, v)
        expect(plain.shape).to.deep.equal([2, heads, n, depth])
        expectNear(
          plain,
          expected(root, () => 0),
          1e-13,
        )
        expectNear(
          t.attention(q, k, v, { scale: 2, causal: true }),
          expected(2, (_, i, j) => (j <= i + m - n ? 0 : never)),
          1e-13,
        )
        const seen = (i: number, j: number): number => (mask.data[i * m + j] !== 0 ? 0 : never)
        expectNear(
          t.attention(q, k, v, { mask }),
          expected(root, (_, i, j) => seen(i, j)),
          1e-13,
        )
        expectNear(
          t.attention(q, k, v, { mask, causal: true }),
          expected(root, (_, i, j) => seen(i, j) + (j <= i + m - n ? 0 : never)),
          1e-13,
        )
        expectNear(
          t.attention(q, k, v, { mask: bias }),
          expected(root, (h, i, j) => bias.data[(h * n + i) * m + j]),
          1e-13,
        )
        const walls = t.where(mask, 0.5, never)
        expectNear(
          t.attention(q, k, v, { mask: walls }),
          expected(root, (_, i, j) => seen(i, j) + 0.5),
          1e-13,
        )
        const single = [q, k, v].map((x) => t.cast(x, 'float32'))
        expectNear(
          t.attention(single[0], single[1], single[2], { causal: true }),
          expected(root, (_, i, j) => (j <= i + m - n ? 0 : never)),
          1e-5,
        )
      }),
    )

    it(
      'a query that may see nothing gets zeros, and zero derivatives',
      on(() => {
        const first = (x: t.Tensor): t.Tensor => t.slice(x, [undefined, undefined, 0])
        // More queries than keys: the first ones are before all keys.
        const early = (a: t.Tensor[]): t.Tensor =>
          t.attention(
            a[0],
            t.slice(a[1], [undefined, undefined, [0, 3]]),
            t.slice(a[2], [undefined, undefined, [0, 3]]),
            { causal: true },
          )
        const y = early([q, k, v])
        expect([...first(y).data].every((value) => value === 0)).to.equal(true)
        const slopes = t.grad((a: t.Tensor[]) => t.sum(t.square(early(a))))([q, k, v])
        expect([...first(slopes[0]).data].every((value) => value === 0)).to.equal(true)
        for (const slope of slopes) expect([...slope.data].every(Number.isFinite)).to.equal(true)
        const nothing = t.full([n, m], never)
        expect([...t.attention(q, k, v, { mask: nothing }).data].every((value) => value === 0)).to.equal(true)
        const none = t.attention(q, t.zeros([2, heads, 0, width]), t.zeros([2, heads, 0, depth]))
        expect([...none.data]).to.deep.equal(new Array(2 * heads * n * depth).fill(0))
        expect(t.attention(t.zeros([0, n, width]), t.zeros([m, width]), t.zeros([m, depth])).shape).to.deep.equal([
          0,
          n,
          depth,
        ])
      }),
    )

    const cases: [string, Operation, number[][]][] = [
      [
        'attention',
        (a, b, c) => t.attention(a, b, c),
        [
          [2, 4, 3],
          [2, 5, 3],
          [2, 5, 2],
        ],
      ],
      [
        'causal attention',
        (a, b, c) => t.attention(a, b, c, { causal: true }),
        [
          [2, 6, 3],
          [2, 5, 3],
          [2, 5, 2],
        ],
      ],
      [
        'attention with a bias',
        (a, b, c, d) => t.attention(a, b, c, { mask: d }),
        [
          [2, 2, 4, 3],
          [2, 5, 3],
          [2, 5, 2],
          [4, 5],
        ],
      ],
    ]
    for (const [name, f, shapes] of cases) {
      it(
        `derivatives of ${name}`,
        on(() => {
          checkDerivatives(
            f,
            shapes.map((shape) => draw(shape, sample)),
            sample,
          )
        }),
      )
    }
  })

  it('refuses what does not fit', () => {
    expectError(() => t.attention(q, t.zeros([7, 5]), v), 'ERR_SHAPE', /attention: .*\[2, 3, 5, 6\], \[7, 5\] and/)
    expectError(() => t.attention(q, k, t.zeros([6, 4])), 'ERR_SHAPE', /attention: /)
    expectError(() => t.attention(q, k, v, { mask: t.ones([4, 7]) }), 'ERR_SHAPE', /attention: .*\[4, 7\]/)
    expectError(
      () => t.attention(q, k, v, { mask: t.ones([2, 2, 3, 5, 7]) }),
      'ERR_SHAPE',
      /attention: .*\[2, 2, 3, 5, 7\]/,
    )
    expectError(() => t.attention(q, k, v, { scale: Number.NaN }), 'ERR_OPTION', /attention.scale/)
    expectError(() => t.attention(q, k, v, { mask: t.cast(bias, 'float32') }), 'ERR_DTYPE', /attention/)
    expectError(() => t.attention(q, k, v, { casual: true } as object), 'ERR_OPTION', /did you mean 'causal'/)
  })
})
