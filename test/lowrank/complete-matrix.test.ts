import { expect } from 'chai'
import {
  type CompletionOptions,
  type CompletionSolution,
  completeMatrix,
  completeMatrixSync,
} from '../../lib/lowrank/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { rejection } from '../helpers/errors.js'
import { type Planted, planted, relativeError } from '../helpers/planted.js'
import { random, shuffled } from '../helpers/random.js'

const errorOf = (data: Planted, solution: CompletionSolution) =>
  relativeError(data, (rows, columns) => solution.predict(rows, columns))

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).to.equal(b.length)
  let most = 0
  for (let k = 0; k < a.length; k++) if (!(Math.abs(a[k] - b[k]) <= most)) most = Math.abs(a[k] - b[k])
  return most
}

/** All predictions, row by row. */
function whole({ shape: [m, n], predict }: CompletionSolution, solution: CompletionSolution): Float64Array {
  const cells = Array.from({ length: m * n }, (_, k) => k)
  return predict.call(
    solution,
    cells.map((k) => Math.floor(k / n)),
    cells.map((k) => k % n),
  )
}
const matrixOf = (solution: CompletionSolution) => whole(solution, solution)

/** The sine of the angle between the column space of u and that of orthonormal vectors: how far they are from its span. */
function sineOf(vectors: number[][], { u }: CompletionSolution): number {
  const [m, k] = u.shape
  // Gram and Schmidt's method on the columns of u.
  const basis: number[][] = []
  for (let c = 0; c < k; c++) {
    let column = Array.from({ length: m }, (_, i) => u.data[i * k + c])
    for (const other of [...basis, ...basis]) {
      const part = other.reduce((sum, x, i) => sum + x * column[i], 0)
      column = column.map((x, i) => x - part * other[i])
    }
    const norm = Math.hypot(...column)
    basis.push(column.map((x) => x / norm))
  }
  // Frobenius norm of what the span of u misses: at least the sine, at most √k of it.
  let missed = 0
  for (const vector of vectors) {
    let rest = vector
    for (const other of [...basis, ...basis]) {
      const part = other.reduce((sum, x, i) => sum + x * rest[i], 0)
      rest = rest.map((x, i) => x - part * other[i])
    }
    missed += rest.reduce((sum, x) => sum + x * x, 0)
  }
  return Math.sqrt(missed)
}

/** How far the factors are from a minimum of the objective, by its gradient written out over all cells. */
function stationarity(
  solution: CompletionSolution,
  cell: (i: number, j: number) => { weight: number; target: number },
  regularization: number,
  nonNegative = false,
): number {
  const [m, n] = solution.shape
  const k = solution.u.shape[1]
  const [u, v] = [solution.u.data, solution.v.data]
  const x = matrixOf(solution)
  const gradients = { u: new Float64Array(m * k), v: new Float64Array(n * k) }
  const biases = { rows: new Float64Array(m), columns: new Float64Array(n) }
  let size = 0
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const { weight, target } = cell(i, j)
      const rest = weight * (x[i * n + j] - target)
      size += Math.abs(weight * target)
      biases.rows[i] += rest
      biases.columns[j] += rest
      for (let c = 0; c < k; c++) {
        gradients.u[i * k + c] += rest * v[j * k + c]
        gradients.v[j * k + c] += rest * u[i * k + c]
      }
    }
  }
  let most = 0
  const look = (gradient: Float64Array, point: Float64Array, signed: boolean) => {
    for (let at = 0; at < point.length; at++) {
      const slope = gradient[at] + regularization * point[at]
      // At the border of the non-negative numbers the slope may be positive.
      const amiss = signed || point[at] > 0 ? Math.abs(slope) : Math.max(0, -slope)
      if (!(amiss <= most)) most = amiss
    }
  }
  look(gradients.u, u, !nonNegative)
  look(gradients.v, v, !nonNegative)
  if (solution.biases !== undefined) {
    look(biases.rows, solution.biases.rows, true)
    look(biases.columns, solution.biases.columns, true)
  }
  return most / (size / (m * n))
}

