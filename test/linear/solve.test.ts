import { expect } from 'chai'
import type { BackendName } from '../../lib/index.js'
import { type BuiltInOperator, type SolveMethod, type Stencil, solve, solveSync } from '../../lib/linear/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, rejection } from '../helpers/errors.js'
import {
  apart,
  eliminate,
  flipped,
  inner,
  laplacian,
  misfit,
  normals,
  type Rows,
  randomDefinite,
  randomSparse,
  times,
  toCsr,
} from './helpers.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

/** Row i of the product is x_{i+1}, and x_0 at the end: gmres and bicgstab see nothing of it before the last step. */
const cycle = (n: number): Rows =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (j === (i + 1) % n ? 1 : 0)))

describe('linear: solve', () => {
  forEachBackend((backend: BackendName) => {
    const n = 40
    const definite = randomDefinite(n, 2)
    const indefinite = definite.map((row, i) => row.map((value, j) => (i === j && i < 9 ? -value : value)))
    const hidden = definite.map((row) => [...row])
    // A positive diagonal, but not positive definite.
    for (let i = 0; i < 3; i++) hidden[i][i + 20] = hidden[i + 20][i] = 50
    const other = randomSparse(n, 3)
    const b = normals(n, 4)

    it('takes the method that suits, in both forms', async () => {
      const cases: [string, BuiltInOperator | Wrong, Rows, SolveMethod[]][] = [
        ['dense, definite', definite, definite, ['cholesky']],
        ['dense, general', other, other, ['lu']],
        ['dense, symmetric', hidden, hidden, ['cholesky', 'lu']],
        ['small, definite', toCsr(definite), definite, ['sparseCholesky']],
        ['indefinite', toCsr(indefinite), indefinite, ['minres']],
        ['indefinite, which shows late', toCsr(hidden), hidden, ['sparseCholesky', 'minres']],
        ['general', toCsr(other), other, ['gmres']],
        ['products', { shape: [n, n], matvec: (x: Float64Array) => times(other, x) }, other, ['gmres']],
      ]
      for (const [name, matrix, rows, methods] of cases) {
        for (const solution of [
          solveSync(matrix, b, { backend, tolerance: 1e-11 }),
          await solve(matrix, b, { backend, tolerance: 1e-11 }),
        ]) {
          expect(
            solution.attempts.map((attempt) => attempt.method),
            name,
          ).to.deep.equal(methods)
          expect(solution.method, name).to.equal(methods.at(-1))
          expect(solution.status, name).to.equal('converged')
          expect(solution.backend).to.equal(backend)
          expect(misfit(rows, solution.x, b), name).to.be.at.most(2e-11)
          expect(solution.residual).to.be.closeTo(misfit(rows, solution.x, b), 1e-12)
          expect(solution.note === undefined).to.equal(methods.length === 1)
        }
      }
    })

    it('bands are factored, wide grids iterated', () => {
      const line: Stencil = { kind: 'stencil', grid: [3000, 1], shift: 0.01 }
      const grid: Stencil = { kind: 'stencil', grid: [120, 110] }
      expect(solveSync(line, new Float64Array(3000).fill(1), { backend }).method).to.equal('sparseCholesky')
      const solution = solveSync(grid, new Float64Array(13_200).fill(1), { backend })
      expect(solution.method).to.equal('conjugateGradient')
      expect(solution.residual).to.be.at.most(1e-8)
    })

    it('least squares: by QR where it is dense, whatever its rank', () => {
      const tall = normals(n * 6, 5)
      const rows = Array.from({ length: n }, (_, i) => [...tall.subarray(6 * i, 6 * i + 6)])
      const gradient = (a: Rows, x: Float64Array) =>
        times(
          flipped(a),
          times(a, x).map((value, i) => b[i] - value),
        )
      const dense = solveSync(rows, b, { backend, tolerance: 1e-12 })
      expect(dense.method).to.equal('qr')
      expect(dense.status).to.equal('converged')
      expect(Math.max(...gradient(rows, dense.x).map(Math.abs))).to.be.at.most(1e-12)
      expect(solveSync(toCsr(rows), b, { backend }).method).to.equal('lsqr')
      const twice = rows.map((row) => [...row, row[0]])
      const least = solveSync(twice, b, { backend, tolerance: 1e-10 })
      expect(least.attempts.map(({ method, outcome }) => [method, outcome])).to.deep.equal([
        ['qr', 'ERR_SINGULAR'],
        ['lsqr', 'converged'],
      ])
      expect(least.x[6]).to.be.closeTo(least.x[0], 1e-8)
      expect(Math.max(...gradient(twice, least.x).map(Math.abs))).to.be.at.most(1e-8)
    })

    it('another method takes over from one that stalls, and says so', async () => {
      const a = cycle(n)
      const e = Float64Array.from({ length: n }, (_, i) => (i === 0 ? 1 : 0))
      const solution = await solve(toCsr(a), e, { backend })
      expect(solution.method).to.equal('lu')
      expect(solution.attempts.map(({ method, outcome }) => [method, outcome])).to.deep.equal([
        ['gmres', 'stalled'],
        ['bicgstab', 'stalled'],
        ['lu', 'converged'],
      ])
      expect(solution.note).to.match(/^gmres stalled at .*; bicgstab stalled at .*; the solution is that of lu$/)
      // Row n - 1 has x_0.
      expect(
        apart(
          solution.x,
          e.map((_, i) => (i === 1 ? 1 : 0)),
        ),
      ).to.be.at.most(1e-15)
    })

    it('never calls an answer converged that is none', () => {
      // Rows 0 and 1 contradict each other.
      const a = [
        [1, 1, 0],
        [1, 1, 0],
        [0, 0, 1],
      ]
      try {
        const solution = solveSync(a, [1, 2, 3], { backend })
        expect(solution.status).to.equal('stalled')
        expect(solution.residual).to.be.above(0.1)
      } catch (error) {
        expect((error as { code: string }).code).to.be.oneOf(['ERR_SINGULAR', 'ERR_NOT_POSITIVE'])
      }
      // The Hilbert matrix: refined until the residual holds.
      const hilbert = Array.from({ length: 8 }, (_, i) => Array.from({ length: 8 }, (_, j) => 1 / (i + j + 1)))
      const fine = solveSync(hilbert, new Float64Array(8).fill(1), { backend, tolerance: 1e-9 })
      expect(fine.method).to.equal('cholesky')
      expect(misfit(hilbert, fine.x, new Float64Array(8).fill(1))).to.be.at.most(1e-9)
    })

    it('solutions beyond float64 are no solutions', async () => {
      // The first is finite, but not its image, where Infinity - Infinity is NaN.
      const near = [
        [1e200, 1e200],
        [1e200, 1e200 * (1 + 2 ** -52)],
      ]
      const tiny = [
        [1e-320, 0],
        [0, 1],
      ]
      for (const [matrix, side] of [
        [near, [1e293, -1e293]],
        [tiny, [1, 1]],
      ]) {
        for (const method of ['lu', 'cholesky', 'qr'] as const) {
          const options = { backend, method }
          const codes: string[] = []
          try {
            codes.push(solveSync(matrix as Rows, side as number[], options).status)
          } catch (error) {
            codes.push((error as { code: string }).code)
          }
          const error = await rejection(solve(matrix as Rows, side as number[], options))
          codes.push((error as { code: string }).code)
          for (const code of codes) expect(code, method).to.be.oneOf(['ERR_SINGULAR', 'ERR_NOT_POSITIVE'])
        }
      }
      const { attempts, status } = solveSync(tiny, [1, 1], { backend })
      expect(status).not.to.equal('converged')
      expect(attempts.map(({ method }) => method)).to.deep.equal(['cholesky', 'lu', 'minres'])
    })

    it('the gradient of least squares is measured by the matrix, however it came', async () => {
      const tall = normals(n * 6, 5)
      const rows = Array.from({ length: n }, (_, i) => [...tall.subarray(6 * i, 6 * i + 6)].map((value) => 1e9 * value))
      for (const matrix of [rows, toCsr(rows)]) {
        const options = { backend, method: 'qr', tolerance: 1e-14 } as const
        for (const solution of [solveSync(matrix, b, options), await solve(matrix, b, options)]) {
          expect(solution.status).to.equal('converged')
          expect(solution.residual).to.be.at.most(1e-14)
        }
      }
    })

    it('a worse answer does not replace a better one, and the time limit is no error', () => {
      const half = Array.from({ length: 10 }, (_, i) => Array.from({ length: 60 }, (_, j) => (i === j ? 2 : 0)))
      const a = [...half, ...cycle(50).map((row) => [...new Array(10).fill(0), ...row])]
      const e = Float64Array.from({ length: 60 }, (_, i) => (i <= 10 ? 1 : 0))
      let quick = Number.POSITIVE_INFINITY
      let calls = 0
      const matrix = {
        shape: [60, 60] as [number, number],
        matvec(x: Float64Array) {
          const end = performance.now() + (++calls > quick ? 200 : 0)
          while (performance.now() < end);
          return times(a, x)
        },
      }
      const { residual, status } = solveSync(matrix, e, { backend, method: 'gmres' })
      expect(status).to.equal('stalled')
      quick = calls
      calls = 0
      const solution = solveSync(matrix, e, { backend, timeLimit: 300 })
      expect(solution.attempts.map(({ method, outcome }) => [method, outcome])).to.deep.equal([
        ['gmres', 'stalled'],
        ['bicgstab', 'time-limit'],
      ])
      expect(solution.attempts[1].residual).to.be.above(residual)
      expect(solution.method).to.equal('gmres')
      expect(solution.residual).to.equal(residual)
      const late = solveSync(hidden, b, { backend, timeLimit: 1e-9 })
      expect(late.status).to.equal('time-limit')
      expect(late.attempts.map(({ method, outcome }) => [method, outcome])).to.deep.equal([
        ['cholesky', 'ERR_NOT_POSITIVE'],
        ['minres', 'time-limit'],
      ])
    })

    it('dense matrices too large to factor are iterated at once', () => {
      // Zeros that nobody writes take no memory.
      const size = 8200
      const data = new Float64Array(size * size)
      for (let i = 0; i < size; i++) data[i * (size + 1)] = 1 + (i % 7)
      const side = Float64Array.from({ length: size }, (_, i) => 1 + (i % 3))
      const matrix = { data, shape: [size, size] as [number, number] }
      const definiteOne = solveSync(matrix, side, { backend })
      expect(definiteOne.attempts.map(({ method }) => method)).to.deep.equal(['conjugateGradient'])
      expect(definiteOne.status).to.equal('converged')
      // The choice is the same for both.
      if (backend === 'portable') return
      data[size + 2] = 0.5
      const general = solveSync(matrix, side, { backend })
      expect(general.attempts.map(({ method }) => method)).to.deep.equal(['conjugateGradient', 'minres', 'gmres'])
      expect(general.status).to.equal('converged')
    })

    it('does what it is told', () => {
      const expected = eliminate(definite, b)
      for (const method of ['cholesky', 'lu', 'qr', 'sparseCholesky', 'conjugateGradient', 'ssor'] as const) {
        for (const matrix of [definite, toCsr(definite)]) {
          const solution = solveSync(matrix, b, { backend, method, tolerance: 1e-12, history: true })
          expect(solution.method).to.equal(method)
          expect(solution.attempts.length).to.equal(1)
          expect(apart(solution.x, expected)).to.be.at.most(1e-10)
          expect(solution.history![solution.history!.length - 1]).to.equal(solution.residual)
        }
      }
      const relaxed = solveSync(toCsr(definite), b, { backend, method: 'ssor', omega: 1.1 })
      expect(misfit(definite, relaxed.x, b)).to.be.at.most(1e-8)
      // Who brings a start or a preconditioner gets an iteration.
      expect(solveSync(definite, b, { backend, x0: expected, tolerance: 1e-6 }).method).to.equal('minres')
      const small = laplacian(5, 5)
      const started = solveSync(toCsr(small), normals(25, 1), { backend, preconditioner: { kind: 'ssor' } })
      expect(started.method).to.equal('conjugateGradient')
      expect(inner(solveSync(small, new Float64Array(25), { backend }).x, new Float64Array(25).fill(1))).to.equal(0)
    })

    it('refuses what is wrong', async () => {
      const wrong = (options: Wrong, code: Wrong, message: RegExp, matrix: Wrong = definite) =>
        expectError(() => solveSync(matrix, b, { backend, ...options }), code, message)
      wrong({ method: 'gauss' }, 'ERR_OPTION', /^method: expected one of/)
      wrong({ omega: 1 }, 'ERR_OPTION', /unknown name 'omega'/)
      wrong({ tolerance: -1 }, 'ERR_OPTION', /^tolerance/)
      wrong({ method: 'lu', x0: b }, 'ERR_OPTION', /^x0: expected none for a direct method/)
      wrong({ method: 'lu', restart: 3 }, 'ERR_OPTION', /unknown name 'restart'/)
      wrong({ method: 'cholesky' }, 'ERR_SHAPE', /symmetric/, other)
      wrong({ method: 'cholesky' }, 'ERR_NOT_POSITIVE', /positive definite/, hidden)
      wrong({ method: 'lu' }, 'ERR_OPTION', /^matrix: expected one with entries/, {
        shape: [n, n],
        matvec: (x: Float64Array) => x,
      })
      wrong({ signal: {} }, 'ERR_OPTION', /^signal/)
      expectError(() => solveSync(definite, [1, 2], { backend }), 'ERR_SHAPE', /^b: expected 40 numbers/)
      expectError(() => solveSync(definite, b, null as Wrong), 'ERR_OPTION', /^options/)
      const reason = new Error('no more')
      expect(await rejection(solve(definite, b, { backend, signal: AbortSignal.abort(reason) }))).to.equal(reason)
    })
  })
})
