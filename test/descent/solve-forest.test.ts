import { expect } from 'chai'
import fc from 'fast-check'
import { solveForest, solveForestSync } from '../../lib/descent/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { refusing } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { fill, randomNormal } from '../helpers/random.js'
import { forestRows, solveDense, toCsr } from './helpers.js'

describe('descent: solveForest', () => {
  forEachBackend((backend) => {
    it('is the dense solution on random forests', () => {
      check(
        fc.property(
          fc.integer({ min: 1, max: 60 }),
          fc.integer({ min: 1, max: 1e6 }),
          fc.boolean(),
          (n, seed, dense) => {
            const rows = forestRows(n, seed)
            const b = fill(n, randomNormal(seed))
            const solution = solveForestSync(dense ? rows : toCsr(rows), b, { backend })
            const exact = solveDense(rows, b)
            const size = Math.max(...exact.map(Math.abs), 1e-300)
            for (let i = 0; i < n; i++) expect(solution.x[i]).to.be.closeTo(exact[i], 1e-12 * size)
            let edges = 0
            for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) if (rows[i][j] !== 0) edges++
            expect(solution.trees).to.equal(n - edges)
            expect(solution.residual).to.be.below(1e-11 * (1 + size))
            expect(solution.backend).to.equal(backend)
          },
        ),
      )
    })

    it('solves a chain of a million nodes', async () => {
      const n = 1e6
      const indptr = new Int32Array(n + 1)
      const indices = new Int32Array(3 * n - 2)
      const data = new Float64Array(3 * n - 2)
      let count = 0
      for (let i = 0; i < n; i++) {
        for (let j = Math.max(0, i - 1); j <= Math.min(n - 1, i + 1); j++) {
          indices[count] = j
          data[count++] = i === j ? 3 : -1
        }
        indptr[i + 1] = count
      }
      const b = new Float64Array(n).fill(1)
      const { x, trees } = await solveForest({ shape: [n, n], indptr, indices, data }, b, { backend })
      expect(trees).to.equal(1)
      expect(x[n / 2]).to.be.closeTo(1, 1e-12)
      // The ends follow x_0 = 1 - c r with r² - 3 r + 1 = 0.
      const r = (3 - Math.sqrt(5)) / 2
      expect(x[0]).to.be.closeTo(1 - r, 1e-12)
    })

    it('refuses cycles, asymmetry, pivots that are not positive and wrong input', async () => {
      const wrong = refusing(solveForest, (A, b) => solveForestSync(A, b, { backend }))
      const b = [1, 1, 1]
      const cycle = [
        [3, -1, -1],
        [-1, 3, -1],
        [-1, -1, 3],
      ]
      await wrong(cycle, b, 'ERR_SHAPE', /^A: expected a forest, got a graph with a cycle through node \d/)
      await wrong(toCsr(cycle), b, 'ERR_SHAPE', /cycle/)
      await wrong(
        [
          [1, 2],
          [0, 1],
        ],
        [1, 1],
        'ERR_SHAPE',
        /^A\[\d\]\[\d\]: expected a symmetric matrix/,
      )
      await wrong(
        [
          [1, 2],
          [2, 1],
        ],
        [1, 1],
        'ERR_NOT_POSITIVE',
        /^A: expected a positive definite matrix/,
      )
      await wrong(
        [
          [1, -1],
          [-1, 1],
        ],
        [1, 1],
        'ERR_NOT_POSITIVE',
        /pivot/,
      )
      await wrong([[1, 2, 3]], b, 'ERR_SHAPE', /square/)
      await wrong(cycle, [1], 'ERR_SHAPE', 'b: expected 3 numbers, got 1')
      await wrong(cycle, [1, Number.NaN, 1], 'ERR_NOT_FINITE', /^b\[1\]/)
      await wrong([], [], 'ERR_SHAPE', /non-empty/)
      await wrong(
        { ...toCsr(cycle), indices: Int32Array.of(1, 0, 2, 0, 1, 2, 0, 1, 2) },
        b,
        'ERR_SHAPE',
        /ascending columns/,
      )
    })
  })
})
