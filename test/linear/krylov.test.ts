import { expect } from 'chai'
import fc from 'fast-check'
import type { BackendName } from '../../lib/index.js'
import {
  bicgstab,
  bicgstabSync,
  conjugateGradient,
  conjugateGradientSync,
  gmres,
  gmresSync,
  type LinearSolution,
  lsqr,
  lsqrSync,
  minres,
  minresSync,
  type PreconditionedProblem,
  type Preconditioner,
} from '../../lib/linear/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import {
  apart,
  eliminate,
  flipped,
  inner,
  laplacian,
  misfit,
  norm,
  normals,
  product,
  type Rows,
  randomDefinite,
  randomSparse,
  times,
  toCsr,
} from './helpers.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

const oracleOf = (a: Rows) => ({
  shape: [a.length, a[0].length] as [number, number],
  matvec: (x: Float64Array) => times(a, x),
  rmatvec: (x: Float64Array) => times(flipped(a), x),
})

const forms = {
  conjugateGradient: { run: conjugateGradient, runSync: conjugateGradientSync, definite: true },
  minres: { run: minres, runSync: minresSync, definite: true },
  gmres: { run: gmres, runSync: gmresSync, definite: false },
  bicgstab: { run: bicgstab, runSync: bicgstabSync, definite: false },
  lsqr: { run: lsqr, runSync: lsqrSync, definite: false },
} as const

type Name = keyof typeof forms
const names = Object.keys(forms) as Name[]
const systems = fc.record({ n: fc.integer({ min: 1, max: 25 }), seed: fc.nat(1e6) })

