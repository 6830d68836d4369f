import { expect } from 'chai'
import fc from 'fast-check'
import type { BackendName } from '../../lib/index.js'
import {
  conjugateGradient,
  conjugateGradientSync,
  formatMatrixMarket,
  gmresSync,
  incompleteCholesky,
  incompleteCholeskySync,
  minresSync,
  parseMatrixMarket,
  type SparseCholeskyOptions,
  sparseCholesky,
  sparseCholeskySync,
} from '../../lib/linear/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { random, shuffled } from '../helpers/random.js'
import {
  apart,
  eliminate,
  flipped,
  laplacian,
  misfit,
  normals,
  product,
  type Rows,
  randomDefinite,
  times,
  toCsr,
} from './helpers.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

/** log |det A| by elimination with pivots. */
function logDeterminant(a: Rows): number {
  const m = a.map((row) => [...row])
  let sum = 0
  for (let k = 0; k < m.length; k++) {
    let pivot = k
    for (let i = k; i < m.length; i++) if (Math.abs(m[i][k]) > Math.abs(m[pivot][k])) pivot = i
    ;[m[k], m[pivot]] = [m[pivot], m[k]]
    sum += Math.log(Math.abs(m[k][k]))
    for (let i = k + 1; i < m.length; i++) {
      const factor = m[i][k] / m[k][k]
      for (let j = k; j < m.length; j++) m[i][j] -= factor * m[k][j]
    }
  }
  return sum
}

const matrices = fc.record({
  n: fc.integer({ min: 1, max: 60 }),
  seed: fc.nat(1e6),
  density: fc.constantFrom(0.02, 0.05, 0.15, 0.6),
  ordering: fc.constantFrom('minimum-degree' as const, 'natural' as const),
})

