import { expect } from 'chai'
import { type BackendName, kernels } from '../../lib/backend/index.js'
import { ExtremaError } from '../../lib/core/index.js'
import { pointCloud, type TransportProblem, type TransportSolution } from '../../lib/transport/index.js'
import { rejection } from '../helpers/errors.js'
import { adaptiveOn, type Method, paperOn, plainSinkhornOn } from '../helpers/methods.js'
import { fill, random } from '../helpers/random.js'
import { asProblem, normalized, randomDense } from '../helpers/transport.js'

type Options = Parameters<Method['run']>[1]

interface Case {
  name: string
  problem: TransportProblem
  options: Options
  /** Of results, relative to the largest entry, where the backends round differently on purpose; default 1e-9. */
  agreement?: number
  /**
   * The plan falls into parts that hardly touch: Newton's systems are nearly singular, and the potentials of each part
   * known up to a constant only.
   */
  loose?: boolean
}

/** The paper's form with a Hessian that is really sparse. */
function sparsePaperOn(backend: BackendName): Method {
  const method = paperOn(backend)
  const sparse = (options: Options) => ({ ...options, sparsity: 0.3 })
  return {
    name: `${method.name}, sparse`,
    run: (problem, options) => method.run(problem, sparse(options)),
    runSync: (problem, options) => method.runSync(problem, sparse(options)),
    runBatch: (problems, options) => method.runBatch(problems, sparse(options)),
  }
}

const next = random(7)
const matrix = (n: number, m: number, draw = next) => ({ data: fill(n * m, draw), shape: [n, m] })
const single = ({ data, shape }: ReturnType<typeof matrix>) => ({ data: Float32Array.from(data), shape })

/** Weights, some of them zero. */
function sparseWeights(length: number): Float64Array {
  return normalized(fill(length, () => (next() < 0.3 ? 0 : 0.1 + next())))
}

/** Allows the diagonal and about two arcs in three. */
function forbidding(n: number): TransportProblem['cost'] {
  const cost = matrix(n, n)
  for (let k = 0; k < n * n; k++) if (k % (n + 1) !== 0 && next() < 0.35) cost.data[k] = Number.POSITIVE_INFINITY
  return cost
}

/** Weights of two halves with this part of the mass in the first. */
function halves(length: number, part: number): Float64Array {
  const first = length / 2
  return Float64Array.from({ length }, (_, k) => (k < first ? part : 1 - part) / first)
}

/** Two clusters of values in [0, 1), `apart` from each other. */
function clusters(length: number, apart: number): Float64Array {
  return Float64Array.from({ length }, (_, k) => next() + (k < length / 2 ? 0 : apart))
}

/** Within a half everything costs about the same, across there is a barrier. */
function barrier(n: number, height: number): TransportProblem['cost'] {
  const across = (k: number) => Math.floor(k / n) < n / 2 !== k % n < n / 2
  return { data: Float64Array.from({ length: n * n }, (_, k) => next() + (across(k) ? height : 0)), shape: [n, n] }
}

