import { expect } from 'chai'
import fc from 'fast-check'
import type { Csr } from '../../lib/core/index.js'
import {
  lsqrSync,
  qrSync,
  type SketchKind,
  sketch,
  sketchedLeastSquares,
  sketchedLeastSquaresSync,
  sketchedPreconditioner,
  sketchedPreconditionerSync,
  sketchSync,
  svdSync,
} from '../../lib/linear/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { refusing, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { fill, random, randomNormal } from '../helpers/random.js'

const kinds: SketchKind[] = ['gaussian', 'srht', 'count-sketch', 'sparse-sign', 'rows', 'row-norms']

interface Matrix {
  data: Float64Array
  shape: [number, number]
}

const matrix = (m: number, n: number, seed: number): Matrix => ({
  data: fill(m * n, randomNormal(seed)),
  shape: [m, n],
})

/** Orthonormal factors mixed: singular values from 1 to 1 / condition, in no relation to the axes. */
function conditioned(m: number, n: number, condition: number, seed: number): Matrix {
  const u = qrSync(matrix(m, n, seed)).q!.data
  const v = qrSync(matrix(n, n, seed + 1)).q!.data
  const data = new Float64Array(m * n)
  for (let k = 0; k < n; k++) {
    const s = n === 1 ? 1 : condition ** (-k / (n - 1))
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) data[i * n + j] += u[i * n + k] * s * v[j * n + k]
  }
  return { data, shape: [m, n] }
}

function toCsr({ data, shape }: Matrix): Csr {
  const [m, n] = shape
  const indptr = new Int32Array(m + 1)
  const indices: number[] = []
  const values: number[] = []
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      if (data[i * n + j] === 0) continue
      indices.push(j)
      values.push(data[i * n + j])
    }
    indptr[i + 1] = indices.length
  }
  return { shape, indptr, indices: Int32Array.from(indices), data: Float64Array.from(values) }
}

function sparseMatrix(m: number, n: number, seed: number): Matrix {
  const [next, normal] = [random(seed), randomNormal(seed)]
  return { data: fill(m * n, () => (next() < 0.3 ? normal() : 0)), shape: [m, n] }
}

const product = ({ data, shape: [m, n] }: Matrix, x: Float64Array) =>
  Float64Array.from({ length: m }, (_, i) => x.reduce((sum, value, j) => sum + data[i * n + j] * value, 0))
const minus = (x: Float64Array, y: Float64Array) => x.map((value, i) => value - y[i])
const norm = (x: Float64Array) => Math.hypot(...x)
const inner = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i], 0)
const largest = (x: Float64Array) => x.reduce((most, value) => Math.max(most, Math.abs(value)), 0)

