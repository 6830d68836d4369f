import { expect } from 'chai'
import fc from 'fast-check'
import {
  cholesky,
  choleskySync,
  lu,
  luSync,
  qr,
  qrSync,
  svd,
  svdSync,
  symmetricEigen,
  symmetricEigenSync,
} from '../../lib/linear/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, refusing, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { fill, randomNormal } from '../helpers/random.js'

interface Matrix {
  data: Float64Array
  shape: number[]
}

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

const matrix = (m: number, n: number, seed: number): Matrix => ({
  data: fill(m * n, randomNormal(seed)),
  shape: [m, n],
})

function times(a: Matrix, b: Matrix): Matrix {
  const [m, k] = a.shape
  const n = b.shape[1]
  const data = new Float64Array(m * n)
  for (let i = 0; i < m; i++) {
    for (let l = 0; l < k; l++) for (let j = 0; j < n; j++) data[i * n + j] += a.data[i * k + l] * b.data[l * n + j]
  }
  return { data, shape: [m, n] }
}

function transposed({ data, shape: [m, n] }: Matrix): Matrix {
  return { data: Float64Array.from(data, (_, k) => data[(k % m) * n + Math.floor(k / m)]), shape: [n, m] }
}

const plus = (a: Matrix, b: Matrix): Matrix => ({ data: a.data.map((x, k) => x + b.data[k]), shape: a.shape })
const identity = (n: number): Matrix => ({
  data: Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 : 0)),
  shape: [n, n],
})
const scaledColumns = ({ data, shape }: Matrix, by: Float64Array): Matrix => ({
  data: data.map((x, k) => x * by[k % shape[1]]),
  shape,
})
const symmetric = (n: number, seed: number) => plus(matrix(n, n, seed), transposed(matrix(n, n, seed)))
const definite = (n: number, seed: number) => {
  const a = matrix(n, n, seed)
  return plus(times(a, transposed(a)), identity(n))
}

/** Largest difference over the largest entry expected, in units of rounding. */
function distance(a: Matrix | Float64Array, b: Matrix | Float64Array): number {
  const [x, y] = [a, b].map((value) => (value instanceof Float64Array ? value : value.data))
  expect(x.length).to.equal(y.length)
  let [worst, scale] = [0, Number.MIN_VALUE]
  for (let k = 0; k < x.length; k++) {
    scale = Math.max(scale, Math.abs(y[k]))
    // NaN must not pass for small.
    if (!(Math.abs(x[k] - y[k]) <= worst)) worst = Math.abs(x[k] - y[k])
  }
  return worst / scale / Number.EPSILON
}

const bound = (n: number) => 40 * n + 100

/** Sizes on both sides of the borders of panels and tiles. */
const sizes = [1, 2, 3, 31, 33, 64, 65, 130, 200]

