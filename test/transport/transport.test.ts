import { expect } from 'chai'
import fc from 'fast-check'
import { kernels } from '../../lib/backend/index.js'
import { reportField } from '../../lib/backend/kernels.js'
import { exactField } from '../../lib/backend/transport-exact.js'
import {
  type ExactSolution,
  emdSync,
  type PointMetric,
  planVjpSync,
  pointCloud,
  sinkhornNewtonSparseSync,
  type TransportMethod,
  type TransportOptions,
  type TransportResult,
  transport,
  transportBatch,
  transportSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, refusing, rejection } from '../helpers/errors.js'
import { asListed, expectOptimal } from '../helpers/exact.js'
import { linearProgram } from '../helpers/linear-program.js'
import { check, checkAsync } from '../helpers/property.js'
import { fill, random } from '../helpers/random.js'
import {
  asProblem,
  type Dense,
  distanceL1,
  largestDifference,
  marginalErrorOf,
  normalized,
  randomDense,
  rowSums,
  uniform,
} from '../helpers/transport.js'

const infinity = Number.POSITIVE_INFINITY

function expectProved(result: TransportResult, dense: Dense): void {
  expectOptimal(result as unknown as ExactSolution, dense)
  expect(result.epsilon).to.equal(0)
  expect(result.regularizedValue).to.equal(result.value)
}

/** Ties, forbidden arcs beside a plan by the corner rule, nodes without weight, equal nodes. */
function odd(n: number, m: number, seed: number): Dense {
  const next = random(seed)
  const weight = () => (next() < 0.2 ? 0 : 0.05 + next())
  const [a, b] = [fill(n, weight), fill(m, weight)]
  a[0] = 1
  b[0] = 1
  const [p, q] = [normalized(a), normalized(b)]
  const cost = fill(n * m, () => (next() < 0.3 ? infinity : Math.floor(4 * next()) - 1))
  for (let i = 0, j = 0, [left, open] = [p[0], q[0]]; i < n && j < m; ) {
    if (cost[i * m + j] === infinity) cost[i * m + j] = 2
    const moved = Math.min(left, open)
    left -= moved
    open -= moved
    // Both neighbours of a corner, so that rounding cannot close the way.
    if (left <= 1e-12) left = p[++i]
    else open = q[++j]
  }
  for (let i = 0; i < n; i++) cost[i * m + m - 1] = 3
  for (let j = 0; j < m; j++) cost[(n - 1) * m + j] = 3
  if (n > 2) cost.copyWithin(m, 0, m)
  return { n, m, cost, a: p, b: q }
}

function points(n: number, d: number, seed: number) {
  return { data: fill(n * d, random(seed)), shape: [n, d] }
}