describe('linear: sketch', () => {
  forEachBackend((backend) => {
    it('is linear, has its transpose as adjoint, and takes sparse as dense', () => {
      for (const kind of kinds) {
        const a = sparseMatrix(150, 11, 3)
        const found = sketchSync(a, { kind, rows: 41, seed: 7, backend })
        const { sketched, apply, applyTranspose } = found
        expect(sketched.shape).to.deep.equal([41, 11])
        expect(found.shape).to.deep.equal([41, 150])
        const sparse = sketchSync(toCsr(a), { kind, rows: 41, seed: 7, backend })
        expect(largest(minus(sparse.sketched.data, sketched.data))).to.be.below(1e-13)
        expect(largest(minus(apply(a).data, sketched.data))).to.be.below(1e-13)
        const x = fill(11, randomNormal(5))
        const direct = apply(product(a, x))
        expect(largest(minus(direct, product({ data: sketched.data, shape: [41, 11] }, x)))).to.be.below(1e-12)
        const y = fill(41, randomNormal(6))
        const z = fill(150, randomNormal(8))
        expect(inner(apply(z), y)).to.be.closeTo(inner(z, applyTranspose(y)), 1e-11)
        const block = matrix(41, 3, 9)
        const back = applyTranspose(block)
        expect(back.shape).to.deep.equal([150, 3])
        const middle = applyTranspose(block.data.filter((_, k) => k % 3 === 1))
        expect(
          largest(
            minus(
              back.data.filter((_, k) => k % 3 === 1),
              middle,
            ),
          ),
        ).to.be.below(1e-13)
      }
    })

    it('keeps squares of lengths on average: E SᵀS = I', () => {
      const x = fill(40, randomNormal(2))
      for (const kind of kinds) {
        let mean = 0
        const runs = 400
        for (let seed = 0; seed < runs; seed++) {
          // Rows by norm are drawn for the vector itself: then lengths are kept exactly.
          const { sketched } = sketchSync({ data: x, shape: [40, 1] }, { kind, rows: 16, seed, backend })
          mean += norm(sketched.data) ** 2 / runs
        }
        expect(mean / norm(x) ** 2, kind).to.be.closeTo(1, kind === 'row-norms' ? 1e-12 : 0.1)
      }
    })

    it('has the structure that its kind says', () => {
      const identity: Matrix = { data: fill(60 * 60, () => 0), shape: [60, 60] }
      for (let i = 0; i < 60; i++) identity.data[61 * i] = 1
      const column = (s: Float64Array, j: number) => Array.from(s.filter((_, k) => k % 60 === j))
      const sparse = sketchSync(identity, { rows: 20, nonzeros: 5, backend }).sketched.data
      const count = sketchSync(identity, { rows: 20, kind: 'count-sketch', backend }).sketched.data
      for (let j = 0; j < 60; j++) {
        const entries = column(sparse, j).filter((x) => x !== 0)
        expect(entries.length).to.equal(5)
        for (const x of entries) expect(Math.abs(x)).to.be.closeTo(1 / Math.sqrt(5), 1e-15)
        expect(column(count, j).map(Math.abs).sort().reverse().slice(0, 2)).to.deep.equal([1, 0])
      }
      const hadamard = sketchSync(identity, { rows: 64, kind: 'srht', backend }).sketched.data
      // All rows of the transform: its columns are orthogonal.
      const signs = Array.from({ length: 60 }, (_, j) => column(hadamard, j))
      for (let j = 0; j < 60; j++) {
        for (const x of signs[j]) expect(Math.abs(x)).to.equal(1 / 8)
        for (let l = 0; l < j; l++) {
          let sum = 0
          for (let i = 0; i < 64; i++) sum += signs[j][i] * signs[l][i]
          expect(sum).to.be.closeTo(0, 1e-14)
        }
      }
      const rows = sketchSync(identity, { rows: 15, kind: 'rows', backend })
      rows.selection!.forEach((row, i) => {
        expect(rows.sketched.data[i * 60 + row]).to.equal(2)
      })
      const weighted = { data: Float64Array.of(0, 0, 3, 0, 4, 0), shape: [6, 1] }
      for (const row of sketchSync(weighted, { rows: 30, kind: 'row-norms', backend }).selection!) {
        expect([2, 4]).to.include(row)
      }
    })

    it('sketched least squares are those of QR, whatever the condition number, kind and method', () => {
      for (const condition of [1, 1e4, 1e7, 1e10]) {
        const a = conditioned(700, 12, condition, 3)
        const b = fill(700, randomNormal(4))
        const consistent = product(a, fill(12, randomNormal(5)))
        for (const kind of ['sparse-sign', 'srht', 'gaussian', 'count-sketch'] as const) {
          const options = { kind, sketchRows: 160, backend } as const
          const exact = product(a, qrSync(a, { q: false }).solve(b))
          const found = sketchedLeastSquaresSync(a, b, options)
          // Rounding alone keeps QR from more than this.
          const limit = 1e-9 + 50 * Number.EPSILON * condition
          expect(norm(minus(product(a, found.x), exact)) / norm(b)).to.be.below(limit)
          expect(found.residualNorm).to.be.closeTo(norm(minus(b, exact)), 1e-8 * norm(b))
          expect(found.rank).to.equal(12)
          const fit = sketchedLeastSquaresSync(a, consistent, options)
          expect(fit.status).to.equal('converged')
          expect(norm(minus(product(a, fit.x), consistent)) / norm(consistent)).to.be.below(1e-9)
        }
      }
    })

    it('iteration counts do not depend on the condition number', () => {
      const counts = [1, 1e3, 1e6].map((condition) => {
        const a = conditioned(900, 15, condition, 8)
        const b = product(a, fill(15, randomNormal(1)))
        b.forEach((_, i) => {
          b[i] += 0.1 * Math.sin(i * i)
        })
        return sketchedLeastSquaresSync(a, b, { backend, sketchRows: 60 }).iterations
      })
      expect(Math.max(...counts) - Math.min(...counts)).to.be.at.most(4)
      expect(Math.max(...counts)).to.be.at.most(40)
    })

    it('the gradient method diverges on few rows and goes on by conjugate gradients; on many it does not', () => {
      const a = conditioned(2000, 20, 1e6, 5)
      const b = fill(2000, randomNormal(6))
      const solve = (method: 'gradient' | 'heavy-ball', factor: number) =>
        sketchedLeastSquaresSync(a, b, { backend, method, sketchRows: 20 * factor, kind: 'gaussian' })
      const few = solve('gradient', 2)
      expect([few.status, few.switched]).to.deep.equal(['converged', true])
      const many = solve('gradient', 24)
      expect([many.status, many.switched]).to.deep.equal(['converged', false])
      const ball = solve('heavy-ball', 4)
      expect([ball.status, ball.switched]).to.deep.equal(['converged', false])
      for (const found of [few, many, ball]) {
        expect(found.residualNorm).to.be.closeTo(qrResidual(a, b), 1e-8 * norm(b))
      }
    })

    it('of dependent columns and of fewer rows than columns: the solution of least length', () => {
      const cases: [Matrix, number][] = []
      const base = matrix(300, 5, 1)
      const spread = matrix(5, 9, 2)
      const low: Matrix = { data: new Float64Array(300 * 9), shape: [300, 9] }
      for (let i = 0; i < 300; i++) {
        for (let j = 0; j < 9; j++) {
          for (let k = 0; k < 5; k++) low.data[i * 9 + j] += base.data[i * 5 + k] * spread.data[k * 9 + j]
        }
      }
      cases.push([low, 5], [matrix(6, 11, 3), 6], [{ data: new Float64Array(200), shape: [50, 4] }, 0])
      for (const [a, rank] of cases) {
        const [m, n] = a.shape
        const b = fill(m, randomNormal(4))
        const found = sketchedLeastSquaresSync(a, b, { backend })
        expect(found.rank).to.equal(rank)
        // By the pseudo-inverse.
        const { s, u, vt } = svdSync(a)
        const k = s.length
        const expected = new Float64Array(n)
        for (let l = 0; l < rank; l++) {
          const weight = b.reduce((sum, value, i) => sum + u!.data[i * k + l] * value, 0) / s[l]
          for (let j = 0; j < n; j++) expected[j] += weight * vt!.data[l * n + j]
        }
        expect(largest(minus(found.x, expected))).to.be.below(1e-9)
      }
    })

    it('of random small problems, dense and sparse: the normal equations hold', () => {
      check(
        fc.property(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: 6 }), fc.nat(), (m, n, seed) => {
          const a = sparseMatrix(m, n, seed)
          const b = fill(m, randomNormal(seed + 1))
          const found = sketchedLeastSquaresSync(a, b, { backend, seed })
          const sparse = sketchedLeastSquaresSync(toCsr(a), b, { backend, seed })
          const residual = minus(b, product(a, found.x))
          for (let j = 0; j < n; j++) {
            expect(
              inner(
                residual,
                a.data.filter((_, k) => k % n === j),
              ),
            ).to.be.closeTo(0, 1e-7)
          }
          expect(largest(minus(sparse.x, found.x))).to.be.below(1e-6 * (1 + largest(found.x)))
        }),
        { runs: 60 },
      )
    })

    it('starts, repeats, limits and zero right-hand sides', () => {
      const a = conditioned(800, 10, 1e5, 2)
      const b = fill(800, randomNormal(3))
      const exact = sketchedLeastSquaresSync(a, b, { backend })
      const warm = sketchedLeastSquaresSync(a, b, { backend, start: exact.x, refinements: 0 })
      expect(warm.iterations).to.equal(0)
      const median = sketchedLeastSquaresSync(a, b, { backend, repeats: 4 })
      expect(norm(minus(product(a, median.x), product(a, exact.x)))).to.be.below(1e-8)
      const short = sketchedLeastSquaresSync(a, b, { backend, maxIterations: 2 })
      expect([short.status, short.iterations]).to.deep.equal(['iteration-limit', 2])
      expect(short.residual).to.be.above(1e-10)
      expect(short.history.length).to.equal(3)
      const zero = sketchedLeastSquaresSync(a, new Float64Array(800), { backend })
      expect([zero.status, zero.residual, largest(zero.x)]).to.deep.equal(['converged', 0, 0])
      const tiny = sketchedLeastSquaresSync(
        a,
        b.map((x) => x * 1e-300),
        { backend },
      )
      expect(
        largest(
          minus(
            tiny.x.map((x) => x * 1e300),
            exact.x,
          ),
        ) / largest(exact.x),
      ).to.be.below(1e-5)
    })

    it('the preconditioner: A R⁻¹ is near to orthonormal, and lsqr needs few iterations with it', () => {
      const a = conditioned(1000, 10, 1e6, 4)
      const { preconditioner } = sketchedPreconditionerSync(a, { backend, sketchRows: 160 })
      const { r } = preconditioner
      // Rows of A R⁻¹ by forward substitution.
      const whitened: Matrix = { data: new Float64Array(10_000), shape: [1000, 10] }
      for (let i = 0; i < 1000; i++) {
        for (let j = 0; j < 10; j++) {
          let sum = a.data[i * 10 + j]
          for (let k = 0; k < j; k++) sum -= whitened.data[i * 10 + k] * r.data[k * 10 + j]
          whitened.data[i * 10 + j] = sum / r.data[j * 10 + j]
        }
      }
      const { s } = svdSync(whitened)
      expect(s[0]).to.be.below(1.8)
      expect(s[9]).to.be.above(0.6)
      const b = fill(1000, randomNormal(5))
      const found = lsqrSync({ matrix: a, b, preconditioner }, { backend, tolerance: 1e-10 })
      expect(found.iterations).to.be.below(40)
      expect(norm(minus(b, product(a, found.x)))).to.be.closeTo(qrResidual(a, b), 1e-6)
    })

    it('refuses bad input', async () => {
      const [isSketch, isPreconditioner] = [
        refusing(sketch, sketchSync),
        refusing(sketchedPreconditioner, sketchedPreconditionerSync),
      ]
      const isSquares = refusing(
        (given: Matrix, { b, ...options }: { b: number[] }) => sketchedLeastSquares(given, b, options),
        (given: Matrix, { b, ...options }: { b: number[] }) => sketchedLeastSquaresSync(given, b, options),
      )
      const a = [
        [1, 2],
        [3, 4],
        [5, 6],
      ]
      const o = { backend }
      await isSketch(a, o, 'ERR_OPTION', 'rows: expected the rows of the sketch, got undefined')
      await isSketch(a, { ...o, rows: 0 }, 'ERR_OPTION', /^rows: /)
      await isSketch(a, { ...o, rows: 2, kind: 'gauss' }, 'ERR_OPTION', /did you mean 'gaussian'/)
      await isSketch(a, { ...o, rows: 2, kind: 'rows', nonzeros: 2 }, 'ERR_OPTION', /^nonzeros: /)
      await isSketch(a, { ...o, rows: 5, kind: 'srht' }, 'ERR_OPTION', /^rows: expected at most 4 /)
      await isSketch([[1], [Number.NaN]], { ...o, rows: 1 }, 'ERR_NOT_FINITE', /^matrix\[1]\[0]/)
      await isSketch(
        { ...toCsr(matrix(3, 2, 1)), indices: Int32Array.of(0, 5, 0, 1, 0, 1) },
        { ...o, rows: 1 },
        'ERR_SHAPE',
        /^matrix\.indices\[1]/,
      )
      await isSquares(
        a,
        { ...o, b: [1, 2] },
        'ERR_SHAPE',
        'b: expected 3 numbers to match the rows of the matrix, got 2',
      )
      await isSquares(a, { ...o, b: [1, 2, Number.NaN] }, 'ERR_NOT_FINITE', /^b\[2]/)
      await isSquares(a, { ...o, b: [1, 2, 3], eps: 1 }, 'ERR_OPTION', /^options: unknown name 'eps'/)
      await isSquares(a, { ...o, b: [1, 2, 3], sketchRows: 2 }, 'ERR_OPTION', /^sketchRows: /)
      const bad = matrix(100, 3, 1)
      bad.data[31] = Number.NaN
      for (const kind of kinds) {
        await isSquares(
          bad,
          { ...o, b: new Array(100).fill(1), kind },
          'ERR_NOT_FINITE',
          'matrix[10][1]: expected a finite number, got NaN',
        )
      }
      await isPreconditioner(
        [
          [1, 1],
          [1, 1],
          [1, 1],
        ],
        o,
        'ERR_SINGULAR',
        'matrix: expected 2 independent columns, got 1',
      )
    })

    it('can be aborted', async () => {
      const a = matrix(20_000, 40, 1)
      const controller = new AbortController()
      const running = rejection(
        sketchedLeastSquares(a, fill(20_000, random(1)), { backend, signal: controller.signal }),
      )
      controller.abort(new Error('enough'))
      expect(((await running) as Error).message).to.equal('enough')
    })
  })

  it('is the same on both backends, whatever the threads', async () => {
    const a = sparseMatrix(3000, 37, 5)
    const b = fill(3000, randomNormal(6))
    for (const kind of kinds) {
      const [one, many, other] = [
        sketchSync(a, { kind, rows: 230, backend: 'native', threads: 1 }),
        await sketch(a, { kind, rows: 230, backend: 'native', threads: 3 }),
        await sketch(a, { kind, rows: 230, backend: 'portable' }),
      ]
      expect(one.sketched.data).to.deep.equal(many.sketched.data)
      expect(largest(minus(one.sketched.data, other.sketched.data))).to.be.below(1e-11)
      expect(one.selection).to.deep.equal(other.selection)
      const options = { kind, sketchRows: 230 }
      const [x, y, z] = [
        sketchedLeastSquaresSync(a, b, { ...options, backend: 'native', threads: 1 }),
        await sketchedLeastSquares(a, b, { ...options, backend: 'native', threads: 3 }),
        await sketchedLeastSquares(a, b, { ...options, backend: 'portable' }),
      ]
      expect(x.x).to.deep.equal(y.x)
      expect(largest(minus(x.x, z.x)) / largest(x.x)).to.be.below(1e-9)
      expect(z.iterations).to.equal(x.iterations)
    }
  })
})

function qrResidual(a: Matrix, b: Float64Array): number {
  return norm(minus(b, product(a, qrSync(a, { q: false }).solve(b))))
}
