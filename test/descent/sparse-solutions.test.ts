import { expect } from 'chai'
import { blockCoordinateDescentSync, type DescentProblem, solveForestSync } from '../../lib/descent/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { diagonal } from '../helpers/matrices.js'
import { fill, random, randomNormal, shuffled } from '../helpers/random.js'
import { normalRows, toCsr } from './helpers.js'

// Fitted by scikit-learn 1.2.1 to tol 1e-14: Lasso(alpha=30/20), LogisticRegression of C = 1/0.5 (l2), 1/2 (l1, liblinear) and
// 1/2 (multinomial), all with fit_intercept=False.
const A = Array.from({ length: 20 }, (_, r) =>
  Array.from({ length: 8 }, (_, j) => ((7 * r + 13 * j + r * j * j) % 11) - 5),
)
const b = A.map((_, r) => ((5 * r * r + 3 * r) % 17) - 8)
const lasso = [0, -0.0650264691320408, 0.5460677152759267, -0.15348478500971174, 0, 0, 0, 0.004749209734547122]
const ridge = [
  ...[-0.06380892871001563, -0.4141632250771877, 1.2472162086981113, -0.19867187437891662, 0.2754536224776773],
  ...[0.010826895955657332, 0.1230735709467535, 0.3247365204513315],
]
const sparse = [
  ...[0, -0.20350457795521257, 0.4860966276003997, -0.009206180134680421, 0.09531614501263257, 0],
  ...[0.00976005566398319, 0.0682386976002504],
]
const softmax = [
  [-0.0640565757977681, -0.05786525804839352, -0.20219544136835513, 0.2961876448334616],
  [0.025275662084079786, -0.30701139993667775, -0.369595272598999, 0.1851563294969285],
].flat()

