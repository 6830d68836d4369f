import { expect } from 'chai'
import fc from 'fast-check'
import {
  type BlockCoordinateDescentOptions,
  blockCoordinateDescent,
  blockCoordinateDescentSync,
  type DescentProblem,
  type DescentSolution,
  labelPropagation,
  type Selection,
  type TemplateProblem,
  type Update,
} from '../../lib/descent/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { check } from '../helpers/property.js'
import { fill, randomNormal } from '../helpers/random.js'
import { gram, latticeRows, normalRows, type Rows, solveDense, times, toCsr, transposed } from './helpers.js'

const selections: Selection[] = [
  'random',
  'cyclic',
  'permutation',
  'lipschitz',
  'gs',
  'gsl',
  'gsd',
  'gsq',
  'iht',
  'gsn',
]
const updates: Update[] = ['gradient', 'lipschitz-approximation', 'matrix', 'newton', 'two-metric']

const m = 25
const n = 12
const rows = normalRows(m, n, 3, 0.6)
const target = fill(m, randomNormal(4))
const signs = target.map((value) => (value > 0 ? 1 : -1))
const classes = target.map((value) => (value > 0.4 ? 2 : value > -0.3 ? 1 : 0))

/** The objective of a problem with rows for A, from its definition. */
function objective(problem: TemplateProblem, a: Rows, x: Float64Array): number {
  const { l1 = 0, l2 = 0 } = problem as { l1?: number; l2?: number }
  let value = x.reduce((sum, v) => sum + l1 * Math.abs(v) + 0.5 * l2 * v * v, 0)
  if (problem.loss === 'least-squares') {
    times(a, x).forEach((p, r) => {
      value += 0.5 * (p - problem.b[r]) ** 2
    })
  } else if (problem.loss === 'logistic') {
    times(a, x).forEach((p, r) => {
      value += Math.log(1 + Math.exp(-problem.labels[r] * p))
    })
  } else if (problem.loss === 'softmax') {
    a.forEach((row, r) => {
      const scores = [0, 1, 2].map((c) => row.reduce((sum, v, j) => sum + v * x[3 * j + c], 0))
      value += Math.log(scores.reduce((sum, s) => sum + Math.exp(s), 0)) - scores[problem.labels[r]]
    })
  } else if (problem.loss === 'quadratic') {
    times(a, x).forEach((p, i) => {
      value += x[i] * (0.5 * p - problem.b[i])
    })
  }
  return value
}

/** The gradient of the smooth part by differences of the definition without L1. */
function numericGradient(problem: TemplateProblem, a: Rows, x: Float64Array): Float64Array {
  const smooth = { ...problem, l1: 0 } as typeof problem
  return x.map((_, i) => {
    const at = (d: number) =>
      objective(
        smooth,
        a,
        x.map((v, j) => (i === j ? v + d : v)),
      )
    return (at(1e-5) - at(-1e-5)) / 2e-5
  })
}

/** First-order conditions of the definition. */
function expectOptimal(problem: TemplateProblem, a: Rows, { x }: DescentSolution, slack: number): void {
  const { l1 = 0, lower = -Infinity, upper = Infinity } = problem as { l1?: number; lower?: number; upper?: number }
  numericGradient(problem, a, x).forEach((g, i) => {
    expect(x[i]).to.be.within(lower, upper)
    const low = x[i] === lower ? -Infinity : x[i] > 0 ? l1 : -l1
    const high = x[i] === upper ? Infinity : x[i] < 0 ? -l1 : l1
    expect(-g, `coordinate ${i}`).to.be.within(low - slack, high + slack)
  })
}

const combinations: [Selection, Update, 'variable' | 'sort'][] = selections.flatMap((selection) =>
  updates.flatMap((update) =>
    (['variable', 'sort'] as const)
      .filter(
        (partition) =>
          !(selection === 'gsq' && partition === 'variable') && !(selection === 'iht' && partition === 'sort'),
      )
      .map((partition): [Selection, Update, 'variable' | 'sort'] => [selection, update, partition]),
  ),
)