describe('transport: transport', () => {
  forEachBackend((backend) => {
    const solve = (dense: Dense, options: TransportOptions = {}) =>
      transportSync(asProblem(dense), { backend, ...options })

    it('all exact methods: the optimum of a linear program, proved', async () => {
      const size = fc.integer({ min: 1, max: 12 })
      await checkAsync(
        fc.asyncProperty(size, size, fc.nat(), async (n, m, seed) => {
          const dense = odd(n, m, seed)
          const { value } = await linearProgram(dense)
          for (const method of ['auto', 'emd', 'crossover'] as const) {
            const result = solve(dense, { method })
            expectProved(result, dense)
            expect(result.value).to.be.closeTo(value, 1e-9)
            if (method !== 'auto') expect(result.method).to.equal(method)
          }
          const listed = transportSync(asListed(dense), { backend })
          expectProved(listed, dense)
          expect(listed.value).to.be.closeTo(value, 1e-9)
        }),
        { runs: 40 },
      )
    })

    it('assignment: the same optimum, whatever the weight and whoever has none', () => {
      check(
        fc.property(fc.integer({ min: 1, max: 14 }), fc.nat(), fc.boolean(), fc.boolean(), (n, seed, zeros, ties) => {
          const next = random(seed)
          const out = (i: number) => zeros && n > 2 && i === seed % n
          const weights = Float64Array.from({ length: n }, (_, i) => (out(i) ? 0 : 2.5))
          const cost = fill(n * n, () => (ties ? Math.floor(3 * next()) : next() < 0.2 ? 1e32 : next() - 0.3))
          for (let i = 0; i < n; i++) cost[i * n + i] = 1
          const dense = { n, m: n, cost, a: weights, b: weights.slice() }
          const result = solve(dense, { method: 'assignment' })
          expect(result.method).to.equal('assignment')
          expectProved(result, dense)
          expect(result.value).to.be.closeTo(emdSync(asProblem(dense), { backend }).value, 1e-12 * n)
        }),
      )
    })

    it('the line: the same optimum, whatever the weights and the cost', () => {
      const size = fc.integer({ min: 1, max: 15 })
      check(
        fc.property(
          size,
          size,
          fc.nat(),
          fc.constantFrom('sqeuclidean', 'euclidean', 'cityblock'),
          (n, m, seed, cost) => {
            const next = random(seed)
            const weight = (_: unknown, i: number) => (i > 0 && next() < 0.2 ? 0 : 0.1 + next())
            const [a, b] = [n, m].map((length) => normalized(Float64Array.from({ length }, weight)))
            const [x, y] = [n, m].map((length) => fill(length, () => Math.floor(8 * next()) / 2))
            const distance = (k: number) => Math.abs(x[Math.floor(k / m)] - y[k % m])
            const power = cost === 'sqeuclidean' ? 2 : 1
            const table = Float64Array.from({ length: n * m }, (_, k) => distance(k) ** power)
            const cloud = pointCloud(
              { data: x, shape: [n, 1] },
              { data: y, shape: [m, 1] },
              { cost: cost as PointMetric },
            )
            const result = transportSync({ cost: cloud, a, b }, { backend })
            expect(result.method).to.equal('wasserstein1d')
            const dense = { n, m, cost: table, a, b }
            expectProved(result, dense)
            expect(result.value).to.be.closeTo(emdSync(asProblem(dense), { backend }).value, 1e-12)
          },
        ),
      )
    })

    it('chooses by structure and size', () => {
      const chosen = (problem: object, options: TransportOptions = {}) =>
        transportSync(problem as never, { backend, ...options }).attempts[0].method
      const [square, wide, weighted] = [
        randomDense(20, 20, 1, 'equal'),
        randomDense(15, 20, 2, 'equal'),
        randomDense(20, 20, 3),
      ]
      expect(chosen(asProblem(square))).to.equal('assignment')
      expect(
        chosen({
          cost: [
            [1, 2],
            [3, 5],
          ],
        }),
      ).to.equal('assignment')
      expect(chosen(asProblem(square), { maxIterations: 1000 })).to.equal('emd')
      expect(chosen(asProblem(square), { warmStart: { f: uniform(20), g: uniform(20) } })).to.equal('emd')
      expect(chosen(asProblem(wide))).to.equal('emd')
      expect(chosen(asProblem(weighted))).to.equal('emd')
      expect(chosen(asListed(square))).to.equal('emd')
      expect(chosen({ cost: pointCloud(points(20, 2, 4), points(20, 2, 5)) })).to.equal('assignment')
      expect(chosen({ cost: pointCloud(points(300, 2, 4), points(300, 2, 5)) })).to.equal('emd')
      expect(chosen({ cost: pointCloud(points(9, 1, 4), points(8, 1, 5)) })).to.equal('wasserstein1d')
      expect(chosen({ cost: pointCloud(points(9, 1, 4), points(8, 1, 5), { cost: 'cosine' }) })).to.equal('emd')
      // Costs in [0, 1).
      expect(chosen(asProblem(weighted), { epsilon: 0.1 })).to.equal('sinkhorn')
      expect(chosen(asProblem(weighted), { epsilon: 7e-4 })).to.equal('sinkhornNewtonSparse')
      expect(chosen(asProblem(weighted), { epsilon: 7e-4, tolerance: 1e-2 })).to.equal('sinkhorn')
      expect(chosen({ cost: pointCloud(points(20, 2, 4), points(20, 2, 5)) }, { epsilon: 5e-4 })).to.equal(
        'sinkhornNewtonSparse',
      )
    })

    it('entropic: one plan, by any method, and the solution of the method itself', () => {
      const dense = randomDense(17, 13, 6)
      const options = { epsilon: 0.03, tolerance: 1e-12 }
      const expected = sinkhornNewtonSparseSync(asProblem(dense), { ...options, backend })
      for (const method of ['auto', 'sinkhorn', 'sinkhornNewtonSparse'] as const) {
        const result = solve(dense, { ...options, method })
        expect(result.status).to.equal('converged')
        expect(largestDifference(result.plan().data, expected.plan().data)).to.be.below(1e-12)
        expect(result.epsilon).to.equal(0.03)
        expect(result.value).to.be.closeTo(expected.value, 1e-12)
        expect(result.regularizedValue).to.be.closeTo(expected.regularizedValue, 1e-12)
        expect(result.certificate.gap).to.be.at.least(0)
        expect(result.certificate.dual).to.be.at.most(emdSync(asProblem(dense), { backend }).value + 1e-12)
        expect(marginalErrorOf(result.plan().data, dense)).to.be.below(2e-12)
        // At most a millionth of the mass is missing from the entries.
        const entries = result.sparsePlan().data
        expect(entries.reduce((sum, mass) => sum + mass)).to.be.within(1 - 1e-6, 1 + 1e-11)
        expect(distanceL1(result.apply(new Float64Array(13).fill(1)), dense.a)).to.be.below(1e-11)
        // Still a plan that others can differentiate.
        const { residual } = planVjpSync(result, { data: dense.cost, shape: [17, 13] })
        expect(residual).to.be.below(1e-9)
      }
    })

    it('entries from a threshold on, of exact plans too', () => {
      const dense = randomDense(9, 8, 7)
      const result = solve(dense)
      const all = result.sparsePlan()
      const some = result.sparsePlan(0.05)
      expect(Array.from(some.data)).to.deep.equal(Array.from(all.data).filter((mass) => mass >= 0.05))
      expect(some.indptr[9]).to.equal(some.data.length)
      const plan = result.plan().data
      for (let i = 0; i < 9; i++) {
        for (let k = some.indptr[i]; k < some.indptr[i + 1]; k++) {
          expect(plan[8 * i + some.indices[k]]).to.equal(some.data[k])
        }
      }
      expectError(() => result.sparsePlan(-1), 'ERR_NOT_POSITIVE', /^threshold: /)
      expect(distanceL1(result.apply(new Float64Array(8).fill(1)), rowSums(plan, 9, 8))).to.be.below(1e-14)
    })

    it('histograms on one support: by crossover where their difference is smooth', () => {
      const side = 20
      const n = side * side
      const grid = Array.from({ length: n }, (_, i) => [i % side, Math.floor(i / side)])
      const bump = (x: number, y: number) =>
        normalized(Float64Array.from(grid, ([i, j]) => 0.01 + Math.exp(-((i - x) ** 2 + (j - y) ** 2) / 18)))
      const next = random(70)
      const noise = () => normalized(Float64Array.from({ length: n }, () => 0.01 + next()))
      const table = Float64Array.from({ length: n * n }, (_, k) => {
        const [p, q] = [grid[Math.floor(k / n)], grid[k % n]]
        return (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2
      })
      const first = (cost: object, a: Float64Array, b?: Float64Array) =>
        transportSync({ cost, a, b } as never, { backend }).attempts[0].method
      const matrix = { data: table, shape: [n, n] }
      expect(first(matrix, bump(5, 6), bump(13, 12))).to.equal('crossover')
      expect(first(pointCloud(grid, grid), bump(5, 6), bump(13, 12))).to.equal('crossover')
      expect(first(matrix, bump(5, 6))).to.equal('crossover')
      expect(first(matrix, noise(), noise())).to.equal('emd')
      // Costs that are not zero between a node and itself tell nothing about neighbours.
      const shifted = { data: table.map((c) => c + 1), shape: [n, n] }
      expect(first(shifted, bump(5, 6), bump(13, 12))).to.equal('emd')
    })

    it('goes on with another method where one stalls, and says so', async () => {
      // No method can reach an error of 0.
      const dense = randomDense(12, 12, 8)
      const result = solve(dense, { epsilon: 0.05, tolerance: 0 })
      const { attempts, note, residual, status } = result
      expect(attempts.map(({ method }) => method)).to.deep.equal(['sinkhorn', 'sinkhornNewtonSparse'])
      expect(residual).to.equal(Math.min(...attempts.map((attempt) => attempt.residual)))
      expect(note).to.match(/^sinkhorn: stalled at a residual of .*; sinkhornNewtonSparse: /)
      if (residual > 0) expect(status).to.equal('stalled')
      expect(result.elapsed).to.be.closeTo(attempts[0].elapsed + attempts[1].elapsed, 1e-9)

      // Mass between neighbours on a line: Sinkhorn's iteration takes thousands of sweeps.
      const next = random(8)
      const [a, b] = [fill(12, () => 0.01 + next()), fill(12, () => 0.01 + next())].map(normalized)
      const cost = Float64Array.from({ length: 144 }, (_, k) => Math.abs(Math.floor(k / 12) - (k % 12)) / 12)
      const line = { n: 12, m: 12, cost, a, b }
      const plain = solve(line, { epsilon: 1.2e-3, method: 'sinkhorn' })
      expect(plain.iterations).to.be.above(300)
      const ways = [solve(line, { epsilon: 1.2e-3 })]
      ways.push(...(await transportBatch([asProblem(line), asProblem(line)], { epsilon: 1.2e-3, backend })))
      const expected = sinkhornNewtonSparseSync(asProblem(line), { epsilon: 1.2e-3, tolerance: 1e-12, backend })
      for (const resumed of ways) {
        const tried = resumed.attempts.map(({ method, status }) => `${method} ${status}`)
        expect(tried).to.deep.equal(['sinkhorn iteration-limit', 'sinkhornNewtonSparse converged'])
        expect(resumed.attempts[0].iterations).to.equal(300)
        expect(resumed.status).to.equal('converged')
        expect(largestDifference(resumed.plan().data, expected.plan().data)).to.be.below(1e-7)
      }
      const limited = solve(line, { epsilon: 1.2e-3, maxIterations: 400 })
      expect(limited.attempts.map(({ iterations }) => iterations)).to.deep.equal([Math.min(400, plain.iterations)])

      // Should Newton's method stall, Sinkhorn's iteration goes on.
      const newton = kernels(backend).transport.sinkhornNewtonSparse
      const runNewton = newton.runSync
      newton.runSync = (job, control) => {
        runNewton(job, control)
        job.report[reportField.status] = 3
        job.report[reportField.marginalError] = 1e-3
      }
      try {
        const back = solve(line, { epsilon: 1.2e-3 })
        expect(back.attempts.map(({ method, status }) => `${method} ${status}`)).to.deep.equal([
          'sinkhorn iteration-limit',
          'sinkhornNewtonSparse stalled',
          'sinkhorn converged',
        ])
        expect(back.method).to.equal('sinkhorn')
        expect(largestDifference(back.plan().data, expected.plan().data)).to.be.below(1e-7)
      } finally {
        newton.runSync = runNewton
      }

      const { emd } = kernels(backend).transport
      const { runSync } = emd
      let calls = 0
      emd.runSync = (job, control) => {
        runSync(job, control)
        if (calls++ > 0) return
        job.report[exactField.status] = 3
        job.report[exactField.residual] = 1e-3
      }
      try {
        const second = solve(dense)
        expect(second.attempts.map(({ method, status }) => `${method} ${status}`)).to.deep.equal([
          'emd stalled',
          'crossover converged',
        ])
        expect(second.note).to.equal('emd: stalled at a residual of 0.0010; crossover: converged at a residual of 0.0')
        expect(second.method).to.equal('crossover')
        expectProved(second, dense)
        calls = 0
        const named = solve(dense, { method: 'emd' })
        expect(named.status).to.equal('stalled')
        expect(named.attempts).to.have.length(1)
        expect(named.note).to.equal(undefined)
      } finally {
        emd.runSync = runSync
      }
    })

    it('a limit that is asked for is no reason to go on', async () => {
      const dense = randomDense(60, 50, 9)
      const cut = solve(dense, { maxIterations: 3 })
      expect(cut.status).to.equal('iteration-limit')
      expect(cut.attempts).to.have.length(1)
      const late = await transport(asProblem(dense), { timeLimit: 1e-9, backend })
      expect(late.status).to.equal('time-limit')
      const square = randomDense(400, 400, 10, 'equal')
      const greedy = await transport(asProblem(square), { method: 'assignment', timeLimit: 1e-9, backend })
      expect(greedy.certificate.dual).to.be.at.most(emdSync(asProblem(square), { backend }).value + 1e-12)
      const signal = AbortSignal.abort(new Error('enough'))
      expect(await rejection(transport(asProblem(dense), { signal, backend }))).to.equal(signal.reason)
      expect(await rejection(transportBatch([asProblem(dense)], { signal, backend }))).to.equal(signal.reason)
    })

    it('called either way, on any number of threads, many at once: the same', async () => {
      const cloud = { cost: pointCloud(points(12, 1, 11), points(14, 1, 12)) }
      const squares = [1, 2, 3].map((seed) => asProblem(randomDense(15, 15, seed, 'equal')))
      const others = [4, 5].map((seed) => asProblem(randomDense(14, 15, seed)))
      const cases: [problems: Parameters<typeof transportBatch>[0], options: TransportOptions, TransportMethod][] = [
        [squares, {}, 'assignment'],
        [others, {}, 'emd'],
        [[cloud, cloud], {}, 'wasserstein1d'],
        [others, { method: 'crossover' }, 'crossover'],
        [[...squares, ...others, cloud], {}, 'emd'],
        [squares, { epsilon: 0.2 }, 'sinkhorn'],
        [[...squares, cloud], { epsilon: 5e-4 }, 'sinkhornNewtonSparse'],
      ]
      for (const [problems, options, method] of cases) {
        const batch = await transportBatch(problems, { ...options, backend })
        expect(batch.map((result) => result.method)).to.deep.equal(problems.map(() => method))
        for (const [k, problem] of problems.entries()) {
          const alone = transportSync(problem, { ...options, backend, threads: 1 })
          const off = await transport(problem, { ...options, backend, threads: 3 })
          expect(off.value).to.equal(alone.value)
          expect(off.potentials).to.deep.equal(alone.potentials)
          expect(batch[k].status).to.equal('converged')
          expect(batch[k].value).to.be.closeTo(alone.value, options.epsilon === undefined ? 1e-13 : 1e-9)
        }
      }
      expect(await transportBatch([], { backend })).to.deep.equal([])
      let counted = 0
      await transportBatch(squares, {
        backend,
        onProgress: ({ iteration }) => (counted = Math.max(counted, iteration)),
      })
      expect(counted).to.be.at.most(3)
    })

    it('refuses what it cannot solve, before it begins', async () => {
      const good = asProblem(randomDense(3, 3, 13, 'equal'))
      const refuses = refusing(transport, transportSync)
      const run = (options: object, code: 'ERR_OPTION' | 'ERR_NOT_POSITIVE', message: RegExp | string) =>
        refuses(good, { backend, ...options }, code, message)
      await run({ epsilom: 1 }, 'ERR_OPTION', /did you mean 'epsilon'/)
      await run({ method: 'simplex' }, 'ERR_OPTION', /^method: expected one of 'auto', 'emd', /)
      await run({ method: 'sinkhorn' }, 'ERR_OPTION', 'epsilon: expected a finite number > 0, got undefined')
      await run({ method: 'emd', epsilon: 1 }, 'ERR_OPTION', "epsilon: expected none with method: 'emd', got 1")
      await run({ precision: 'float32' }, 'ERR_OPTION', "precision: expected none without epsilon, got 'float32'")
      await run({ method: 'assignment', maxIterations: 3 }, 'ERR_OPTION', /^maxIterations: expected none with/)
      await run({ method: 'wasserstein1d' }, 'ERR_OPTION', /^method: expected points of one dimension/)
      await run({ epsilon: 0 }, 'ERR_NOT_POSITIVE', /^epsilon: /)
      await run({ tolerance: -1 }, 'ERR_OPTION', /^tolerance: /)
      await run({ maxIterations: 0 }, 'ERR_OPTION', /^maxIterations: /)
      await run({ warmStart: 3 }, 'ERR_OPTION', /^warmStart: /)
      const options = { backend }
      await refuses(null, options, 'ERR_SHAPE', /^problem: /)
      await refuses({}, options, 'ERR_SHAPE', /^cost: /)
      await refuses({ cost: [] }, options, 'ERR_SHAPE', /^cost: /)
      await refuses({ cost: { kind: 'points' } }, options, 'ERR_SHAPE', /^cost/)
      await refuses({ cost: { kind: 'points' } }, { ...options, epsilon: 1 }, 'ERR_SHAPE', /^cost/)
      await refuses({ cost: [[1, Number.NaN]] }, options, 'ERR_NOT_FINITE', /^cost\[0]\[1]: /)
      await refuses({ ...good, c: 1 }, options, 'ERR_OPTION', /^problem: /)
      await refuses({ ...good, a: [1, 2] }, options, 'ERR_SHAPE', /^a: /)
      await refuses({ ...good, a: [1, 2, -1] }, options, 'ERR_NOT_POSITIVE', /^a\[2]: /)
      await refuses({ ...good, a: [1, 1, 1] }, options, 'ERR_MASS', /^a, b: /)
      const blocked = {
        cost: [
          [infinity, infinity],
          [1, 2],
        ],
      }
      await refuses(blocked, options, 'ERR_INFEASIBLE', /rows 0 that supply 0\.5 but reach no column/)
      const named = { ...options, method: 'assignment' }
      await refuses(
        {
          cost: [
            [1, 2, 3],
            [2, 3, 1],
          ],
        },
        named,
        'ERR_OPTION',
        /^method: expected a matrix or points, as many/,
      )
      const arcs = asListed(randomDense(3, 3, 14))
      await refuses(arcs, { ...options, epsilon: 1 }, 'ERR_SHAPE', /^cost: expected a matrix or points with epsilon/)
      await refuses(arcs, { ...options, method: 'crossover' }, 'ERR_SHAPE', /^cost: /)
      await expectRejection(transportBatch(3 as never, options), 'ERR_SHAPE', /^problems: /)
      await expectRejection(transportBatch([good, { cost: [] }], options), 'ERR_SHAPE', /^problems\[1]\.cost: /)
      const wrong = [good, { ...good, a: [1, 1, 1] }]
      await expectRejection(transportBatch(wrong, options), 'ERR_MASS', /^problems\[1]\.a, b: /)
      const warmStart = { f: uniform(3), g: uniform(3) }
      await expectRejection(transportBatch([good], { ...options, warmStart }), 'ERR_OPTION', /^warmStart: /)
    })
  })

  it('both backends: the same', () => {
    for (const seed of [1, 2, 3]) {
      const dense = odd(11, 11, seed)
      const [native, portable] = (['native', 'portable'] as const).map((backend) =>
        transportSync(asProblem(dense), { backend }),
      )
      expect(portable.method).to.equal(native.method)
      expect(portable.value).to.be.closeTo(native.value, 1e-12)
      expect(portable.plan().data).to.deep.equal(native.plan().data)
    }
  })
})
