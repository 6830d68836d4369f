import { expect } from 'chai'
import fc from 'fast-check'
import type { BackendName } from '../../lib/index.js'
import {
  type AssignmentOptions,
  type AssignmentSolution,
  assignment,
  assignmentSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { resizable, transferred } from '../helpers/buffers.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { linearProgram } from '../helpers/linear-program.js'
import { check } from '../helpers/property.js'
import { fill, random, shuffled } from '../helpers/random.js'
import { total, uniform } from '../helpers/transport.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

const infinity = Number.POSITIVE_INFINITY

interface Matrix {
  data: Float64Array
  shape: [number, number]
}

function matrix(n: number, m: number, entry: (i: number, j: number) => number): Matrix {
  return { data: Float64Array.from({ length: n * m }, (_, k) => entry(Math.floor(k / m), k % m)), shape: [n, m] }
}

function randomMatrix(n: number, m: number, seed: number): Matrix {
  return { data: fill(n * m, random(seed)), shape: [n, m] }
}

function transposedMatrix({ data, shape: [n, m] }: Matrix): Matrix {
  return matrix(m, n, (j, i) => data[i * m + j])
}

/** The least total over all ways to pair the shorter side, infinite if forbidden arcs leave none. */
function bruteForce(cost: Matrix): number {
  if (cost.shape[0] > cost.shape[1]) return bruteForce(transposedMatrix(cost))
  const [n, m] = cost.shape
  let best = infinity
  const visit = (i: number, used: number, sum: number) => {
    if (i === n) best = Math.min(best, sum)
    else
      for (let j = 0; j < m; j++) if ((used >> j) % 2 === 0) visit(i + 1, used | (1 << j), sum + cost.data[i * m + j])
  }
  visit(0, 0, 0)
  return best
}

/** Everything that makes an assignment optimal, recomputed from the definitions. */
function expectOptimal(solution: AssignmentSolution, { data, shape: [n, m] }: Matrix, maximize = false): void {
  const { columns, potentials, certificate, value, status, residual } = solution
  const { f, g } = potentials
  const sign = maximize ? -1 : 1
  expect(status).to.equal('converged')
  expect([columns.length, f.length, g.length]).to.deep.equal([n, n, m])
  const taken = columns.filter((j) => j >= 0)
  expect(taken.length).to.equal(Math.min(n, m))
  expect(new Set(taken).size).to.equal(taken.length)
  let sum = 0
  let size = 1e-300
  columns.forEach((j, i) => {
    if (j < 0) return
    sum += data[i * m + j]
    size += Math.abs(data[i * m + j]) + Math.abs(f[i]) + Math.abs(g[j])
  })
  const slack = 1e-13 * size
  expect(value).to.be.closeTo(sum, slack)
  expect(certificate.primal).to.equal(value)
  expect(certificate.dual).to.be.closeTo(total(f) + total(g), slack)
  expect(certificate.gap).to.be.closeTo(0, slack)
  expect(residual).to.equal(certificate.gap)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      if (sign * (data[i * m + j] - f[i] - g[j]) < -slack) expect.fail(`f + g exceeds the cost at [${i}][${j}]`)
    }
  }
  // Nodes left out, and the sign on the longer side, make sum f + sum g a bound.
  if (n > m) expect(Math.max(...f.map((value) => sign * value))).to.be.at.most(slack)
  if (n < m) expect(Math.max(...g.map((value) => sign * value))).to.be.at.most(slack)
}

