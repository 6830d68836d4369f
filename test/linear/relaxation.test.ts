import { expect } from 'chai'
import type { BackendName } from '../../lib/index.js'
import { conjugateGradientSync, jacobiSync, sor, sorSync, ssorSync } from '../../lib/linear/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, rejection } from '../helpers/errors.js'
import {
  apart,
  eliminate,
  flipped,
  laplacian,
  misfit,
  normals,
  product,
  type Rows,
  randomSparse,
  times,
  toCsr,
} from './helpers.js'

/** One sweep of SOR by its textbook form, entry by entry. */
function sweep(a: Rows, b: ArrayLike<number>, x: number[], omega: number, order: number[]): void {
  for (const i of order) {
    let sum = b[i]
    for (let j = 0; j < x.length; j++) if (j !== i) sum -= a[i][j] * x[j]
    x[i] = (1 - omega) * x[i] + (omega * sum) / a[i][i]
  }
}

describe('linear: relaxation', () => {
  forEachBackend((backend: BackendName) => {
    const a = laplacian(6, 5).map((row, i) => row.map((value, j) => (i === j ? value + (i % 4) / 3 : value)))
    const n = a.length
    const ascending = a.map((_, i) => i)
    const descending = [...ascending].reverse()

    it('sor and ssor go through the rows as the textbook says', () => {
      const b = normals(n, 1)
      const x0 = normals(n, 2)
      for (const omega of [0.7, 1, 1.5, 1.9]) {
        for (const iterations of [1, 2, 7]) {
          const options = { backend, omega, maxIterations: iterations, tolerance: 0 }
          const x = [...x0]
          for (let k = 0; k < iterations; k++) sweep(a, b, x, omega, ascending)
          expect(apart(sorSync({ matrix: toCsr(a), b, x0 }, options).x, x)).to.be.at.most(1e-12)
          const both = [...x0]
          for (let k = 0; k < iterations; k++) {
            sweep(a, b, both, omega, ascending)
            sweep(a, b, both, omega, descending)
          }
          const solution = ssorSync({ matrix: toCsr(a), b, x0 }, options)
          expect(apart(solution.x, both)).to.be.at.most(1e-12)
          expect(solution.residual).to.be.closeTo(misfit(a, both, b), 1e-12)
        }
      }
    })

    it('jacobi does too', () => {
      const b = normals(n, 1)
      let x = Array.from(normals(n, 2))
      const start = Float64Array.from(x)
      for (let k = 0; k < 5; k++) x = times(a, x).map((value, i) => x[i] + (0.8 * (b[i] - value)) / a[i][i])
      const options = { backend, omega: 0.8, maxIterations: 5, tolerance: 0 }
      expect(apart(jacobiSync({ matrix: a, b, x0: start }, options).x, x)).to.be.at.most(1e-13)
    })

    it('the residual falls by omega - 1 beyond the best omega, which is known for a grid', () => {
      const best = 2 / (1 + Math.sin(Math.PI / 11))
      expect(best).to.be.closeTo(1.5604, 1e-4)
      const b = normals(100, 3)
      const matrix = { kind: 'stencil', grid: [10, 10] } as const
      const count = (omega: number) => sorSync({ matrix, b }, { backend, omega }).iterations
      for (const omega of [best + 0.1, 1.8, 1.9]) {
        const { history, iterations } = sorSync({ matrix, b }, { backend, omega, history: true, tolerance: 1e-12 })
        const from = Math.floor(iterations / 2)
        const rate = (history![iterations] / history![from]) ** (1 / (iterations - from))
        expect(rate).to.be.closeTo(omega - 1, 0.03)
      }
      // Below it: (omega beta + root)² / 4, at omega = 1 the square of the cosine.
      const gauss = sorSync({ matrix, b }, { backend, omega: 1, history: true }).history!
      expect(gauss[gauss.length - 1] / gauss[gauss.length - 2]).to.be.closeTo(Math.cos(Math.PI / 11) ** 2, 1e-3)
      expect(count(best)).to.be.below(Math.min(count(1), count(1.4), count(1.75)))
    })

    it('a shift c moves the best omega as beta = 4 cos(pi / 11) / (4 + c) says, and one too far down is refused', () => {
      const grid = laplacian(10, 10)
      const shifted = (c: number) => toCsr(grid.map((row, i) => row.map((value, j) => (i === j ? value + c : value))))
      const b = normals(100, 4)
      for (const c of [-0.1, 0.4]) {
        const beta = (4 * Math.cos(Math.PI / 11)) / (4 + c)
        const best = 1 + (beta / (1 + Math.sqrt(1 - beta * beta))) ** 2
        const matrix = shifted(c)
        // Below the best omega: rho = (omega beta + √(omega² beta² - 4 (omega - 1)))² / 4.
        const omega = best - 0.15
        const rho = (omega * beta + Math.sqrt((omega * beta) ** 2 - 4 * (omega - 1))) ** 2 / 4
        const { history, iterations } = sorSync({ matrix, b }, { backend, omega, history: true, tolerance: 1e-13 })
        expect(history![iterations] / history![iterations - 1]).to.be.closeTo(rho, 2e-3)
        const count = (value: number) => sorSync({ matrix, b }, { backend, omega: value }).iterations
        expect(count(best)).to.be.below(Math.min(count(best - 0.1), count(best + 0.1)))
      }
      // The least eigenvalue of the grid is 8 sin²(pi / 22) = 0.162.
      const indefinite = { matrix: shifted(-0.2), b }
      expectError(() => sorSync(indefinite, { backend, omega: 1.5 }), 'ERR_NOT_POSITIVE', /got diverging sweeps/)
      const preconditioner = { kind: 'ssor', omega: 1.5 } as const
      expectError(
        () => conjugateGradientSync({ ...indefinite, preconditioner }, { backend, tolerance: 1e-12 }),
        'ERR_NOT_POSITIVE',
        /p·Ap = -/,
      )
    })

    it('the SSOR preconditioner is the inverse of its matrix', () => {
      const b = normals(n, 5)
      for (const omega of [0.8, 1, 1.6]) {
        // M = (D + omega L) D⁻¹ (D + omega Lᵀ) / (omega (2 - omega))
        const left: Rows = a.map((row, i) => row.map((value, j) => (j === i ? value : j < i ? omega * value : 0)))
        const right = flipped(left).map((row, i) => row.map((value) => value / a[i][i]))
        const m = product(left, right).map((row) => row.map((value) => value / (omega * (2 - omega))))
        const solve = (r: Float64Array) => eliminate(m, r)
        const options = { backend, tolerance: 1e-10, history: true }
        const user = conjugateGradientSync({ matrix: a, b, preconditioner: { kind: 'user', solve } }, options)
        const ssor = conjugateGradientSync({ matrix: toCsr(a), b, preconditioner: { kind: 'ssor', omega } }, options)
        expect(ssor.iterations).to.equal(user.iterations)
        expect(apart(ssor.history!, user.history!)).to.be.at.most(1e-9)
      }
    })

    it('refuses what cannot converge', async () => {
      const b = [1, 3]
      const refuse = (
        matrix: Rows,
        code: 'ERR_NOT_POSITIVE' | 'ERR_OPTION' | 'ERR_SHAPE',
        message: RegExp,
        options = {},
      ) => {
        for (const runSync of [sorSync, ssorSync]) {
          expectError(() => runSync({ matrix, b }, { backend, ...options }), code, message)
        }
      }
      refuse(
        [
          [1, 0],
          [0, 0],
        ],
        'ERR_NOT_POSITIVE',
        /^matrix\[1\]\[1\]: expected a positive diagonal, got 0/,
      )
      refuse(
        [
          [1, 0],
          [0, -2],
        ],
        'ERR_NOT_POSITIVE',
        /^matrix\[1\]\[1\]: expected a positive diagonal, got -2/,
      )
      refuse(
        [
          [2, 1],
          [0, 2],
        ],
        'ERR_NOT_POSITIVE',
        /^matrix: expected a symmetric one/,
      )
      refuse(
        [
          [1, 2],
          [2, 1],
        ],
        'ERR_NOT_POSITIVE',
        /got diverging sweeps/,
      )
      refuse(
        [
          [1, 0],
          [0, 1],
        ],
        'ERR_OPTION',
        /^omega: expected a number in \(0, 2\), got 2/,
        { omega: 2 },
      )
      refuse(
        [
          [1, 0],
          [0, 1],
        ],
        'ERR_OPTION',
        /^omega/,
        { omega: 0 },
      )
      refuse(
        [
          [1, 0],
          [0, 1],
        ],
        'ERR_OPTION',
        /did you mean 'omega'/,
        { omegs: 1 },
      )
      refuse(
        [
          [1, 0, 1],
          [0, 1, 1],
        ],
        'ERR_SHAPE',
        /^matrix: expected a square one/,
      )
      expectError(
        () =>
          jacobiSync(
            {
              matrix: [
                [0, 1],
                [1, 0],
              ],
              b,
            },
            { backend },
          ),
        'ERR_SINGULAR',
        /^matrix\[0\]\[0\]/,
      )
      const diverging = jacobiSync(
        {
          matrix: [
            [1, 2],
            [2, 1],
          ],
          b,
        },
        { backend },
      )
      expect(diverging.status).to.equal('stalled')
      expect(diverging.x.every(Number.isFinite)).to.equal(true)
      const oracle = { shape: [2, 2] as [number, number], matvec: (x: Float64Array) => x }
      expectError(() => sorSync({ matrix: oracle, b }, { backend }), 'ERR_OPTION', /^matrix: expected one with entries/)
      const dominant = randomSparse(20, 4)
      const other = normals(20, 1)
      const solution = sorSync({ matrix: dominant, b: other }, { backend, checkSymmetry: false })
      expect(misfit(dominant, solution.x, other)).to.be.at.most(1e-8)
      const matrix = { kind: 'stencil', grid: [150, 150] } as const
      const controller = new AbortController()
      const onProgress = () => controller.abort(new Error('enough'))
      const running = sor({ matrix, b: normals(22_500, 1) }, { backend, signal: controller.signal, onProgress })
      expect(((await rejection(running)) as Error).message).to.equal('enough')
      const late = sorSync({ matrix, b: normals(22_500, 1) }, { backend, timeLimit: 5, tolerance: 1e-14 })
      expect(late.status).to.equal('time-limit')
    })
  })
})