describe('linear: Krylov methods', () => {
  forEachBackend((backend: BackendName) => {
    for (const name of names) {
      const { run, runSync, definite } = forms[name]
      const matrixOf = definite ? randomDefinite : randomSparse
      const solve = (problem: PreconditionedProblem, options = {}): LinearSolution =>
        runSync(problem, { backend, tolerance: 1e-12, ...options })

      it(`${name} is what elimination finds, in the form of data or of an oracle`, async () => {
        check(
          fc.property(systems, ({ n, seed }) => {
            const a = matrixOf(n, seed)
            const b = normals(n, seed)
            const expected = eliminate(a, b)
            for (const matrix of [a, toCsr(a), oracleOf(a)]) {
              const solution = solve({ matrix, b }, { history: true })
              expect(solution.status).to.equal('converged')
              expect(apart(solution.x, expected)).to.be.at.most(1e-9)
              expect(misfit(a, solution.x, b)).to.be.at.most(2e-12)
              expect(solution.history!.length).to.equal(solution.iterations + 1)
              expect(solution.backend).to.equal(backend)
            }
          }),
        )
        const a = matrixOf(20, 3)
        const b = normals(20, 4)
        const matrix = { ...oracleOf(a), matvec: async (x: Float64Array) => Float64Array.from(times(a, x)) }
        const slow = await (run as typeof gmres)({ matrix, b }, { backend, tolerance: 1e-12 })
        expect(apart(slow.x, eliminate(a, b))).to.be.at.most(1e-9)
        expectError(() => solve({ matrix, b }), 'ERR_ORACLE', /got a promise$/)
      })

      it(`${name} starts where it is told, scales with b, and stops where it is told`, () => {
        const a = matrixOf(30, 7)
        const b = normals(30, 8)
        const x = eliminate(a, b)
        expect(solve({ matrix: a, b, x0: x }, { tolerance: 1e-10 }).iterations).to.equal(0)
        const one = solve({ matrix: a, b })
        for (const factor of [2 ** -600, 2 ** 600]) {
          const other = solve({ matrix: a, b: b.map((value) => value * factor) })
          expect(
            apart(
              other.x.map((value) => value / factor),
              one.x,
            ),
          ).to.be.at.most(1e-12)
        }
        expect([...solve({ matrix: a, b: new Float64Array(30), x0: x }).x]).to.deep.equal(new Array(30).fill(0))
        const cut = solve({ matrix: a, b }, { maxIterations: 2 })
        expect(cut.status).to.equal('iteration-limit')
        expect(cut.iterations).to.equal(2)
        expect(cut.residual).to.be.above(1e-12)
        const impossible = solve({ matrix: a, b }, { tolerance: 0, maxIterations: 1000 })
        expect(impossible.status).to.be.oneOf(['stalled', 'converged', 'iteration-limit'])
        expect(misfit(a, impossible.x, b)).to.be.at.most(1e-13)
      })

      it(`${name} refuses what it cannot take`, () => {
        const a = matrixOf(4, 1)
        const b = [1, 2, 3, 4]
        expectError(
          () => solve({ matrix: a, b: [1, 2] }),
          'ERR_SHAPE',
          /^b: expected 4 numbers to match the matrix, got 2/,
        )
        expectError(() => solve({ matrix: a, b: [1, 2, Number.NaN, 4] }), 'ERR_NOT_FINITE', /^b\[2\]/)
        expectError(() => solve({ matrix: a, b, x0: [1] }), 'ERR_SHAPE', /^x0: expected 4/)
        expectError(() => solve({ matrix: 3 as Wrong, b }), 'ERR_SHAPE', /^matrix: expected a matrix or an operator/)
        expectError(() => solve({ matrix: a, b }, { tolerence: 1 }), 'ERR_OPTION', /did you mean 'tolerance'/)
        expectError(() => solve({ matrix: a, B: b } as Wrong), 'ERR_OPTION', /unknown name 'B'/)
        expectError(() => solve({ matrix: a, b }, { tolerance: -1 }), 'ERR_OPTION', /^tolerance/)
        expectError(() => solve({ matrix: a, b }, { maxIterations: 0 }), 'ERR_OPTION', /^maxIterations/)
        const nan = { ...oracleOf(a), matvec: () => [1, 2, Number.NaN, 4] }
        expectError(() => solve({ matrix: nan, b, x0: [1, 1, 1, 1] }), 'ERR_NOT_FINITE', /^matvec\[2\]/)
        const short = { ...oracleOf(a), matvec: () => [1, 2] }
        expectError(() => solve({ matrix: short, b, x0: [1, 1, 1, 1] }), 'ERR_ORACLE', /^matvec: expected 4/)
        const wrong = { ...oracleOf(a), matvec: () => undefined as Wrong }
        expectError(() => solve({ matrix: wrong, b, x0: [1, 1, 1, 1] }), 'ERR_ORACLE', /^matvec: expected 4/)
        const huge = a.map((row) => row.map((value) => value * 1e307))
        expectError(
          () =>
            solve({
              matrix: huge
                .map((row) => row.map((value) => 100 * value))
                .map((row) => row.map((v) => Math.min(v, 1.7e308))),
              b,
              x0: [1, 1, 1, 1],
            }),
          'ERR_NOT_FINITE',
          /^matrix/,
        )
      })

      it(`${name} ends on abort, and when time is up`, async () => {
        const matrix = { kind: 'stencil', grid: [200, 200] } as const
        const b = normals(40_000, 2)
        const controller = new AbortController()
        const running = (run as typeof gmres)(
          { matrix, b },
          {
            backend,
            tolerance: 1e-300,
            signal: controller.signal,
            onProgress: () => controller.abort(new Error('enough')),
          },
        )
        expect(((await rejection(running)) as Error).message).to.equal('enough')
        const late = solve({ matrix, b }, { tolerance: 1e-14, timeLimit: 1 })
        expect(late.status).to.equal('time-limit')
        expect(late.residual).to.be.above(1e-14)
      })
    }

    for (const name of ['conjugateGradient', 'minres', 'gmres', 'bicgstab'] as const) {
      const { runSync } = forms[name]
      it(`${name} comes to the same with each preconditioner, in fewer iterations with the good ones`, () => {
        const a = laplacian(12, 12).map((row, i) => row.map((value, j) => (i === j ? value + (i % 7) : value)))
        const b = normals(144, 5)
        const expected = eliminate(a, b)
        const plain = runSync({ matrix: toCsr(a), b }, { backend, tolerance: 1e-11 }).iterations
        const diagonal = a.map((row, i) => row[i])
        const inverse = flipped(
          a.map((_, j) =>
            eliminate(
              a,
              Float64Array.from(a, (_, i) => (i === j ? 1 : 0)),
            ),
          ),
        )
        const preconditioners: [Preconditioner, number][] = [
          [{ kind: 'jacobi' }, plain],
          [{ kind: 'jacobi', diagonal }, plain],
          [{ kind: 'ssor', omega: 1.3 }, plain * 0.8],
          [{ kind: 'user', solve: (r) => r.map((value, i) => value / diagonal[i]) }, plain],
          [{ kind: 'operator', inverse }, 2],
          [{ kind: 'user', solve: (r) => times(inverse, r) }, 2],
        ]
        for (const [preconditioner, most] of preconditioners) {
          for (const matrix of [toCsr(a), preconditioner.kind === 'ssor' ? a : oracleOf(a)]) {
            if (!('indptr' in matrix) && preconditioner.kind === 'jacobi' && preconditioner.diagonal === undefined) {
              continue
            }
            const solution = runSync({ matrix, b, preconditioner }, { backend, tolerance: 1e-11 })
            expect(solution.status).to.equal('converged')
            expect(apart(solution.x, expected)).to.be.at.most(1e-9)
            expect(solution.iterations).to.be.at.most(most)
          }
        }
      })
    }

    it('conjugate gradients end after as many steps as A has eigenvalues, each the best of its space', () => {
      const diagonal = Array.from({ length: 60 }, (_, i) => [1, 3, 10, 40][i % 4])
      const a = diagonal.map((value, i) => diagonal.map((_, j) => (i === j ? value : 0)))
      const b = normals(60, 3)
      const solution = conjugateGradientSync({ matrix: a, b }, { backend, tolerance: 1e-12 })
      expect(solution.iterations).to.equal(4)
      // The error in the norm of A falls in every step.
      const other = randomDefinite(25, 9)
      const x = eliminate(other, b.slice(0, 25))
      let last = Number.POSITIVE_INFINITY
      for (let k = 1; k < 12; k++) {
        const cut = conjugateGradientSync(
          { matrix: other, b: b.slice(0, 25) },
          { backend, maxIterations: k, tolerance: 0 },
        )
        const error = Array.from(cut.x, (value, i) => value - x[i])
        const size = inner(error, times(other, error))
        expect(size).to.be.below(last)
        last = size
      }
    })

    it('minres takes indefinite systems, where the residual never grows, and gmres agrees step by step', () => {
      const a = randomDefinite(30, 4).map((row, i) => row.map((value, j) => (i === j && i % 3 === 0 ? -value : value)))
      const b = normals(30, 6)
      const solution = minresSync({ matrix: a, b }, { backend, tolerance: 1e-12, history: true })
      expect(apart(solution.x, eliminate(a, b))).to.be.at.most(1e-9)
      const { history } = gmresSync({ matrix: a, b }, { backend, tolerance: 1e-12, restart: 30, history: true })
      for (let k = 1; k < 15; k++) {
        expect(solution.history![k]).to.be.at.most(solution.history![k - 1] * (1 + 1e-12))
        expect(solution.history![k]).to.be.closeTo(history![k], 1e-9)
      }
      expectError(() => conjugateGradientSync({ matrix: a, b }, { backend }), 'ERR_NOT_POSITIVE', /p·Ap = -/)
    })

    it('gmres without restart ends after n steps; with restarts it comes there too', () => {
      const a = randomSparse(25, 11, 0.5)
      const b = normals(25, 12)
      const whole = gmresSync({ matrix: a, b }, { backend, tolerance: 1e-12, restart: 25 })
      expect(whole.iterations).to.be.at.most(25)
      const parts = gmresSync({ matrix: a, b }, { backend, tolerance: 1e-12, restart: 3 })
      expect(parts.status).to.equal('converged')
      expect(apart(parts.x, whole.x)).to.be.at.most(1e-9)
      // A cyclic shift gives no progress before the last step: a restart earlier never gets anywhere.
      const shift = Array.from({ length: 8 }, (_, i) =>
        Array.from({ length: 8 }, (_, j) => (j === (i + 1) % 8 ? 1 : 0)),
      )
      const unit = Float64Array.from([1, 0, 0, 0, 0, 0, 0, 0])
      expect(gmresSync({ matrix: shift, b: unit }, { backend, restart: 8 }).status).to.equal('converged')
      expect(gmresSync({ matrix: shift, b: unit }, { backend, restart: 4 }).status).to.equal('stalled')
    })

    it('singular systems: solved where they can be, never an answer that is none', () => {
      const a = [
        [2, -1, -1],
        [-1, 2, -1],
        [-1, -1, 2],
      ]
      for (const name of names) {
        const { runSync } = forms[name]
        const fine = runSync({ matrix: a, b: [1, 1, -2] }, { backend, tolerance: 1e-10 })
        expect(fine.status, name).to.equal('converged')
        expect(misfit(a, fine.x, [1, 1, -2])).to.be.at.most(1e-10)
      }
      for (const name of ['minres', 'gmres', 'bicgstab'] as const) {
        const bad = forms[name].runSync({ matrix: a, b: [1, 1, 1.5] }, { backend, tolerance: 1e-10 })
        expect(bad.status, name).to.equal('stalled')
        expect(bad.x.every(Number.isFinite)).to.equal(true)
        expect(bad.residual).to.be.above(1e-3)
      }
      // What is left of b is its part in the null space.
      const least = lsqrSync({ matrix: a, b: [1, 1, 1.5] }, { backend, tolerance: 1e-10 })
      expect(least.status).to.equal('converged')
      expect(least.fit).to.be.closeTo(3.5 / Math.sqrt(3) / norm([1, 1, 1.5]), 1e-9)
      for (const runSync of [conjugateGradientSync, minresSync]) {
        const constant = runSync({ matrix: a, b: [1, 1, 1.5] }, { backend, tolerance: 1e-12, nullspace: 'constant' })
        expect(constant.status).to.equal('converged')
        expect(constant.x.reduce((sum, value) => sum + value, 0)).to.be.closeTo(0, 1e-12)
        const mean = 3.5 / 3
        expect(misfit(a, constant.x, [1 - mean, 1 - mean, 1.5 - mean])).to.be.at.most(1e-11)
      }
      const zeroRow = toCsr([
        [2, 0, 1],
        [0, 0, 0],
        [1, 0, 2],
      ])
      expect(conjugateGradientSync({ matrix: zeroRow, b: [1, 0, 1] }, { backend }).status).to.equal('converged')
      for (const runSync of [conjugateGradientSync, minresSync]) {
        expectError(
          () => runSync({ matrix: zeroRow, b: [1, 2, 1] }, { backend }),
          'ERR_INFEASIBLE',
          /^b\[1\]: expected 0/,
        )
      }
    })

    it('refuses what is not symmetric, or no preconditioner', () => {
      const a = randomSparse(12, 5)
      const b = normals(12, 1)
      for (const runSync of [conjugateGradientSync, minresSync]) {
        expectError(
          () => runSync({ matrix: a, b }, { backend }),
          'ERR_NOT_POSITIVE',
          /^matrix: expected a symmetric one/,
        )
        expect(runSync({ matrix: a, b }, { backend, checkSymmetry: false, maxIterations: 5 }).iterations).to.be.at.most(
          5,
        )
        const s = randomDefinite(12, 5)
        const negative: Preconditioner = { kind: 'user', solve: (r) => r.map((value) => -value) }
        expectError(
          () => runSync({ matrix: s, b, preconditioner: negative }, { backend }),
          'ERR_NOT_POSITIVE',
          /^precond/,
        )
      }
      const solve = (preconditioner: Wrong) => gmresSync({ matrix: a, b, preconditioner }, { backend })
      expectError(() => solve({ kind: 'ilu' }), 'ERR_OPTION', /^preconditioner.kind: expected one of/)
      expectError(
        () => solve({ kind: 'ssor', omega: 2 }),
        'ERR_OPTION',
        /^preconditioner.omega: expected a number in \(0, 2\)/,
      )
      expectError(() => solve({ kind: 'ssor', omge: 1 }), 'ERR_OPTION', /did you mean 'omega'/)
      expectError(() => solve({ kind: 'jacobi', diagonal: [1] }), 'ERR_SHAPE', /^preconditioner.diagonal: expected 12/)
      expectError(
        () => solve({ kind: 'jacobi', diagonal: new Float64Array(12) }),
        'ERR_SINGULAR',
        /^preconditioner.diagonal/,
      )
      expectError(() => solve({ kind: 'user' }), 'ERR_ORACLE', /^preconditioner.solve: expected a function/)
      expectError(
        () => solve({ kind: 'operator', inverse: [[1]] }),
        'ERR_SHAPE',
        /^preconditioner.inverse: expected a 12×12/,
      )
      expectError(() => solve('jacobi'), 'ERR_OPTION', /^preconditioner: expected/)
      expectError(
        () => gmresSync({ matrix: [[1, 2]], b: [1] }, { backend }),
        'ERR_SHAPE',
        /^matrix: expected a square one/,
      )
      const oracle = { matrix: oracleOf(a), b, preconditioner: { kind: 'ssor' } as const }
      expectError(() => gmresSync(oracle, { backend }), 'ERR_OPTION', /expected a matrix with entries/)
    })

    it('lsqr: least squares, damping, least norm, and a sketched R', () => {
      const a: Rows = Array.from({ length: 40 }, (_, i) =>
        Array.from(normals(8, i + 1), (value, j) => value * 10 ** (j / 2)),
      )
      const b = normals(40, 99)
      const normal = product(flipped(a), a)
      const right = times(flipped(a), b)
      const expected = eliminate(normal, right)
      for (const matrix of [a, toCsr(a), oracleOf(a)]) {
        const solution = lsqrSync({ matrix, b }, { backend, tolerance: 1e-13 })
        expect(solution.status).to.equal('converged')
        expect(apart(solution.x, expected)).to.be.at.most(1e-8)
        expect(solution.normalResidual).to.be.at.most(1e-13)
        expect(solution.fit).to.be.closeTo(misfit(a, solution.x, b), 1e-10)
        const damped = lsqrSync({ matrix, b }, { backend, tolerance: 1e-13, damp: 3 })
        const shifted = normal.map((row, i) => row.map((value, j) => (i === j ? value + 9 : value)))
        expect(apart(damped.x, eliminate(shifted, right))).to.be.at.most(1e-8)
        expect(damped.status).to.equal('converged')
      }
      // R of the Cholesky decomposition of AᵀA makes the columns orthonormal: one step.
      const r: Rows = normal.map((row) => row.map(() => 0))
      for (let i = 0; i < 8; i++) {
        for (let j = i; j < 8; j++) {
          let sum = normal[i][j]
          for (let k = 0; k < i; k++) sum -= r[k][i] * r[k][j]
          r[i][j] = i === j ? Math.sqrt(sum) : sum / r[i][i]
        }
      }
      for (const matrix of [toCsr(a), oracleOf(a)]) {
        const solution = lsqrSync({ matrix, b, preconditioner: { kind: 'upper', r } }, { backend, tolerance: 1e-11 })
        expect(solution.iterations).to.be.at.most(3)
        expect(apart(solution.x, expected)).to.be.at.most(1e-8)
      }
      // Wide: the solution of least norm is Aᵀ (A Aᵀ)⁻¹ c.
      const wide = flipped(a)
      const c = normals(8, 5)
      const least = times(a, eliminate(normal, c))
      expect(apart(lsqrSync({ matrix: wide, b: c }, { backend, tolerance: 1e-13 }).x, least)).to.be.at.most(1e-8)
      const refuse = (problem: Wrong, options: Wrong, code: Wrong, message: RegExp) =>
        expectError(() => lsqrSync({ matrix: a, b, ...problem }, { backend, ...options }), code, message)
      refuse({ preconditioner: { kind: 'jacobi' } }, {}, 'ERR_OPTION', /expected 'upper', got 'jacobi'/)
      refuse({ preconditioner: { kind: 'upper', r } }, { damp: 1 }, 'ERR_OPTION', /^preconditioner: expected none/)
      refuse({ x0: new Float64Array(8) }, { damp: 1 }, 'ERR_OPTION', /^x0: expected none/)
      refuse({ matrix: { ...oracleOf(a), rmatvec: undefined } }, {}, 'ERR_ORACLE', /^matrix.rmatvec/)
      const flat = r.map((row, i) => (i === 3 ? row.map(() => 0) : row))
      refuse({ preconditioner: { kind: 'upper', r: flat } }, {}, 'ERR_SINGULAR', /^preconditioner.r\[3\]\[3\]/)
    })
  })

  it('both backends and any number of threads give the same', () => {
    const matrix = { kind: 'stencil', grid: [150, 150] } as const
    const b = normals(22_500, 3)
    const preconditioner = { kind: 'ssor', omega: 1.6 } as const
    const solve = (backend: BackendName, threads: number) =>
      conjugateGradientSync({ matrix, b, preconditioner }, { backend, threads, tolerance: 1e-12 })
    const [one, two, portable] = [solve('native', 1), solve('native', 2), solve('portable', 1)]
    expect([...one.x]).to.deep.equal([...two.x])
    expect(apart(portable.x, one.x)).to.be.at.most(1e-9)
    expect(Math.abs(portable.iterations - one.iterations)).to.be.at.most(1)
  })
})
