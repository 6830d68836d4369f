import { expect } from 'chai'
import type { BackendName } from '../../lib/index.js'
import {
  conjugateGradient,
  conjugateGradientSync,
  minresSync,
  multiplySync,
  type Stencil,
} from '../../lib/linear/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { fill, random } from '../helpers/random.js'
import { apart, eliminate, flipped, normals, product, type Rows } from './helpers.js'

/** The matrix of an operator, column by column: what its product does is tested elsewhere. */
function entriesOf(stencil: Stencil, n: number): Rows {
  const unit = (j: number) => Float64Array.from({ length: n }, (_, i) => (i === j ? 1 : 0))
  const columns = Array.from({ length: n }, (_, j) => [...multiplySync(stencil, unit(j))])
  return flipped(columns)
}

/** (D + omega L) D⁻¹ (D + omega Lᵀ) / (omega (2 - omega)) by its definition. */
function ssorMatrix(a: Rows, omega: number): Rows {
  const left = a.map((row, i) => row.map((value, j) => (j === i ? value : j < i ? omega * value : 0)))
  const right = flipped(left).map((row, i) => row.map((value) => value / a[i][i]))
  return product(left, right).map((row) => row.map((value) => value / (omega * (2 - omega))))
}

/** L Lᵀ of the Cholesky recursion, entries off the pattern of A left out. */
function incompleteMatrix(a: Rows, shift = 0): Rows {
  const n = a.length
  const l: Rows = a.map(() => new Array<number>(n).fill(0))
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      if (a[i][j] === 0 && i !== j) continue
      let sum = i === j ? a[i][i] * (1 + shift) : a[i][j]
      for (let k = 0; k < j; k++) sum -= l[i][k] * l[j][k]
      l[i][j] = i === j ? Math.sqrt(sum) : sum / l[j][j]
    }
  }
  return product(l, flipped(l))
}

function stencils(): [string, Stencil, number][] {
  const next = random(5)
  const grid = [6, 7]
  const fields = { coefficient: fill(42, () => 0.5 + next()), shift: fill(42, next) }
  const space = [3, 4, 5]
  return [
    ['5-point', { kind: 'stencil', grid }, 42],
    ['7-point', { kind: 'stencil', grid: space, shift: 0.1 }, 60],
    ['variable 5-point', { kind: 'stencil', grid, ...fields }, 42],
    ['variable 7-point', { kind: 'stencil', grid: space, coefficient: fill(60, () => 0.5 + next()), shift: 0.2 }, 60],
    ['one line', { kind: 'stencil', grid: [1, 9] }, 9],
    ['one column', { kind: 'stencil', grid: [9, 1], shift: 1 }, 9],
  ]
}

