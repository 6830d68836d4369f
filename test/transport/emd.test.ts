import { expect } from 'chai'
import fc from 'fast-check'
import {
  type ExactOptions,
  type ExactTransportProblem,
  emd,
  emdBatch,
  emdSync,
  pointCloud,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { digitPair } from '../helpers/digits.js'
import { rejection } from '../helpers/errors.js'
import { asListed, expectOptimal, expectPlan, listed } from '../helpers/exact.js'
import { bestAssignment, linearProgram } from '../helpers/linear-program.js'
import { check, checkAsync } from '../helpers/property.js'
import { fill, random, randomNormal, shuffled } from '../helpers/random.js'
import { asProblem, type Dense, normalized, randomDense, total, transposed, uniform } from '../helpers/transport.js'

const infinity = Number.POSITIVE_INFINITY

type Kind = 'uniform' | 'ties' | 'negative' | 'forbidden' | 'constant'
const kinds: Kind[] = ['uniform', 'ties', 'negative', 'forbidden', 'constant']

/** Costs of many kinds; weights equal, random, with zeros, or whole numbers. A plan exists. */
function anyDense(n: number, m: number, seed: number, kind: Kind): Dense {
  const next = random(seed)
  const entry = {
    uniform: next,
    ties: () => Math.floor(4 * next()),
    negative: () => 1e3 * (next() - 0.7),
    forbidden: () => (next() < 0.5 ? infinity : Math.floor(9 * next()) / 4),
    constant: () => 2.5,
  }[kind]
  const cost = fill(n * m, entry)
  // Weights of a plan on the allowed arcs.
  for (let k = 0; k < Math.max(n, m); k++) cost[(k % n) * m + (k % m)] = Math.min(cost[(k % n) * m + (k % m)], 3)
  const whole = seed % 3 === 0
  const plan = cost.map((c) => {
    const share = next()
    if (c === infinity || share < 0.4) return 0
    return whole ? Math.floor(5 * share) : share
  })
  plan[0] += 1
  if (seed % 3 === 1 && kind !== 'forbidden') return { n, m, cost, a: uniform(n), b: uniform(m) }
  const a = new Float64Array(n)
  const b = new Float64Array(m)
  plan.forEach((p, k) => {
    a[Math.floor(k / m)] += p
    b[k % m] += p
  })
  return { n, m, cost, a, b }
}

function clouds(n: number, m: number, d: number, seed: number, next = random(seed)) {
  const x = { data: fill(n * d, next), shape: [n, d] }
  const y = { data: fill(m * d, next), shape: [m, d] }
  return { x, y }
}

/** Squared distances of uniform points in the unit square, with random weights. */
function planar(n: number, m: number, seed: number, weights: 'equal' | 'random'): Dense {
  const { x, y } = clouds(n, m, 2, seed)
  const cost = new Float64Array(n * m)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const [p, q] = [0, 1].map((k) => x.data[2 * i + k] - y.data[2 * j + k])
      cost[i * m + j] = p * p + q * q
    }
  }
  const { a, b } = randomDense(n, m, seed, weights)
  return { n, m, cost, a, b }
}

