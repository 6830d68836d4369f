import { expect } from 'chai'
import { gromovWasserstein, gromovWassersteinSync } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { linearProgram } from '../helpers/linear-program.js'
import { fill, random, randomNormal, shuffled } from '../helpers/random.js'
import { columnSums, distanceL1, largestDifference, normalized, rowSums, uniform } from '../helpers/transport.js'

interface Matrix {
  data: Float64Array
  shape: number[]
}

function distances(points: Float64Array, d: number): Matrix {
  const n = points.length / d
  const data = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let squares = 0
      for (let k = 0; k < d; k++) squares += (points[i * d + k] - points[j * d + k]) ** 2
      data[i * n + j] = Math.sqrt(squares)
    }
  }
  return { data, shape: [n, n] }
}

function cloud(n: number, d: number, seed: number): Float64Array {
  return fill(n * d, randomNormal(seed))
}

/** Rotated, mirrored, moved and in another order: point i is number order[i]. */
function isometric(points: Float64Array, order: number[]): Float64Array {
  const out = new Float64Array(points.length)
  order.forEach((place, i) => {
    const [x, y] = [points[2 * i], points[2 * i + 1]]
    out[2 * place] = 0.6 * x - 0.8 * y + 3
    out[2 * place + 1] = -(0.8 * x + 0.6 * y) - 1
  })
  return out
}

/** The objective by its definition, four sums. */
function objective(plan: Float64Array, c1: Matrix, c2: Matrix, alpha = 1, features?: Matrix): number {
  const [n] = c1.shape
  const [m] = c2.shape
  let structure = 0
  let linear = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const moved = plan[i * m + j]
      if (moved === 0) continue
      if (features !== undefined) linear += features.data[i * m + j] * moved
      for (let k = 0; k < n; k++) {
        for (let l = 0; l < m; l++) {
          structure += (c1.data[i * n + k] - c2.data[j * m + l]) ** 2 * moved * plan[k * m + l]
        }
      }
    }
  }
  return (1 - alpha) * linear + alpha * structure
}

/** Its gradient, likewise. */
function gradient(plan: Float64Array, c1: Matrix, c2: Matrix, alpha = 1, features?: Matrix): Float64Array {
  const [n] = c1.shape
  const [m] = c2.shape
  return Float64Array.from({ length: n * m }, (_, at) => {
    const [i, j] = [Math.floor(at / m), at % m]
    let sum = 0
    for (let k = 0; k < n; k++) {
      for (let l = 0; l < m; l++) sum += (c1.data[i * n + k] - c2.data[j * m + l]) ** 2 * plan[k * m + l]
    }
    return 2 * alpha * sum + (features === undefined ? 0 : (1 - alpha) * features.data[at])
  })
}

function permutations(n: number): number[][] {
  if (n === 0) return [[]]
  return permutations(n - 1).flatMap((rest) =>
    Array.from({ length: n }, (_, at) => [...rest.slice(0, at), n - 1, ...rest.slice(at)]),
  )
}

function permutationPlan(order: number[]): Float64Array {
  const n = order.length
  const plan = new Float64Array(n * n)
  order.forEach((j, i) => {
    plan[i * n + j] = 1 / n
  })
  return plan
}

function matrix(n: number, m: number, seed: number): Matrix {
  return { data: fill(n * m, random(seed)), shape: [n, m] }
}

function weights(n: number, seed: number): Float64Array {
  const next = random(seed)
  return normalized(fill(n, () => 0.2 + next()))
}