describe('transport: assignment', () => {
  forEachBackend((backend: BackendName) => {
    const solve = (cost: Matrix, options: AssignmentOptions = {}) => assignmentSync(cost, { backend, ...options })

    it('is the best of all by trying them, of any shape, with ties, forbidden arcs, either way', () => {
      const entry = fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: -4, max: 4 }) },
        { weight: 4, arbitrary: fc.double({ min: -3, max: 3, noNaN: true }) },
        { weight: 1, arbitrary: fc.constant(infinity) },
      )
      const shape = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 }))
      const cases = shape.chain(([n, m]) =>
        fc.record({
          cost: fc
            .array(entry, { minLength: n * m, maxLength: n * m })
            .map((list): Matrix => ({ data: Float64Array.from(list), shape: [n, m] })),
          maximize: fc.boolean(),
        }),
      )
      check(
        fc.property(cases, ({ cost, maximize }) => {
          const best = bruteForce(cost)
          const given = maximize ? { ...cost, data: cost.data.map((c) => -c) } : cost
          if (best === infinity) {
            expectError(
              () => solve(given, { maximize }),
              'ERR_INFEASIBLE',
              /^cost: expected allowed \(finite\) arcs for all (row|column)s, got /,
            )
            return
          }
          const solution = solve(given, { maximize })
          expect(solution.value).to.be.closeTo(maximize ? -best : best, 1e-12)
          expectOptimal(solution, given, maximize)
        }),
        { runs: 600 },
      )
    })

    it('is what a linear program finds', async () => {
      const cost = randomMatrix(24, 24, 5)
      const reference = await linearProgram({ n: 24, m: 24, cost: cost.data, a: uniform(24), b: uniform(24) })
      expect(solve(cost).value / 24).to.be.closeTo(reference.value, 1e-10)
    })

    const shapes: [string, Matrix][] = [
      ['uniform', randomMatrix(150, 150, 1)],
      ['wide', randomMatrix(60, 190, 2)],
      ['tall', randomMatrix(170, 40, 3)],
      ['many ties', matrix(120, 120, (i, j) => (i * 7 + j * 13 + ((i * j) % 5)) % 6)],
      ['all alike', matrix(50, 70, () => 3)],
      ['products, which defeat the reductions', matrix(80, 80, (i, j) => (i + 1) * (j + 1))],
      ['a column', randomMatrix(33, 1, 4)],
      ['a row', randomMatrix(1, 33, 5)],
      ['one by one', matrix(1, 1, () => -2)],
      ['negative', matrix(60, 60, (i, j) => -1000 - ((i * 31 + j * 17) % 97))],
      [
        'a narrow band of allowed arcs',
        matrix(90, 90, (i, j) => (Math.abs(i - j) <= 2 ? ((i * 5 + j * 3) % 11) / 7 : infinity)),
      ],
      ['triangular: one way only', matrix(70, 70, (i, j) => (j <= i ? (i + j) % 9 : infinity))],
    ]
    for (const [name, cost] of shapes) {
      it(`proves itself: ${name}`, () => {
        expectOptimal(solve(cost), cost)
        const flipped = { ...cost, data: cost.data.map((c) => -c) }
        expectOptimal(solve(flipped, { maximize: true }), flipped, true)
      })
    }

    it('keeps the digits of costs beside 1e32', () => {
      const small = randomMatrix(40, 40, 6)
      const next = random(8)
      const huge = { ...small, data: small.data.map((c, k) => (k % 41 !== 0 && next() < 0.93 ? 1e32 : c)) }
      const forbidden = { ...huge, data: huge.data.map((c) => (c === 1e32 ? infinity : c)) }
      const solution = solve(huge)
      expect(solution.value).to.be.closeTo(solve(forbidden).value, 1e-12)
      expect(solution.certificate.gap).to.be.below(1e-12)
      // Where one of them must be taken there is no better.
      const forced = matrix(3, 3, (i, j) => (j === 0 ? 1 + i : 1e32))
      expect(solve(forced).value).to.be.closeTo(2e32, 1e18)
    })

    it('does not mind what is added to rows and columns, nor their order', () => {
      const n = 50
      const cost = randomMatrix(n, n, 9)
      const next = random(10)
      const [u, v] = [fill(n, next), fill(n, next)]
      const { columns, value } = solve(cost)
      const shifted = solve(matrix(n, n, (i, j) => cost.data[i * n + j] + 4 * u[i] - 3 * v[j]))
      expect([...shifted.columns]).to.deep.equal([...columns])
      expect(shifted.value).to.be.closeTo(value + 4 * total(u) - 3 * total(v), 1e-11)
      const rows = shuffled(n, next)
      const order = shuffled(n, next)
      const moved = solve(matrix(n, n, (i, j) => cost.data[rows[i] * n + order[j]]))
      expect(moved.value).to.be.closeTo(value, 1e-12)
      for (let i = 0; i < n; i++) expect(order[moved.columns[i]]).to.equal(columns[rows[i]])
    })

    it('takes float32, strides and rows of numbers', () => {
      const { data } = randomMatrix(20, 30, 11)
      const single = Float32Array.from(data)
      const exact = { data: Float64Array.from(single), shape: [20, 30] as [number, number] }
      const wanted = solve(exact)
      expect(assignmentSync({ data: single, shape: [20, 30] }, { backend })).to.deep.include({
        value: wanted.value,
        columns: wanted.columns,
      })
      const turned = { data: exact.data, shape: [30, 20], stride: [1, 30] }
      const tall = assignmentSync(turned, { backend })
      expect(tall.value).to.be.closeTo(wanted.value, 1e-13)
      expectOptimal(tall, transposedMatrix(exact))
      const rows = Array.from({ length: 20 }, (_, i) => Array.from(exact.data.subarray(30 * i, 30 * i + 30)))
      expect(assignmentSync(rows, { backend }).columns).to.deep.equal(wanted.columns)
    })

    it('names what forbidden arcs leave without partners', () => {
      const blocked = matrix(6, 6, (i, j) => (i < 3 ? (j < 2 ? 1 : infinity) : 1))
      expectError(() => solve(blocked), 'ERR_INFEASIBLE', /got rows 0, 1, 2 with arcs to only columns 0, 1$/)
      expectError(
        () => solve(matrix(2, 3, (i) => (i === 1 ? infinity : 1))),
        'ERR_INFEASIBLE',
        /got row 1 with arcs to no column$/,
      )
      expectError(
        () => solve(matrix(3, 3, (_, j) => (j === 2 ? infinity : 1))),
        'ERR_INFEASIBLE',
        /got column 2 with arcs to no row$/,
      )
      expectError(
        () => solve(matrix(5, 2, (_, j) => (j === 1 ? infinity : 1))),
        'ERR_INFEASIBLE',
        /got column 1 with arcs to no row$/,
      )
      expectError(
        () =>
          solve(
            matrix(2, 2, () => -infinity),
            { maximize: true },
          ),
        'ERR_INFEASIBLE',
        /^cost: expected allowed/,
      )
    })

    it('out of time: bounds that hold, rows that are missing said', async () => {
      const cost = matrix(300, 300, (i, j) => (i + 1) * (j + 1))
      const best = solve(cost).value
      for (const timeLimit of [1e-9, 0.5]) {
        const solution = await assignment(cost, { backend, timeLimit })
        const { primal, dual, gap } = solution.certificate
        if (timeLimit < 1e-6) expect(solution.status).to.equal('time-limit')
        expect(dual).to.be.at.most(best * (1 + 1e-12))
        expect(primal).to.be.at.least(best * (1 - 1e-12))
        expect(gap).to.equal(primal - dual)
        expect(new Set(solution.columns).size).to.equal(300)
      }
      // 0 or 1 fits only one way, which the greedy end misses.
      const trap = matrix(200, 200, (i, j) => (j <= i + 1 ? (j === 0 ? 0 : 1) : infinity))
      const open = await assignment(trap, { backend, timeLimit: 1e-9 })
      expect(open.status).to.equal('time-limit')
      if (open.columns.includes(-1)) expect(open.certificate.primal).to.equal(infinity)
    })

    it('can be aborted, before and during the call', async () => {
      const reason = new Error('enough')
      expect(await rejection(assignment([[1]], { backend, signal: AbortSignal.abort(reason) }))).to.equal(reason)
      const controller = new AbortController()
      const size = backend === 'native' ? 1500 : 600
      const running = assignment(
        matrix(size, size, (i, j) => (i + 1) * (j + 1)),
        { backend, signal: controller.signal },
      )
      setImmediate(() => controller.abort(reason))
      expect(await rejection(running)).to.equal(reason)
    })

    it('refuses bad costs', async () => {
      const bad: [Wrong, string, RegExp][] = [
        [null, 'ERR_SHAPE', /^cost: expected a matrix, got null$/],
        [[], 'ERR_SHAPE', /^cost: expected a non-empty matrix, got 0×0$/],
        [[[1, 2], [3]], 'ERR_SHAPE', /^cost\[1\]: expected a row of 2 numbers/],
        [
          [[1, Number.NaN]],
          'ERR_NOT_FINITE',
          /^cost\[0\]\[1\]: expected a finite number \(or Infinity for a forbidden arc\), got NaN$/,
        ],
        [[[1], [-infinity]], 'ERR_NOT_FINITE', /^cost\[1\]\[0\]: .+ got -Infinity$/],
        [{ data: transferred(new Float64Array(4)), shape: [2, 2] }, 'ERR_BUFFER', /^cost: /],
        [{ data: resizable(4), shape: [2, 2] }, 'ERR_BUFFER', /^cost: /],
      ]
      for (const [cost, code, message] of bad) {
        expectError(() => assignmentSync(cost, { backend }), code as 'ERR_SHAPE', message)
        await expectRejection(assignment(cost, { backend }), code as 'ERR_SHAPE', message)
      }
      expectError(
        () =>
          solve(
            matrix(2, 2, () => infinity),
            { maximize: true },
          ),
        'ERR_NOT_FINITE',
        /\(or -Infinity for a forbidden arc\), got Infinity$/,
      )
    })

    it('refuses bad options', async () => {
      const bad: [Wrong, RegExp][] = [
        [null, /^options: expected \{ maximize, … \}, got null$/],
        [{ maximise: true }, /did you mean 'maximize'\?$/],
        [{ maximize: 1 }, /^maximize: expected true or false, got 1$/],
        [{ backend: 'gpu' }, /^backend: expected one of/],
        [{ signal: {} }, /^signal: expected an AbortSignal, got Object$/],
        [{ onProgress: 1 }, /^onProgress: expected a function, got 1$/],
        [{ timeLimit: '1' }, /^timeLimit: expected/],
      ]
      for (const [options, message] of bad) {
        expectError(() => assignmentSync([[1]], options), 'ERR_OPTION', message)
        await expectRejection(assignment([[1]], options), 'ERR_OPTION', message)
      }
    })
  })

  it('gives the same pairs on both backends, ties included', () => {
    const cases = [
      randomMatrix(97, 97, 21),
      matrix(80, 80, (i, j) => (i * j) % 7),
      matrix(40, 64, (i, j) => (i ^ j) % 4),
      matrix(64, 37, (i, j) => Math.abs(i - 2 * j) % 9),
    ]
    for (const cost of cases) {
      const [native, portable] = (['native', 'portable'] as const).map((backend) => assignmentSync(cost, { backend }))
      expect(native.columns).to.deep.equal(portable.columns)
      expect(native.potentials).to.deep.equal(portable.potentials)
      expect(native.certificate).to.deep.equal(portable.certificate)
      expect(native.iterations).to.equal(portable.iterations)
    }
  })
})
