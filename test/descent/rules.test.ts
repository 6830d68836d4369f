import { expect } from 'chai'
import {
  type BlockCoordinateDescentOptions,
  blockCoordinateDescentSync,
  type DescentProblem,
} from '../../lib/descent/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { inner, type Rows } from '../helpers/matrices.js'
import { fill, randomNormal } from '../helpers/random.js'
import { gram, normalRows, solveDense, times, transposed } from './helpers.js'

const [m, n] = [16, 10]

/** Σ log(1 + exp(-y aᵀx)): gradient and Hessian from its definition, at scores so large that the bound ¼ AᵀA is far off. */
function logistic(seed: number) {
  const a = normalRows(m, n, seed)
  const labels = fill(m, randomNormal(seed + 1)).map((v) => (v > 0 ? 1 : -1))
  const x0 = fill(n, randomNormal(seed + 2)).map((v) => 1.5 * v)
  const p = times(a, x0).map((score, r) => 1 / (1 + Math.exp(labels[r] * score)))
  const g = times(
    transposed(a),
    p.map((v, r) => -labels[r] * v),
  )
  const weighted = a.map((row, r) => row.map((v) => v * Math.sqrt(p[r] * (1 - p[r]))))
  return { problem: { loss: 'logistic', A: a, labels } as DescentProblem, x0, g, h: gram(weighted), bound: gram(a) }
}

/** ½ g_bᵀ H_b⁻¹ g_b */
function decrease(block: number[], g: number[], h: Rows): number {
  const part = block.map((i) => g[i])
  const sub = block.map((i) => block.map((j) => h[i][j]))
  return 0.5 * inner(part, solveDense(sub, part))
}

function* subsets(count: number, size: number, from = 0): Generator<number[]> {
  if (size === 0) yield []
  else {
    for (let i = from; i <= count - size; i++) for (const rest of subsets(count, size - 1, i + 1)) yield [i, ...rest]
  }
}

const largest = (values: number[]) => values.reduce((best, v, k) => (v > values[best] ? k : best), 0)

/** The largest eigenvalue of a positive semidefinite matrix, by squaring it. */
function norm(h: Rows): number {
  let v: number[] = h.map((_, i) => 1 + 0.1 * i)
  let length = 0
  for (let k = 0; k < 3000; k++) {
    v = times(h, v)
    length = Math.sqrt(inner(v, v))
    v = v.map((value) => value / length)
  }
  return length
}