describe('linear: preconditioners on stencils', () => {
  forEachBackend((backend: BackendName) => {
    const options = { backend, tolerance: 1e-11, history: true }

    for (const [name, stencil, n] of stencils()) {
      it(`SSOR and incomplete Cholesky are those of the matrix: ${name}`, async () => {
        const a = entriesOf(stencil, n)
        const b = normals(n, 3)
        const kinds = [
          [{ kind: 'ssor', omega: 1.3 }, ssorMatrix(a, 1.3)],
          [{ kind: 'incomplete-cholesky' }, incompleteMatrix(a)],
          [{ kind: 'incomplete-cholesky', shift: 0.2 }, incompleteMatrix(a, 0.2)],
        ] as const
        for (const [preconditioner, m] of kinds) {
          const solve = (r: Float64Array) => eliminate(m, r)
          const expected = conjugateGradientSync({ matrix: a, b, preconditioner: { kind: 'user', solve } }, options)
          const found = await conjugateGradient({ matrix: stencil, b, preconditioner }, options)
          expect(found.status).to.equal('converged')
          expect(found.iterations).to.equal(expected.iterations)
          expect(apart(found.history!, expected.history!)).to.be.at.most(1e-8)
          expect(apart(found.x, eliminate(a, b))).to.be.at.most(1e-9)
        }
      })
    }

    it('leaves masked cells alone', () => {
      const mask = Uint8Array.from({ length: 49 }, (_, k) => (k % 9 === 4 ? 0 : 1))
      const stencil = { kind: 'stencil', grid: [7, 7], mask } as const
      const cells = [...mask.keys()].filter((k) => mask[k] === 1)
      const a = entriesOf(stencil, 49)
      const inner = cells.map((i) => cells.map((j) => a[i][j]))
      const b = normals(49, 1).map((value, k) => value * mask[k])
      const expected = eliminate(
        inner,
        cells.map((k) => b[k]),
      )
      for (const preconditioner of [{ kind: 'ssor', omega: 1.4 }, { kind: 'incomplete-cholesky' }] as const) {
        const { x, status } = conjugateGradientSync({ matrix: stencil, b, preconditioner }, options)
        expect(status).to.equal('converged')
        expect(
          apart(
            cells.map((k) => x[k]),
            expected,
          ),
        ).to.be.at.most(1e-9)
        expect(x.every((value, k) => mask[k] === 1 || value === 0)).to.equal(true)
      }
    })

    it('shifts where pivots fail, and refuses what is not positive', () => {
      // Indefinite: the second pivot is negative before the shift. minres takes any positive M.
      const matrix = { kind: 'stencil', grid: [3, 3], shift: -3.1 } as const
      const b = normals(9, 2)
      const solution = minresSync({ matrix, b, preconditioner: { kind: 'incomplete-cholesky' } }, options)
      expect(solution.status).to.equal('converged')
      expect(apart(solution.x, eliminate(entriesOf(matrix, 9), b))).to.be.at.most(1e-9)
      const negative = { kind: 'stencil', grid: [3, 3], shift: -5 } as const
      for (const kind of ['ssor', 'incomplete-cholesky'] as const) {
        expectError(
          () => conjugateGradientSync({ matrix: negative, b: normals(9, 2), preconditioner: { kind } }, { backend }),
          'ERR_NOT_POSITIVE',
          /^matrix/,
        )
      }
    })

    it('any number of threads gives the same bits, as entries and as a grid', () => {
      const next = random(9)
      for (const grid of [
        [150, 140],
        [24, 30, 32],
      ]) {
        const n = grid.reduce((cells, length) => cells * length, 1)
        const stencil = { kind: 'stencil', grid, coefficient: fill(n, () => 0.5 + next()) } as const
        const b = normals(n, 4)
        for (const preconditioner of [{ kind: 'ssor', omega: 1.5 }, { kind: 'incomplete-cholesky' }] as const) {
          const runs = [1, 2, 5].map((threads) =>
            conjugateGradientSync({ matrix: stencil, b, preconditioner }, { ...options, maxIterations: 12, threads }),
          )
          for (const { x } of runs.slice(1)) expect(x).to.deep.equal(runs[0].x)
        }
      }
    })
  })

  it('large grids: entries and stencil, on one thread and on many, come to the same', () => {
    const grid = [170, 150]
    const n = grid[0] * grid[1]
    const stencil = { kind: 'stencil', grid, shift: 0.05 } as const
    const csr = gridCsr(grid[0], grid[1], 0.05)
    const b = normals(n, 6)
    for (const preconditioner of [{ kind: 'ssor', omega: 1.6 }, { kind: 'incomplete-cholesky' }] as const) {
      const options = { tolerance: 1e-9, history: true } as const
      const expected = conjugateGradientSync({ matrix: csr, b, preconditioner }, { ...options, backend: 'portable' })
      for (const matrix of [csr, stencil]) {
        const runs = [1, 2, 4].map((threads) =>
          conjugateGradientSync({ matrix, b, preconditioner }, { ...options, threads }),
        )
        for (const { x, iterations } of runs) {
          expect(iterations).to.equal(expected.iterations)
          expect(apart(x, expected.x)).to.be.at.most(1e-9)
          expect(x).to.deep.equal(runs[0].x)
        }
      }
    }
  })
})

function gridCsr(height: number, width: number, shift: number) {
  const n = height * width
  const indptr = new Int32Array(n + 1)
  const [indices, data]: [number[], number[]] = [[], []]
  for (let k = 0; k < n; k++) {
    const column = k % width
    const row = [
      [k - width, k >= width, -1],
      [k - 1, column > 0, -1],
      [k, true, 4 + shift],
      [k + 1, column + 1 < width, -1],
      [k + width, k + width < n, -1],
    ] as const
    for (const [j, is, value] of row) {
      if (!is) continue
      indices.push(j)
      data.push(value)
    }
    indptr[k + 1] = indices.length
  }
  return {
    shape: [n, n] as [number, number],
    indptr,
    indices: Int32Array.from(indices),
    data: Float64Array.from(data),
  }
}