describe('linear: factors', () => {
  forEachBackend((backend: BackendName) => {
    const factorize = (a: Wrong, options: SparseCholeskyOptions = {}) => sparseCholeskySync(a, { backend, ...options })

    it('sparseCholesky solves, and knows the determinant', () => {
      check(
        fc.property(matrices, ({ n, seed, density, ordering }) => {
          const a = randomDefinite(n, seed, density)
          const b = normals(n, seed)
          const factor = factorize(toCsr(a), { ordering })
          expect(apart(factor.solveSync(b), eliminate(a, b))).to.be.at.most(1e-10)
          expect(factor.logDeterminant).to.be.closeTo(logDeterminant(a), 1e-9 * n)
          expect(factor.negativePivots).to.equal(0)
          expect([...factor.permutation].sort((i, j) => i - j)).to.deep.equal(a.map((_, i) => i))
        }),
        { runs: 150 },
      )
    })

    it('its order keeps grids, stars and arrows sparse', () => {
      const grid = { kind: 'stencil', grid: [40, 40] } as const
      const natural = factorize(grid, { ordering: 'natural' }).nonzeros
      const factor = factorize(grid)
      expect(natural).to.be.within(40 * 1600 * 0.9, 41 * 1600)
      expect(factor.nonzeros).to.be.below(natural / 2.5)
      const b = normals(1600, 1)
      expect(misfit(laplacian(40, 40), factor.solveSync(b), b)).to.be.at.most(1e-13)
      // A full first row: no fill once it comes last, whatever the labels.
      const n = 400
      const label = shuffled(n, random(5))
      const arrow: Rows = Array.from({ length: n }, () => new Array<number>(n).fill(0))
      for (let i = 0; i < n; i++) {
        arrow[label[i]][label[i]] = i === 0 ? n : 2
        if (i > 0) arrow[label[0]][label[i]] = arrow[label[i]][label[0]] = 1
      }
      expect(factorize(toCsr(arrow)).nonzeros).to.equal(2 * n - 1)
      // A tree has no fill either.
      const tree: Rows = Array.from({ length: n }, () => new Array<number>(n).fill(0))
      for (let i = 0; i < n; i++) {
        tree[label[i]][label[i]] = 5
        if (i === 0) continue
        const [child, parent] = [label[i], label[Math.floor((i - 1) / 3)]]
        tree[child][parent] = tree[parent][child] = -1
      }
      expect(factorize(toCsr(tree)).nonzeros).to.equal(2 * n - 1)
    })

    it('indefinite ones: the inertia of a KKT matrix', () => {
      const h = randomDefinite(12, 3)
      const kkt: Rows = Array.from({ length: 17 }, (_, i) =>
        Array.from({ length: 17 }, (_, j) => {
          if (i < 12 && j < 12) return h[i][j]
          if (i >= 12 && j >= 12) return i === j ? -0.1 : 0
          return Math.sin(1 + Math.min(i, j) * 7 + Math.max(i, j))
        }),
      )
      const b = normals(17, 2)
      const factor = factorize(toCsr(kkt), { indefinite: true })
      expect(factor.negativePivots).to.equal(5)
      expect(factor.logDeterminant).to.be.closeTo(logDeterminant(kkt), 1e-9)
      expect(apart(factor.solveSync(b), eliminate(kkt, b))).to.be.at.most(1e-10)
      expectError(
        () => factorize(toCsr(kkt)),
        'ERR_NOT_POSITIVE',
        /^matrix\[\d+\]\[\d+\]: expected a positive definite/,
      )
    })

    it('refuses what has no such factor, and a factor that is gone', async () => {
      const singular = [
        [1, 1],
        [1, 1],
      ]
      expectError(() => factorize(singular), 'ERR_NOT_POSITIVE', /got a pivot of 0/)
      expectError(() => factorize(singular, { indefinite: true }), 'ERR_SINGULAR', /pivots other than 0/)
      expectError(() => factorize([[0]]), 'ERR_NOT_POSITIVE', /^matrix\[0\]\[0\]/)
      const skew = [
        [2, 1],
        [0, 2],
      ]
      expectError(
        () => factorize(skew),
        'ERR_NOT_POSITIVE',
        'matrix[0][1]: expected a symmetric matrix, got 1 here and 0 at [1][0]',
      )
      expectError(() => factorize([[1, 2]]), 'ERR_SHAPE', /^matrix: expected a square one/)
      expectError(() => factorize([[Number.NaN]]), 'ERR_NOT_FINITE', /^matrix/)
      expectError(() => factorize([[1]], { ordering: 'amd' } as Wrong), 'ERR_OPTION', /^ordering/)
      expectError(() => factorize({ shape: [1, 1], matvec: (x: Float64Array) => x }), 'ERR_ORACLE', /^matrix/)
      const factor = await sparseCholesky([[4]], { backend })
      expect([...(await factor.solve([2]))]).to.deep.equal([0.5])
      expectError(() => factor.solveSync([1, 2]), 'ERR_SHAPE', /^b: expected 1/)
      factor.dispose()
      expectError(() => factor.solveSync([2]), 'ERR_BUFFER', /^factor: expected a live factor/)
      const controller = new AbortController()
      const running = sparseCholesky(
        { kind: 'stencil', grid: [25, 25, 25] },
        { backend, signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) },
      )
      expect(((await rejection(running)) as Error).message).to.equal('enough')
    })

    it('incomplete Cholesky is complete where nothing fills in', () => {
      const chain = laplacian(1, 30)
      const { lower, shift } = incompleteCholeskySync(toCsr(chain), { backend })
      expect(shift).to.equal(0)
      const l: Rows = chain.map((row) => row.map(() => 0))
      for (let i = 0; i < 30; i++)
        for (let k = lower.indptr[i]; k < lower.indptr[i + 1]; k++) l[i][lower.indices[k]] = lower.data[k]
      const back = product(l, flipped(l))
      for (let i = 0; i < 30; i++) for (let j = 0; j < 30; j++) expect(back[i][j]).to.be.closeTo(chain[i][j], 1e-13)
      const solution = conjugateGradientSync(
        { matrix: toCsr(chain), b: normals(30, 1), preconditioner: { kind: 'factor', lower } },
        { backend, tolerance: 1e-12 },
      )
      expect(solution.iterations).to.equal(1)
    })

    it('incomplete Cholesky keeps the entries of A on its pattern', async () => {
      const a = randomDefinite(40, 8, 0.15)
      const { lower } = await incompleteCholesky(toCsr(a), { backend })
      const l: Rows = a.map((row) => row.map(() => 0))
      for (let i = 0; i < 40; i++)
        for (let k = lower.indptr[i]; k < lower.indptr[i + 1]; k++) l[i][lower.indices[k]] = lower.data[k]
      const back = product(l, flipped(l))
      for (let i = 0; i < 40; i++) {
        for (let j = 0; j < 40; j++) if (a[i][j] !== 0) expect(back[i][j]).to.be.closeTo(a[i][j], 1e-12)
      }
    })

    it('as a preconditioner it needs fewer steps than SSOR, in every form', async () => {
      const matrix = { kind: 'stencil', grid: [60, 60] } as const
      const b = normals(3600, 4)
      const options = { backend, tolerance: 1e-10 }
      const plain = conjugateGradientSync({ matrix, b }, options)
      const factor = incompleteCholeskySync(matrix, { backend })
      for (const preconditioner of [{ kind: 'incomplete-cholesky' } as const, factor]) {
        const solution = conjugateGradientSync({ matrix, b, preconditioner }, options)
        expect(solution.status).to.equal('converged')
        expect(solution.iterations).to.be.below(plain.iterations / 2.5)
        expect(apart(solution.x, plain.x)).to.be.at.most(1e-8)
        const promised = await conjugateGradient({ matrix, b, preconditioner }, options)
        expect([...promised.x]).to.deep.equal([...solution.x])
        for (const runSync of [minresSync, gmresSync]) {
          expect(runSync({ matrix, b, preconditioner }, options).iterations).to.be.below(plain.iterations)
        }
      }
    })

    it('shifts what is positive definite but breaks down', () => {
      // Kershaw's matrix.
      const a = [
        [3, -2, 0, 2],
        [-2, 3, -2, 0],
        [0, -2, 3, -2],
        [2, 0, -2, 3],
      ]
      const factor = incompleteCholeskySync(toCsr(a), { backend })
      expect(factor.shift).to.be.within(1e-3, 10)
      const b = [1, 2, 3, 4]
      const solution = conjugateGradientSync({ matrix: a, b, preconditioner: factor }, { backend, tolerance: 1e-11 })
      expect(apart(solution.x, eliminate(a, b))).to.be.at.most(1e-9)
      const refuse = (given: Wrong, code: Wrong, message: RegExp, options = {}) =>
        expectError(() => incompleteCholeskySync(given, { backend, ...options }), code, message)
      refuse([[-1]], 'ERR_NOT_POSITIVE', /^matrix\[0\]\[0\]: expected a positive diagonal, got -1/)
      refuse(
        toCsr([
          [0, 1],
          [1, 1],
        ]),
        'ERR_NOT_POSITIVE',
        /^matrix\[0\]\[0\]: expected a positive diagonal, got 0/,
      )
      refuse(
        [
          [1, 2],
          [3, 1],
        ],
        'ERR_NOT_POSITIVE',
        /expected a symmetric matrix/,
      )
      refuse([[1]], 'ERR_OPTION', /^shift/, { shift: -1 })
      const lower = toCsr([
        [1, 1],
        [0, 1],
      ])
      const bad = {
        matrix: [
          [2, 1],
          [1, 2],
        ],
        b: [1, 2],
        preconditioner: { kind: 'factor', lower },
      } as const
      expectError(() => conjugateGradientSync(bad as Wrong, { backend }), 'ERR_NOT_POSITIVE', /^preconditioner.lower/)
    })

    it('deflation takes the eigenvalues out that its vectors belong to', () => {
      const [height, width] = [20, 20]
      const matrix = { kind: 'stencil', grid: [height, width] } as const
      const a = laplacian(height, width)
      const b = normals(400, 6)
      const options = { backend, tolerance: 1e-11 }
      const plain = conjugateGradientSync({ matrix, b }, options)
      const modes = [
        [1, 1],
        [1, 2],
        [2, 1],
        [2, 2],
        [1, 3],
        [3, 1],
      ]
      const vectors = modes.map(([p, q]) =>
        Array.from(
          { length: 400 },
          (_, k) =>
            Math.sin((Math.PI * p * (Math.floor(k / width) + 1)) / (height + 1)) *
            Math.sin((Math.PI * q * ((k % width) + 1)) / (width + 1)),
        ),
      )
      const deflation = { kind: 'deflation', vectors } as const
      const solution = conjugateGradientSync({ matrix, b, preconditioner: deflation }, options)
      expect(solution.iterations).to.be.below(plain.iterations * 0.75)
      expect(apart(solution.x, eliminate(a, b))).to.be.at.most(1e-9)
      const inner = { ...deflation, inner: { kind: 'ssor', omega: 1.4 } } as const
      const both = conjugateGradientSync({ matrix, b, preconditioner: inner }, options)
      expect(both.iterations).to.be.below(solution.iterations)
      expect(apart(both.x, solution.x)).to.be.at.most(1e-9)
      const oracle = { shape: [400, 400] as [number, number], matvec: (x: Float64Array) => times(a, x) }
      const user = { ...deflation, inner: { kind: 'user', solve: (r: Float64Array) => r } } as const
      for (const problem of [
        { matrix: oracle, b, preconditioner: deflation },
        { matrix, b, preconditioner: user },
      ]) {
        const other = conjugateGradientSync(problem, options)
        expect(Math.abs(other.iterations - solution.iterations)).to.be.at.most(1)
        expect(apart(other.x, solution.x)).to.be.at.most(1e-9)
      }
      const refuse = (preconditioner: Wrong, code: Wrong, message: RegExp) =>
        expectError(() => conjugateGradientSync({ matrix, b, preconditioner }, options), code, message)
      refuse(
        { kind: 'deflation', vectors: [vectors[0], vectors[0]] },
        'ERR_NOT_POSITIVE',
        /^preconditioner.vectors\[1\]/,
      )
      refuse({ kind: 'deflation', vectors: [[1, 2]] }, 'ERR_SHAPE', /^preconditioner.vectors: expected rows of 400/)
      expectError(
        () => minresSync({ matrix, b, preconditioner: deflation }, options),
        'ERR_OPTION',
        /^preconditioner.kind/,
      )
    })
  })

  it('both backends find the same factor', () => {
    const grid = { kind: 'stencil', grid: [30, 33], shift: 0.1 } as const
    const [native, portable] = (['native', 'portable'] as const).map((backend) => sparseCholeskySync(grid, { backend }))
    expect([...native.permutation]).to.deep.equal([...portable.permutation])
    expect(native.nonzeros).to.equal(portable.nonzeros)
    expect(native.logDeterminant).to.be.closeTo(portable.logDeterminant, 1e-9)
  })
})