describe('linear: dense factorizations', () => {
  forEachBackend((backend) => {
    it('cholesky: L Lᵀ = A, solutions and determinants', () => {
      for (const n of [...sizes, 400]) {
        const a = definite(n, n)
        const before = a.data.slice()
        const { l, solve, logDeterminant, residual, status } = choleskySync(a, { backend })
        expect(status).to.equal('converged')
        expect(residual).to.be.below(n * Number.EPSILON)
        expect(distance(times(l, transposed(l)), a)).to.be.below(bound(n))
        l.data.forEach((x, k) => {
          if (k % n > Math.floor(k / n)) expect(x).to.equal(0)
        })
        const x = matrix(n, 3, 77)
        expect(distance(times(a, solve(times(a, x))), times(a, x))).to.be.below(1e3 * bound(n))
        expect(
          distance(
            solve(times(a, x).data.filter((_, k) => k % 3 === 0)),
            solve(times(a, x)).data.filter((_, k) => k % 3 === 0),
          ),
        ).to.be.below(1e6)
        const reference = luSync(a, { backend })
        expect(logDeterminant).to.be.closeTo(reference.logAbsDeterminant, 1e-9 * n)
        expect(a.data).to.deep.equal(before)
      }
      const { determinant } = choleskySync(
        [
          [4, 2],
          [2, 10],
        ],
        { backend },
      )
      expect(determinant).to.be.closeTo(36, 1e-12)
    })

    it('lu: L U is A with its rows permuted', () => {
      for (const n of sizes) {
        const a = matrix(n, n, n)
        const { factors, permutation, residual, solve, solveTranspose } = luSync(a, { backend })
        const part = (keep: (i: number, j: number) => number): Matrix => ({
          data: factors.data.map((x, k) => x * keep(Math.floor(k / n), k % n)),
          shape: [n, n],
        })
        const lower = plus(
          part((i, j) => (j < i ? 1 : 0)),
          identity(n),
        )
        const upper = part((i, j) => (j >= i ? 1 : 0))
        for (const x of lower.data) expect(Math.abs(x)).to.be.at.most(1)
        const rows = Float64Array.from(a.data, (_, k) => a.data[permutation[Math.floor(k / n)] * n + (k % n)])
        expect(distance(times(lower, upper), rows)).to.be.below(bound(n))
        expect(residual).to.be.below(n * Number.EPSILON)
        const b = matrix(n, 2, 5)
        expect(distance(times(a, solve(b)), b)).to.be.below(1e4 * bound(n))
        expect(distance(times(transposed(a), solveTranspose(b)), b)).to.be.below(1e4 * bound(n))
      }
    })

    it('lu: determinants by expansion, and of singular matrices', () => {
      const minor = (a: number[][], column: number) => a.slice(1).map((row) => row.filter((_, j) => j !== column))
      const expand = (a: number[][]): number =>
        a.length === 1 ? a[0][0] : a[0].reduce((sum, x, j) => sum + (j % 2 === 0 ? x : -x) * expand(minor(a, j)), 0)
      check(
        fc.property(
          fc.integer({ min: 1, max: 5 }).chain((n) => {
            const row = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: n, maxLength: n })
            return fc.array(row, { minLength: n, maxLength: n })
          }),
          (a) => {
            const found = luSync(a, { backend })
            expect(found.determinant).to.be.closeTo(expand(a), 1e-9)
            if (found.singular) expectError(() => found.solve(new Array(a.length).fill(1)), 'ERR_SINGULAR', /^matrix: /)
          },
        ),
        { runs: 150 },
      )
      const zero = luSync(
        [
          [0, 0],
          [0, 0],
        ],
        { backend },
      )
      expect([zero.singular, zero.determinant, zero.determinantSign]).to.deep.equal([true, 0, 0])
    })

    it('qr: Q R = A with orthonormal columns, tall, square and wide', () => {
      for (const [m, n] of [
        [1, 1],
        [5, 1],
        [1, 5],
        [70, 33],
        [33, 70],
        [130, 130],
        [300, 65],
        [65, 200],
      ]) {
        for (const pivoting of [false, true]) {
          const a = matrix(m, n, m + n)
          const k = Math.min(m, n)
          const { q, r, permutation, rank, residual, applyQ } = qrSync(a, { backend, pivoting })
          expect(q!.shape).to.deep.equal([m, k])
          expect(distance(times(transposed(q!), q!), identity(k))).to.be.below(bound(k))
          const columns = Float64Array.from(a.data, (_, i) => a.data[Math.floor(i / n) * n + permutation[i % n]])
          expect(distance(times(q!, r), columns)).to.be.below(bound(m + n))
          expect(rank).to.equal(k)
          expect(residual).to.be.below((m + n) * Number.EPSILON)
          for (let i = 0; i < k; i++) for (let j = 0; j < i; j++) expect(r.data[i * n + j]).to.equal(0)
          if (pivoting) {
            for (let i = 1; i < k; i++) {
              expect(Math.abs(r.data[i * n + i])).to.be.at.most(Math.abs(r.data[(i - 1) * n + i - 1]) * (1 + 1e-12))
            }
          }
          const b = matrix(m, 2, 9)
          expect(distance(applyQ(applyQ(b), { transpose: true }), b)).to.be.below(bound(m))
          const head = applyQ(b, { transpose: true }).data.slice(0, 2 * k)
          expect(distance(times(transposed(q!), b), head)).to.be.below(10 * bound(m))
        }
      }
      expect(qrSync(matrix(4, 2, 1), { backend, q: false }).q).to.equal(undefined)
    })

    it('qr: least squares leave a residual orthogonal to the columns; dependent columns are seen', () => {
      const a = matrix(80, 12, 4)
      const b = matrix(80, 2, 5)
      const x = qrSync(a, { backend }).solve(b)
      const residual = plus(b, { ...times(a, x), data: times(a, x).data.map((value) => -value) })
      for (const value of times(transposed(a), residual).data) expect(Math.abs(value)).to.be.below(1e-11)
      // The last column is the sum of the first two.
      const dependent = {
        ...a,
        data: a.data.map((value, k) => (k % 12 === 11 ? a.data[k - 11] + a.data[k - 10] : value)),
      }
      const found = qrSync(dependent, { backend, pivoting: true })
      expect(found.rank).to.equal(11)
      const basic = found.solve(b)
      const left = plus(b, { ...b, data: times(dependent, basic).data.map((value) => -value) })
      for (const value of times(transposed(dependent), left).data) expect(Math.abs(value)).to.be.below(1e-11)
      const zero = { data: new Float64Array(6), shape: [3, 2] }
      expect(qrSync(zero, { backend, pivoting: true }).solve([1, 2, 3])).to.deep.equal(new Float64Array(2))
      expectError(() => qrSync(zero, { backend }).solve([1, 2, 3]), 'ERR_SINGULAR', /^matrix: expected 2 independent/)
      expectError(() => qrSync(matrix(2, 3, 1), { backend }).solve([1, 2]), 'ERR_SHAPE', /^matrix: /)
    })

    it('symmetricEigen: A V = V diag(values), orthonormal, ascending', () => {
      for (const n of sizes) {
        const a = symmetric(n, n)
        const { values, vectors, residual } = symmetricEigenSync(a, { backend })
        expect(distance(times(transposed(vectors!), vectors!), identity(n))).to.be.below(bound(n))
        expect(distance(times(a, vectors!), scaledColumns(vectors!, values))).to.be.below(5 * bound(n))
        for (let k = 1; k < n; k++) expect(values[k]).to.be.at.least(values[k - 1])
        expect(residual).to.be.below(2 * n * Number.EPSILON)
        const only = symmetricEigenSync(a, { backend, vectors: false })
        expect(distance(only.values, values)).to.be.below(bound(n))
        expect(only.vectors).to.equal(undefined)
        expect(only.residual).to.be.below(1e-12)
      }
    })

    it('symmetricEigen: closed forms, equal eigenvalues, any magnitude', () => {
      const n = 150
      const second = { data: new Float64Array(n * n), shape: [n, n] }
      for (let i = 0; i < n; i++) {
        second.data[i * n + i] = 2
        if (i > 0) second.data[i * n + i - 1] = second.data[(i - 1) * n + i] = -1
      }
      symmetricEigenSync(second, { backend }).values.forEach((value, k) => {
        expect(value).to.be.closeTo(2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)), 1e-13)
      })
      const ones = { data: new Float64Array(n * n).fill(1), shape: [n, n] }
      const { values, vectors } = symmetricEigenSync(ones, { backend })
      expect(values[n - 1]).to.be.closeTo(n, 1e-11)
      expect(distance(times(transposed(vectors!), vectors!), identity(n))).to.be.below(bound(n))
      const large = symmetricEigenSync(
        [
          [1e300, 2e300],
          [2e300, 1e300],
        ],
        { backend },
      ).values
      expect(large[1] / 1e300).to.be.closeTo(3, 1e-14)
      expect(
        symmetricEigenSync(
          [
            [0, 0],
            [0, 0],
          ],
          { backend },
        ).values,
      ).to.deep.equal(new Float64Array(2))
    })

    it('svd: u diag(s) vt = A with orthonormal factors, tall, square and wide', () => {
      for (const [m, n] of [
        [1, 1],
        [4, 1],
        [1, 4],
        [40, 33],
        [33, 40],
        [130, 130],
        [300, 65],
        [20, 90],
      ]) {
        const a = matrix(m, n, m - n + 500)
        const k = Math.min(m, n)
        const { s, u, vt, residual } = svdSync(a, { backend })
        expect(distance(times(transposed(u!), u!), identity(k))).to.be.below(bound(m))
        expect(distance(times(vt!, transposed(vt!)), identity(k))).to.be.below(bound(n))
        expect(distance(times(scaledColumns(u!, s), vt!), a)).to.be.below(2 * bound(m + n))
        for (let i = 1; i < k; i++) expect(s[i]).to.be.at.most(s[i - 1])
        expect(s[k - 1]).to.be.at.least(0)
        expect(residual).to.be.below(1e-13)
        const only = svdSync(a, { backend, vectors: false })
        expect(distance(only.s, s)).to.be.below(bound(m + n))
        expect(only.residual).to.be.below(1e-12)
        // s² are the eigenvalues of the Gram matrix.
        const gram = m >= n ? times(transposed(a), a) : times(a, transposed(a))
        const squares = symmetricEigenSync(gram, { backend }).values.reverse()
        expect(
          distance(
            s.map((value) => value * value),
            squares,
          ),
        ).to.be.below(10 * bound(m + n))
      }
    })

    it('svd: rank-deficient, zero and extreme matrices keep orthonormal factors', () => {
      const low = times(matrix(50, 3, 1), matrix(3, 40, 2))
      for (const a of [
        low,
        { data: new Float64Array(12), shape: [4, 3] },
        { data: low.data.map((x) => x * 1e200), shape: [50, 40] },
      ]) {
        const { s, u, vt } = svdSync(a, { backend })
        const k = s.length
        expect(distance(times(transposed(u!), u!), identity(k))).to.be.below(4000)
        expect(distance(times(vt!, transposed(vt!)), identity(k))).to.be.below(4000)
        for (const value of s.subarray(3)) expect(value).to.be.at.most(1e-13 * s[0])
      }
    })

    it('refuses bad input', async () => {
      const [isCholesky, isQr, isEigen] = [
        refusing(cholesky, choleskySync),
        refusing(qr, qrSync),
        refusing(symmetricEigen, symmetricEigenSync),
      ]
      const o = { backend }
      await isCholesky(
        [
          [1, 2],
          [2, 1],
        ],
        o,
        'ERR_NOT_POSITIVE',
        /^matrix: expected a positive definite matrix, got one whose leading 2 /,
      )
      await isCholesky(
        [
          [1, 2],
          [0, 5],
        ],
        o,
        'ERR_SHAPE',
        /^matrix: expected a symmetric matrix, got entries \[1]\[0]/,
      )
      await isCholesky([[1, 2, 3]], o, 'ERR_SHAPE', 'matrix: expected a square matrix, got 1×3')
      await isCholesky([], o, 'ERR_SHAPE', 'matrix: expected a non-empty matrix, got 0×0')
      await isCholesky([[Number.NaN]], o, 'ERR_NOT_FINITE', 'matrix[0][0]: expected a finite number, got NaN')
      await isCholesky('no', o, 'ERR_SHAPE', /^matrix: /)
      await isEigen(
        [
          [0, 1],
          [Number.NEGATIVE_INFINITY, 0],
        ],
        o,
        'ERR_NOT_FINITE',
        'matrix[1][0]: expected a finite number, got -Infinity',
      )
      await isEigen(
        [
          [0, 1],
          [2, 0],
        ],
        o,
        'ERR_SHAPE',
        /symmetric/,
      )
      await isQr([[1]], { ...o, pivot: true }, 'ERR_OPTION', /did you mean 'pivoting'/)
      await isQr([[1]], { ...o, pivoting: 1 }, 'ERR_OPTION', /^pivoting: /)
      const { solve } = luSync(
        [
          [1, 2],
          [3, 4],
        ],
        o,
      )
      expectError(() => solve([1, 2, 3]), 'ERR_SHAPE', 'b: expected 2 numbers to match the matrix, got 3')
      expectError(() => solve([1, Number.NaN]), 'ERR_NOT_FINITE', /^b\[1]/)
      expectError(() => solve(null as Wrong), 'ERR_SHAPE', /^b: /)
    })

    it('can be aborted', async () => {
      const a = symmetric(300, 3)
      for (const run of [lu, qr, symmetricEigen, svd]) {
        const controller = new AbortController()
        const running = rejection(run(a, { backend, signal: controller.signal }))
        controller.abort(new Error('enough'))
        expect(((await running) as Error).message).to.equal('enough')
      }
      const aborted = AbortSignal.abort(new Error('before'))
      expect(((await rejection(cholesky(a, { backend, signal: aborted }))) as Error).message).to.equal('before')
    })
  })

  it('agrees on both backends, whatever the threads', async () => {
    const n = 210
    const a = matrix(n, n, 8)
    const s = symmetric(n, 9)
    const all = async (options: { backend: 'native' | 'portable'; threads?: number }) => {
      const [c, l, q, e, v] = [
        await cholesky(definite(n, 3), options),
        await lu(a, options),
        await qr(a, options),
        await symmetricEigen(s, options),
        await svd(a, options),
      ]
      return [c.l.data, l.factors.data, q.q!.data, q.r.data, e.values, e.vectors!.data, v.s, v.u!.data, v.vt!.data]
    }
    const one = await all({ backend: 'native', threads: 1 })
    const two = await all({ backend: 'native', threads: 3 })
    one.forEach((x, k) => {
      expect(x).to.deep.equal(two[k])
    })
    const other = await all({ backend: 'portable' })
    one.forEach((x, k) => {
      expect(distance(x, other[k]) * Number.EPSILON).to.be.below(1e-9)
    })
  })
})