const templates: [string, TemplateProblem][] = [
  ['least squares', { loss: 'least-squares', A: rows, b: target, l2: 0.01 }],
  ['logistic', { loss: 'logistic', A: toCsr(rows), labels: signs, l2: 0.1 }],
  ['softmax', { loss: 'softmax', A: rows, labels: classes, l2: 1 }],
]
const terms: [string, object][] = [
  ['', {}],
  [', L1', { l1: 0.4 }],
  [', x >= 0', { lower: 0 }],
  [', L1 in a box', { l1: 0.1, lower: -0.2, upper: 0.15 }],
]

describe('descent: blockCoordinateDescent', () => {
  forEachBackend((backend) => {
    const solve = (problem: DescentProblem, options: BlockCoordinateDescentOptions = {}) =>
      blockCoordinateDescentSync(problem, { backend, ...options })

    for (const [name, template] of templates) {
      for (const [suffix, extra] of terms) {
        it(`${name}${suffix}: every rule falls every time, and ends at the optimum`, () => {
          const problem = { ...template, ...extra } as TemplateProblem
          const composite = suffix !== ''
          let reference: DescentSolution | undefined
          for (const [selection, update, partition] of combinations) {
            if (composite && (selection === 'iht' || (selection === 'gsn' && partition === 'variable'))) continue
            const solution = solve(problem, {
              ...{ selection, update, partition, blockSize: 4, tolerance: 1e-9, maxIterations: 30_000, history: true },
            })
            const what = `${selection}, ${update}, ${partition}`
            expect(solution.status, what).to.equal('converged')
            const { values } = solution.history!
            for (let k = 1; k < values.length; k++) {
              expect(values[k], `${what}, iteration ${k + 1}`).to.be.at.most(
                values[k - 1] + 1e-9 * Math.abs(values[k - 1]),
              )
            }
            reference ??= solution
            expect(solution.value, what).to.be.closeTo(reference.value, 1e-8 * Math.abs(reference.value))
            for (let i = 0; i < solution.x.length; i++) expect(solution.x[i], what).to.be.closeTo(reference.x[i], 1e-5)
            if (composite) expect([...solution.support], what).to.deep.equal([...reference.support])
          }
          expect(reference!.value).to.be.closeTo(objective(problem, rows, reference!.x), 1e-12 * reference!.value)
          expectOptimal(problem, rows, reference!, 1e-6)
        })
      }
    }

    it('a matrix update of all coordinates is Newton: one step, the solution of the normal equations', () => {
      const problem: DescentProblem = { loss: 'least-squares', A: rows, b: target }
      const solution = solve(problem, { blockSize: n, tolerance: 1e-10 })
      expect(solution.iterations).to.equal(1)
      const exact = solveDense(gram(rows), times(transposed(rows), target))
      for (let i = 0; i < n; i++) expect(solution.x[i]).to.be.closeTo(exact[i], 1e-10)
    })

    it('one coordinate at a time is cyclic coordinate descent', () => {
      const lambda = 0.5
      const x = new Float64Array(n)
      const columns = transposed(rows)
      for (let k = 0; k < 40; k++) {
        const i = k % n
        const rest = times(rows, x).map((p, r) => p - target[r])
        const squares = columns[i].reduce((sum, v) => sum + v * v, 0)
        const z = x[i] - columns[i].reduce((sum, v, r) => sum + v * rest[r], 0) / squares
        x[i] = Math.sign(z) * Math.max(0, Math.abs(z) - lambda / squares)
      }
      for (const update of ['gradient', 'matrix', 'exact'] as const) {
        const solution = solve(
          { loss: 'least-squares', A: rows, b: target, l1: lambda },
          { ...{ selection: 'cyclic', blockSize: 1, update, tolerance: 0, maxIterations: 40 } },
        )
        for (let i = 0; i < n; i++) expect(solution.x[i]).to.be.closeTo(x[i], 1e-12)
      }
    })

    it('gsq takes the fixed block with the best exact decrease, and every step brings what is guaranteed', () => {
      const h = gram(rows)
      for (const [selection, update] of [
        ['gsq', 'matrix'],
        ['mi', 'matrix'],
        ['gs', 'gradient'],
        ['gsl', 'gradient'],
        ['gsd', 'matrix'],
      ] as const) {
        const options = { selection, update, partition: 'order', blockSize: 5, tolerance: 0, history: true } as const
        const at: DescentSolution[] = [0, 1, 2, 3, 4].map((maxIterations) =>
          solve({ loss: 'least-squares', A: rows, b: target }, { ...options, maxIterations }),
        )
        // τ does not divide n: the last block is shorter.
        expect(at[1].blocks).to.equal(3)
        expect([...at[1].blockOf]).to.deep.equal([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2])
        for (let k = 0; k < 4; k++) {
          const g = times(h, at[k].x).map((v, i) => v - times(transposed(rows), target)[i])
          const decreases = [0, 1, 2].map((b) => {
            const block = Array.from({ length: n }, (_, i) => i).filter((i) => at[1].blockOf[i] === b)
            const part = block.map((i) => block.map((j) => h[i][j]))
            const gb = block.map((i) => g[i])
            const d = solveDense(part, gb)
            const trace = part.reduce((sum, row, i) => sum + row[i], 0)
            const squares = gb.reduce((sum, v) => sum + v * v, 0)
            return { exact: 0.5 * d.reduce((sum, v, i) => sum + v * gb[i], 0), least: squares / (2 * trace), squares }
          })
          const chosen = at[4].history!.selected![k]
          const fall = at[k].value - at[k + 1].value
          if (selection === 'gsq' || selection === 'mi') {
            const best = decreases.reduce((b, { exact }, i) => (exact > decreases[b].exact ? i : b), 0)
            expect(chosen).to.equal(best)
          }
          if (selection === 'gs') {
            const best = decreases.reduce((b, { squares }, i) => (squares > decreases[b].squares ? i : b), 0)
            expect(chosen).to.equal(best)
          }
          if (update === 'matrix') expect(fall).to.be.closeTo(decreases[chosen].exact, 1e-10)
          else expect(fall).to.be.at.least(decreases[chosen].least * (1 - 1e-10))
        }
      }
    })

    it('no rule falls further in a step than trying all variable blocks', () => {
      check(
        fc.property(
          fc.integer({ min: 1, max: 1e6 }),
          fc.constantFrom<object>({}, { l1: 0.3 }, { lower: 0 }),
          (seed, extra) => {
            const problem: DescentProblem = {
              loss: 'least-squares',
              A: normalRows(10, 7, seed),
              b: fill(10, randomNormal(seed + 1)),
              ...extra,
            }
            const options = { blockSize: 3, update: 'exact', maxIterations: 1, tolerance: 0 } as const
            const best = solve(problem, { ...options, selection: 'mi' })
            const wide = Object.keys(extra).length === 0 ? (['iht', 'gsn'] as const) : []
            for (const selection of ['gs', 'gsl', 'gsd', 'random', 'cyclic', 'lipschitz', ...wide] as const) {
              const other = solve(problem, { ...options, selection })
              expect(other.value).to.be.at.least(best.value - 1e-10)
            }
          },
        ),
        { runs: 15 },
      )
    })

    it('forests: blocks of every kind solve a lattice, with message passing', () => {
      const [height, width] = [7, 9]
      const a = latticeRows(height, width, 0.05)
      const b = fill(height * width, randomNormal(8))
      const exact = solveDense(a, b)
      const cases: BlockCoordinateDescentOptions[] = [
        { partition: 'red-black' },
        { partition: 'colouring', selection: 'gsq' },
        { partition: 'combs', lattice: [height, width], update: 'message-passing' },
        { partition: 'forests', selection: 'gsl', update: 'message-passing' },
        { selection: 'gs-tree' },
        { selection: 'gsl-tree', update: 'message-passing' },
        { selection: 'random-tree', update: 'newton' },
        { selection: 'gs-tree', update: 'gradient', maxIterations: 1e6 },
      ]
      for (const options of cases) {
        for (const A of [a, toCsr(a)]) {
          const solution = solve({ loss: 'quadratic', A, b }, { tolerance: 1e-11, ...options })
          expect(solution.status, JSON.stringify(options)).to.equal('converged')
          for (let i = 0; i < exact.length; i++) expect(solution.x[i]).to.be.closeTo(exact[i], 1e-8)
        }
      }
    })

    it('graph partitions are what they are called', () => {
      const [height, width] = [6, 8]
      const a = latticeRows(height, width, 0.1)
      const b = fill(height * width, randomNormal(9))
      const edges = a.flatMap((row, i) => row.flatMap((v, j) => (v !== 0 && j < i ? [[i, j]] : [])))
      for (const partition of ['red-black', 'colouring', 'combs', 'forests'] as const) {
        const { blockOf, blocks } = solve(
          { loss: 'quadratic', A: a, b },
          { partition, lattice: [height, width], maxIterations: 1, tolerance: 0 },
        )
        expect(blocks).to.equal(2)
        for (let k = 0; k < blocks; k++) {
          const inside = edges.filter(([i, j]) => blockOf[i] === k && blockOf[j] === k)
          const nodes = blockOf.filter((of) => of === k).length
          if (partition === 'red-black' || partition === 'colouring') expect(inside).to.be.empty
          else expect(isForest(nodes, inside)).to.equal(true)
        }
      }
    })

    it('greedy forests have no cycle and no room for another node', () => {
      const a = latticeRows(6, 7, 0.1)
      const b = fill(42, randomNormal(10))
      for (const selection of ['gs-tree', 'gsl-tree', 'random-tree'] as const) {
        const { visits } = solve({ loss: 'quadratic', A: a, b }, { selection, maxIterations: 1, tolerance: 0 })
        const inside = (i: number) => visits[i] === 1
        const edges = a.flatMap((row, i) => row.flatMap((v, j) => (v !== 0 && j < i ? [[i, j]] : [])))
        const within = (isIn: (i: number) => boolean) => edges.filter(([i, j]) => isIn(i) && isIn(j))
        expect(isForest(visits.filter((v) => v === 1).length, within(inside))).to.equal(true)
        for (let i = 0; i < 42; i++) {
          if (inside(i)) continue
          const more = (k: number) => inside(k) || k === i
          expect(isForest(visits.filter((v) => v === 1).length + 1, within(more)), `node ${i}`).to.equal(false)
        }
      }
    })

    it('message passing takes Newton steps where samples compare pairs', () => {
      // Bradley-Terry: the Hessian has the graph of who met whom, a tree.
      const pairs = [
        [0, 1],
        [1, 2],
        [1, 3],
        [3, 4],
        [0, 1],
        [1, 2],
        [3, 1],
        [4, 3],
      ]
      const a = pairs.map(([i, j]) => Array.from({ length: 5 }, (_, k) => (k === i ? 1 : k === j ? -1 : 0)))
      const problem: DescentProblem = { loss: 'logistic', A: toCsr(a), labels: [1, 1, -1, 1, 1, -1, 1, 1], l2: 0.01 }
      const options = { partition: [[0, 1, 2, 3, 4]], tolerance: 1e-11 }
      const passed = solve(problem, { ...options, update: 'message-passing' })
      const dense = solve(problem, { ...options, update: 'newton' })
      expect(passed.status).to.equal('converged')
      expect(passed.iterations).to.equal(dense.iterations).and.be.below(10)
      for (let i = 0; i < 5; i++) expect(passed.x[i]).to.be.closeTo(dense.x[i], 1e-10)
    })

    it('terminates on the exact active set once blocks hold the support', () => {
      const a = normalRows(40, 60, 12)
      const truth = Float64Array.from({ length: 60 }, (_, i) => (i % 12 === 0 ? 2 : 0))
      const problem: DescentProblem = { loss: 'least-squares', A: a, b: times(a, truth), l1: 3, lower: 0 }
      const solution = solve(problem, { blockSize: 20, update: 'two-metric', tolerance: 1e-14 })
      expect(solution.iterations).to.be.below(30)
      expect(solution.residual).to.be.below(1e-13)
      expect(solution.identified).to.be.below(solution.iterations + 1)
      expect(solution.complementarity).to.be.above(0)
      // The solution on the support is that of its own equations.
      const s = [...solution.support]
      const g = gram(a)
      const right = times(transposed(a), times(a, truth))
      const x = solveDense(
        s.map((i) => s.map((j) => g[i][j])),
        s.map((i) => right[i] - 3),
      )
      s.forEach((i, k) => {
        expect(solution.x[i]).to.be.closeTo(x[k], 1e-11)
      })
    })

    it('label propagation: harmonic labels, whatever the graph', () => {
      const weights = latticeRows(4, 5, 0).map((row, i) => row.map((v, j) => (i === j ? 0 : -v * (1 + ((i + j) % 3)))))
      const { problem, unlabelled, expand } = labelPropagation({ weights, labelled: [0, 7, 19], labels: [1, -2, 5] })
      expect(unlabelled).to.have.length(17)
      const y = expand(solve(problem, { selection: 'gs-tree', tolerance: 1e-12 }).x)
      for (const i of unlabelled) {
        const degree = weights[i].reduce((sum, w) => sum + w, 0)
        expect(y[i]).to.be.closeTo(weights[i].reduce((sum, w, j) => sum + w * y[j], 0) / degree, 1e-9)
      }
      expect([y[0], y[7], y[19]]).to.deep.equal([1, -2, 5])
    })

    it('D bounds every block: the gsd score of a block is at most its exact decrease', () => {
      for (const diagonal of ['lipschitz', 'row-sums'] as const) {
        const problem: DescentProblem = { loss: 'least-squares', A: rows, b: target }
        const exact = solve(problem, { selection: 'mi', blockSize: 3, maxIterations: 1, tolerance: 0 })
        const step = solve(problem, { selection: 'gsd', diagonal, blockSize: 3, maxIterations: 1, tolerance: 0 })
        const h = gram(rows)
        const g = times(transposed(rows), target)
        const chosen = Array.from({ length: n }, (_, i) => i).filter((i) => step.visits[i] === 1)
        const of = (i: number) =>
          diagonal === 'lipschitz' ? 3 * h[i][i] : h[i].reduce((sum, v) => sum + Math.abs(v), 0)
        const scores = g.map((v, i) => (v * v) / (2 * of(i)))
        const largest = [...scores.keys()].sort((i, j) => scores[j] - scores[i]).slice(0, 3)
        expect(chosen).to.deep.equal(largest.sort((i, j) => i - j))
        const start = 0.5 * target.reduce((sum, v) => sum + v * v, 0)
        expect(start - step.value).to.be.at.least(chosen.reduce((sum, i) => sum + scores[i], 0))
        expect(exact.value).to.be.at.most(step.value)
      }
    })

    it('columns of zeros are never chosen, and go to 0 under an L1 term', () => {
      const a = rows.map((row) => row.map((v, j) => (j === 2 || j === 5 ? 0 : v)))
      const x0 = new Float64Array(n).fill(1)
      for (const selection of ['random', 'cyclic', 'permutation', 'lipschitz', 'gsd'] as const) {
        const plain = solve({ loss: 'least-squares', A: a, b: target }, { x0, selection })
        expect([plain.visits[2], plain.visits[5], plain.x[2]]).to.deep.equal([0, 0, 1])
        const sparse = solve({ loss: 'least-squares', A: a, b: target, l1: 0.1 }, { x0, selection, partition: 'sort' })
        expect([sparse.visits[2], sparse.x[2], sparse.blockOf[5]]).to.deep.equal([0, 0, -1])
      }
    })

    it('copies of a column are no obstacle to the matrix update', () => {
      const a = rows.map((row) => [...row.slice(0, 4), ...row.slice(0, 4)])
      const solution = solve({ loss: 'least-squares', A: a, b: target }, { blockSize: 8, tolerance: 1e-10 })
      expect(solution.status).to.equal('converged')
    })

    it('blocks larger than the problem, empty budgets and starts at the optimum end well', () => {
      const problem: DescentProblem = { loss: 'least-squares', A: rows, b: target }
      const solution = solve(problem, { blockSize: 1000, tolerance: 1e-10 })
      expect(solution.status).to.equal('converged')
      expect(solve(problem, { x0: solution.x }).iterations).to.equal(0)
      const none = solve(problem, { maxIterations: 0 })
      expect([none.status, none.iterations]).to.deep.equal(['iteration-limit', 0])
      const limited = solve(problem, { timeLimit: 1e-9, tolerance: 0 })
      expect(limited.status).to.equal('time-limit')
    })

    it('the same seed gives the same run, another seed another', () => {
      const run = (seed: number) =>
        solve(
          { loss: 'least-squares', A: rows, b: target },
          { ...{ selection: 'random', seed, maxIterations: 20, tolerance: 0, history: true } },
        ).history!.selected!
      expect([...run(5)]).to.deep.equal([...run(5)])
      expect([...run(5)]).not.to.deep.equal([...run(6)])
      expect(run(5)).to.have.length(100)
    })

    it('aborts, and reports progress', async () => {
      const a = normalRows(60, 80, 20)
      const problem: DescentProblem = {
        loss: 'logistic',
        A: a,
        labels: fill(60, randomNormal(1)).map((v) => (v > 0 ? 1 : -1)),
      }
      const controller = new AbortController()
      let seen = 0
      const running = blockCoordinateDescent(problem, {
        ...{ backend, tolerance: 0, maxIterations: 2e9, signal: controller.signal },
        onProgress: () => {
          if (++seen === 2) controller.abort(new Error('enough'))
        },
      })
      const error = await running.catch((reason) => reason)
      expect((error as Error).message).to.equal('enough')
    })
  })

  it('both backends take the same steps', () => {
    for (const [, template] of templates) {
      for (const [suffix, extra] of terms) {
        for (const [selection, update, partition] of combinations) {
          if (suffix !== '' && (selection === 'iht' || (selection === 'gsn' && partition === 'variable'))) continue
          const maxIterations = 6
          const problem = { ...template, ...extra } as DescentProblem
          const what = `${selection}, ${update}, ${partition}${suffix}`
          for (const end of [
            { tolerance: 0, maxIterations },
            { tolerance: 1e-11, maxIterations: 50_000 },
          ]) {
            const [one, other] = (['native', 'portable'] as const).map((backend) =>
              blockCoordinateDescentSync(problem, {
                ...{ selection, update, partition, blockSize: 4, backend },
                ...end,
              }),
            )
            expect(one.status, what).to.equal(other.status)
            expect(one.value, what).to.be.closeTo(other.value, 1e-9 * Math.abs(other.value))
            const size = Math.max(...one.x.map(Math.abs))
            for (let i = 0; i < one.x.length; i++) expect(one.x[i], what).to.be.closeTo(other.x[i], 1e-9 * size)
            if (end.tolerance === 0) expect([...one.visits], what).to.deep.equal([...other.visits])
          }
        }
      }
    }
  })
})

/** Edges = nodes - trees, counted by joining. */
function isForest(_nodes: number, edges: number[][]): boolean {
  const up = new Map<number, number>()
  const find = (i: number): number => {
    const at = up.get(i) ?? i
    return at === i ? i : find(at)
  }
  return edges.every(([i, j]) => {
    const [a, b] = [find(i), find(j)]
    if (a === b) return false
    up.set(a, b)
    return true
  })
}
