import { expect } from 'chai'
import { sketchRows } from '../../lib/backend/portable/lowrank/completion/row-sketch.js'
import { type CompletionOptions, type CompletionSolution, completeMatrixSync } from '../../lib/lowrank/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { planted } from '../helpers/planted.js'
import { fill, random, randomNormal } from '../helpers/random.js'

const data = planted(260, 150, { values: [1, 0.8, 0.6, 0.5], share: 0.5, noise: 0.05, seed: 11 })
const weights = fill(data.problem.values.length, random(12)).map((w) => 0.5 + w)

/**
 * How far V is from the best for its U, by the definition: the largest gradient of a row over the sum of the sizes of what
 * it is added up from.
 */
function imbalance(
  { u, v }: CompletionSolution,
  problem: typeof data.problem & { weights?: Float64Array },
  ridge: number,
) {
  const k = u.shape[1]
  const gradient = new Float64Array(v.data.length)
  const size = new Float64Array(v.data.length)
  problem.values.forEach((value, e) => {
    const [i, j] = [problem.rows[e] * k, problem.columns[e] * k]
    let rest = value
    for (let c = 0; c < k; c++) rest -= u.data[i + c] * v.data[j + c]
    for (let c = 0; c < k; c++) {
      const part = (problem.weights?.[e] ?? 1) * u.data[i + c]
      gradient[j + c] -= part * rest
      size[j + c] += Math.abs(part * value)
    }
  })
  return Math.max(...gradient.map((g, at) => Math.abs(g + ridge * v.data[at]) / size[at]))
}

const norm = (x: Float64Array) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0))

function matrixOf(solution: CompletionSolution): Float64Array {
  const cells = Array.from({ length: data.m * data.n }, (_, cell) => cell)
  return solution.predict(
    cells.map((cell) => Math.floor(cell / data.n)),
    cells.map((cell) => cell % data.n),
  )
}

describe('lowrank: completion in single precision', () => {
  forEachBackend((backend) => {
    const solve = (options: Partial<CompletionOptions>, problem: object = data.problem) =>
      completeMatrixSync(problem as typeof data.problem, {
        ...{ backend, rank: 4, regularization: 0.5, maxIterations: 60 },
        ...options,
      })

    it('stands where the gradient is zero, up to float32', () => {
      for (const solver of ['exact', 'inexact'] as const) {
        for (const problem of [data.problem, { ...data.problem, weights }]) {
          const single = solve({ solver, precision: 'single', tolerance: 1e-5 }, problem)
          expect(single.status).to.equal('converged')
          expect(imbalance(single, problem, 0.5), solver).to.be.at.most(1e-4)
        }
      }
    })

    it('agrees with double precision to float32, and not beyond', () => {
      const cases: Partial<CompletionOptions>[] = [
        { solver: 'exact' },
        { solver: 'inexact' },
        { solver: 'exact', biases: true },
        { solver: 'inexact', biases: true },
        { solver: 'exact', nonNegative: true },
        { solver: 'exact', regularization: 0 },
        // Through BLAS on the native side.
        { solver: 'exact', rank: 70, regularization: 3, maxIterations: 1, initialization: 'random' },
      ]
      for (const options of cases) {
        const common = { tolerance: 1e-6, ...options }
        const double = solve(common)
        const single = solve({ ...common, precision: 'single' })
        const [one, other] = [matrixOf(double), matrixOf(single)]
        const difference = norm(one.map((x, at) => x - other[at])) / norm(one)
        expect(difference, JSON.stringify(options)).to.be.within(1e-10, 2e-5)
        expect(single.trainRmse, JSON.stringify(options)).to.be.closeTo(double.trainRmse, 1e-4 * double.trainRmse)
      }
    })

    it('is refused where sketches want all digits', () => {
      for (const solver of ['sketched', 'gradient'] as const) {
        expectError(
          () => solve({ solver, precision: 'single' }),
          'ERR_OPTION',
          `precision: expected 'double' with solver 'sketched' or 'gradient', got 'single'`,
        )
      }
      expectError(() => solve({ precision: 'half' as 'single' }), 'ERR_OPTION', /^precision: expected one of/)
    })
  })
})

describe('lowrank: sketches of a long line', () => {
  it('give the event loop its turn', () => {
    const [count, rank, rows] = [5000, 3, 24]
    const features = fill(count * rank, randomNormal(3))
    const index = Int32Array.from({ length: count }, (_, e) => e)
    const a = { features, rank, index, from: 0, weights: new Float64Array(count).fill(1), count }
    for (const kind of ['srht', 'gaussian', 'sparse-sign', 'count-sketch'] as const) {
      const sketch = { kind, rows, key: Uint32Array.of(1, 2), line: 0, number: 1 }
      const paused = new Float64Array(rows * (rank + 1))
      let turns = 0
      for (const steps = sketchRows(a, sketch, paused, { due: () => true }); !steps.next().done; ) turns++
      // One at least for every 20,000 numbers that are added.
      expect(turns, kind).to.be.at.least(kind === 'gaussian' ? 18 : kind === 'srht' ? 30 : 6)
      const whole = new Float64Array(paused.length)
      expect(sketchRows(a, sketch, whole, { due: () => false }).next().done).to.equal(true)
      expect(paused).to.deep.equal(whole)
      expect(whole.some((value) => value !== 0)).to.equal(true)
    }
  })
})
