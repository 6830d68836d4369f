import { expect } from 'chai'
import type { ErrorCode } from '../../lib/core/index.js'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { eliminate, inverse, product, type Rows, symmetricEigen, toRows, transpose } from '../helpers/matrices.js'
import { random } from '../helpers/random.js'
import { draw } from '../helpers/tensor.js'

const dtypes = ['float64', 'float32'] as const
const epsilon = { float64: 2 ** -52, float32: 2 ** -23 }

/** The matrices of a batch as rows. */
function matrices(x: t.Tensor): Rows[] {
  const [rows, columns] = x.shape.slice(-2)
  const size = rows * columns
  return Array.from({ length: x.size / size }, (_, p) => toRows(x.data.subarray(p * size, (p + 1) * size), columns))
}

/** The largest difference of two batches of matrices, or of lists of them. */
function gap(a: readonly Rows[], b: readonly Rows[]): number {
  let most = 0
  expect(a.length).to.equal(b.length)
  a.forEach((matrix, p) => {
    matrix.forEach((row, i) => {
      row.forEach((value, j) => {
        const difference = Math.abs(value - b[p][i][j])
        if (!(difference <= most)) most = difference
      })
    })
  })
  return most
}

/** Symmetric positive definite matrices of moderate condition. */
function definite(shape: readonly number[], next: () => number, dtype: t.DType = 'float64'): t.Tensor {
  const n = shape[shape.length - 1]
  const x = draw(shape, () => 2 * next() - 1)
  return t.cast(t.add(t.matmul(x, x, { transposeB: true }), t.mul(n / 2, t.eye(n))), dtype)
}

const unit = (next: () => number) => () => 2 * next() - 1