describe('transport: exact', () => {
  forEachBackend((backend) => {
    const solve = (problem: ExactTransportProblem, options: ExactOptions = {}) =>
      emdSync(problem, { backend, ...options })
    const shape = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))

    it('is what a linear program finds, from a matrix and from a list of arcs', async () => {
      await checkAsync(
        fc.asyncProperty(shape, fc.nat(), fc.constantFrom(...kinds), async ([n, m], seed, kind) => {
          const dense = anyDense(n, m, seed, kind)
          const reference = await linearProgram(dense)
          const scale = total(dense.a) * (kind === 'negative' ? 1e3 : 1)
          for (const problem of [asProblem(dense), asListed(dense)]) {
            const solution = solve(problem)
            expect(solution.value).to.be.closeTo(reference.value, 1e-8 * scale)
            expectOptimal(solution, dense)
          }
        }),
        { runs: 150 },
      )
    })

    it('is the best of all assignments, by trying them', () => {
      check(
        fc.property(fc.integer({ min: 1, max: 7 }), fc.nat(), (n, seed) => {
          const dense = randomDense(n, n, seed, 'equal')
          const solution = solve(asProblem(dense))
          expect(solution.value).to.be.closeTo(bestAssignment(dense.cost, n), 1e-14)
          for (const mass of solution.sparsePlan().data) expect(mass).to.equal(1 / n)
        }),
      )
    })

    it('is that of the quantiles on the line', () => {
      check(
        fc.property(shape, fc.nat(), fc.constantFrom(1, 2), ([n, m], seed, order) => {
          const next = random(seed)
          const x = fill(n, next).sort()
          const y = fill(m, next).sort()
          const a = normalized(fill(n, next))
          const b = normalized(fill(m, next))
          const cost = Float64Array.from(
            { length: n * m },
            (_, k) => Math.abs(x[Math.floor(k / m)] - y[k % m]) ** order,
          )
          let expected = 0
          let [i, j, s, t] = [0, 0, a[0], b[0]]
          while (i < n && j < m) {
            const mass = Math.min(s, t)
            expected += mass * cost[i * m + j]
            s -= mass
            t -= mass
            if (s <= t) s += a[++i]
            else t += b[++j]
          }
          expect(solve({ cost: { data: cost, shape: [n, m] }, a, b }).value).to.be.closeTo(expected, 1e-14)
        }),
      )
    })

    const larger: [string, Dense][] = [
      ['random costs, equal weights', randomDense(180, 180, 1, 'equal')],
      ['random costs and weights', randomDense(150, 210, 2)],
      ['points of equal weights', planar(170, 170, 3, 'equal')],
      ['points of random weights', planar(160, 190, 4, 'random')],
      ['wide', randomDense(9, 700, 5)],
      ['tall', planar(600, 11, 6, 'random')],
      ['weights over many magnitudes', { ...planar(90, 90, 7, 'equal'), a: magnitudes(90, 8), b: magnitudes(90, 9) }],
      ['an image in L1, full of ties', digitPair(3, 7, 'L1', 2)],
      ['an image in squared L2', digitPair(3, 7, 'L2', 2)],
      [
        'products',
        {
          ...randomDense(120, 130, 10),
          cost: Float64Array.from({ length: 120 * 130 }, (_, k) => Math.floor(k / 130) * (k % 130)),
        },
      ],
      ['all alike', { ...randomDense(100, 90, 11), cost: new Float64Array(9000).fill(1) }],
      ['whole costs below 4', anyDense(130, 140, 12, 'ties')],
      ['half of the arcs forbidden', anyDense(120, 110, 13, 'forbidden')],
      ['two clusters', { ...planar(120, 120, 14, 'random'), cost: clusters(120, 15) }],
    ]
    for (const [name, dense] of larger) {
      it(`proves itself: ${name}`, () => {
        const solution = solve(asProblem(dense))
        expectOptimal(solution, dense)
        const sparse = solve(asListed(dense))
        expectOptimal(sparse, dense)
        expect(sparse.value).to.be.closeTo(solution.value, 1e-13 * Math.max(1, Math.abs(solution.value)))
      })
    }

    it('forbids arcs that are not stored; a stored 0 costs nothing; order and repetition do not matter', () => {
      const cost = {
        shape: [2, 3] as [number, number],
        indptr: Int32Array.of(0, 3, 5),
        indices: Int32Array.of(2, 0, 2, 1, 0),
        data: Float64Array.of(9, 0, 4, 1, infinity),
      }
      const solution = solve({ cost, a: [0.5, 0.5], b: [0.25, 0.5, 0.25] })
      expect(solution.value).to.equal(0.25 * 0 + 0.25 * 4 + 0.5 * 1)
      expect(Array.from(solution.plan().data)).to.deep.equal([0.25, 0, 0.25, 0, 0.5, 0])
      const plain = { ...cost, indptr: [0, 3, 5], indices: [2, 0, 2, 1, 0], data: [9, 0, 4, 1, infinity] }
      expect(solve({ cost: plain as never, a: [0.5, 0.5], b: [0.25, 0.5, 0.25] }).value).to.equal(1.5)
    })

    it('takes a list of arcs that is much longer than the first short list', () => {
      const dense = randomDense(60, 400, 16)
      const cost = dense.cost.map((c, k) => (k % 7 === 0 ? infinity : c))
      const problem = { ...dense, cost }
      expectOptimal(solve(asListed(problem)), problem)
      expect(solve(asListed(problem)).value).to.be.closeTo(solve(asProblem(problem)).value, 1e-14)
    })

    it('computes distances of points as it goes', () => {
      for (const d of [1, 2, 3, 13, 20]) {
        for (const metric of ['sqeuclidean', 'euclidean', 'cityblock', 'cosine'] as const) {
          const { x, y } = clouds(50, 40, d, 17 + d, metric === 'cosine' ? randomNormal(d) : undefined)
          const { a, b } = randomDense(50, 40, d)
          const cost = Float64Array.from({ length: 2000 }, (_, k) =>
            distance(metric, x.data, y.data, Math.floor(k / 40), k % 40, d),
          )
          const dense = { n: 50, m: 40, cost, a, b }
          const solution = solve({ cost: pointCloud(x, y, { cost: metric }), a, b })
          expectOptimal(solution, dense, 1e-11)
          expect(solution.value).to.be.closeTo(solve(asProblem(dense)).value, 1e-13)
        }
      }
    })

    it('finds nothing to move between a cloud and itself, and bears points that come many times', () => {
      for (const d of [1, 2, 20]) {
        for (const metric of ['sqeuclidean', 'euclidean', 'cityblock', 'cosine'] as const) {
          const next = randomNormal(d)
          const few = fill(8 * d, next)
          const data = Float64Array.from({ length: 48 * d }, (_, k) => few[k % few.length])
          const x = { data, shape: [48, d] }
          const same = solve({ cost: pointCloud(x, x, { cost: metric }) })
          expect(same.status).to.equal('converged')
          expect(Math.abs(same.value)).to.be.below(1e-15)
          expect(Math.abs(same.certificate.dual)).to.be.below(1e-14)
          const y = { data: fill(30 * d, next), shape: [30, d] }
          const { a, b } = randomDense(48, 30, d)
          const at = (k: number) => distance(metric, x.data, y.data, Math.floor(k / 30), k % 30, d)
          const dense = { n: 48, m: 30, cost: Float64Array.from({ length: 1440 }, (_, k) => at(k)), a, b }
          expectOptimal(solve({ cost: pointCloud(x, y, { cost: metric }), a, b }), dense, 1e-11)
        }
      }
    })

    it('takes costs in float32, views and arrays of arrays', () => {
      const dense = randomDense(20, 30, 18)
      const single = Float32Array.from(dense.cost)
      const rounded = { ...dense, cost: Float64Array.from(single) }
      expectOptimal(solve({ cost: { data: single, shape: [20, 30] }, a: dense.a, b: dense.b }), rounded)
      const turned = { data: transposed(dense.cost, 20, 30), shape: [20, 30], stride: [1, 20] }
      expect(solve({ cost: turned, a: dense.a, b: dense.b }).value).to.equal(solve(asProblem(dense)).value)
      const rows = Array.from({ length: 20 }, (_, i) => Array.from(dense.cost.subarray(30 * i, 30 * i + 30)))
      expect(solve({ cost: rows, a: dense.a, b: dense.b }).value).to.equal(solve(asProblem(dense)).value)
      expect(solve({ cost: rows }).status).to.equal('converged')
    })

    it('keeps whole numbers whole', async () => {
      const next = random(19)
      const [n, m] = [40, 60]
      const cost = fill(n * m, () => Math.floor(1000 * next()))
      const a = fill(n, () => 30 * (1 + Math.floor(1e6 * next())))
      const b = new Float64Array(m)
      a.forEach((weight) => {
        for (let k = 0; k < 30; k++) b[Math.floor(m * next())] += weight / 30
      })
      const solution = solve({ cost: { data: cost, shape: [n, m] }, a, b })
      for (const mass of solution.sparsePlan().data) expect(mass).to.satisfy(Number.isSafeInteger)
      for (const value of [...solution.potentials.f, ...solution.potentials.g])
        expect(value).to.satisfy(Number.isInteger)
      expect(solution.marginalError).to.equal(0)
      expect(solution.certificate.gap).to.equal(0)
      const reference = await linearProgram({ n, m, cost, a, b })
      expect(solution.value).to.be.closeTo(reference.value, 1e-9 * reference.value)
    })

    it('gives nodes without weight potentials, but no mass', () => {
      const next = random(20)
      for (const kind of ['uniform', 'forbidden'] as const) {
        const dense = anyDense(30, 40, 21, kind)
        const [a, b] = [dense.a.slice(), dense.b.slice()]
        // Moves the weight of a column and of a row to others by an arc that is allowed.
        for (const k of [3, 7, 12]) {
          const arcs = Array.from({ length: 30 }, (_, i) => i).filter((i) => dense.cost[i * 40 + k] < infinity)
          const i = arcs[Math.floor(next() * arcs.length)]
          a[i] = Math.max(0, a[i] - b[k])
          b[k] = 0
        }
        const mass = total(b) / total(a)
        const weighted = { ...dense, a: a.map((w) => w * mass), b }
        try {
          for (const problem of [asProblem(weighted), asListed(weighted)]) expectOptimal(solve(problem), weighted)
        } catch (error) {
          if ((error as { code?: string }).code !== 'ERR_INFEASIBLE') throw error
          expect(kind).to.equal('forbidden')
        }
      }
    })

    it('finds the plan beside costs of 1e32, and of any size', async () => {
      const size = fc.integer({ min: 2, max: 10 })
      const huge = fc.constantFrom(1e12, 1e20, 1e32, 1e100, 1e300)
      await checkAsync(
        fc.asyncProperty(size, size, fc.nat(), huge, async (n, m, seed, most) => {
          const allowed = anyDense(n, m, seed, 'forbidden')
          const reference = await linearProgram(allowed)
          const dense = { ...allowed, cost: allowed.cost.map((c) => (c === infinity ? most : c)) }
          for (const problem of [asProblem(dense), asListed(dense)]) {
            const solution = solve(problem)
            expect(solution.value).to.be.closeTo(reference.value, 1e-9 * (1 + total(dense.a)))
            expectOptimal(solution, dense)
          }
        }),
        { runs: 80 },
      )
      // No way around them.
      const barred = [
        [1e32, 2e32, 3e32],
        [1, 2, 4],
      ]
      expect(solve({ cost: barred, a: [0.5, 0.5], b: [0.2, 0.4, 0.4] }).value / 1e32).to.be.closeTo(
        0.2 * 1 + 0.3 * 2,
        1e-14,
      )
      const columns = {
        ...randomDense(80, 90, 22),
        cost: randomDense(80, 90, 22).cost.map((c, k) => (k % 3 === 0 ? 1e32 * (1 + c) : c)),
      }
      const forced = solve(asProblem(columns))
      expect(forced.status).to.equal('converged')
      const { value } = await linearProgram({ ...columns, cost: columns.cost.map((c) => (c < 1 ? 0 : c / 1e32)) })
      expect(forced.value / 1e32).to.be.closeTo(value, 1e-9)
      // Short lists know nothing of them, passes over all arcs do.
      const { cost, ...rest } = randomDense(80, 90, 22)
      const mixed = { ...rest, cost: cost.map((c, k) => ((k * 31) % 101 < 34 ? 1e32 : c)) }
      const solution = solve(asProblem(mixed))
      expectOptimal(solution, mixed)
      for (const value of [...solution.potentials.f, ...solution.potentials.g]) expect(Math.abs(value)).to.be.below(2)
    })

    it('does without arcs of huge cost wherever it would do if they were forbidden', () => {
      for (let seed = 150; seed < 200; seed++) {
        const next = random(seed)
        const [n, m] = [20, 20].map((least) => least + Math.floor(20 * next()))
        const density = 0.03 + 0.2 * next()
        const [a, b, cost] = [n, m, n * m].map((length) => new Float64Array(length))
        for (let k = 0; k < n * m; k++) {
          const [i, j] = [Math.floor(k / m), k % m]
          const isAllowed = next() < density || j === i % m || i === j % n
          const mass = isAllowed ? next() : 0
          cost[k] = isAllowed ? next() : infinity
          a[i] += mass
          b[j] += mass
        }
        const dense = { n, m, cost, a, b }
        const { value } = solve(asProblem(dense))
        for (const huge of [1e9, 1e32, 1e250]) {
          const varied = { ...dense, cost: cost.map((c) => (c === infinity ? huge * (1 + next()) : c)) }
          expect(solve(asProblem(varied)).value / value).to.be.closeTo(1, 1e-12)
        }
      }
    })

    it('says which rows cannot get rid of what', () => {
      const cost = [
        [1, infinity, infinity, 1],
        [2, infinity, infinity, 3],
        [1, 2, 3, 4],
      ]
      const message =
        /^cost: expected allowed \(finite\) arcs for all mass, got rows 0, 1 that supply 0\.6 but reach only columns 0, 3 that take 0\.5$/
      const problem = { cost, a: [0.3, 0.3, 0.4], b: [0.25, 0.25, 0.25, 0.25] }
      const dense = { n: 3, m: 4, cost: Float64Array.from(cost.flat()) }
      for (const given of [problem, { ...problem, cost: listed(dense) }]) {
        expect(() => solve(given))
          .to.throw(message)
          .with.property('code', 'ERR_INFEASIBLE')
      }
      // The numbers of all rows, although those without weight take no part.
      expect(() => solve({ cost: [[1, 1, 1, 1], ...cost], a: [0, 0.3, 0.3, 0.4], b: [0.25, 0.25, 0.25, 0.25] }))
        .to.throw(/rows 1, 2 that supply 0\.6 but reach only columns 0, 3/)
        .with.property('code', 'ERR_INFEASIBLE')
      expect(() =>
        solve({
          cost: [
            [infinity, infinity],
            [1, 2],
          ],
        }),
      ).to.throw(/rows 0 that supply 0\.5 but reach no column$/)
      expect(() =>
        solve({
          cost: [
            [1, infinity],
            [1, infinity],
          ],
        }),
      ).to.throw(/rows 0, 1 that supply 1 but reach only columns 0 that take 0\.5$/)
      // A cut that only passes over all arcs can tell from a short list.
      const blocks = Float64Array.from({ length: 120 * 120 }, (_, k) =>
        Math.floor(k / 120) < 70 && k % 120 >= 65 ? infinity : (k * 7919) % 1009,
      )
      expect(() => solve({ cost: { data: blocks, shape: [120, 120] } })).to.throw(
        /rows 0, 1, 2, 3, 4, … that supply 0\.583333 but reach only columns 0, 1, 2, 3, 4, … that take 0\.541667$/,
      )
    })

    it('does not change with a rotation, the order of nodes, sides, units, or what a node costs by itself', () => {
      check(
        fc.property(shape, fc.nat(), ([n, m], seed) => {
          const dense = anyDense(n, m, seed, 'uniform')
          const { a, b, cost } = dense
          const next = random(seed + 1)
          const value = solve(asProblem(dense)).value
          const near = 1e-12 * total(a)
          const [rows, columns] = [shuffled(n, next), shuffled(m, next)]
          const permuted = Float64Array.from(
            { length: n * m },
            (_, k) => cost[rows[Math.floor(k / m)] * m + columns[k % m]],
          )
          const others: [Dense, number][] = [
            [{ n, m, cost: permuted, a: a.map((_, i) => a[rows[i]]), b: b.map((_, j) => b[columns[j]]) }, value],
            [{ n: m, m: n, cost: transposed(cost, n, m), a: b, b: a }, value],
            [{ ...dense, cost: cost.map((c) => 1e6 * c) }, 1e6 * value],
            [{ ...dense, a: a.map((w) => 1e-9 * w), b: b.map((w) => 1e-9 * w) }, 1e-9 * value],
          ]
          for (const [other, expected] of others) {
            expect(solve(asProblem(other)).value / Math.max(1e-300, expected)).to.be.closeTo(1, 1e-12)
          }
          const [u, v] = [fill(n, next), fill(m, next)]
          const shifted = cost.map((c, k) => c + u[Math.floor(k / m)] - v[k % m])
          const moved = solve(asProblem({ ...dense, cost: shifted })).value
          const offset = u.reduce((s, x, i) => s + x * a[i], 0) - v.reduce((s, x, j) => s + x * b[j], 0)
          expect(moved).to.be.closeTo(value + offset, near)
        }),
      )
    })

    it('starts from potentials: the same optimum, at once from those of the optimum', () => {
      for (const dense of [planar(80, 90, 23, 'random'), randomDense(70, 60, 24), planar(100, 100, 25, 'equal')]) {
        for (const problem of [asProblem(dense), asListed(dense)]) {
          const cold = solve(problem)
          const warm = solve(problem, { warmStart: cold.potentials })
          expectOptimal(warm, dense)
          expect(warm.value).to.be.closeTo(cold.value, 1e-14)
          expect(warm.iterations).to.be.below(cold.iterations / 3)
          const next = random(26)
          const wild = { f: fill(dense.n, () => 50 * (next() - 0.5)), g: fill(dense.m, () => 50 * (next() - 0.5)) }
          const other = solve(problem, { warmStart: wild })
          expectOptimal(other, dense)
          expect(other.value).to.be.closeTo(cold.value, 1e-13)
        }
      }
      // Weights in general position: the tight arcs are the tree, and nothing is left to do.
      const dense = planar(60, 70, 27, 'random')
      const { potentials } = solve(asProblem(dense))
      expect(solve(asProblem(dense), { warmStart: potentials }).iterations).to.be.at.most(2)
    })

    it("'iteration-limit' and 'time-limit' give a plan and bounds that hold", () => {
      for (const dense of [
        planar(90, 100, 28, 'random'),
        randomDense(80, 80, 29, 'equal'),
        anyDense(60, 50, 30, 'forbidden'),
      ]) {
        const { value } = solve(asProblem(dense))
        for (const options of [
          { maxIterations: 1 },
          { maxIterations: 20 },
          { maxIterations: 150 },
          { timeLimit: 1e-6 },
        ]) {
          const early = solve(asProblem(dense), options)
          if (early.status === 'converged') continue
          const { primal, dual, gap } = early.certificate
          expect(early.status).to.equal('timeLimit' in options ? 'time-limit' : 'iteration-limit')
          if (options.maxIterations !== undefined) expect(early.iterations).to.equal(options.maxIterations)
          expect(dual).to.be.at.most(value + 1e-12)
          expect(primal).to.be.at.least(value - 1e-12)
          expect(gap).to.equal(primal - dual)
          if (primal < infinity) {
            expect(primal).to.equal(early.value)
            expectPlan(early, dense)
          } else {
            expect(early.marginalError).to.be.above(1e-8)
          }
        }
      }
    })

    it('stops at a tolerance, with a gap that bounds the error', () => {
      const dense = planar(300, 300, 31, 'random')
      const exact = solve(asProblem(dense))
      const rough = solve(asProblem(dense), { tolerance: 0.02 })
      expect(rough.status).to.equal('converged')
      expect(rough.residual).to.be.at.most(0.02)
      expect(rough.value - exact.value).to.be.within(-1e-15, rough.certificate.gap + 1e-15)
      expect(rough.iterations).to.be.below(exact.iterations)
      expectPlan(rough, dense)
    })

    it('applies the plan', () => {
      const dense = anyDense(14, 17, 32, 'uniform')
      const solution = solve(asProblem(dense))
      const { data: plan } = solution.plan()
      const next = random(33)
      const [v, w] = [fill(17, next), fill(14, next)]
      const rows = Float64Array.from({ length: 14 }, (_, i) => v.reduce((s, x, j) => s + plan[i * 17 + j] * x, 0))
      const columns = Float64Array.from({ length: 17 }, (_, j) => w.reduce((s, x, i) => s + plan[i * 17 + j] * x, 0))
      solution.apply(v).forEach((value, i) => {
        expect(value).to.be.closeTo(rows[i], 1e-13)
      })
      solution.applyTranspose(Array.from(w)).forEach((value, j) => {
        expect(value).to.be.closeTo(columns[j], 1e-13)
      })
      expect(() => solution.apply(w)).to.throw('v: expected 17 numbers, got 14')
      expect(() => solution.applyTranspose(v)).to.throw('v: expected 14 numbers, got 17')
      // What is returned may be written to.
      solution.sparsePlan().data.fill(0)
      expect(solution.plan().data).to.deep.equal(plan)
    })

    it('is the same called synchronously, asynchronously, in a batch and on any number of threads', async () => {
      const list: ExactTransportProblem[] = []
      for (let k = 0; k < 25; k++) {
        const dense = anyDense(1 + (k % 7) * 4, 1 + ((3 * k) % 11) * 3, k, kinds[k % 5])
        list.push(k % 2 === 0 ? asProblem(dense) : asListed(dense))
      }
      const { x, y } = clouds(30, 20, 2, 34)
      list.push({ cost: pointCloud(x, y) }, asProblem(planar(200, 180, 35, 'random')))
      const batch = await emdBatch(list, { backend })
      expect(batch).to.have.length(list.length)
      for (let k = 0; k < list.length; k++) {
        const alone = solve(list[k])
        for (const other of [batch[k], await emd(list[k], { backend }), await emd(list[k], { backend, threads: 1 })]) {
          expect(other.backend).to.equal(backend)
          expect(other.iterations).to.equal(alone.iterations)
          expect(other.value).to.equal(alone.value)
          expect(other.sparsePlan()).to.deep.equal(alone.sparsePlan())
          expect(other.potentials).to.deep.equal(alone.potentials)
        }
      }
      expect(await emdBatch([], { backend })).to.deep.equal([])
      const impossible: ExactTransportProblem = {
        cost: [
          [1, infinity],
          [2, infinity],
        ],
      }
      const error = await rejection(emdBatch([list[0], impossible], { backend }))
      expect(error).to.have.property('code', 'ERR_INFEASIBLE')
      expect((error as Error).message).to.match(/^problems\[1\]\.cost: expected /)
    })

    it('tells how far it is, and stops when it is told to', async () => {
      const dense = planar(700, 700, 36, 'random')
      const seen: number[] = []
      await emd(asProblem(dense), {
        backend,
        onProgress: ({ iteration, residual }) => {
          expect(residual).to.be.within(0, 1)
          seen.push(iteration)
        },
      })
      for (let k = 1; k < seen.length; k++) expect(seen[k]).to.be.at.least(seen[k - 1])
      for (const moment of [0, 2, 8]) {
        const controller = new AbortController()
        setTimeout(() => controller.abort('enough'), moment)
        expect(await rejection(emd(asProblem(dense), { backend, signal: controller.signal }))).to.equal('enough')
      }
      expect(await rejection(emd(asProblem(dense), { backend, signal: AbortSignal.abort('before') }))).to.equal(
        'before',
      )
    })
  })

  it('pivots alike on both backends', () => {
    for (let seed = 0; seed < 40; seed++) {
      const dense =
        seed % 8 === 7 ? planar(120, 100, seed, 'random') : anyDense(5 + seed, 40 - (seed % 13), seed, kinds[seed % 5])
      for (const problem of [asProblem(dense), asListed(dense)]) {
        const [native, portable] = (['native', 'portable'] as const).map((backend) => emdSync(problem, { backend }))
        expect(portable.iterations).to.equal(native.iterations)
        expect(portable.rounds).to.equal(native.rounds)
        expect(portable.sparsePlan()).to.deep.equal(native.sparsePlan())
        expect(portable.potentials).to.deep.equal(native.potentials)
        expect(portable.certificate).to.deep.equal(native.certificate)
        expect(portable.residual).to.equal(native.residual)
      }
    }
  })
})

