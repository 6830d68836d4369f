import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { random } from '../helpers/random.js'
import { checkDerivatives, draw, type Operation } from '../helpers/tensor.js'

const next = (seed: number) => {
  const draws = random(seed)
  return () => 2 * draws() - 1
}

/** A definite matrix, slightly bent: derivatives are those of the symmetric part. */
function definite(shape: number[], seed: number): t.Tensor {
  const n = shape[shape.length - 1]
  const x = draw(shape, next(seed))
  const bend = t.mul(0.1, draw(shape, next(seed + 1)))
  return t.add(t.add(t.matmul(x, x, { transposeB: true }), t.mul(n, t.eye(n))), bend)
}

/** Far from singular. */
function regular(shape: number[], seed: number): t.Tensor {
  const n = shape[shape.length - 1]
  return t.add(draw(shape, next(seed)), t.mul(n / 2, t.eye(n)))
}

/** Eigenvalues and singular values near 1, 2, 3, … */
function spread(shape: number[], seed: number): t.Tensor {
  const [m, n] = shape.slice(-2)
  const k = Math.min(m, n)
  const { q } = t.qr(draw([...shape.slice(0, -1), k], next(seed)))
  const turned = t.mul(q, t.arange(1, k + 1))
  if (m === n) return t.matmul(turned, q, { transposeB: true })
  const right = t.qr(draw([...shape.slice(0, -2), n, k], next(seed + 1))).q
  return t.matmul(turned, right, { transposeB: true })
}

const flat = (...parts: t.Tensor[]): t.Tensor => t.concat(parts.map((part) => t.reshape(part, [-1])))

const cases: [name: string, f: Operation, inputs: t.Tensor[]][] = [
  ['cholesky', t.cholesky, [definite([9, 9], 1)]],
  ['cholesky of a batch', (a) => t.square(t.cholesky(a)), [definite([3, 5, 5], 2)]],
  ['choleskySolve', (a, b) => t.choleskySolve(t.cholesky(a), b), [definite([9, 9], 3), draw([9, 2], next(4))]],
  ['logdet', t.logdet, [definite([2, 6, 6], 5)]],
  ['triangularSolve', (a, b) => t.triangularSolve(a, b), [regular([9, 9], 6), draw([9, 3], next(7))]],
  [
    'triangularSolve of an upper triangle, transposed, for a batch',
    (a, b) => t.triangularSolve(a, b, { lower: false, transpose: true }),
    [regular([9, 9], 8), draw([3, 9, 2], next(9))],
  ],
  [
    'triangularSolve of a batch with a unit diagonal',
    (a, b) => t.triangularSolve(a, b, { unitDiagonal: true }),
    [t.mul(0.3, draw([3, 6, 6], next(10))), draw([6], next(11))],
  ],
  [
    'triangularSolve of batches that broadcast, transposed',
    (a, b) => t.triangularSolve(a, b, { transpose: true }),
    [regular([2, 1, 5, 5], 12), draw([3, 5, 2], next(13))],
  ],
  ['solve', (a, b) => t.solve(a, b), [regular([9, 9], 14), draw([9, 3], next(15))]],
  [
    'solve transposed for a batch',
    (a, b) => t.solve(a, b, { transpose: true }),
    [regular([9, 9], 16), draw([3, 9, 2], next(17))],
  ],
  ['solve of a batch for a vector', (a, b) => t.solve(a, b), [regular([3, 6, 6], 18), draw([6], next(19))]],
  ['inverse', t.inverse, [regular([2, 6, 6], 20)]],
  ['slogdet', (a) => t.slogdet(a).logAbs, [regular([2, 6, 6], 21)]],
  ['eigenvalues', (a) => t.symmetricEigen(a).values, [spread([9, 9], 22)]],
  ['eigenvectors', (a) => t.square(t.symmetricEigen(a).vectors), [spread([9, 9], 24)]],
  [
    'eigenvalues and vectors of a batch',
    (a) => {
      const { values, vectors } = t.symmetricEigen(a)
      return t.mul(vectors, t.expandDims(values, -2))
    },
    [spread([3, 5, 5], 26)],
  ],
  ...(['tall', 'square', 'wide'] as const).flatMap((name, k): [string, Operation, t.Tensor[]][] => {
    const shape = [
      [2, 9, 4],
      [2, 6, 6],
      [2, 4, 9],
    ][k]
    return [
      [
        `qr of ${name} matrices`,
        (a) => {
          const { q, r } = t.qr(a)
          return flat(t.square(q), r)
        },
        [spread(shape, 28 + k)],
      ],
      [`singular values of ${name} matrices`, (a) => t.svd(a).s, [spread(shape, 31 + k)]],
      [
        `svd of ${name} matrices`,
        (a) => {
          const { u, s, vt } = t.svd(a)
          return flat(t.square(u), s, t.mul(vt, t.square(vt)))
        },
        [spread(shape, 34 + k)],
      ],
    ]
  }),
  ['matrixExp', (a) => t.matrixExp(a), [t.mul(0.5, draw([2, 6, 6], next(40)))]],
  ['matrixExp with squarings', (a) => t.matrixExp(a), [t.mul(3, draw([6, 6], next(41)))]],
  ['kron', t.kron, [draw([2, 3, 4], next(42)), draw([5, 2], next(43))]],
  ['kronMatmul', t.kronMatmul, [draw([3, 4], next(44)), draw([5, 2], next(45)), draw([8, 9], next(46))]],
  [
    'bandedMatmul',
    (bands, x) => t.bandedMatmul(bands, x, { lower: 2 }),
    [draw([2, 4, 10], next(47)), draw([2, 10, 4], next(48))],
  ],
  [
    'bandedMatmul transposed, of one matrix for a batch',
    (bands, x) => t.bandedMatmul(bands, t.sin(x), { transpose: true }),
    [draw([3, 24], next(49)), draw([2, 24, 2], next(50))],
  ],
  ['diagonal', (a) => t.square(t.diagonal(a)), [draw([3, 6, 6], next(51))]],
]

describe('derivatives of factorizations', () => {
  forEachBackend((backend) => {
    for (const [name, f, inputs] of cases) {
      it(name, () => {
        t.withBackend(backend, () => checkDerivatives(f, inputs, next(name.length)))
      })
    }
  })
})