const cases: Case[] = [
  { name: 'a square', problem: { cost: matrix(60, 60) }, options: { epsilon: 0.02 } },
  { name: 'one by one', problem: { cost: [[3]] }, options: { epsilon: 0.1 } },
  { name: 'one row', problem: { cost: matrix(1, 57) }, options: { epsilon: 0.1 } },
  { name: 'one column', problem: { cost: matrix(57, 1) }, options: { epsilon: 0.1 } },
  { name: 'wide, random weights', problem: asProblem(randomDense(23, 91, 1)), options: { epsilon: 0.03 } },
  { name: 'tall, random weights', problem: asProblem(randomDense(90, 22, 2)), options: { epsilon: 0.03 } },
  { name: 'longer rows than a segment', problem: { cost: matrix(3, 9001) }, options: { epsilon: 0.05 } },
  { name: 'many chunks', problem: { cost: matrix(410, 390) }, options: { epsilon: 0.02 } },
  { name: 'costs in float32', problem: { cost: single(matrix(40, 50)) }, options: { epsilon: 0.03 } },
  {
    name: 'negative and large costs',
    problem: { cost: matrix(30, 40, () => 1e4 * (next() - 0.5)) },
    options: { epsilon: 200 },
  },
  { name: 'a constant cost', problem: { cost: matrix(12, 9, () => 2.5) }, options: { epsilon: 1e-3 } },
  {
    name: 'small epsilon: many absorptions',
    problem: { cost: matrix(40, 40) },
    options: { epsilon: 1e-3, tolerance: 1e-5 },
    loose: true,
  },
  {
    name: 'tiny epsilon: rescues',
    problem: { cost: matrix(30, 35) },
    options: { epsilon: 1e-6, maxIterations: 60 },
  },
  {
    name: 'weights over many magnitudes',
    problem: {
      cost: matrix(20, 25),
      a: normalized(fill(20, () => 10 ** (-12 * next()))),
      b: normalized(fill(25, () => 10 ** (-12 * next()))),
    },
    options: { epsilon: 0.05 },
    loose: true,
  },
  {
    name: 'zero weights',
    problem: { cost: matrix(40, 30), a: sparseWeights(40), b: sparseWeights(30) },
    options: { epsilon: 0.05 },
  },
  {
    name: 'zero weights of points',
    problem: { cost: pointCloud(matrix(30, 2), matrix(25, 2)), a: sparseWeights(30), b: sparseWeights(25) },
    options: { epsilon: 0.05 },
  },
  { name: 'forbidden arcs', problem: { cost: forbidding(30) }, options: { epsilon: 0.05, tolerance: 1e-7 } },
  {
    name: 'a warm start',
    problem: { cost: matrix(30, 40) },
    options: { epsilon: 0.02, warmStart: { f: fill(30, next), g: fill(40, next) } },
  },
  {
    name: 'a warm start far away: rows and columns under- and overflow',
    problem: { cost: matrix(30, 40) },
    options: {
      epsilon: 0.01,
      tolerance: 1e-7,
      warmStart: { f: fill(30, () => 400 * (next() - 0.5)), g: fill(40, () => 400 * (next() - 0.5)) },
    },
  },
  {
    // Too smooth for a sparse Hessian, too slow for Sinkhorn: Newton with the whole plan.
    name: 'two halves with a barrier between them',
    problem: { cost: barrier(300, 12), a: halves(300, 0.6), b: halves(300, 0.5) },
    options: { epsilon: 1, maxIterations: 400 },
  },
  {
    name: 'two clusters of points',
    problem: {
      cost: pointCloud({ data: clusters(300, 4), shape: [300, 1] }, { data: clusters(300, 4), shape: [300, 1] }),
      a: halves(300, 0.6),
      b: halves(300, 0.5),
    },
    options: { epsilon: 1, maxIterations: 400 },
  },
  {
    name: 'no certificate, few iterations',
    problem: { cost: matrix(20, 30) },
    options: { epsilon: 0.01, maxIterations: 3, certificate: false },
  },
  {
    name: 'an unreachable tolerance',
    problem: { cost: matrix(15, 20) },
    options: { epsilon: 0.1, tolerance: 0, maxIterations: 40 },
  },
  {
    name: 'float32',
    problem: { cost: matrix(60, 50) },
    options: { epsilon: 0.05, tolerance: 1e-5, precision: 'float32' },
    agreement: 1e-5,
  },
  {
    name: 'float32 of points',
    problem: { cost: pointCloud(single(matrix(40, 3)), single(matrix(30, 3))) },
    options: { epsilon: 0.05, tolerance: 1e-4, precision: 'float32' },
    agreement: 1e-3,
  },
]
for (const cost of ['sqeuclidean', 'euclidean', 'cosine', 'cityblock'] as const) {
  for (const d of [1, 2, 3, 4, 7, 12, 20]) {
    cases.push({
      name: `${cost} in ${d} dimensions`,
      problem: { cost: pointCloud(matrix(41, d), matrix(35, d), { cost }) },
      options: { epsilon: 0.1, tolerance: 1e-7 },
    })
  }
}
cases.push(
  {
    name: 'points far from the origin, in float32',
    problem: { cost: pointCloud(single(matrix(30, 2, () => 1e4 + next())), single(matrix(30, 2, () => 1e4 + next()))) },
    options: { epsilon: 0.05, tolerance: 1e-7 },
  },
  {
    name: 'points at a tiny epsilon',
    problem: { cost: pointCloud(matrix(25, 2), matrix(25, 2)) },
    options: { epsilon: 1e-6, maxIterations: 40 },
  },
  {
    name: 'more points than a segment',
    problem: { cost: pointCloud(matrix(3, 5), matrix(4500, 5), { cost: 'cityblock' }) },
    options: { epsilon: 0.3, tolerance: 1e-7 },
  },
)