function magnitudes(length: number, seed: number): Float64Array {
  const next = random(seed)
  return normalized(fill(length, () => 10 ** (-14 * next())))
}

function clusters(n: number, seed: number): Float64Array {
  const next = random(seed)
  const half = (k: number) => (k < n / 2 ? 0 : 1)
  return Float64Array.from({ length: n * n }, (_, k) => next() + (half(Math.floor(k / n)) === half(k % n) ? 0 : 1e4))
}

function distance(
  metric: 'sqeuclidean' | 'euclidean' | 'cityblock' | 'cosine',
  x: Float64Array,
  y: Float64Array,
  i: number,
  j: number,
  d: number,
): number {
  const [p, q] = [x.subarray(i * d, i * d + d), y.subarray(j * d, j * d + d)]
  const sum = (term: (s: number, t: number) => number) => p.reduce((total, s, k) => total + term(s, q[k]), 0)
  if (metric === 'cityblock') return sum((s, t) => Math.abs(s - t))
  if (metric === 'cosine') {
    const squares = p.reduce((s, v) => s + v * v, 0) * q.reduce((s, v) => s + v * v, 0)
    return 1 - sum((s, t) => s * t) / Math.sqrt(squares)
  }
  const squares = sum((s, t) => (s - t) ** 2)
  return metric === 'euclidean' ? Math.sqrt(squares) : squares
}