describe('factorizations of tensors', () => {
  forEachBackend((backend) => {
    for (const dtype of dtypes) {
      const tolerance = 200 * epsilon[dtype]

      it(`cholesky, ${dtype}`, () => {
        const next = random(1)
        t.withBackend(backend, () => {
          for (const shape of [
            [1, 1],
            [9, 9],
            [2, 3, 7, 7],
            [70, 70],
          ]) {
            const a = definite(shape, next, dtype)
            const l = t.cholesky(a)
            expect(l.dtype).to.equal(dtype)
            const factors = matrices(l)
            const n = shape[shape.length - 1]
            expect(
              gap(
                factors.map((f) => product(f, transpose(f))),
                matrices(a),
              ),
            ).to.be.below(n * tolerance)
            for (const f of factors) {
              f.forEach((row, i) => {
                expect(row[i]).to.be.above(0)
                for (let j = i + 1; j < n; j++) expect(row[j]).to.equal(0)
              })
            }
            const determinants = matrices(a).map((m) => Math.log(inverse(m).determinant))
            const found = t.logdet(a)
            expect(found.shape).to.deep.equal(shape.slice(0, -2))
            determinants.forEach((value, p) => {
              expect(found.data[p]).to.be.closeTo(value, n * tolerance * Math.max(1, Math.abs(value)))
            })
            const b = draw([...shape.slice(0, -1), 3], unit(next), dtype)
            const x = t.choleskySolve(l, b)
            expect(gap(matrices(t.matmul(a, x)), matrices(b))).to.be.below(n * tolerance)
          }
          // Only the symmetric part counts.
          const a = definite([9, 9], next, dtype)
          const skew = t.sub(draw([9, 9], next, dtype), t.zeros([9, 9], { dtype }))
          const bent = t.add(a, t.sub(skew, t.matrixTranspose(skew)))
          expect(gap(matrices(t.cholesky(bent)), matrices(t.cholesky(a)))).to.be.below(tolerance)
        })
      })

      it(`triangularSolve, ${dtype}`, () => {
        const next = random(2)
        t.withBackend(backend, () => {
          for (const [shapeA, shapeB] of [
            [
              [9, 9],
              [9, 4],
            ],
            [[9, 9], [9]],
            [
              [3, 9, 9],
              [9, 2],
            ],
            [
              [9, 9],
              [3, 9, 2],
            ],
            [
              [2, 1, 9, 9],
              [3, 9, 1],
            ],
            [[3, 9, 9], [9]],
          ]) {
            const a = t.add(draw(shapeA, unit(next), dtype), t.mul(4, t.eye(9, 9, { dtype })))
            const b = draw(shapeB, unit(next), dtype)
            for (const lower of [true, false]) {
              for (const transposed of [true, false]) {
                for (const unitDiagonal of [true, false]) {
                  const x = t.triangularSolve(a, b, { lower, transpose: transposed, unitDiagonal })
                  const part = t.tensor(
                    Array.from({ length: 9 }, (_, i) =>
                      Array.from({ length: 9 }, (_, j) => Number(i === j ? !unitDiagonal : lower ? j < i : j > i)),
                    ),
                    { dtype },
                  )
                  const triangle = t.add(t.mul(a, part), t.mul(unitDiagonal ? 1 : 0, t.eye(9, 9, { dtype })))
                  const column = b.rank === 1 ? t.reshape(b, [9, 1]) : b
                  const solution = b.rank === 1 ? t.expandDims(x, -1) : x
                  const residual = t.sub(t.matmul(triangle, solution, { transposeA: transposed }), column)
                  expect(Math.max(...residual.data.map(Math.abs))).to.be.below(1000 * tolerance)
                }
              }
            }
          }
          // What is outside of the triangle is not read.
          const a = t.eye(9, 9, { dtype })
          for (let i = 0; i < 9; i++) for (let j = i + 1; j < 9; j++) a.data[i * 9 + j] = Number.NaN
          expect([...t.triangularSolve(a, t.ones([9], { dtype })).data]).to.deep.equal(new Array(9).fill(1))
        })
      })

      it(`solve, inverse and slogdet, ${dtype}`, () => {
        const next = random(3)
        t.withBackend(backend, () => {
          for (const [shapeA, shapeB] of [
            [
              [1, 1],
              [1, 1],
            ],
            [
              [12, 12],
              [12, 3],
            ],
            [[9, 9], [9]],
            [
              [4, 9, 9],
              [9, 2],
            ],
            [
              [9, 9],
              [4, 9, 2],
            ],
            [
              [2, 1, 5, 5],
              [3, 5, 4],
            ],
          ]) {
            const a = draw(shapeA, unit(next), dtype)
            const b = draw(shapeB, unit(next), dtype)
            for (const transposed of [true, false]) {
              const x = t.solve(a, b, { transpose: transposed })
              const solution = b.rank === 1 ? t.expandDims(x, -1) : x
              const image = t.matmul(a, solution, { transposeA: transposed })
              const right = t.broadcastTo(b.rank === 1 ? t.expandDims(b, -1) : b, image.shape)
              const size = Math.max(1, ...solution.data.map(Math.abs))
              expect(gap(matrices(image), matrices(right))).to.be.below(20 * tolerance * size)
            }
            const known = matrices(a).map(inverse)
            const size = Math.max(...known.flatMap((one) => one.inverse.flat().map(Math.abs)))
            const n = shapeA[shapeA.length - 1]
            expect(
              gap(
                matrices(t.inverse(a)),
                known.map((one) => one.inverse),
              ),
            ).to.be.below(10 * n * tolerance * size ** 2)
            const { sign, logAbs } = t.slogdet(a)
            expect(sign.shape).to.deep.equal(shapeA.slice(0, -2))
            known.forEach(({ determinant }, p) => {
              expect(sign.data[p]).to.equal(Math.sign(determinant))
              expect(logAbs.data[p]).to.be.closeTo(Math.log(Math.abs(determinant)), 20 * tolerance * size)
            })
          }
        })
      })

      it(`symmetricEigen, ${dtype}`, () => {
        const next = random(4)
        t.withBackend(backend, () => {
          for (const shape of [
            [1, 1],
            [9, 9],
            [3, 8, 8],
            [40, 40],
          ]) {
            const x = draw(shape, unit(next), dtype)
            const a = t.add(x, t.matrixTranspose(x))
            const n = shape[shape.length - 1]
            const { values, vectors } = t.symmetricEigen(a)
            const scaled = t.mul(vectors, t.expandDims(values, -2))
            expect(gap(matrices(t.matmul(a, vectors)), matrices(scaled))).to.be.below(n * tolerance)
            const gram = t.matmul(vectors, vectors, { transposeA: true })
            expect(gap(matrices(gram), matrices(t.broadcastTo(t.eye(n, n, { dtype }), shape)))).to.be.below(tolerance)
            matrices(a).forEach((matrix, p) => {
              const expected = symmetricEigen(matrix).values.sort((y, z) => y - z)
              expected.forEach((value, k) => {
                expect(values.data[p * n + k]).to.be.closeTo(value, n * tolerance)
              })
            })
            expectSigns(matrices(vectors))
          }
        })
      })

      it(`qr, ${dtype}`, () => {
        const next = random(5)
        t.withBackend(backend, () => {
          for (const shape of [
            [1, 1],
            [9, 9],
            [12, 7],
            [7, 12],
            [2, 3, 9, 4],
            [2, 4, 20],
          ]) {
            const a = draw(shape, unit(next), dtype)
            const { q, r } = t.qr(a)
            const [m, n] = shape.slice(-2)
            const k = Math.min(m, n)
            expect(q.shape.slice(-2)).to.deep.equal([m, k])
            expect(r.shape.slice(-2)).to.deep.equal([k, n])
            expect(gap(matrices(t.matmul(q, r)), matrices(a))).to.be.below(tolerance)
            const gram = matrices(t.matmul(q, q, { transposeA: true }))
            expect(
              gap(
                gram,
                gram.map(() => t.eye(k).toArray() as Rows),
              ),
            ).to.be.below(tolerance)
            for (const rows of matrices(r)) {
              rows.forEach((row, i) => {
                expect(row[i]).to.be.at.least(0)
                for (let j = 0; j < i; j++) expect(row[j]).to.equal(0)
              })
            }
          }
        })
      })

      it(`svd, ${dtype}`, () => {
        const next = random(6)
        t.withBackend(backend, () => {
          for (const shape of [
            [1, 1],
            [9, 9],
            [12, 7],
            [7, 12],
            [2, 3, 9, 4],
            [2, 4, 20],
            [30, 3],
          ]) {
            const a = draw(shape, unit(next), dtype)
            const { u, s, vt } = t.svd(a)
            const k = Math.min(...shape.slice(-2))
            expect([u.shape.at(-1), s.shape.at(-1), vt.shape.at(-2)]).to.deep.equal([k, k, k])
            const scaled = t.mul(u, t.expandDims(s, -2))
            expect(gap(matrices(t.matmul(scaled, vt)), matrices(a))).to.be.below(4 * tolerance)
            for (const gram of [t.matmul(u, u, { transposeA: true }), t.matmul(vt, vt, { transposeB: true })]) {
              const found = matrices(gram)
              expect(
                gap(
                  found,
                  found.map(() => t.eye(k).toArray() as Rows),
                ),
              ).to.be.below(tolerance)
            }
            for (let i = 0; i < s.size; i++) {
              expect(s.data[i]).to.be.at.least(0)
              if (i % k > 0) expect(s.data[i]).to.be.at.most(s.data[i - 1])
            }
            expectSigns(matrices(u))
          }
        })
      })
    }

    it('matrixExp', () => {
      t.withBackend(backend, () => {
        const next = random(7)
        // exp of a symmetric matrix by its eigenvalues, of all sizes; of commuting blocks; of a rotation.
        for (const scale of [1e-3, 0.5, 4, 30]) {
          const x = draw([3, 9, 9], unit(next))
          const a = t.mul(scale, t.sub(t.mul(0.1, t.add(x, t.matrixTranspose(x))), t.eye(9)))
          const expected = matrices(a).map((matrix) => {
            const { values, vectors } = symmetricEigen(matrix)
            const scaled = vectors.map((row) => row.map((value, j) => value * Math.exp(values[j])))
            return product(scaled, transpose(vectors))
          })
          expect(gap(matrices(t.matrixExp(a)), expected)).to.be.below(1e-13)
        }
        const angle = 40
        const turn = t
          .matrixExp(
            t.tensor([
              [0, -angle],
              [angle, 0],
            ]),
          )
          .toArray() as Rows
        const expected = [
          [Math.cos(angle), -Math.sin(angle)],
          [Math.sin(angle), Math.cos(angle)],
        ]
        expect(gap([turn], [expected])).to.be.below(1e-13)
        const jordan = t
          .matrixExp(
            t.tensor([
              [1, 1],
              [0, 1],
            ]),
          )
          .toArray() as Rows
        expect(
          gap(
            [jordan],
            [
              [
                [Math.E, Math.E],
                [0, Math.E],
              ],
            ],
          ),
        ).to.be.below(1e-15)
      })
    })

    it('kron and kronMatmul', () => {
      t.withBackend(backend, () => {
        const next = random(8)
        const [a, b] = [draw([3, 4], unit(next)), draw([5, 2], unit(next))]
        const both = t.kron(a, b).toArray() as Rows
        for (let i = 0; i < 15; i++) {
          for (let j = 0; j < 8; j++) {
            const expected = a.data[Math.floor(i / 5) * 4 + Math.floor(j / 2)] * b.data[(i % 5) * 2 + (j % 2)]
            expect(both[i][j]).to.equal(expected)
          }
        }
        const x = draw([8, 20], unit(next))
        expect(gap(matrices(t.kronMatmul(a, b, x)), [product(both, matrices(x)[0])])).to.be.below(1e-14)
        const v = draw([8], unit(next))
        const image = t.kronMatmul(a, b, v)
        expect(image.shape).to.deep.equal([15])
        expect(gap([toRows(image.data, 1)], [product(both, toRows(v.data, 1))])).to.be.below(1e-14)
        const batch = t.kronMatmul(draw([2, 3, 4], unit(next)), b, draw([8, 3], unit(next)))
        expect(batch.shape).to.deep.equal([2, 15, 3])
        expect(t.kron(draw([2, 3, 4], unit(next)), b).shape).to.deep.equal([2, 15, 8])
      })
    })

    it('bandedMatmul', () => {
      t.withBackend(backend, () => {
        const next = random(9)
        for (const [n, count, lower] of [
          [40, 4, 1],
          [20, 5, 2],
          [3, 9, 4],
          [30, 1, 0],
          [30, 3, 2],
        ]) {
          const bands = draw([2, count, n], unit(next))
          const x = draw([2, n, 3], unit(next))
          const full = [0, 1].map((p) =>
            Array.from({ length: n }, (_, i) =>
              Array.from({ length: n }, (_, j) => {
                const d = j - i + lower
                return d >= 0 && d < count ? bands.data[(p * count + d) * n + i] : 0
              }),
            ),
          )
          // Places outside of the matrix are not read.
          for (let p = 0; p < 2; p++) {
            for (let d = 0; d < count; d++) {
              for (let i = 0; i < n; i++) {
                const j = i + d - lower
                if (j < 0 || j >= n) bands.data[(p * count + d) * n + i] = Number.NaN
              }
            }
          }
          const right = matrices(x)
          const forward = matrices(t.bandedMatmul(bands, x, { lower }))
          expect(
            gap(
              forward,
              full.map((m, p) => product(m, right[p])),
            ),
          ).to.be.below(1e-14)
          const back = matrices(t.bandedMatmul(bands, x, { lower, transpose: true }))
          expect(
            gap(
              back,
              full.map((m, p) => product(transpose(m), right[p])),
            ),
          ).to.be.below(1e-14)
        }
        const one = t.bandedMatmul(
          t.tensor([
            [0, 1, 1],
            [2, 2, 2],
            [3, 3, 0],
          ]),
          t.tensor([1, 10, 100]),
        )
        expect(one.toArray()).to.deep.equal([32, 321, 210])
      })
    })

    it('agree with elimination on what the Cholesky factor solves', () => {
      t.withBackend(backend, () => {
        const next = random(10)
        const a = definite([30, 30], next)
        const b = draw([30], unit(next))
        const x = t.choleskySolve(t.cholesky(a), b)
        const expected = eliminate(matrices(a)[0], b.data)
        expect(gap([toRows(x.data, 1)], [expected.map((value) => [value])])).to.be.below(1e-13)
      })
    })

    it('of nothing are nothing', () => {
      t.withBackend(backend, () => {
        const [none, empty] = [t.zeros([0, 3, 3]), t.zeros([2, 0, 0])]
        for (const x of [none, empty]) {
          expect(t.cholesky(x).shape).to.deep.equal(x.shape)
          expect(t.inverse(x).shape).to.deep.equal(x.shape)
          expect(t.matrixExp(x).shape).to.deep.equal(x.shape)
          expect(t.symmetricEigen(x).vectors.shape).to.deep.equal(x.shape)
          expect(t.qr(x).r.shape).to.deep.equal(x.shape)
          expect(t.svd(x).u.shape).to.deep.equal(x.shape)
          const slope = t.grad((y: t.Tensor) => {
            const { values, vectors } = t.symmetricEigen(y)
            const { u, s, vt } = t.svd(y)
            return [values, vectors, u, s, vt].map((part) => t.sum(part)).reduce((total, part) => t.add(total, part))
          })
          expect(slope(x).shape).to.deep.equal(x.shape)
        }
        expect([...t.logdet(empty).data]).to.deep.equal([0, 0])
        expect([...t.slogdet(empty).sign.data]).to.deep.equal([1, 1])
        expect(t.solve(t.eye(3), t.zeros([3, 0])).shape).to.deep.equal([3, 0])
        expect(t.qr(t.zeros([4, 0])).r.shape).to.deep.equal([0, 0])
        expect(t.svd(t.zeros([4, 0])).vt.shape).to.deep.equal([0, 0])
      })
    })

    it('refuse singular matrices and those that are not definite', () => {
      t.withBackend(backend, () => {
        const bad = t.broadcastTo(t.eye(9), [2, 9, 9])
        const broken = t.tensor(bad.data).view([2, 9, 9])
        broken.data[81 + 3 * 10] = 0
        expectError(() => t.cholesky(broken), 'ERR_NOT_POSITIVE', /matrix 1 of shape \[2, 9, 9\] at row 3/)
        expectError(() => t.logdet(broken), 'ERR_NOT_POSITIVE', /cholesky/)
        expectError(
          () => t.triangularSolve(broken, t.ones([9])),
          'ERR_SINGULAR',
          /triangularSolve: .*matrix 1 of .*row 3/,
        )
        expectError(() => t.solve(broken, t.ones([9])), 'ERR_SINGULAR', /solve: .*matrix 1 of/)
        expectError(() => t.inverse(broken), 'ERR_SINGULAR', /inverse: /)
        const { sign, logAbs } = t.slogdet(broken)
        expect([...sign.data, ...logAbs.data]).to.deep.equal([1, 0, 0, Number.NEGATIVE_INFINITY])
        expectError(() => t.grad((x: t.Tensor) => t.sum(t.slogdet(x).logAbs))(broken), 'ERR_SINGULAR', /slogdet: /)
        const lost = t.full([9, 9], Number.NaN)
        expectError(() => t.cholesky(lost), 'ERR_NOT_POSITIVE', /cholesky: /)
        for (const f of [t.symmetricEigen, t.qr, t.svd, t.matrixExp]) {
          expectError(() => f(lost), 'ERR_NOT_FINITE', /expected finite entries, got NaN in \[9, 9\]/)
        }
        expectError(() => t.matrixExp(t.mul(1000, t.eye(9))), 'ERR_NOT_FINITE', /matrixExp: .*overflow/)
      })
    })

    it('take derivatives at equal eigenvalues as if their vectors did not mix', () => {
      t.withBackend(backend, () => {
        // Functions that do not depend on the choice: Σ λ³ = tr A³, and the projector on the pair of equal ones.
        const next = random(11)
        // Turned, so that they are equal to rounding errors only.
        const turn = t.qr(draw([9, 9], unit(next))).q
        const turned = (x: t.Tensor): t.Tensor => t.matmul(t.matmul(turn, x), turn, { transposeB: true })
        const a = turned(
          t.add(
            t.eye(9),
            t.mul(
              2,
              t.pad(t.eye(2), [
                [7, 0],
                [7, 0],
              ]),
            ),
          ),
        )
        const cubes = (x: t.Tensor): t.Tensor => t.sum(t.pow(t.symmetricEigen(x).values, 3))
        const slope = t.grad(cubes)(a)
        expect(gap(matrices(slope), matrices(t.mul(3, t.matmul(a, a))))).to.be.below(1e-12)
        const weights = draw([9, 9], unit(next))
        const projected = (x: t.Tensor): t.Tensor => {
          const last = t.slice(t.symmetricEigen(x).vectors, [undefined, [7, 9]])
          return t.sum(t.mul(weights, t.matmul(last, last, { transposeB: true })))
        }
        // d P = (P dA (1 - P) + its transpose) / 2 for the gap 2.
        const p = turned(
          t.pad(t.eye(2), [
            [7, 0],
            [7, 0],
          ]),
        )
        const w = t.mul(0.5, t.add(weights, t.matrixTranspose(weights)))
        const one = t.matmul(t.matmul(p, w), t.sub(t.eye(9), p))
        const expected = t.mul(0.5, t.add(one, t.matrixTranspose(one)))
        expect(gap(matrices(t.grad(projected)(a)), matrices(expected))).to.be.below(1e-12)
        // The nuclear norm at a matrix of rank 2 in its support, whose other values are 0.
        const thin = t.matmul(draw([9, 2], unit(next)), draw([2, 9], unit(next)))
        const { u, vt } = t.svd(thin)
        const values = t.grad((x: t.Tensor) => t.sum(t.slice(t.svd(x).s, [[0, 2]])))(thin)
        const polar = t.matmul(t.slice(u, [undefined, [0, 2]]), t.slice(vt, [[0, 2]]))
        expect(gap(matrices(values), matrices(polar))).to.be.below(1e-13)
        const mixed = t.grad((x: t.Tensor) => t.sum(t.svd(x).u))(thin)
        expect([...mixed.data].every(Number.isFinite)).to.equal(true)
      })
    })
  })

  it('refuse what does not fit, with names and shapes', () => {
    const [a, square] = [t.zeros([3, 4]), t.eye(3)]
    const bad: [ErrorCode, RegExp, () => unknown][] = [
      ['ERR_SHAPE', /cholesky: .*\[3, 4\]/, () => t.cholesky(a)],
      ['ERR_SHAPE', /logdet: .*\[3, 4\]/, () => t.logdet(a)],
      ['ERR_SHAPE', /slogdet: .*\[3\]/, () => t.slogdet(t.ones([3]))],
      ['ERR_SHAPE', /symmetricEigen: .*\[3, 4\]/, () => t.symmetricEigen(a)],
      ['ERR_SHAPE', /matrixExp: .*\[3, 4\]/, () => t.matrixExp(a)],
      ['ERR_SHAPE', /diagonal: .*\[3, 4\]/, () => t.diagonal(a)],
      ['ERR_SHAPE', /qr: .*\[3\]/, () => t.qr(t.ones([3]))],
      ['ERR_SHAPE', /svd: .*\[3\]/, () => t.svd(t.ones([3]))],
      ['ERR_SHAPE', /solve: .*\[3, 3\] and \[4\]/, () => t.solve(square, t.ones([4]))],
      ['ERR_SHAPE', /triangularSolve: .*\[3, 3\] and \[\]/, () => t.triangularSolve(square, t.tensor(1))],
      ['ERR_SHAPE', /solve: .*broadcast/, () => t.solve(t.zeros([2, 3, 3]), t.zeros([4, 3, 1]))],
      ['ERR_DTYPE', /cholesky: .*int32/, () => t.cholesky(t.eye(3, 3, { dtype: 'int32' }))],
      ['ERR_DTYPE', /solve: .*float64 .*float32/, () => t.solve(square, t.ones([3], { dtype: 'float32' }))],
      ['ERR_SHAPE', /kronMatmul: .*\[3, 4\], \[3, 3\] and \[5\]/, () => t.kronMatmul(a, square, t.ones([5]))],
      ['ERR_SHAPE', /kron: .*\[3\]/, () => t.kron(t.ones([3]), a)],
      ['ERR_SHAPE', /bandedMatmul: .*\[3, 4\] and \[3\]/, () => t.bandedMatmul(a, t.ones([3]))],
      ['ERR_OPTION', /bandedMatmul: .*lower = 3/, () => t.bandedMatmul(a, t.ones([4]), { lower: 3 })],
      ['ERR_OPTION', /bandedMatmul: .*lower = 0.5/, () => t.bandedMatmul(t.ones([2, 4]), t.ones([4]))],
    ]
    for (const [code, message, call] of bad) expectError(call, code, message)
  })

  it('are the same on both backends', () => {
    const next = random(12)
    const x = draw([3, 20, 12], unit(next))
    const square = t.slice(x, [undefined, [0, 12]])
    const symmetric = t.add(square, t.matrixTranspose(square))
    const run = (backend: 'native' | 'portable'): t.Tensor[] =>
      t.withBackend(backend, () => {
        const eigen = t.symmetricEigen(symmetric)
        const [tall, wide] = [t.svd(x), t.svd(t.matrixTranspose(x))]
        const { q, r } = t.qr(x)
        return [
          eigen.values,
          eigen.vectors,
          tall.u,
          tall.s,
          tall.vt,
          wide.u,
          wide.vt,
          q,
          r,
          t.solve(square, x.view([3, 12, 20])),
        ]
      })
    const [native, portable] = [run('native'), run('portable')]
    native.forEach((part, k) => {
      for (let i = 0; i < part.size; i++) expect(part.data[i]).to.be.closeTo(portable[k].data[i], 1e-12 * 20)
    })
  })
})

/** The first of the largest entries of each column is positive. */
function expectSigns(batch: readonly Rows[]): void {
  for (const rows of batch) {
    for (const column of transpose(rows)) {
      const most = Math.max(...column.map(Math.abs))
      expect(column.find((value) => Math.abs(value) >= (1 - 1e-6) * most)).to.be.above(0)
    }
  }
}
