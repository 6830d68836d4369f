import { expect } from 'chai'
import fc from 'fast-check'
import {
  type BarycenterOptions,
  type BarycenterSolution,
  barycenter,
  barycenterSync,
  gridCost,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { barycenterProgram } from '../helpers/barycenter-program.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { random } from '../helpers/random.js'
import { columnSums, distanceL1, dot, largestDifference, normalized, rowSums, total } from '../helpers/transport.js'

const line = (n: number) => Float64Array.from({ length: n }, (_, i) => i / (n - 1))

function normal(n: number, mean: number, deviation: number): Float64Array {
  return normalized(line(n).map((x) => Math.exp(-((x - mean) ** 2) / (2 * deviation ** 2))))
}

function squares(n: number): number[][] {
  const x = [...line(n)]
  return x.map((u) => x.map((v) => (u - v) ** 2))
}

function moments(b: Float64Array): { mean: number; variance: number } {
  const x = line(b.length)
  const mean = dot(b, x)
  return {
    mean,
    variance: dot(
      b,
      x.map((u) => (u - mean) ** 2),
    ),
  }
}

function randomHistograms(count: number, n: number, seed: number): number[][] {
  const next = random(seed)
  return Array.from({ length: count }, () => [...normalized(Float64Array.from({ length: n }, () => 0.05 + next()))])
}

function randomCost(n: number, seed: number, symmetric: boolean): number[][] {
  const next = random(seed)
  const cost = Array.from({ length: n }, () => Array.from({ length: n }, next))
  return symmetric ? cost.map((row, i) => row.map((value, j) => value + cost[j][i])) : cost
}

/** Squared distances between random places: their kernel is positive definite. */
function distances(n: number, seed: number): number[][] {
  const next = random(seed)
  const places = Array.from({ length: n }, () => [next(), next()])
  return places.map(([x, y]) => places.map(([u, v]) => (x - u) ** 2 + (y - v) ** 2))
}

/** The published iteration in the plainest form: with the scalings themselves. */
function naive(
  cost: number[][],
  histograms: number[][],
  weights: number[],
  epsilon: number,
  debiased: boolean,
  iterations: number,
): Float64Array {
  const n = cost.length
  const times = (v: number[], transposed: boolean) =>
    cost.map((_, i) => {
      let sum = 0
      for (let j = 0; j < n; j++) sum += Math.exp(-(transposed ? cost[j][i] : cost[i][j]) / epsilon) * v[j]
      return sum
    })
  let v = histograms.map(() => new Array<number>(n).fill(1))
  let d = new Array<number>(n).fill(1)
  let b = d
  for (let iteration = 0; iteration < iterations; iteration++) {
    const sums = v.map((vk, k) => {
      const product = times(vk, false)
      return times(
        histograms[k].map((a, i) => a / product[i]),
        true,
      )
    })
    b = d.map((dj, j) => sums.reduce((product, s, k) => product * s[j] ** weights[k], debiased ? dj : 1))
    v = sums.map((s) => s.map((sj, j) => b[j] / sj))
    if (!debiased) continue
    const product = times(d, false)
    d = d.map((dj, j) => Math.sqrt((dj * b[j]) / product[j]))
  }
  return Float64Array.from(b)
}

/** That the fields of a solution say of each other what is promised. */
function expectSound(solution: BarycenterSolution, histograms: number[][], tolerance: number): void {
  const { barycenter: b, potentials, residual, status } = solution
  const mass = total(histograms[0])
  const n = b.length
  expect(b.every((value) => value >= 0 && Number.isFinite(value))).to.equal(true)
  expect(total(b)).to.be.closeTo(mass, 1e-12 * mass)
  expect(residual).to.be.within(0, 2 + n)
  expect(status === 'converged').to.equal(residual <= tolerance)
  expect(potentials.f.shape).to.deep.equal([histograms.length, n])
  histograms.forEach((a, k) => {
    const { data: plan } = solution.plan(k)
    expect(distanceL1(rowSums(plan, n, n), Float64Array.from(a))).to.be.below(1e-9 * mass)
    expect(distanceL1(columnSums(plan, n, n), b)).to.be.below((residual + 1e-9) * mass)
  })
}

describe('transport: barycenter', () => {
  forEachBackend((backend) => {
    const solve = (
      cost: Parameters<typeof barycenterSync>[0]['cost'],
      histograms: Parameters<typeof barycenterSync>[0]['histograms'],
      options: BarycenterOptions,
      weights?: number[],
    ) => barycenterSync({ cost, histograms, weights }, { backend, ...options })
    const rows = (...histograms: Float64Array[]) => histograms.map((h) => [...h])

    it('of normal distributions of one width: that width, at the mean of the means', () => {
      const n = 120
      const [s, epsilon] = [0.06, 2e-3]
      const histograms = rows(normal(n, 0.3, s), normal(n, 0.45, s), normal(n, 0.7, s))
      const weights = [0.5, 0.3, 0.2]
      const mean = 0.5 * 0.3 + 0.3 * 0.45 + 0.2 * 0.7
      const sharp = moments(solve(squares(n), histograms, { epsilon, tolerance: 1e-5 }, weights).barycenter)
      expect(sharp.mean).to.be.closeTo(mean, 1e-6)
      expect(sharp.variance).to.be.closeTo(s ** 2, 3e-6)
      // The kernel is a normal distribution of variance epsilon / 2, which the entropic barycenter adds.
      const blurred = moments(solve(squares(n), histograms, { epsilon, debiased: false }, weights).barycenter)
      expect(blurred.mean).to.be.closeTo(mean, 1e-6)
      expect(blurred.variance).to.be.closeTo(s ** 2 + epsilon / 2, 1e-6)
    })

    it('of normal distributions of different widths: the mean width, as epsilon goes to zero', () => {
      const n = 200
      const histograms = rows(normal(n, 0.3, 0.04), normal(n, 0.6, 0.08))
      const { barycenter: b } = solve(gridCost([n]), histograms, { epsilon: 1e-4, tolerance: 1e-6 }, [1, 3])
      const { mean, variance } = moments(b)
      expect(mean).to.be.closeTo(0.25 * 0.3 + 0.75 * 0.6, 1e-5)
      expect(Math.sqrt(variance)).to.be.closeTo(0.25 * 0.04 + 0.75 * 0.08, 2e-4)
    })

    it('of points: the closed form exp(-sum lambda C / epsilon); debiased: the point in between', () => {
      const n = 41
      const at = (i: number) => [...new Float64Array(n).fill(1, i, i + 1).map((v, k) => (k === i ? v : 0))]
      const cost = squares(n)
      const histograms = [at(5), at(29), at(20)]
      const weights = [0.5, 0.25, 0.25]
      for (const epsilon of [0.1, 1e-2, 1e-4]) {
        const exponent = cost.map((_, j) => -(0.5 * cost[5][j] + 0.25 * cost[29][j] + 0.25 * cost[20][j]) / epsilon)
        const top = Math.max(...exponent)
        const expected = normalized(Float64Array.from(exponent, (e) => Math.exp(e - top)))
        const blurred = solve(cost, histograms, { epsilon, debiased: false, tolerance: 1e-10 }, weights)
        expect(largestDifference(blurred.barycenter, expected)).to.be.below(1e-9)
      }
      const centre = solve(cost, [at(4), at(32), at(20)], { epsilon: 1e-2, tolerance: 1e-6 }, weights).barycenter
      expect(moments(centre).mean).to.be.closeTo(15 / (n - 1), 1e-6) // 0.5 · 4 + 0.25 · 32 + 0.25 · 20
      expect(centre[15]).to.be.above(0.9) // what is beside it vanishes ever more slowly
    })

    it('of one histogram, or of equal ones: that histogram', () => {
      const n = 60
      const a = normalized(normal(n, 0.3, 0.05).map((v, i) => 0.6 * v + 0.4 * normal(n, 0.7, 0.08)[i]))
      for (const histograms of [rows(a), rows(a, a, a)]) {
        const { barycenter: b } = solve(gridCost([n]), histograms, { epsilon: 1e-3, tolerance: 1e-6 })
        expect(distanceL1(b, a)).to.be.below(2e-3)
      }
      // Without debiasing: the histogram blurred by the kernel.
      const cost = squares(n)
      const kernel = cost.map((row) => row.map((c) => Math.exp(-c / 1e-3)))
      const blurred = kernel.map((_, j) => {
        const terms = kernel.map((row, i) => (row[j] * a[i]) / total(row))
        return total(terms)
      })
      const { barycenter: b } = solve(cost, rows(a), { epsilon: 1e-3, debiased: false, tolerance: 1e-12 })
      expect(distanceL1(b, Float64Array.from(blurred))).to.be.below(1e-10)
    })

    it('the paper variant: step by step the published iteration', () => {
      for (const debiased of [false, true]) {
        for (const iterations of [1, 2, 7]) {
          const [cost, histograms] = [randomCost(9, 3, debiased), randomHistograms(3, 9, 4)]
          const weights = [0.2, 0.5, 0.3]
          const expected = normalized(naive(cost, histograms, weights, 0.3, debiased, iterations))
          const options = { epsilon: 0.3, debiased, variant: 'paper', maxIterations: iterations, tolerance: 0 } as const
          const solution = solve(cost, histograms, options, weights)
          expect(solution.iterations).to.equal(iterations)
          expect(solution.status).to.equal('iteration-limit')
          expect(largestDifference(solution.barycenter, expected)).to.be.below(1e-13)
          expectSound(solution, histograms, 0)
        }
      }
    })

    it('both variants come to the same barycenter, in fewer iterations', () => {
      const n = 50
      const histograms = rows(normal(n, 0.25, 0.06), normal(n, 0.6, 0.1))
      for (const debiased of [false, true]) {
        const options = { epsilon: 2e-4, debiased, tolerance: 1e-9, maxIterations: 100_000 }
        const fast = solve(squares(n), histograms, options)
        const plain = solve(squares(n), histograms, { ...options, variant: 'paper' })
        expect(fast.status).to.equal('converged')
        expect(plain.status).to.equal('converged')
        expect(distanceL1(fast.barycenter, plain.barycenter)).to.be.below(1e-6)
        expect(fast.iterations).to.be.below(plain.iterations / 2)
        expectSound(fast, histograms, 1e-9)
      }
    })

    it('pictures at a small epsilon: tens of iterations, where the published one takes thousands', () => {
      const n = 32
      const ring = (x: number, y: number, radius: number) =>
        normalized(
          Float64Array.from({ length: n * n }, (_, k) => {
            const away = Math.hypot(Math.floor(k / n) / (n - 1) - x, (k % n) / (n - 1) - y) - radius
            return Math.exp(-((away / 0.05) ** 2))
          }),
        )
      const histograms = rows(ring(0.35, 0.35, 0.15), ring(0.6, 0.55, 0.3))
      for (const debiased of [false, true]) {
        for (const [epsilon, most] of [
          [2e-3, 40],
          [5e-4, 100],
        ]) {
          const solution = solve(gridCost([n, n]), histograms, { epsilon, debiased, tolerance: 1e-3 })
          expect(solution.status).to.equal('converged')
          expect(solution.iterations).to.be.below(most)
          expectSound(solution, histograms, 1e-3)
        }
      }
    })

    it('costs no more than the best barycenter, but for epsilon times its entropy (HiGHS)', async () => {
      for (const [n, count, seed] of [
        [5, 2, 1],
        [6, 3, 2],
        [7, 4, 3],
      ]) {
        const [cost, histograms] = [randomCost(n, seed, false), randomHistograms(count, n, seed + 10)]
        const weights = [...normalized(Float64Array.from({ length: count }, (_, k) => 1 + k))]
        const optimum = await barycenterProgram(cost, histograms, weights)
        for (const epsilon of [0.1, 0.01, 1e-3]) {
          const options = { epsilon, debiased: false, tolerance: 1e-8, maxIterations: 20_000 }
          const solution = solve(cost, histograms, options, weights)
          expect(solution.status).to.equal('converged')
          const flat = Float64Array.from(cost.flat())
          const costs = histograms.map((_, k) => weights[k] * dot(solution.plan(k).data, flat))
          expect(total(costs)).to.be.within(optimum - 1e-6, optimum + 2 * epsilon * Math.log(n) + 1e-6)
        }
      }
    })

    it('on a grid: the same as with the matrix of its costs', () => {
      for (const [shape, spacing] of [
        [[17], [0.1]],
        [
          [5, 7],
          [0.2, 0.1],
        ],
        [
          [3, 1, 4],
          [0.3, 1, 0.2],
        ],
        [
          [2, 3, 2, 5],
          [0.4, 0.3, 0.2, 0.1],
        ],
      ]) {
        const n = shape.reduce((product, size) => product * size)
        const place = (i: number) => {
          const out: number[] = []
          for (let axis = shape.length - 1, rest = i; axis >= 0; rest = Math.floor(rest / shape[axis]), axis--) {
            out.unshift((rest % shape[axis]) * spacing[axis])
          }
          return out
        }
        const places = Array.from({ length: n }, (_, i) => place(i))
        const cost = places.map((p) => places.map((q) => p.reduce((sum, c, k) => sum + (c - q[k]) ** 2, 0)))
        const histograms = randomHistograms(3, n, n)
        for (const debiased of [false, true]) {
          for (const epsilon of [0.05, 1e-3]) {
            const options = { epsilon, debiased, tolerance: 0, maxIterations: 12 }
            const dense = solve(cost, histograms, options)
            const grid = solve(gridCost(shape, { spacing }), histograms, options)
            expect(largestDifference(grid.barycenter, dense.barycenter)).to.be.below(1e-9)
            expect(grid.regularizedValue).to.be.closeTo(dense.regularizedValue, 1e-9)
            expect(largestDifference(grid.plan(1).data, dense.plan(1).data)).to.be.below(1e-9)
          }
        }
      }
    })

    it('many fibres and tiles, odd sizes and chunks: the same as with the matrix', () => {
      const [p, q] = [37, 29]
      const bounds = [
        [0, 1],
        [2, 2.5],
      ]
      const [hp, hq] = [1 / (p - 1), 0.5 / (q - 1)]
      const n = p * q
      const data = Float64Array.from({ length: n * n }, (_, k) => {
        const [i, j] = [Math.floor(k / n), k % n]
        const down = (Math.floor(i / q) - Math.floor(j / q)) * hp
        const across = ((i % q) - (j % q)) * hq
        return down ** 2 + across ** 2
      })
      const histograms = { data: Float64Array.from(randomHistograms(2, n, 5).flat()), shape: [2, n] }
      const options = { epsilon: 1e-3, tolerance: 0, maxIterations: 6 }
      const dense = solve({ data, shape: [n, n] }, histograms, options)
      const grid = solve(gridCost([p, q], { bounds }), histograms, options)
      expect(largestDifference(grid.barycenter, dense.barycenter)).to.be.below(1e-12)
    })

    it('its value has the derivative lambda_k f_k in the histograms', () => {
      const cost = randomCost(6, 7, false)
      const histograms = randomHistograms(3, 6, 8)
      const weights = [0.5, 0.2, 0.3]
      const options = { epsilon: 0.2, debiased: false, tolerance: 1e-12 }
      const { potentials } = solve(cost, histograms, options, weights)
      const step = 1e-5
      for (let k = 0; k < 3; k++) {
        for (let i = 1; i < 6; i++) {
          const value = (change: number) => {
            const moved = histograms.map((row) => [...row])
            moved[k][i] += change
            moved[k][0] -= change
            return solve(cost, moved, options, weights).regularizedValue
          }
          const slope = (value(step) - value(-step)) / (2 * step)
          const f = potentials.f.data.subarray(6 * k)
          expect(weights[k] * (f[i] - f[0])).to.be.closeTo(slope, 1e-7)
        }
      }
    })

    it('does not depend on the order of histograms or places, a constant in the cost or its unit', () => {
      const size = fc.integer({ min: 1, max: 8 })
      const property = fc.property(
        size,
        fc.integer({ min: 1, max: 4 }),
        fc.nat(),
        fc.boolean(),
        (n, count, seed, flag) => {
          const [cost, histograms] = [distances(n, seed), randomHistograms(count, n, seed + 1)]
          const weights = Array.from({ length: count }, (_, k) => 1 + k)
          const options = { epsilon: 0.5, debiased: flag, tolerance: 0, maxIterations: 15 }
          const { barycenter: b } = solve(cost, histograms, options, weights)
          const close = (c: number[][], h: number[][], w: number[], scale = 1) => {
            const other = solve(c, h, { ...options, epsilon: 0.5 * scale }, w).barycenter
            expect(largestDifference(other, b)).to.be.below(1e-8)
          }
          close(cost, histograms.toReversed(), weights.toReversed())
          if (!flag)
            close(
              cost.map((row) => row.map((c) => c + 7)),
              histograms,
              weights,
            )
          close(
            cost.map((row) => row.map((c) => 100 * c)),
            histograms,
            weights.map((w) => 3 * w),
            100,
          )
          const turned = solve(
            cost.toReversed().map((row) => row.toReversed()),
            histograms.map((row) => row.toReversed()),
            options,
            weights,
          )
          expect(largestDifference(turned.barycenter.toReversed(), b)).to.be.below(1e-8)
        },
      )
      check(property, { runs: 40 })
    })

    it('no epsilon is too small: finite numbers, the total, and the exact rows', () => {
      const n = 30
      const histograms = rows(normal(n, 0.2, 0.05), normal(n, 0.8, 0.02)).map((row, k) =>
        row.map((value, i) => (k === 0 && i > 20 ? 0 : value)),
      )
      const sum = total(histograms[0])
      const balanced = [histograms[0].map((v) => v / sum), histograms[1]]
      for (const epsilon of [1e-4, 1e-6, 1e-9, 1e-13]) {
        for (const debiased of [false, true]) {
          for (const variant of ['accelerated', 'paper'] as const) {
            for (const cost of [squares(n), gridCost([n])]) {
              const options = { epsilon, debiased, variant, maxIterations: 50, tolerance: 1e-9 }
              const solution = solve(cost, balanced, options)
              expect(Number.isFinite(solution.regularizedValue)).to.equal(true)
              expect(Number.isFinite(solution.residual)).to.equal(true)
              expect(total(solution.barycenter)).to.be.closeTo(1, 1e-12)
              expect(solution.barycenter.every((v) => v >= 0)).to.equal(true)
              const { data } = solution.plan(0)
              // Exponents carry the rounding of potentials over epsilon.
              const rounding = 1e-9 + (1e-14 / epsilon) * 10
              if (rounding < 1e-2) {
                expect(distanceL1(rowSums(data, n, n), Float64Array.from(balanced[0]))).to.be.below(rounding)
              }
            }
          }
        }
      }
    })

    it('empty places, weights of zero, other totals, float32', () => {
      const n = 12
      const a = [0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0]
      const b = [0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0]
      const noise = randomHistograms(1, n, 1)[0].map((v) => 3 * v)
      const options = { epsilon: 1e-2, debiased: false, tolerance: 1e-9 }
      const pair = solve(gridCost([n]), [a, b], options)
      expect(total(pair.barycenter)).to.be.closeTo(3, 1e-12)
      expect(pair.potentials.f.data[0]).to.equal(Number.NEGATIVE_INFINITY)
      expect(Number.isFinite(pair.potentials.f.data[2])).to.equal(true)
      const ignored = solve(gridCost([n]), [a, noise, b], options, [2, 0, 2])
      expect(largestDifference(ignored.barycenter, pair.barycenter)).to.be.below(1e-8)
      expectSound(ignored, [a, noise, b], 1e-9)
      const single = { data: Float32Array.from(squares(n).flat()), shape: [n, n] }
      const histograms = { data: Float32Array.from([...a, ...b]), shape: [2, n] }
      const rounded = solve(single, histograms, options)
      expect(largestDifference(rounded.barycenter, pair.barycenter)).to.be.below(1e-4)
      // Totals within 1e-6 are reconciled.
      const nearly = solve(gridCost([n]), [a, b.map((v) => v * (1 + 5e-7))], options)
      expect(largestDifference(nearly.barycenter, pair.barycenter)).to.be.below(1e-9)
    })

    it('a single place', () => {
      const { barycenter: b, status } = solve([[3]], [[2], [2]], { epsilon: 1e-3 })
      expect(status).to.equal('converged')
      expect([...b]).to.deep.equal([2])
      expect([...solve(gridCost([1, 1]), [[5]], { epsilon: 1 }).barycenter]).to.deep.equal([5])
    })

    it('any number of threads: the same bits', async () => {
      const n = 24
      const histograms = randomHistograms(3, n * n, 9)
      const options = { epsilon: 1e-3, maxIterations: 20, tolerance: 0, backend }
      const one = barycenterSync({ cost: gridCost([n, n]), histograms }, { ...options, threads: 1 })
      const many = await barycenter({ cost: gridCost([n, n]), histograms }, { ...options, threads: 5 })
      expect(many.barycenter).to.deep.equal(one.barycenter)
      const dense = squares(150)
      const wide = randomHistograms(5, 150, 10)
      const first = barycenterSync({ cost: dense, histograms: wide }, { ...options, threads: 1 })
      const second = await barycenter({ cost: dense, histograms: wide }, { ...options, threads: 4 })
      expect(second.barycenter).to.deep.equal(first.barycenter)
    })

    it('time and iterations run out: a status, and an answer for the epsilon asked for', async () => {
      const n = 64
      const histograms = rows(normal(n, 0.1, 0.02), normal(n, 0.9, 0.02))
      for (const maxIterations of [1, 2, 3, 30]) {
        const solution = solve(gridCost([n]), histograms, { epsilon: 1e-6, maxIterations, tolerance: 1e-12 })
        expect(solution.status).to.equal('iteration-limit')
        expect(solution.iterations).to.equal(maxIterations)
        expectSound(solution, histograms, 1e-12)
      }
      const late = await barycenter(
        { cost: gridCost([n]), histograms },
        { epsilon: 1e-6, timeLimit: 1e-3, tolerance: 1e-12, backend },
      )
      expect(late.status).to.equal('time-limit')
      expect(late.iterations).to.be.below(100)
    })

    it('stops when told to, and reports progress', async () => {
      const n = 100
      const histograms = randomHistograms(2, n * n, 12)
      const controller = new AbortController()
      const reason = new Error('enough')
      let iteration = 0
      const onProgress = (progress: { iteration: number }) => {
        iteration = progress.iteration
        controller.abort(reason)
      }
      const options = { epsilon: 1e-4, tolerance: 0, backend, signal: controller.signal, onProgress }
      expect(await rejection(barycenter({ cost: gridCost([n, n]), histograms }, options))).to.equal(reason)
      expect(iteration).to.be.above(0)
      expect(await rejection(barycenter({ cost: gridCost([n, n]), histograms }, options))).to.equal(reason)
    })

    it('bad input', async () => {
      const good = {
        cost: [
          [0, 1],
          [1, 0],
        ],
        histograms: [
          [0.5, 0.5],
          [0.2, 0.8],
        ],
      }
      const wrong = (problem: object, options: object, ...expected: [Parameters<typeof expectError>[1], RegExp]) =>
        expectError(
          () => barycenterSync({ ...good, ...problem } as typeof good, { epsilon: 1, backend, ...options }),
          ...expected,
        )
      wrong({ cost: [[0, 1]] }, {}, 'ERR_SHAPE', /cost: expected a non-empty square matrix or a gridCost, got 1×2/)
      wrong({ cost: [] }, {}, 'ERR_SHAPE', /cost: expected a non-empty square/)
      wrong(
        {
          cost: [
            [0, Number.NaN],
            [1, 0],
          ],
        },
        {},
        'ERR_NOT_FINITE',
        /cost\[0\]\[1\]: expected a finite number, got NaN/,
      )
      wrong(
        {
          cost: [
            [0, 1],
            [Infinity, 0],
          ],
        },
        {},
        'ERR_NOT_FINITE',
        /cost\[1\]\[0\]: expected a finite number, got Inf/,
      )
      wrong(
        {
          cost: [
            [0, 1],
            [2, 0],
          ],
        },
        {},
        'ERR_OPTION',
        /debiased: expected false for a cost that is not symmetric, got c/,
      )
      wrong({ histograms: [[1, 0, 0]] }, {}, 'ERR_SHAPE', /histograms: expected K×2 numbers to match the cost, got 1×3/)
      wrong({ histograms: [] }, {}, 'ERR_SHAPE', /histograms: expected K×2/)
      wrong(
        { histograms: [[1, -1]] },
        {},
        'ERR_NOT_POSITIVE',
        /histograms\[0\]\[1\]: expected a finite weight >= 0, got -1/,
      )
      wrong({ histograms: [[1, Number.NaN]] }, {}, 'ERR_NOT_FINITE', /histograms\[0\]\[1\]/)
      wrong(
        {
          histograms: [
            [1, 1],
            [0, 0],
          ],
        },
        {},
        'ERR_MASS',
        /histograms\[1\]: expected weights with a positive/,
      )
      wrong(
        {
          histograms: [
            [1, 1],
            [1, 2],
          ],
        },
        {},
        'ERR_MASS',
        /histograms\[1\]: expected the total of histograms\[0\], 2/,
      )
      wrong({ weights: [1] }, {}, 'ERR_SHAPE', /weights: expected 2 weights to match the 2 histograms, got 1/)
      wrong({ weights: [1, -1] }, {}, 'ERR_NOT_POSITIVE', /weights\[1\]/)
      wrong({ weights: [0, 0] }, {}, 'ERR_MASS', /weights: expected weights with a positive/)
      wrong({ weight: [1, 1] }, {}, 'ERR_OPTION', /did you mean 'weights'/)
      wrong({}, { epsilon: 0 }, 'ERR_NOT_POSITIVE', /epsilon: expected a finite number > 0/)
      wrong({}, { epsilon: undefined }, 'ERR_OPTION', /epsilon: expected/)
      wrong({}, { debiased: 1 }, 'ERR_OPTION', /debiased: expected true or false, got 1/)
      wrong({}, { variant: 'plain' }, 'ERR_OPTION', /variant: expected one of/)
      wrong({}, { tolerance: -1 }, 'ERR_OPTION', /tolerance/)
      wrong({}, { maxIterations: 0 }, 'ERR_OPTION', /maxIterations/)
      wrong({}, { debias: true }, 'ERR_OPTION', /did you mean 'debiased'/)
      await expectRejection(barycenter(good, { epsilon: -1 }), 'ERR_NOT_POSITIVE', /epsilon/)
      const solution = barycenterSync(good, { epsilon: 1, backend })
      expectError(() => solution.plan(2), 'ERR_OPTION', /k: expected a whole number from 0 to 1, got 2/)
    })
  })

  it('gridCost: bad input', () => {
    const wrong = (args: unknown[], ...expected: [Parameters<typeof expectError>[1], RegExp]) =>
      expectError(() => gridCost(...(args as Parameters<typeof gridCost>)), ...expected)
    wrong([[]], 'ERR_SHAPE', /shape: expected whole numbers > 0/)
    wrong([[3, 0]], 'ERR_SHAPE', /shape: expected whole numbers > 0 with a product below 2\^31, got \[3,0\]/)
    wrong([[2 ** 16, 2 ** 16]], 'ERR_SHAPE', /product below/)
    wrong([5], 'ERR_SHAPE', /shape: expected whole numbers > 0 with a product below 2\^31, got 5/)
    wrong([[3, 4], { spacing: [1] }], 'ERR_SHAPE', /spacing: expected a number or 2 of them/)
    wrong([[3, 4], { spacing: [1, 0] }], 'ERR_NOT_POSITIVE', /spacing\[1\]: expected a finite number > 0/)
    wrong([[3, 4], { bounds: [[0, 1]] }], 'ERR_SHAPE', /bounds: expected 2 pairs/)
    wrong([[3], { bounds: [[1, 0]] }], 'ERR_OPTION', /bounds\[0\]: expected a lower and an upper bound, got \[1, 0\]/)
    wrong([[3], { bounds: [[0, 1]], spacing: 1 }], 'ERR_OPTION', /expected spacing or bounds, got both/)
    wrong([[3], { spacings: 1 }], 'ERR_OPTION', /did you mean 'spacing'/)
    const huge = gridCost([3], { spacing: 1e200 })
    expectError(
      () => barycenterSync({ cost: huge, histograms: [[1, 1, 1]] }, { epsilon: 1 }),
      'ERR_NOT_FINITE',
      /spacing/,
    )
    expect(gridCost([5, 3]).spacing).to.deep.equal([0.25, 0.25])
  })

  it('agrees between the backends', () => {
    const next = random(20)
    const cases: [Parameters<typeof barycenterSync>[0], BarycenterOptions][] = [
      [{ cost: squares(97), histograms: randomHistograms(4, 97, 1) }, { epsilon: 1e-3 }],
      [
        { cost: squares(40), histograms: randomHistograms(2, 40, 2) },
        { epsilon: 1e-7, maxIterations: 15 },
      ],
      [
        { cost: randomCost(30, 3, false), histograms: randomHistograms(3, 30, 3) },
        { epsilon: 0.02, debiased: false },
      ],
      [
        { cost: gridCost([31, 18]), histograms: randomHistograms(18, 558, 4) },
        { epsilon: 5e-3, maxIterations: 20 },
      ],
      [
        {
          cost: gridCost([6, 5, 7]),
          histograms: randomHistograms(3, 210, 5).map((row) => {
            const some = row.map((v) => (next() < 0.5 ? 0 : v))
            return [...normalized(Float64Array.from(some))]
          }),
        },
        { epsilon: 1e-4, debiased: false, maxIterations: 25 },
      ],
    ]
    for (const [problem, options] of cases) {
      const [native, portable] = (['native', 'portable'] as const).map((backend) =>
        barycenterSync(problem, { ...options, backend }),
      )
      expect(portable.iterations).to.equal(native.iterations)
      expect(portable.status).to.equal(native.status)
      expect(portable.residual).to.be.closeTo(native.residual, 1e-9)
      expect(portable.regularizedValue).to.be.closeTo(native.regularizedValue, 1e-9)
      const largest = Math.max(...native.barycenter)
      expect(largestDifference(portable.barycenter, native.barycenter)).to.be.below(1e-9 * largest)
    }
  })
})