function lookup({ problem, n }: Planted, weights?: Float64Array) {
  const cells = new Map<number, number>()
  problem.rows.forEach((i, k) => {
    cells.set(i * n + problem.columns[k], k)
  })
  return (i: number, j: number) => {
    const k = cells.get(i * n + j)
    return k === undefined ? { weight: 0, target: 0 } : { weight: weights?.[k] ?? 1, target: problem.values[k] }
  }
}

const solvers: CompletionOptions[] = [
  { rank: 4, solver: 'exact' },
  { rank: 4, solver: 'inexact' },
  { rank: 4, solver: 'sketched' },
  { rank: 4, solver: 'sketched', sketch: 'gaussian', iteration: 'heavy-ball' },
  { rank: 4, solver: 'sketched', sketch: 'count-sketch', repeats: 3 },
  { rank: 4, solver: 'sketched', sketch: 'srht' },
  { rank: 4, solver: 'gradient', sketchRows: 40, innerTolerance: 1e-9 },
  { rank: 4, solver: 'exact', initialization: 'random' },
  { rank: 4, solver: 'exact', incoherence: 3 },
  { rank: 4, solver: 'inexact', biases: true },
]

describe('lowrank: completeMatrix', () => {
  forEachBackend((backend) => {
    it('recovers a matrix of low rank from some of its entries, with every solver', () => {
      const data = planted(120, 90, { values: [1, 0.8, 0.6, 0.5], share: 0.4 })
      for (const options of solvers) {
        const solution = completeMatrixSync(data.problem, { tolerance: 1e-12, maxIterations: 80, ...options, backend })
        expect(solution.status, JSON.stringify(options)).to.equal('converged')
        expect(errorOf(data, solution), JSON.stringify(options)).to.be.below(1e-10)
        expect(solution.trainRmse).to.be.below(1e-10)
        expect(solution.backend).to.equal(backend)
      }
    })

    it('the heavy ball on a sketch takes the steps that theory says, whatever the weights', () => {
      // 90 and 120 regressors of four unknowns each, a few of which outweigh all others.
      const data = planted(120, 90, { values: [1, 0.8, 0.6, 0.5], noise: 0.3, seed: 31 })
      const next = random(32)
      const weights = data.problem.values.map(() => 10 ** (4 * next() - 2))
      for (const sketch of ['sparse-sign', 'gaussian', 'srht'] as const) {
        const { diverged, innerIterations } = completeMatrixSync(
          { ...data.problem, weights },
          {
            ...{ rank: 4, solver: 'sketched', iteration: 'heavy-ball', sketch, sketchRows: 64, backend },
            ...{ innerTolerance: 1e-8, maxIterations: 2 },
          },
        )
        // The error falls by √(k / s) = 1/4 a step: 1e-8 after 13.3.
        expect(diverged, sketch).to.equal(0)
        expect(innerIterations, sketch).to.be.within(8, 17)
      }
    })

    it('inexact half steps take few more iterations than exact ones, and the change falls geometrically', () => {
      for (const [values, share] of [
        [[1, 0.7, 0.5], 0.3],
        [[1, 0.4, 0.1], 0.35],
      ] as const) {
        const data = planted(150, 150, { values: [...values], share, seed: 4 })
        const count = (solver: 'exact' | 'inexact') => {
          const { history } = completeMatrixSync(data.problem, {
            rank: 3,
            solver,
            tolerance: 1e-12,
            maxIterations: 80,
            backend,
          })
          for (let t = 2; t < history.residual.length - 1; t++) {
            expect(history.residual[t + 1]).to.be.below(0.9 * history.residual[t])
          }
          return history.trainRmse.findIndex((rmse) => rmse < 1e-10) + 1
        }
        expect(count('inexact')).to.be.within(1, Math.ceil(1.2 * count('exact')))
      }
    })

    it('the angle to the true column space falls geometrically', () => {
      const data = planted(150, 120, { values: [1, 0.7, 0.5], share: 0.35, seed: 23 })
      for (const solver of ['exact', 'inexact'] as const) {
        const sines: number[] = []
        for (let maxIterations = 1; maxIterations <= 7; maxIterations++) {
          const options = { rank: 3, solver, maxIterations, tolerance: 0, backend }
          sines.push(sineOf(data.left, completeMatrixSync(data.problem, options)))
        }
        for (let t = 1; t < sines.length; t++) expect(sines[t], solver).to.be.below(0.5 * sines[t - 1])
        expect(sines[6], solver).to.be.below(1e-3 * sines[0])
      }
    })

    it('a matrix that is fully observed: its truncated singular value decomposition after two iterations', () => {
      const values = [1, 0.9, 0.8, 1e-4, 5e-5]
      const data = planted(40, 30, { values })
      const solution = completeMatrixSync(data.problem, { rank: 3, maxIterations: 2, tolerance: 0, backend })
      const best = { ...data, at: planted(40, 30, { values: [...values.slice(0, 3), 0, 0] }).at }
      expect(errorOf(best, solution)).to.be.below(1e-10)
      // Balanced: UᵀU = VᵀV = S.
      const k = 3
      for (const { data: factor, shape } of [solution.u, solution.v]) {
        for (let p = 0; p < k; p++) {
          for (let q = 0; q < k; q++) {
            let sum = 0
            for (let i = 0; i < shape[0]; i++) sum += factor[i * k + p] * factor[i * k + q]
            expect(sum).to.be.closeTo(p === q ? values[p] * Math.sqrt(1200) : 0, 1e-9)
          }
        }
      }
    })

    it('rank 1 of a positive matrix: M_ij = r_i c_j from a tree of observations', () => {
      const r = [1, 2, 3, 4]
      const c = [5, 7, 11]
      const rows = [0, 0, 0, 1, 2, 3]
      const columns = [0, 1, 2, 1, 2, 0]
      const values = rows.map((i, k) => r[i] * c[columns[k]])
      const solution = completeMatrixSync(
        { shape: [4, 3], rows, columns, values },
        { rank: 1, tolerance: 1e-14, maxIterations: 2000, backend },
      )
      expect(
        worst(
          matrixOf(solution),
          r.flatMap((x) => c.map((y) => x * y)),
        ),
      ).to.be.below(1e-9)
    })

    it('commutes with permutations and with transposing', () => {
      const data = planted(60, 45, { values: [1, 0.7, 0.4], share: 0.5, noise: 0.05, seed: 3 })
      const { rows, columns, values } = data.problem
      const options = { rank: 3, tolerance: 1e-13, maxIterations: 500, backend }
      const plain = matrixOf(completeMatrixSync(data.problem, options))
      const turned = matrixOf(completeMatrixSync({ shape: [45, 60], rows: columns, columns: rows, values }, options))
      const next = random(5)
      const [p, q] = [shuffled(60, next), shuffled(45, next)]
      const mixed = matrixOf(
        completeMatrixSync(
          { shape: [60, 45], rows: rows.map((i) => p[i]), columns: columns.map((j) => q[j]), values },
          options,
        ),
      )
      for (let i = 0; i < 60; i++) {
        for (let j = 0; j < 45; j++) {
          expect(turned[j * 60 + i]).to.be.closeTo(plain[i * 45 + j], 1e-9)
          expect(mixed[p[i] * 45 + q[j]]).to.be.closeTo(plain[i * 45 + j], 1e-9)
        }
      }
    })

    it('exact half steps never raise the objective, and end where its gradient is zero', () => {
      const data = planted(40, 30, { values: [1, 0.6], share: 0.5, noise: 0.3, seed: 8 })
      const next = random(9)
      const weights = data.problem.values.map(() => 0.2 + 3 * next())
      const positive = data.problem.values.map(Math.abs)
      const counts = data.problem.values.map((value) => Math.max(0, Math.round(3 * value)))
      const cases: [object, CompletionOptions][] = [
        [data.problem, { rank: 3, regularization: 2 }],
        [data.problem, { rank: 2, regularization: 0 }],
        [data.problem, { rank: 2, biases: true }],
        [data.problem, { rank: 3, regularization: 0.7, biases: true }],
        [
          { ...data.problem, weights },
          { rank: 2, regularization: 1.5, biases: true },
        ],
        [
          { ...data.problem, values: positive },
          { rank: 3, nonNegative: true, regularization: 0.3 },
        ],
        [
          { ...data.problem, values: positive },
          { rank: 3, nonNegative: true, regularization: 0.3, solver: 'inexact', innerIterations: 20 },
        ],
        [
          { ...data.problem, values: counts },
          { rank: 3, confidence: 4, regularization: 0.5 },
        ],
        [
          { ...data.problem, values: counts },
          { rank: 3, confidence: 4 },
        ],
        [
          { ...data.problem, values: counts },
          { rank: 3, confidence: 4, regularization: 0.5, nonNegative: true },
        ],
        [
          { ...data.problem, values: counts },
          { rank: 3, confidence: 4, regularization: 0.5, solver: 'inexact' },
        ],
      ]
      for (const [problem, given] of cases) {
        const options = { tolerance: 1e-11, maxIterations: 6000, ...given, backend }
        const solution = completeMatrixSync(problem as Planted['problem'], options)
        const name = JSON.stringify(given)
        expect(solution.status, name).to.equal('converged')
        const { objective } = solution.history
        if (given.solver !== 'inexact') {
          for (let t = 1; t < objective.length; t++) {
            expect(objective[t], name).to.be.at.most(objective[t - 1] * (1 + 1e-12))
          }
        }
        const values = (problem as Planted['problem']).values
        const explicit = lookup(
          { ...data, problem: { ...data.problem, values } },
          'weights' in problem ? weights : undefined,
        )
        const cell = (i: number, j: number) => {
          const seen = explicit(i, j)
          if (given.confidence === undefined) return seen
          const count = seen.weight === 0 ? 0 : seen.target
          return { weight: 1 + given.confidence * count, target: count > 0 ? 1 : 0 }
        }
        const lambda = given.regularization ?? 0
        expect(stationarity(solution, cell, lambda, given.nonNegative), name).to.be.below(1e-6)
        // The objective and the training error, written out.
        const x = matrixOf(solution)
        const [m, n] = solution.shape
        let loss = 0
        let total = 0
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            const { weight, target } = cell(i, j)
            loss += weight * (x[i * n + j] - target) ** 2
            total += weight
          }
        }
        expect(solution.trainRmse, name).to.be.closeTo(Math.sqrt(loss / total), 1e-9)
        const squares = (array?: Float64Array) => array?.reduce((sum, value) => sum + value * value, 0) ?? 0
        const penalty =
          squares(solution.u.data) +
          squares(solution.v.data) +
          squares(solution.biases?.rows) +
          squares(solution.biases?.columns)
        expect(objective.at(-1), name).to.be.closeTo(loss + lambda * penalty, 1e-8 * loss)
        if (given.nonNegative) {
          expect(Math.min(...solution.u.data, ...solution.v.data)).to.be.at.least(0)
        }
      }
    })

    it('under a ridge both factors soon have the same Gram matrix, as at every minimum', () => {
      const data = planted(60, 45, { values: [1, 0.7, 0.4], share: 0.6, noise: 0.01, seed: 27 })
      for (const solver of ['exact', 'inexact'] as const) {
        for (const biases of [false, true]) {
          const given = { rank: 3, solver, biases, regularization: 0.01, initialization: 'random' } as const
          const { u, v } = completeMatrixSync(data.problem, { ...given, maxIterations: 15, tolerance: 0, backend })
          const gram = ({ data: x, shape: [m, k] }: typeof u, p: number, q: number) => {
            let sum = 0
            for (let i = 0; i < m; i++) sum += x[i * k + p] * x[i * k + q]
            return sum
          }
          for (let p = 0; p < 3; p++) {
            for (let q = 0; q < 3; q++) expect(gram(u, p, q)).to.be.closeTo(gram(v, p, q), 1e-3 * gram(v, 0, 0))
          }
        }
      }
    })

    it('with noise: about as near as with the column space known', () => {
      const noise = 0.1
      const data = planted(150, 60, { values: [1, 0.8], share: 0.5, noise, seed: 6 })
      const solution = completeMatrixSync(data.problem, { rank: 2, backend })
      // The oracle: every row's regression on the true right factor, two unknowns.
      const { rows, columns, values } = data.problem
      let squares = 0
      for (let i = 0; i < 150; i++) {
        const [g, h] = [
          [0, 0, 0],
          [0, 0],
        ]
        rows.forEach((row, k) => {
          if (row !== i) return
          const [a, b] = data.right.map((vector) => vector[columns[k]])
          g[0] += a * a
          g[1] += a * b
          g[2] += b * b
          h[0] += a * values[k]
          h[1] += b * values[k]
        })
        const determinant = g[0] * g[2] - g[1] * g[1]
        const x = [(g[2] * h[0] - g[1] * h[1]) / determinant, (g[0] * h[1] - g[1] * h[0]) / determinant]
        for (let j = 0; j < 60; j++) squares += (x[0] * data.right[0][j] + x[1] * data.right[1][j] - data.at(i, j)) ** 2
      }
      let size = 0
      for (let i = 0; i < 150; i++) for (let j = 0; j < 60; j++) size += data.at(i, j) ** 2
      expect(errorOf(data, solution)).to.be.within(0, 1.5 * Math.sqrt(squares / size))
    })

    it('says so where there are too few observations', () => {
      const data = planted(100, 100, { values: [1, 0.9, 0.8, 0.7, 0.6], share: 0.12, seed: 2 })
      const solution = completeMatrixSync(data.problem, { rank: 5, validation: 0.1, backend })
      expect(solution.observationsPerUnknown).to.be.below(1.5)
      expect(solution.validationRmse).to.be.above(0.5)
      expect(solution.status).not.to.equal('converged')
    })

    it('rows with fewer observations than unknowns: least norm, zeros without any, and a list of them', () => {
      const data = planted(30, 25, { values: [1, 0.8, 0.5], share: 0.7, seed: 12 })
      const { rows, columns, values } = data.problem
      const keep = [...rows.keys()].filter(
        (k) => rows[k] !== 4 && (rows[k] !== 7 || columns[k] < 2) && columns[k] !== 9,
      )
      const kept = rows.filter((_, k) => keep.includes(k))
      const few = kept.filter((i) => i === 7).length
      expect(few).to.be.within(1, 2)
      for (const solver of ['exact', 'inexact', 'sketched', 'gradient'] as const) {
        const solution = completeMatrixSync(
          {
            shape: [30, 25],
            rows: kept,
            columns: columns.filter((_, k) => keep.includes(k)),
            values: values.filter((_, k) => keep.includes(k)),
          },
          { rank: 3, solver, tolerance: 1e-12, maxIterations: 200, backend },
        )
        expect([...solution.underdetermined.rows]).to.deep.equal([4, 7])
        expect([...solution.underdetermined.columns]).to.deep.equal([9])
        expect(solution.deficient).to.be.above(0)
        expect([...solution.u.data.subarray(12, 15)]).to.deep.equal([0, 0, 0])
        expect([...solution.v.data.subarray(27, 30)]).to.deep.equal([0, 0, 0])
        expect(solution.trainRmse).to.be.below(1e-10)
        for (const value of matrixOf(solution)) expect(Number.isFinite(value)).to.equal(true)
      }
    })

    it('a line whose regressors are all alike: the sketch is deficient, and the solution the one of least norm', () => {
      // Columns 0 to 19 are one and the same, and the last row was observed there only.
      const at = (i: number, j: number) => (j < 20 ? i + 1 : Math.sin(i) * j + Math.cos(3 * i) * (j % 7))
      const cells = Array.from({ length: 12 * 40 }, (_, k) => [Math.floor(k / 40), k % 40])
      const kept = cells.filter(([i, j]) => (j < 20 ? i < 8 || i === 11 : i < 11))
      const problem = {
        shape: [12, 40] as const,
        rows: kept.map(([i]) => i),
        columns: kept.map(([, j]) => j),
        values: kept.map(([i, j]) => at(i, j)),
      }
      for (const sketch of ['sparse-sign', 'count-sketch', 'gaussian', 'srht'] as const) {
        for (const solver of ['sketched', 'gradient'] as const) {
          const solution = completeMatrixSync(problem, {
            ...{ rank: 3, solver, sketch, sketchRows: 10, maxIterations: 30, tolerance: 1e-9, backend },
          })
          expect(solution.deficient, sketch).to.be.at.least(solution.iterations)
          const same = Array.from({ length: 20 }, (_, j) => j)
          for (const x of solution.predict(new Array(20).fill(11), same)) expect(x, sketch).to.be.closeTo(12, 1e-7)
          // Least norm: nothing but the multiple of the one regressor that fits, so no prediction is wild.
          expect(Math.max(...matrixOf(solution).map(Math.abs))).to.be.below(500)
        }
      }
    })

    it('a rank above that of the matrix does no harm', () => {
      const data = planted(50, 40, { values: [1, 0.5], share: 0.6, seed: 21 })
      for (const solver of ['exact', 'inexact', 'sketched'] as const) {
        const solution = completeMatrixSync(data.problem, {
          rank: 2,
          solver,
          tolerance: 1e-11,
          maxIterations: 300,
          backend,
        })
        expect(errorOf(data, solution)).to.be.below(1e-9)
      }
      const full = planted(30, 20, { values: [1, 0.5] })
      const solution = completeMatrixSync(full.problem, { rank: 6, tolerance: 1e-11, backend })
      expect(errorOf(full, solution)).to.be.below(1e-10)
    })

    it('weights of zero, CSR, float32 and the order of the entries', () => {
      const data = planted(40, 30, { values: [1, 0.6], share: 0.6, noise: 0.1, seed: 14 })
      const { shape, rows, columns, values } = data.problem
      const options = { rank: 2, tolerance: 1e-13, maxIterations: 300, backend }
      const plain = matrixOf(completeMatrixSync(data.problem, options))
      const weights = new Float64Array(rows.length + 50).fill(1)
      weights.fill(0, rows.length)
      // Entries of weight zero elsewhere, of wild values.
      const empty: [number, number][] = []
      const seen = new Set(rows.map((i, k) => i * 30 + columns[k]))
      for (let i = 0; i < 40 && empty.length < 50; i++) {
        for (let j = 0; j < 30 && empty.length < 50; j++) if (!seen.has(i * 30 + j)) empty.push([i, j])
      }
      const more = completeMatrixSync(
        {
          shape,
          rows: [...rows, ...empty.map(([i]) => i)],
          columns: [...columns, ...empty.map(([, j]) => j)],
          values: [...values, ...empty.map(() => 1e6)],
          weights,
        },
        options,
      )
      expect(worst(matrixOf(more), plain)).to.be.below(1e-9)
      const indptr = new Int32Array(41)
      for (const i of rows) indptr[i + 1]++
      for (let i = 0; i < 40; i++) indptr[i + 1] += indptr[i]
      expect([
        ...matrixOf(completeMatrixSync({ shape, indptr, indices: columns, data: values }, options)),
      ]).to.deep.equal([...plain])
      const order = shuffled(rows.length, random(2))
      const mixed = completeMatrixSync(
        {
          shape,
          rows: order.map((k) => rows[k]),
          columns: order.map((k) => columns[k]),
          values: order.map((k) => values[k]),
        },
        options,
      )
      expect([...matrixOf(mixed)]).to.deep.equal([...plain])
      const single = completeMatrixSync({ ...data.problem, values: Float32Array.from(values) }, options)
      expect(worst(matrixOf(single), plain)).to.be.within(1e-12, 1e-5)
    })

    it('reuse: false gives every half step a part of its own', () => {
      const data = planted(300, 200, { values: [1, 0.8], share: 0.9, seed: 15 })
      const solution = completeMatrixSync(data.problem, {
        rank: 2,
        reuse: false,
        maxIterations: 5,
        tolerance: 1e-10,
        backend,
      })
      expect(errorOf(data, solution)).to.be.below(0.05)
      const again = completeMatrixSync(data.problem, {
        rank: 2,
        reuse: false,
        maxIterations: 5,
        tolerance: 1e-10,
        backend,
        seed: 1,
      })
      expect(worst(matrixOf(solution), matrixOf(again))).to.be.above(1e-12)
    })

    it('the gradient iteration that diverges goes over to conjugate gradients', () => {
      const data = planted(60, 50, { values: [1, 0.8, 0.6], share: 0.7, seed: 16 })
      const solution = completeMatrixSync(data.problem, {
        ...{ rank: 3, solver: 'gradient', sketchRows: 6, tolerance: 1e-11, maxIterations: 100, backend },
      })
      expect(solution.diverged).to.be.above(0)
      expect(errorOf(data, solution)).to.be.below(1e-9)
    })

    it('stops when the held-out error rises, with the best factors', () => {
      const data = planted(60, 50, { values: [1], share: 0.4, noise: 1, seed: 17 })
      const solution = completeMatrixSync(data.problem, {
        rank: 8,
        validation: 0.2,
        patience: 3,
        maxIterations: 200,
        tolerance: 1e-12,
        backend,
      })
      expect(solution.status).to.equal('stalled')
      const held = solution.history.validationRmse as Float64Array
      expect(solution.iterations).to.equal(solution.bestIteration + 3)
      expect(solution.validationRmse).to.equal(Math.min(...held))
      expect(held[solution.bestIteration - 1]).to.equal(solution.validationRmse)
      expect(solution.trainRmse).to.be.closeTo(solution.history.trainRmse[solution.bestIteration - 1], 1e-9)
      // A given set is measured as it is.
      const rows = [0, 1, 2]
      const columns = [3, 4, 5]
      const values = [1, -2, 3]
      const given = completeMatrixSync(data.problem, {
        rank: 2,
        biases: true,
        validation: { rows, columns, values },
        backend,
      })
      const rests = given.predict(rows, columns).map((x, k) => (x - values[k]) ** 2)
      expect(given.validationRmse).to.be.closeTo(Math.sqrt((rests[0] + rests[1] + rests[2]) / 3), 1e-12)
    })

    it('nothing but zeros, and a constant', () => {
      const zeros = completeMatrixSync(
        { shape: [4, 3], rows: [0, 1, 3], columns: [0, 1, 2], values: [0, 0, 0] },
        { rank: 2, backend },
      )
      expect(zeros.status).to.equal('converged')
      expect([...matrixOf(zeros)]).to.deep.equal(new Array(12).fill(0))
      const constant = planted(12, 9, { values: [1] }).problem
      const solution = completeMatrixSync(
        { ...constant, values: constant.values.fill(3) },
        { rank: 1, biases: true, backend },
      )
      expect(solution.biases?.mean).to.be.closeTo(3, 1e-12)
      expect(worst(matrixOf(solution), new Float64Array(108).fill(3))).to.be.below(1e-12)
    })

    it('aborts, keeps to its time, and reports progress', async () => {
      const data = planted(200, 150, { values: [1, 0.9, 0.8], share: 0.5, noise: 0.5, seed: 18 })
      const options = { rank: 30, tolerance: 0, maxIterations: 100_000, backend }
      const reason = new Error('enough')
      const controller = new AbortController()
      let calls = 0
      const running = completeMatrix(data.problem, {
        ...options,
        signal: controller.signal,
        onProgress: ({ iteration, residual }) => {
          expect(iteration).to.be.above(0)
          expect(residual).to.be.above(0)
          calls++
          controller.abort(reason)
        },
      })
      expect(await rejection(running)).to.equal(reason)
      expect(calls).to.be.above(0)
      const late = await completeMatrix(data.problem, { ...options, timeLimit: 30 })
      expect(late.status).to.equal('time-limit')
      expect(late.iterations).to.be.above(0)
      expect(completeMatrixSync(data.problem, { ...options, maxIterations: 2 }).status).to.equal('iteration-limit')
    })
  })

  it('both backends and any number of threads give the same', () => {
    const data = planted(200, 120, { values: [1, 0.8, 0.6], share: 0.3, noise: 0.2, seed: 19 })
    const counts = { ...data.problem, values: data.problem.values.map((value) => Math.max(0, Math.round(2 * value))) }
    const options: [Planted['problem'], CompletionOptions][] = [
      ...solvers.map((given): [Planted['problem'], CompletionOptions] => [data.problem, { ...given, rank: 3 }]),
      [data.problem, { rank: 3, regularization: 1, biases: true, reuse: true }],
      [data.problem, { rank: 3, reuse: false, maxIterations: 2 }],
      [counts, { rank: 3, confidence: 2, regularization: 1 }],
      [counts, { rank: 3, confidence: 2, regularization: 1, nonNegative: true }],
    ]
    for (const [problem, given] of options) {
      const run = (backend: 'native' | 'portable', threads: number) =>
        matrixOf(completeMatrixSync(problem, { maxIterations: 4, tolerance: 0, seed: 5, ...given, backend, threads }))
      const one = run('native', 1)
      expect([...run('native', 3)]).to.deep.equal([...one])
      const size = one.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
      expect(worst(run('portable', 1), one) / size, JSON.stringify(given)).to.be.below(1e-9)
    }
  })
})