function close(name: string, native: ArrayLike<number>, portable: ArrayLike<number>, tolerance: number): void {
  expect(portable.length, name).to.equal(native.length)
  let scale = Number.MIN_VALUE
  for (let k = 0; k < native.length; k++) if (Number.isFinite(native[k])) scale = Math.max(scale, Math.abs(native[k]))
  for (let k = 0; k < native.length; k++) {
    if (native[k] === portable[k] || Math.abs(native[k] - portable[k]) <= tolerance * scale) continue
    expect.fail(`${name}[${k}]: ${native[k]} natively, ${portable[k]} portably (scale ${scale})`)
  }
}

function expectSame(native: TransportSolution, portable: TransportSolution, expected: Case): void {
  const { problem, options, loose = false } = expected
  const newton = native.newtonIterations !== undefined
  const agreement = newton && loose ? 1e-7 : (expected.agreement ?? 1e-9)
  const [n, m] = shapeOf(problem)
  expect(native.backend).to.equal('native')
  expect(portable.backend).to.equal('portable')
  expect(portable.status).to.equal(native.status)
  close('marginalError', [native.marginalError, 1], [portable.marginalError, 1], agreement)
  // With epsilon in the scale: costs and potentials may be rounding errors only.
  const costs = ({ value, regularizedValue, certificate }: TransportSolution) => [
    options.epsilon,
    value,
    regularizedValue,
    ...(certificate === undefined ? [] : [certificate.primal, certificate.dual]),
  ]
  close('costs', costs(native), costs(portable), agreement)
  // Newton's directions are determined up to (1, -1), and so are the potentials of any solution.
  const shift = newton ? native.potentials.f[0] - portable.potentials.f[0] : 0
  if (!newton || !loose) {
    const { f, g } = portable.potentials
    close(
      'f',
      [...native.potentials.f, options.epsilon],
      [...f.map((value) => value + shift), options.epsilon],
      agreement,
    )
    close(
      'g',
      [...native.potentials.g, options.epsilon],
      [...g.map((value) => value - shift), options.epsilon],
      agreement,
    )
  }

  const plans = [native.plan(), portable.plan()]
  expect(plans[1].shape).to.deep.equal(plans[0].shape)
  close('plan', plans[0].data, plans[1].data, agreement)
  const v = fill(m, random(11))
  const w = fill(n, random(12))
  close('apply', native.apply(v), portable.apply(v), agreement)
  close('applyTranspose', native.applyTranspose(w), portable.applyTranspose(w), agreement)
  if (agreement > 1e-9) return
  for (const part of [0, 0.5, 0.99]) {
    const threshold = gapAbove(plans[0].data, part)
    const [sparse, twin] = [native.sparsePlan(threshold), portable.sparsePlan(threshold)]
    expect(twin.shape).to.deep.equal(sparse.shape)
    expect(twin.indptr).to.deep.equal(sparse.indptr)
    expect(twin.indices).to.deep.equal(sparse.indices)
    close('sparsePlan', sparse.data, twin.data, agreement)
  }
}

/** The same way to the solution. A Newton method may part with it by a few steps where rounding decides. */
function expectSameCourse(native: TransportSolution, portable: TransportSolution): void {
  if (native.newtonIterations === undefined) {
    expect(portable.iterations).to.equal(native.iterations)
    expect(portable.passes).to.equal(native.passes)
    close('history', [...native.history!, 1], [...portable.history!, 1], 1e-9)
  } else {
    expect(portable.iterations).to.be.closeTo(native.iterations, 2 + 0.1 * native.iterations)
    expect(portable.newtonIterations).to.be.closeTo(native.newtonIterations, 2 + 0.1 * native.iterations)
    expect(portable.passes).to.be.closeTo(native.passes, 4 + 0.1 * native.passes)
    expect(portable.history).to.have.length(portable.iterations)
  }
}