describe('descent: what the rules promise', () => {
  forEachBackend((backend) => {
    const solve = (problem: DescentProblem, options: BlockCoordinateDescentOptions) =>
      blockCoordinateDescentSync(problem, { backend, tolerance: 0, history: true, ...options })

    it('gsn takes the fixed block on which the current Hessian promises most, gsq that of its bound', () => {
      const blocks = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
      let apart = 0
      for (let seed = 1; seed <= 12; seed++) {
        const { problem, x0, g, h, bound } = logistic(seed)
        const quarter = bound.map((row) => row.map((v) => v / 4))
        const now = largest(blocks.map((block) => decrease(block, g, h)))
        const always = largest(blocks.map((block) => decrease(block, g, quarter)))
        const options = { x0, partition: blocks, update: 'newton', maxIterations: 1 } as const
        expect(solve(problem, { ...options, selection: 'gsn' }).history!.selected![0]).to.equal(now)
        expect(solve(problem, { ...options, selection: 'gsq' }).history!.selected![0]).to.equal(always)
        if (now !== always) apart++
      }
      expect(apart).to.be.above(1)
    })

    it('gsn with a cubic term, one coordinate at a time: the closed form of the root', () => {
      for (let seed = 1; seed <= 60; seed++) {
        const { problem, x0, g, h } = logistic(seed)
        for (const cubic of [0.5, 2, 50]) {
          const scores = g.map((slope, i) => {
            const r = (-h[i][i] + Math.sqrt(h[i][i] ** 2 + 2 * cubic * Math.abs(slope))) / cubic
            return Math.abs(slope) * r - 0.5 * h[i][i] * r * r - (cubic / 6) * r ** 3
          })
          const solution = solve(problem, {
            ...{ x0, selection: 'gsn', partition: 'order', blockSize: 1, update: 'newton', maxIterations: 1, cubic },
          })
          expect(solution.history!.selected![0], `seed ${seed}, ${cubic}`).to.equal(largest(scores))
        }
      }
    })

    it('iht betters the diagonal choice in the model of the bound, and variable gsn is better in that of the Hessian', () => {
      const promised = { gsn: 0, iht: 0, gsd: 0, swapped: 0 }
      const seeds = 20
      for (let seed = 1; seed <= seeds; seed++) {
        const { problem, x0, g, h, bound } = logistic(seed)
        const quarter = bound.map((row) => row.map((v) => v / 4))
        const all = [...subsets(n, 3)]
        const best = { h: 0, quarter: 0 }
        for (const block of all) {
          best.h = Math.max(best.h, decrease(block, g, h))
          best.quarter = Math.max(best.quarter, decrease(block, g, quarter))
        }
        const of = (selection: 'gsn' | 'iht' | 'gsd') => [
          ...solve(problem, { ...{ x0, selection, blockSize: 3, update: 'newton', maxIterations: 1 } }).history!
            .selected!,
        ]
        const [gsn, iht, gsd] = [of('gsn'), of('iht'), of('gsd')]
        promised.gsn += decrease(gsn, g, h) / best.h / seeds
        promised.iht += decrease(iht, g, quarter) / best.quarter / seeds
        promised.gsd += decrease(gsd, g, quarter) / best.quarter / seeds
        promised.swapped += decrease(iht, g, h) / best.h / seeds
      }
      for (const share of Object.values(promised)) expect(share).to.be.within(0.5, 1)
      expect(promised.iht).to.be.above(promised.gsd)
      expect(promised.gsn).to.be.above(promised.swapped)
    })

    it('a gradient step on a block brings |∇_b|² / (2 L_b), with L_b the norm of its Hessian', () => {
      const a = normalRows(m, n, 30)
      const b = fill(m, randomNormal(31))
      const h = gram(a)
      const right = times(transposed(a), b)
      for (const selection of ['gs', 'gsl', 'gsd', 'cyclic'] as const) {
        const options = { selection, partition: 'average', update: 'gradient', blockSize: 4 } as const
        let before = solve({ loss: 'least-squares', A: a, b }, { ...options, maxIterations: 0 })
        for (let k = 1; k <= 5; k++) {
          const after = solve({ loss: 'least-squares', A: a, b }, { ...options, maxIterations: k })
          const chosen = after.history!.selected![k - 1]
          const block = [...after.blockOf.keys()].filter((i) => after.blockOf[i] === chosen)
          const g = times(h, before.x).map((v, i) => v - right[i])
          const squares = block.reduce((sum, i) => sum + g[i] ** 2, 0)
          const bound = norm(block.map((i) => block.map((j) => h[i][j])))
          // The step is that of this very L_b.
          for (const i of block) expect(after.x[i] - before.x[i]).to.be.closeTo(-g[i] / bound, 1e-9)
          expect(before.value - after.value).to.be.at.least((squares / (2 * bound)) * (1 - 1e-9))
          if (selection === 'gsl') {
            const scores = Array.from({ length: after.blocks }, (_, c) => {
              const of = [...after.blockOf.keys()].filter((i) => after.blockOf[i] === c)
              return of.reduce((sum, i) => sum + g[i] ** 2, 0) / norm(of.map((i) => of.map((j) => h[i][j])))
            })
            expect(chosen).to.equal(largest(scores))
          }
          before = after
        }
      }
    })

    it('both diagonals bound every block: D - H_b has no negative eigenvalue', () => {
      const h = gram(normalRows(12, 8, 40))
      for (const of of [(i: number) => 3 * h[i][i], (i: number) => h[i].reduce((sum, v) => sum + Math.abs(v), 0)]) {
        for (const block of subsets(8, 3)) {
          // All eigenvalues of D^(-1/2) H_b D^(-1/2) are at most 1.
          const scaled = block.map((i) => block.map((j) => h[i][j] / Math.sqrt(of(i) * of(j))))
          expect(norm(scaled)).to.be.at.most(1 + 1e-12)
        }
      }
    })

    it('fixed partitions are cut from the order of L, or of the row sums', () => {
      const a = normalRows(m, n, 50)
      const h = gram(a)
      const by = (weight: (i: number) => number) => [...h.keys()].sort((i, j) => weight(j) - weight(i))
      const rowSum = (i: number) => h[i].reduce((sum, v) => sum + Math.abs(v), 0)
      const pairs = (sorted: number[]) => sorted.map((_, k) => (k % 2 === 0 ? sorted[k / 2] : sorted[n - (k + 1) / 2]))
      for (const [partition, order] of [
        ['sort', by((i) => h[i][i])],
        ['average', pairs(by((i) => h[i][i]))],
        ['sort-row-sums', by(rowSum)],
        ['average-row-sums', pairs(by(rowSum))],
      ] as const) {
        const b = fill(m, randomNormal(51))
        const { blockOf } = solve({ loss: 'least-squares', A: a, b }, { partition, blockSize: 4, maxIterations: 1 })
        order.forEach((i, k) => {
          expect(blockOf[i], partition).to.equal(Math.floor(k / 4))
        })
      }
    })

    it('lipschitz draws coordinates in proportion to L', () => {
      const scales = [1, 2, 3, 4]
      const a = scales.map((s, i) => scales.map((_, j) => (i === j ? s : 0)))
      // Bounds keep x in place, so that the draws go on.
      const problem: DescentProblem = { loss: 'least-squares', A: a, b: [9, 9, 9, 9], upper: 0 }
      const options = { selection: 'lipschitz', blockSize: 1, maxIterations: 3000, tolerance: 0 } as const
      let visits = new Int32Array(4)
      // A start that is not optimal keeps it from ending at once.
      for (let seed = 0; seed < 200; seed++) {
        const run = solve(problem, { ...options, x0: [-1, -1, -1, -1], seed, maxIterations: 1 })
        visits = visits.map((v, i) => v + run.visits[i])
      }
      scales.forEach((s, i) => {
        expect(visits[i] / 200).to.be.closeTo((s * s) / 30, 0.1)
      })
    })
  })
})