describe('linear: Matrix Market', () => {
  it('reads every form', () => {
    const read = (text: string): Rows => {
      const { shape, indptr, indices, data } = parseMatrixMarket(text)
      const rows: Rows = Array.from({ length: shape[0] }, () => new Array<number>(shape[1]).fill(0))
      rows.forEach((row, i) => {
        for (let k = indptr[i]; k < indptr[i + 1]; k++) row[indices[k]] = data[k]
      })
      return rows
    }
    const head = '%%MatrixMarket matrix'
    expect(read(`${head} coordinate real general\n% said\n\n2 3 3\n1 1 1.5\n2 3 -2e1\r\n2 3 1\n`)).to.deep.equal([
      [1.5, 0, 0],
      [0, 0, -19],
    ])
    expect(read(`${head} coordinate integer symmetric\n2 2 2\n1 1 4\n2 1 7`)).to.deep.equal([
      [4, 7],
      [7, 0],
    ])
    expect(read(`${head} coordinate pattern skew-symmetric\n2 2 1\n2 1\n`)).to.deep.equal([
      [0, -1],
      [1, 0],
    ])
    expect(read(`${head} array real general\n2 2\n1\n2\n3\n4\n`)).to.deep.equal([
      [1, 3],
      [2, 4],
    ])
    expect(read(`%%matrixmarket MATRIX Array Real Symmetric\n2 2\n1\n2\n3\n`)).to.deep.equal([
      [1, 2],
      [2, 3],
    ])
    expect(read(`${head} array real skew-symmetric\n3 3\n1\n2\n3\n`)).to.deep.equal([
      [0, -1, -2],
      [1, 0, -3],
      [2, 3, 0],
    ])
  })

  it('writes what it reads back, to the last bit', () => {
    check(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(1e6), fc.boolean(), (n, seed, isSymmetric) => {
        const a = toCsr(randomDefinite(n, seed))
        const text = formatMatrixMarket(a, { symmetry: isSymmetric ? 'symmetric' : 'general' })
        expect(parseMatrixMarket(text)).to.deep.equal(a)
      }),
    )
    expect(
      formatMatrixMarket([
        [1, 0],
        [0.1, 2],
      ]),
    ).to.equal('%%MatrixMarket matrix coordinate real general\n2 2 3\n1 1 1\n2 1 0.1\n2 2 2\n')
    expectError(
      () =>
        formatMatrixMarket(
          [
            [1, 2],
            [3, 4],
          ],
          { symmetry: 'symmetric' },
        ),
      'ERR_SHAPE',
      /^matrix: expected a symmetric/,
    )
  })

  it('names the line that is wrong', () => {
    const head = '%%MatrixMarket matrix coordinate real general'
    const refuse = (text: Wrong, message: RegExp) => expectError(() => parseMatrixMarket(text), 'ERR_SHAPE', message)
    refuse('1 2 3', /^line 1: expected '%%MatrixMarket/)
    refuse('%%MatrixMarket matrix coordinate complex general\n1 1 0', /^line 1/)
    refuse(head, /^line 1: expected the numbers of rows, columns and entries, got the end/)
    refuse(`${head}\n2 2`, /^line 2: expected the numbers of rows/)
    refuse(`${head}\n2 2 1\n3 1 1`, /^line 3: expected a place within 2×2, got '3 1 1'/)
    refuse(`${head}\n2 2 1\n1 1`, /^line 3: expected an entry/)
    refuse(`${head}\n2 2 1\n1 x 1`, /^line 3: expected numbers/)
    refuse(`${head}\n2 2 2\n1 1 1`, /^line 3: expected an entry, got the end/)
    refuse(`${head}\n2 2 1\n1 1 1\n2 2 2`, /^line 4: expected the end/)
    refuse('%%MatrixMarket matrix coordinate real symmetric\n2 2 1\n1 2 1', /^line 3: expected an entry of the lower/)
    refuse(7, /^text: expected a string/)
  })
})