/** A threshold between two entries so far apart that rounding decides nothing, with about this part of them below. */
function gapAbove(plan: Float64Array, part: number): number {
  const entries = plan.filter((p) => p > 1e-290).sort()
  let k = Math.floor(part * (entries.length - 1))
  while (k + 1 < entries.length && entries[k + 1] < 1.0001 * entries[k]) k++
  return k + 1 < entries.length ? Math.sqrt(entries[k]) * Math.sqrt(entries[k + 1]) : entries[0] / 2
}

function shapeOf({ cost }: TransportProblem): number[] {
  if ('kind' in cost) return [cost.x.rows, cost.y.rows]
  return 'shape' in cost ? Array.from(cost.shape) : [cost.length, (cost as ArrayLike<ArrayLike<number>>)[0].length]
}

describe('transport: native and portable give the same', () => {
  before('both backends are there', () => {
    kernels('native')
    kernels('portable')
  })

  for (const on of [plainSinkhornOn, adaptiveOn, paperOn, sparsePaperOn]) {
    // The step that crosses a loose tolerance goes far beyond it, how far depends on rounding.
    const tightened = ({ agreement, options }: Case) =>
      on !== plainSinkhornOn && agreement === undefined && options.tolerance !== 0 ? { tolerance: 1e-12 } : {}
    const native = on('native')
    const portable = on('portable')
    describe(native.name, () => {
      for (const one of cases) {
        it(one.name, () => {
          const options = { ...one.options, ...tightened(one), history: true }
          const solutions = [native.runSync(one.problem, options), portable.runSync(one.problem, options)] as const
          expectSame(...solutions, one)
          const atFloor = on !== plainSinkhornOn && options.tolerance === 0
          if (one.agreement === undefined && !atFloor) expectSameCourse(...solutions)
        })
      }

      it('a batch', async () => {
        // At this epsilon: not those with costs in the thousands.
        const some = cases.filter(({ options }) => options.epsilon < 1)
        const problems = some.map(({ problem }) => problem)
        const options = { epsilon: 0.2, tolerance: on === plainSinkhornOn ? 1e-6 : 1e-11 }
        const solutions = await native.runBatch(problems, options)
        const twins = await portable.runBatch(problems, options)
        some.forEach((one, k) => {
          expectSame(solutions[k], twins[k], { ...one, options, agreement: 1e-9 })
        })
      })

      const wrong: [string, TransportProblem][] = [
        [
          'NaN',
          {
            cost: [
              [1, 2],
              [3, Number.NaN],
            ],
          },
        ],
        ['-Infinity', { cost: { data: Float32Array.of(1, -Infinity, Number.NaN, 2), shape: [2, 2] } }],
        ['points too far apart', { cost: pointCloud([[1e200, 0]], [[-1e200, 0]]) }],
        [
          'no way for the mass',
          {
            cost: [
              [1, Infinity, Infinity],
              [1, Infinity, Infinity],
              [1, 2, 3],
            ],
          },
        ],
        [
          'a row without a way',
          {
            cost: [
              [1, 2],
              [Infinity, Infinity],
            ],
          },
        ],
      ]
      for (const [name, problem] of wrong) {
        it(`refuses ${name}`, async () => {
          const errors = [native, portable].map(({ runSync }) => {
            try {
              runSync(problem, { epsilon: 0.1 })
            } catch (error) {
              return error as ExtremaError
            }
            throw new Error('expected an error')
          })
          for (const error of errors) expect(error).to.be.instanceOf(ExtremaError)
          expect(errors[1].code).to.equal(errors[0].code)
          expect(errors[1].message).to.equal(errors[0].message)
          const sound = { cost: matrix(3, 3) }
          for (const { runBatch } of [native, portable]) {
            const error = (await rejection(runBatch([sound, problem, sound], { epsilon: 0.1 }))) as ExtremaError
            expect(error).to.be.instanceOf(ExtremaError)
            expect(error.code).to.equal(errors[0].code)
            expect(error.message).to.equal(`problems[1].${errors[0].message}`)
          }
        })
      }
    })
  }
})