describe('transport: gromovWasserstein', () => {
  forEachBackend((backend) => {
    it('of isometric clouds: zero, and the permutation between them', () => {
      const order = shuffled(40, random(1))
      const x = cloud(40, 2, 2)
      const [source, target] = [distances(x, 2), distances(isometric(x, order), 2)]
      const solution = gromovWassersteinSync({ source, target }, { backend })
      expect(solution.status).to.equal('converged')
      expect(solution.value).to.be.within(0, 1e-13)
      expect(solution.marginalError).to.be.below(1e-14)
      expect(Array.from(solution.sparsePlan(1e-9).indices)).to.deep.equal(order)
      expect(largestDifference(solution.plan().data, permutationPlan(order))).to.be.below(1e-15)
    })

    it('with restarts: the best permutation of all, by trying them', () => {
      for (const seed of [0, 2]) {
        const [source, target] = [distances(cloud(6, 2, 10 + seed), 2), distances(cloud(6, 2, 20 + seed), 2)]
        const best = Math.min(...permutations(6).map((order) => objective(permutationPlan(order), source, target)))
        const one = gromovWassersteinSync({ source, target }, { backend })
        const many = gromovWassersteinSync({ source, target }, { starts: 300, backend })
        expect(one.value).to.be.at.least(best - 1e-12)
        expect(many.value).to.be.at.most(one.value + 1e-12)
        expect(many.value).to.be.closeTo(best, 1e-12)
      }
    })

    it('says of its plan what is so: value, marginals, stationarity', async () => {
      const n = 9
      for (const fused of [false, true]) {
        const [source, target] = [distances(cloud(n, 3, 30), 3), matrix(n, n, 31)]
        for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) target.data[i * n + j] = target.data[j * n + i]
        const features = fused ? matrix(n, n, 33) : undefined
        const alpha = fused ? 0.3 : 1
        const problem = fused ? { source, target, features } : { source, target }
        const solution = await gromovWasserstein(problem, { alpha, maxIterations: 20_000, tolerance: 1e-5, backend })
        const { data: plan } = solution.plan()
        expect(solution.status).to.equal('converged')
        expect(solution.value).to.be.closeTo(objective(plan, source, target, alpha, features), 1e-12)
        expect(distanceL1(rowSums(plan, n, n), uniform(n))).to.be.below(1e-14)
        expect(distanceL1(columnSums(plan, n, n), uniform(n))).to.be.below(1e-14)
        // No plan is better to first order, by an LP solver.
        const slope = gradient(plan, source, target, alpha, features)
        const { value } = await linearProgram({ n, m: n, cost: slope, a: uniform(n), b: uniform(n) })
        const here = slope.reduce((sum, s, k) => sum + s * plan[k], 0)
        expect(here - value).to.be.below(1e-4)
      }
    })

    it('unequal weights, n ≠ m: a stationary point, its value no higher than at any vertex of a start', async () => {
      const [n, m] = [7, 5]
      const [a, b] = [weights(n, 34), weights(m, 35)]
      for (const fused of [false, true]) {
        const [source, target] = [distances(cloud(n, 2, 36), 2), distances(cloud(m, 3, 37), 3)]
        const features = fused ? matrix(n, m, 38) : undefined
        const alpha = fused ? 0.4 : 1
        const problem = { source, target, a, b, ...(features && { features }) }
        const solution = await gromovWasserstein(problem, { alpha, backend })
        const { data: plan } = solution.plan()
        expect(solution.status).to.equal('converged')
        expect(solution.value).to.be.closeTo(objective(plan, source, target, alpha, features), 1e-12)
        expect(distanceL1(rowSums(plan, n, m), a)).to.be.below(1e-14)
        expect(distanceL1(columnSums(plan, n, m), b)).to.be.below(1e-14)
        // A vertex, as the objective is concave.
        expect(solution.sparsePlan(1e-15).data.length).to.be.at.most(n + m - 1)
        const slope = gradient(plan, source, target, alpha, features)
        const { value } = await linearProgram({ n, m, cost: slope, a, b })
        const here = slope.reduce((sum, s, k) => sum + s * plan[k], 0)
        expect(here - value).to.be.below(1e-7)
        expect(gromovWassersteinSync(problem, { alpha, backend }).value).to.equal(solution.value)
        const late = await gromovWasserstein(problem, { alpha, timeLimit: 1e-9, backend })
        expect(late.status).to.equal('time-limit')
      }
    })

    it('unequal weights, with restarts: the best of all vertices, by trying them', () => {
      // 2 × 3: a vertex is where an order of the cells leads the corner rule.
      const [a, b] = [Float64Array.of(0.4, 0.6), Float64Array.of(0.25, 0.3, 0.45)]
      const [source, target] = [distances(cloud(2, 2, 43), 2), distances(cloud(3, 2, 44), 2)]
      let best = Infinity
      for (const order of permutations(6)) {
        const [left, open] = [a.slice(), b.slice()]
        const plan = new Float64Array(6)
        for (const k of order) {
          const moved = Math.min(left[Math.floor(k / 3)], open[k % 3])
          plan[k] = moved
          left[Math.floor(k / 3)] -= moved
          open[k % 3] -= moved
        }
        best = Math.min(best, objective(plan, source, target))
      }
      const solution = gromovWassersteinSync({ source, target, a, b }, { starts: 50, backend })
      expect(solution.value).to.be.closeTo(best, 1e-12)
    })

    it('an exact copy with unequal weights and nodes without any: zero', () => {
      const order = shuffled(30, random(45))
      const x = cloud(30, 2, 46)
      const a = weights(30, 47)
      a[4] = 0
      const b = new Float64Array(30)
      order.forEach((place, i) => {
        b[place] = a[i]
      })
      const [source, target] = [distances(x, 2), distances(isometric(x, order), 2)]
      const solution = gromovWassersteinSync({ source, target, a, b }, { starts: 5, backend })
      expect(solution.value).to.be.within(0, 1e-10)
    })

    it('alpha = 0: plain transport of the features', async () => {
      const features = matrix(8, 8, 40)
      const [source, target] = [distances(cloud(8, 2, 41), 2), distances(cloud(8, 2, 42), 2)]
      const { value } = await linearProgram({ n: 8, m: 8, cost: features.data, a: uniform(8), b: uniform(8) })
      const solution = gromovWassersteinSync({ source, target, features }, { alpha: 0, backend })
      expect(solution.value).to.be.closeTo(value, 1e-9)
    })

    it('entropic: a fixed point whose plan is exp of its own gradient up to potentials', async () => {
      const [n, m, epsilon] = [12, 9, 0.05]
      const [a, b] = [weights(n, 50), weights(m, 51)]
      const [source, target] = [distances(cloud(n, 2, 52), 2), distances(cloud(m, 3, 53), 3)]
      const features = matrix(n, m, 54)
      const solution = await gromovWasserstein({ source, target, a, b, features }, { alpha: 0.6, epsilon, backend })
      const { data: plan } = solution.plan()
      expect(solution.status).to.equal('converged')
      expect(solution.value).to.be.closeTo(objective(plan, source, target, 0.6, features), 1e-12)
      const entropy = plan.reduce((sum, t) => sum + t * (Math.log(t) - 1), 0)
      expect(solution.regularizedValue).to.be.closeTo(solution.value + epsilon * entropy, 1e-12)
      expect(distanceL1(rowSums(plan, n, m), a)).to.be.below(1e-8)
      expect(distanceL1(columnSums(plan, n, m), b)).to.be.below(1e-8)
      const slope = gradient(plan, source, target, 0.6, features)
      const rest = (i: number, j: number) => epsilon * Math.log(plan[i * m + j]) + slope[i * m + j]
      for (let i = 1; i < n; i++) {
        for (let j = 1; j < m; j++) expect(rest(i, j) - rest(i, 0) - rest(0, j) + rest(0, 0)).to.be.closeTo(0, 1e-6)
      }
    })

    it('entropic where the objective is not concave: descends all the same', () => {
      const n = 15
      const source = matrix(n, n, 60)
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < i; j++) {
          source.data[i * n + j] -= 0.5
          source.data[j * n + i] = source.data[i * n + j]
        }
      }
      const target = { data: source.data.map((value, k) => -value + (k % (n + 1) === 0 ? 1 : 0)), shape: [n, n] }
      const solution = gromovWassersteinSync({ source, target }, { epsilon: 0.1, backend })
      expect(solution.status).to.equal('converged')
    })

    it('a start is started from, and must be a plan', () => {
      const order = shuffled(10, random(70))
      const x = cloud(10, 2, 71)
      const problem = { source: distances(x, 2), target: distances(isometric(x, order), 2) }
      const start = { data: permutationPlan(order), shape: [10, 10] }
      const solution = gromovWassersteinSync(problem, { start, backend })
      expect(solution.iterations).to.equal(1)
      expect(solution.value).to.be.within(0, 1e-13)
      const half = { data: start.data.map((value) => value / 2), shape: [10, 10] }
      expectError(() => gromovWassersteinSync(problem, { start: half, backend }), 'ERR_MASS', /^start: /)
      const negative = { data: start.data.slice(), shape: [10, 10] }
      negative.data[13] = -0.1
      expectError(
        () => gromovWassersteinSync(problem, { start: negative, backend }),
        'ERR_NOT_POSITIVE',
        'start[1][3]: expected a number >= 0, got -0.1',
      )
    })

    it('points in another order: the plan in another order', () => {
      const [n, m] = [11, 7]
      const [a, b] = [weights(n, 80), weights(m, 81)]
      const [x, y] = [cloud(n, 2, 82), cloud(m, 2, 83)]
      const order = shuffled(n, random(84))
      const moved = new Float64Array(2 * n)
      const weightsMoved = new Float64Array(n)
      order.forEach((place, i) => {
        moved.set(x.subarray(2 * i, 2 * i + 2), 2 * place)
        weightsMoved[place] = a[i]
      })
      const options = { epsilon: 0.1, backend } as const
      const target = distances(y, 2)
      const one = gromovWassersteinSync({ source: distances(x, 2), target, a, b }, options)
      const other = gromovWassersteinSync({ source: distances(moved, 2), target, a: weightsMoved, b }, options)
      expect(other.value).to.be.closeTo(one.value, 1e-8)
      const [p, q] = [one.plan().data, other.plan().data]
      order.forEach((place, i) => {
        const [row, movedRow] = [p.subarray(i * m, (i + 1) * m), q.subarray(place * m, (place + 1) * m)]
        expect(largestDifference(row, movedRow)).to.be.below(1e-7)
      })
    })

    it('nodes without weight take no part', () => {
      const [x, y] = [cloud(9, 2, 90), cloud(8, 2, 91)]
      const [a, b] = [new Float64Array(9), new Float64Array(8)]
      a.set(weights(6, 92), 1)
      b.set(weights(5, 93), 2)
      const options = { epsilon: 0.05, backend } as const
      const all = gromovWassersteinSync({ source: distances(x, 2), target: distances(y, 2), a, b }, options)
      const part = { source: distances(x.slice(2, 14), 2), target: distances(y.slice(4, 14), 2) }
      const some = gromovWassersteinSync({ ...part, a: a.slice(1, 7), b: b.slice(2, 7) }, options)
      expect(all.value).to.be.closeTo(some.value, 1e-12)
      expect(all.plan().shape).to.deep.equal([9, 8])
      const plan = all.plan().data
      const kept = some.plan().data
      for (let i = 0; i < 6; i++) {
        for (let j = 0; j < 5; j++) expect(plan[(i + 1) * 8 + j + 2]).to.be.closeTo(kept[i * 5 + j], 1e-12)
      }
      expect(all.sparsePlan(1e-300).data.reduce((sum, t) => sum + t)).to.be.closeTo(1, 1e-9)
    })

    it('any mass: the objective is quadratic in it', () => {
      const [source, target] = [distances(cloud(7, 2, 94), 2), distances(cloud(7, 2, 95), 2)]
      const one = gromovWassersteinSync({ source, target }, { backend })
      const sevens = { a: new Float64Array(7).fill(1), b: new Float64Array(7).fill(1) }
      const seven = gromovWassersteinSync({ source, target, ...sevens }, { backend })
      expect(seven.value).to.be.closeTo(49 * one.value, 1e-10)
    })

    it('history falls, and limits are kept', async () => {
      const problem = { source: distances(cloud(30, 2, 96), 2), target: distances(cloud(30, 2, 97), 2) }
      const { history, iterations, value } = gromovWassersteinSync(problem, { history: true, backend })
      expect(history).to.have.length(iterations)
      history?.forEach((objective, k) => {
        if (k > 0) expect(objective).to.be.at.most(history[k - 1] + 1e-12)
      })
      expect(history?.[iterations - 1]).to.equal(value)
      const cut = await gromovWasserstein(problem, { maxIterations: 1, backend })
      expect(cut.status).to.equal('iteration-limit')
      expect(cut.marginalError).to.be.below(1e-13)
      const late = await gromovWasserstein(problem, { timeLimit: 1e-9, starts: 3, backend })
      expect(late.status).to.equal('time-limit')
      expect(late.marginalError).to.be.below(1e-12)
      const signal = AbortSignal.abort(new Error('enough'))
      expect(await rejection(gromovWasserstein(problem, { signal, backend }))).to.equal(signal.reason)
    })

    it('any number of threads, called either way: the same numbers', async () => {
      const problem = { source: distances(cloud(150, 2, 98), 2), target: distances(cloud(150, 2, 99), 2) }
      const one = gromovWassersteinSync(problem, { threads: 1, maxIterations: 5, backend })
      const many = await gromovWasserstein(problem, { threads: 5, maxIterations: 5, backend })
      expect(many.value).to.equal(one.value)
      expect(many.plan().data).to.deep.equal(one.plan().data)
    })

    it('refuses what it cannot solve', async () => {
      const good = distances(cloud(3, 2, 1), 2)
      const solve = (problem: object, options: object = {}) =>
        gromovWassersteinSync({ source: good, target: good, ...problem }, { backend, ...options })
      const broken = (place: number, value: number) => {
        const data = good.data.slice()
        data[place] = value
        return { data, shape: [3, 3] }
      }
      expectError(() => solve({ source: matrix(3, 2, 1) }), 'ERR_SHAPE', 'source: expected a square matrix, got 3×2')
      expectError(() => solve({ target: [] }), 'ERR_SHAPE', 'target: expected a square matrix, got 0×0')
      expectError(
        () => solve({ source: broken(5, NaN) }),
        'ERR_NOT_FINITE',
        'source[1][2]: expected a finite number, got NaN',
      )
      expectError(
        () => solve({ source: broken(5, 1e200) }),
        'ERR_SHAPE',
        /^source\[2]\[1]: expected a symmetric matrix/,
      )
      expectError(() => solve({ target: broken(0, 1e200) }), 'ERR_NOT_FINITE', /^target: /)
      expectError(() => solve({ features: matrix(2, 3, 1) }), 'ERR_SHAPE', 'features: expected 3×3, got 2×3')
      expectError(() => solve({ features: broken(8, Infinity) }), 'ERR_NOT_FINITE', /^features\[2]\[2]: /)
      expectError(() => solve({ a: [1, 2] }), 'ERR_SHAPE', /^a: expected 3 weights/)
      expectError(() => solve({ a: [0.5, 0.5, -1] }), 'ERR_NOT_POSITIVE', /^a\[2]: /)
      expectError(() => solve({ a: [1, 1, 1] }), 'ERR_MASS', /^a, b: /)
      expectError(() => solve({}, { alpha: 0.5 }), 'ERR_OPTION', /^alpha: expected 1 where/)
      expectError(() => solve({ features: good }, { alpha: 1.5 }), 'ERR_OPTION', /^alpha: /)
      expectError(() => solve({}, { epsilon: 0 }), 'ERR_NOT_POSITIVE', /^epsilon: /)
      expectError(() => solve({}, { epsilom: 1 }), 'ERR_OPTION', /did you mean 'epsilon'/)
      expectError(() => solve({}, { seed: -1 }), 'ERR_OPTION', /^seed: /)
      await expectRejection(gromovWasserstein(null as never), 'ERR_SHAPE', /^problem: /)
    })
  })

  it('both backends: the same numbers', () => {
    const problem = {
      source: distances(cloud(25, 2, 100), 2),
      target: distances(cloud(25, 3, 101), 3),
      features: matrix(25, 25, 102),
    }
    for (const options of [{}, { epsilon: 0.1, tolerance: 1e-12 }, { alpha: 0.9, starts: 4, seed: 7 }]) {
      const native = gromovWassersteinSync(problem, { ...options, backend: 'native' })
      const portable = gromovWassersteinSync(problem, { ...options, backend: 'portable' })
      expect(portable.value).to.be.closeTo(native.value, 1e-9 * native.value)
      expect(largestDifference(portable.plan().data, native.plan().data)).to.be.below(1e-9)
    }
  })
})