describe('descent: sparse solutions', () => {
  forEachBackend((backend) => {
    const close = (x: ArrayLike<number>, expected: number[], slack: number) =>
      expected.forEach((v, i) => {
        expect(x[i], `coordinate ${i}`).to.be.closeTo(v, slack)
      })

    it('are those of scikit-learn, with the same support', () => {
      const labels = b.map((v) => (v > 0 ? 1 : -1))
      const options = { backend, tolerance: 1e-12, maxIterations: 1e6 }
      for (const rules of [
        {},
        { selection: 'cyclic', blockSize: 1, update: 'gradient', workingSet: true },
        { selection: 'gsl', partition: 'sort', blockSize: 3, update: 'newton' },
      ] as const) {
        const first = blockCoordinateDescentSync({ loss: 'least-squares', A, b, l1: 30 }, { ...options, ...rules })
        close(first.x, lasso, 1e-9)
        expect([...first.support]).to.deep.equal([...lasso.keys()].filter((i) => lasso[i] !== 0))
        const second = blockCoordinateDescentSync({ loss: 'logistic', A, labels, l1: 2 }, { ...options, ...rules })
        close(second.x, sparse, 1e-5)
        expect([...second.support]).to.deep.equal([...sparse.keys()].filter((i) => sparse[i] !== 0))
      }
      close(blockCoordinateDescentSync({ loss: 'logistic', A, labels, l2: 0.5 }, options).x, ridge, 1e-6)
      const three = A.map((_, r) => (r * r + Math.floor(r / 3)) % 3)
      const { x } = blockCoordinateDescentSync({ loss: 'softmax', A, labels: three, l2: 2 }, options)
      const firstClass = Array.from({ length: 8 }, (_, j) => x[3 * j])
      close(firstClass, softmax, 1e-6)
    })

    it('keep their support from the iteration that identified it', () => {
      const problem: DescentProblem = { loss: 'least-squares', A, b, l1: 30 }
      for (const rules of [{ blockSize: 2 }, { selection: 'cyclic', update: 'gradient', blockSize: 1 }] as const) {
        const end = blockCoordinateDescentSync(problem, { backend, tolerance: 1e-11, ...rules })
        expect(end.identified).to.be.within(1, end.iterations)
        expect(end.complementarity).to.be.above(0)
        for (const [maxIterations, same] of [
          [end.identified - 1, false],
          [end.identified, true],
          [end.identified + 1, true],
          [end.identified + 4, true],
        ] as const) {
          const { support } = blockCoordinateDescentSync(problem, {
            backend,
            tolerance: 1e-11,
            ...rules,
            maxIterations,
          })
          expect(String(support) === String(end.support), `iteration ${maxIterations}`).to.equal(same)
        }
      }
    })

    it('come from working sets as from all coordinates, of which most are never touched', () => {
      const [m, n] = [30, 400]
      const rows = normalRows(m, n, 5, 0.5)
      const right = fill(m, randomNormal(6))
      const labels = right.map((v) => (v > 0 ? 1 : -1))
      const problems: DescentProblem[] = [
        { loss: 'least-squares', A: rows, b: right, l1: 4 },
        { loss: 'least-squares', A: rows, b: right, l1: 0.3 },
        { loss: 'least-squares', A: toCsr(rows), b: right, l1: 1, lower: 0 },
        { loss: 'logistic', A: toCsr(rows), labels, l1: 1.5, l2: 0.01 },
      ]
      for (const problem of problems) {
        const all = blockCoordinateDescentSync(problem, { backend, blockSize: 100, tolerance: 1e-9 })
        expect(all.status).to.equal('converged')
        for (const selection of ['cyclic', 'permutation', 'random'] as const) {
          const options = { backend, selection, blockSize: 1, update: 'gradient', tolerance: 1e-9 } as const
          const some = blockCoordinateDescentSync(problem, { ...options, workingSet: true })
          expect(some.status).to.equal('converged')
          expect(some.value).to.be.closeTo(all.value, 1e-10 * Math.abs(all.value))
          expect([...some.support]).to.deep.equal([...all.support])
          expect(some.visits.filter((count) => count === 0).length).to.be.above(100)
        }
      }
    })

    it('the first working set holds the hundred coordinates that would move furthest', () => {
      const [m, n] = [30, 400]
      const rows = normalRows(m, n, 15)
      const right = fill(m, randomNormal(16))
      const slopes = rows[0].map((_, j) => Math.abs(rows.reduce((sum, row, r) => sum + row[j] * right[r], 0)))
      const furthest = [...slopes.keys()].sort((i, j) => slopes[j] - slopes[i]).slice(0, 100)
      const { visits } = blockCoordinateDescentSync(
        { loss: 'least-squares', A: rows, b: right, l1: 0.01 },
        { ...{ backend, selection: 'cyclic', blockSize: 1, workingSet: true, maxIterations: 100, tolerance: 0 } },
      )
      expect([...visits.keys()].filter((i) => visits[i] === 1)).to.deep.equal(furthest.sort((i, j) => i - j))
    })

    it('the residual is that of all coordinates, also of those outside the working set', () => {
      // Coordinates that know nothing of each other: each pass over a working set solves all of it, and leaves none of the
      // residual there. The solution is a threshold of each.
      const n = 350
      const diagonal = Float64Array.from({ length: n }, (_, i) => 1 + (i % 7))
      const b = Float64Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 1 : -1) * (2 + i / n))
      const indptr = Int32Array.from({ length: n + 1 }, (_, i) => i)
      const A = { shape: [n, n] as [number, number], indptr, indices: indptr.slice(0, n), data: diagonal }
      const expected = b.map((v, i) => (Math.sign(v) * (Math.abs(v) - 1)) / diagonal[i])
      for (const selection of ['cyclic', 'permutation'] as const) {
        const options = { backend, selection, blockSize: 1, workingSet: true, tolerance: 1e-12 } as const
        const { x, status, residual, visits } = blockCoordinateDescentSync({ loss: 'quadratic', A, b, l1: 1 }, options)
        expect(status).to.equal('converged')
        expect(residual).to.be.at.most(1e-12)
        expect(Math.min(...visits)).to.be.above(0)
        close(x, [...expected], 1e-12)
      }
      // Stopped after the first hundred, the others are as far away as they were: the largest by 2 - 1 + 249 / n.
      const { status, residual } = blockCoordinateDescentSync(
        { loss: 'quadratic', A, b, l1: 1 },
        { backend, selection: 'cyclic', blockSize: 1, workingSet: true, maxIterations: 100, tolerance: 0.1 },
      )
      expect(status).to.equal('iteration-limit')
      expect(residual).to.be.closeTo((1 + 249 / n) / (2 + 349 / n), 1e-12)
    })

    it('two-metric projection solves for the free coordinates and leaves the held ones', () => {
      const x0 = lasso.map((v) => 1.05 * v)
      const options = { backend, x0, blockSize: 8, update: 'two-metric', maxIterations: 1, tolerance: 0 } as const
      const { x } = blockCoordinateDescentSync({ loss: 'least-squares', A, b, l1: 30 }, options)
      close(x, lasso, 1e-9)
    })

    it('working sets are refused where they have no meaning', () => {
      const problem: DescentProblem = { loss: 'least-squares', A, b }
      const wrong = (given: object, options: object, message: RegExp) =>
        expectError(
          () => blockCoordinateDescentSync({ ...problem, ...given }, { backend, workingSet: true, ...options }),
          'ERR_OPTION',
          message,
        )
      wrong({}, { selection: 'cyclic' }, /^workingSet: expected false without L1 terms or bounds/)
      wrong({ l1: 1 }, {}, /^workingSet: expected false but with variable blocks/)
      wrong({ l1: 1 }, { selection: 'cyclic', partition: 'sort' }, /^workingSet/)
      wrong({ l1: 1 }, { selection: 'cyclic', workingSet: 1 }, /^workingSet/)
    })

    it('numbers that overflow are an error, not NaN', () => {
      // One column alone, before others that are as they should be.
      const huge = A.map((row) => row.map((v, j) => (j === 0 ? v * 1e200 : v)))
      expectError(
        () => blockCoordinateDescentSync({ loss: 'least-squares', A: huge, b }, { backend }),
        'ERR_NOT_FINITE',
        /^A: expected numbers within the range of float64, got an overflow at iteration 0/,
      )
      // Unbounded below, though every coordinate alone has a minimum.
      expectError(
        () =>
          blockCoordinateDescentSync(
            {
              loss: 'quadratic',
              A: [
                [1, 2],
                [2, 1],
              ],
              b: [1, 1],
            },
            { backend, selection: 'cyclic', blockSize: 1 },
          ),
        'ERR_NOT_FINITE',
        /at iteration \d+/,
      )
    })

    it('forests of many stretches, in any order of the nodes', () => {
      for (const scattered of [false, true]) {
        const n = 150_000
        const next = random(7)
        const name = scattered ? shuffled(n, next) : Array.from({ length: n }, (_, i) => i)
        const ends: [number, number, number][] = []
        for (let k = 1; k < n; k++) {
          if (k % 50_000 === 0) continue
          ends.push([name[k], name[Math.max(0, k - 1 - Math.floor(next() * 20))], 2 * next() - 1])
        }
        const lists = Array.from({ length: n }, (): [number, number][] => [])
        for (const [i, j, value] of ends) {
          lists[i].push([j, value])
          lists[j].push([i, value])
        }
        const indptr = new Int32Array(n + 1)
        const indices: number[] = []
        const data: number[] = []
        const truth = fill(n, randomNormal(8))
        const right = new Float64Array(n)
        lists.forEach((list, i) => {
          list.push([i, 1 + list.reduce((sum, [, v]) => sum + Math.abs(v), 0)])
          list.sort((p, q) => p[0] - q[0])
          for (const [j, value] of list) {
            indices.push(j)
            data.push(value)
            right[i] += value * truth[j]
          }
          indptr[i + 1] = indices.length
        })
        const matrix = {
          shape: [n, n] as [number, number],
          indptr,
          indices: Int32Array.from(indices),
          data: Float64Array.from(data),
        }
        const one = solveForestSync(matrix, right, { backend, threads: 1 })
        expect(one.trees).to.equal(3)
        let worst = 0
        for (let i = 0; i < n; i++) worst = Math.max(worst, Math.abs(one.x[i] - truth[i]))
        expect(worst).to.be.below(1e-11)
        const two = solveForestSync(matrix, right, { backend, threads: 2 })
        expect(Buffer.compare(Buffer.from(one.x.buffer), Buffer.from(two.x.buffer))).to.equal(0)
      }
    })

    it('a cycle is named by a node on it, and one-sided entries by their place', () => {
      const edges = [
        ...[
          [0, 1],
          [1, 4],
          [4, 5],
          [5, 6],
          [6, 7],
          [7, 4],
          [6, 2],
          [2, 3],
          [9, 8],
          [8, 7],
        ],
      ]
      // Two rings and a way between them, whose number is the lowest.
      const pairs = [
        [1, 2],
        [2, 3],
        [3, 1],
        [4, 5],
        [5, 6],
        [6, 4],
        [1, 0],
        [0, 4],
      ]
      const rings = diagonal(new Float64Array(7).fill(5))
      for (const [i, j] of pairs) {
        rings[i][j] = -1
        rings[j][i] = -1
      }
      const between = () => solveForestSync(rings, new Float64Array(7), { backend })
      expectError(between, 'ERR_SHAPE', /^A: expected a forest, got a graph with a cycle through node [1-6]$/)
      const rows = diagonal(new Float64Array(10).fill(5))
      for (const [i, j] of edges) {
        rows[i][j] = -1
        rows[j][i] = -1
      }
      for (const matrix of [rows, toCsr(rows)]) {
        const solve = () => solveForestSync(matrix, new Float64Array(10), { backend })
        expectError(solve, 'ERR_SHAPE', /^A: expected a forest, got a graph with a cycle through node [4567]$/)
      }
      for (const [i, j, value] of [
        [0, 1, 0],
        [1, 0, 0],
        [3, 2, -2],
      ]) {
        const odd = rows.map((row) => [...row])
        odd[7][4] = 0
        odd[4][7] = 0
        odd[i][j] = value
        const solve = () => solveForestSync(toCsr(odd), new Float64Array(10), { backend })
        expectError(solve, 'ERR_SHAPE', /^A\[\d\]\[\d\]: expected a symmetric matrix/)
      }
    })
  })

  it('do not depend on the number of threads', () => {
    const [m, n] = [300, 700]
    const rows = normalRows(m, n, 9, 0.9)
    const right = fill(m, randomNormal(10))
    const labels = right.map((v) => (v > 0 ? 1 : -1))
    const classes = right.map((v) => (v > 0.4 ? 2 : v > -0.4 ? 1 : 0))
    const square = Array.from({ length: 500 }, (_, i) =>
      Array.from({ length: 500 }, (_, j) => (i === j ? 40 : Math.cos(i * j + i + j) / (1 + Math.abs(i - j)))),
    )
    const cases: [DescentProblem, object][] = [
      [{ loss: 'least-squares', A: rows, b: right }, { blockSize: 20 }],
      [
        { loss: 'least-squares', A: rows, b: right, l1: 10 },
        { selection: 'cyclic', blockSize: 1, workingSet: true },
      ],
      [
        { loss: 'logistic', A: toCsr(rows), labels, l2: 1 },
        { blockSize: 60, update: 'newton' },
      ],
      [
        { loss: 'softmax', A: rows, labels: classes, l2: 1 },
        { blockSize: 30, update: 'newton', selection: 'cyclic' },
      ],
      [{ loss: 'quadratic', A: square, b: fill(500, randomNormal(11)) }, { blockSize: 300 }],
    ]
    for (const [problem, options] of cases) {
      const [one, ...others] = [1, 2, 3].map(
        (threads) =>
          blockCoordinateDescentSync(problem, {
            backend: 'native',
            threads,
            tolerance: 0,
            maxIterations: 12,
            ...options,
          }).x,
      )
      for (const x of others) expect(Buffer.compare(Buffer.from(one.buffer), Buffer.from(x.buffer))).to.equal(0)
    }
  })
})
