import { expect } from 'chai'
import {
  type EqualityConstrainedOptions,
  type EqualityConstrainedProblem,
  minimizeEqualityConstrained,
  minimizeEqualityConstrainedSync,
} from '../../lib/constrained/index.js'
import { toSystem } from '../../lib/constrained/matrix.js'
import { kktResidual, merit, meritGradient } from '../../lib/constrained/merit.js'
import type { Point } from '../../lib/constrained/problem.js'
import type { ExtremaError } from '../../lib/core/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { centralDifference, nudged } from '../helpers/differences.js'
import { expectError, refusing, rejection } from '../helpers/errors.js'
import { fill, random } from '../helpers/random.js'
import { constrainedLogistic } from './problems/logistic.js'
import { pdeControl } from './problems/pde-control.js'
import { oraclesOf, published } from './problems/published.js'

// biome-ignore lint/suspicious/noExplicitAny: oracles of every form, and values that the types forbid.
type Any = any

const named = (name: string) => oraclesOf(published.find((problem) => problem.name === name)!)
const circle: EqualityConstrainedProblem = {
  x0: [1, 0.5],
  value: (x) => x[0] + x[1],
  gradient: () => [1, 1],
  constraints: (x) => [x[0] ** 2 + x[1] ** 2 - 2],
  jacobian: (x) => [[2 * x[0], 2 * x[1]]],
  hessian: (_, [y]) => [
    [2 * y, 0],
    [0, 2 * y],
  ],
}

function pointOf(problem: EqualityConstrainedProblem, x: Float64Array): Point {
  const oracles = problem as Any
  return {
    x,
    f: oracles.value(x),
    g: Float64Array.from(oracles.gradient(x)),
    c: Float64Array.from(oracles.constraints(x)),
    jacobian: toSystem('jacobian', oracles.jacobian(x), 'ERR_NOT_FINITE'),
  }
}

describe('constrained: the problems', () => {
  it('derivatives of the published formulas, against differences', () => {
    expect(published.length).to.be.at.least(25)
    for (const problem of published) {
      const oracles = oraclesOf(problem) as Any
      const next = random(3)
      const x = Float64Array.from(problem.x0, (value) => value + 0.1 * next())
      const y = fill(oracles.multipliers0.length, next)
      const lagrangian = (at: Float64Array, i: number): number =>
        oracles.gradient(at)[i] +
        oracles.jacobian(at).reduce((sum: number, row: Any, j: number) => sum + y[j] * row[i], 0)
      const close = (value: number, expected: number) =>
        expect(value, problem.name).to.be.closeTo(expected, 1e-5 * Math.max(1, Math.abs(expected)))
      for (let i = 0; i < x.length; i++) {
        close(
          oracles.gradient(x)[i],
          centralDifference((t) => oracles.value(nudged(x, i, t))),
        )
        for (let j = 0; j < y.length; j++) {
          close(
            oracles.jacobian(x)[j][i],
            centralDifference((t) => oracles.constraints(nudged(x, i, t))[j]),
          )
        }
        for (let k = 0; k < x.length; k++) {
          close(
            oracles.hessian(x, y).data[i * x.length + k],
            centralDifference((t) => lagrangian(nudged(x, i, t), k)),
          )
        }
      }
    }
  })

  it('∇L_η, against differences: with the Hessian of the Lagrangian', () => {
    for (const name of ['HS7', 'HS78', 'HS100LNP']) {
      const problem = named(name) as Any
      const x = Float64Array.from(problem.x0, (value: number, i: number) => value + 0.05 * i)
      const y = fill(problem.multipliers0.length, random(8))
      const value = (at: Float64Array, multipliers: Float64Array) => {
        const point = pointOf(problem, at)
        return merit(point, multipliers, kktResidual(point, multipliers), 3, 0.2)
      }
      const point = pointOf(problem, x)
      const hessian = toSystem('hessian', problem.hessian(x, y), 'ERR_NOT_FINITE')
      const gradient = meritGradient(point, hessian, kktResidual(point, y), 3, 0.2)
      for (let i = 0; i < x.length; i++) {
        const slope = centralDifference((t) => value(nudged(x, i, t), y))
        expect(gradient[i]).to.be.closeTo(slope, 1e-6 * Math.max(1, Math.abs(slope)))
      }
      for (let j = 0; j < y.length; j++) {
        const slope = centralDifference((t) => value(x, nudged(y, j, t)))
        expect(gradient[x.length + j]).to.be.closeTo(slope, 1e-6 * Math.max(1, Math.abs(slope)))
      }
    }
  })
})

describe('constrained: minimizeEqualityConstrained', () => {
  forEachBackend((backend) => {
    const solve = (problem: EqualityConstrainedProblem, options: EqualityConstrainedOptions = {}) =>
      minimizeEqualityConstrainedSync(problem, { backend, maxSketches: 1e6, ...options })

    it('reaches the published optima, exactly and by practical sketches', () => {
      for (const problem of published) {
        for (const options of [{ linearSolver: 'exact' }, { accuracy: 'practical' }] as EqualityConstrainedOptions[]) {
          if (backend === 'portable' && /HS(46|49|26)/.test(problem.name)) continue
          const solution = solve(oraclesOf(problem), options)
          expect(solution.status, problem.name).to.equal('converged')
          expect(solution.value, problem.name).to.be.closeTo(problem.optimum, 1.01e-4)
          expect(solution.history.at(-1)?.step, problem.name).to.equal(1)
          expect(solution.secondOrder, problem.name).to.equal(true)
        }
      }
    })

    it('theoretical accuracy takes the outer iterations of the reference runs', () => {
      const reference: [string, number][] = [
        ['HS6', 9],
        ['HS7', 10],
        ['HS28', 1],
        ['HS42', 4],
        ['HS48', 1],
        ['HS78', 4],
      ]
      for (const [name, iterations] of reference) {
        for (const sketch of ['kaczmarz', 'gaussian', 'gaussian-block', 'count-sketch', 'rows'] as const) {
          const solution = solve(named(name), { sketch })
          expect(solution.status).to.equal('converged')
          expect(solution.iterations, `${name} ${sketch}`).to.be.within(iterations - 2, iterations + 2)
        }
      }
      expect(solve(named('HS7')).value).to.be.closeTo(-Math.sqrt(3), 1e-7)
      expect(solve(named('HS78')).value).to.be.closeTo(-2.91970041, 1e-8)
    })

    it('a convex quadratic with linear constraints takes one iteration', () => {
      for (const name of ['HS28', 'HS48', 'HS51', 'HS52', 'BT3', 'GENHS28']) {
        expect(solve(named(name), { linearSolver: 'exact' }).iterations, name).to.equal(1)
      }
    })

    it('the same solution for 20 streams', () => {
      for (let seed = 0; seed < 20; seed++) {
        const { x, status } = solve(named('HS78'), { seed, accuracy: 'practical', tolerance: 1e-8 })
        expect(status).to.equal('converged')
        expect(x[0]).to.be.closeTo(-1.717143, 1e-5)
      }
    })

    it('shrinking forcing terms converge superlinearly, a constant one linearly', () => {
      const ratios = (forcing: number | 'residual') => {
        const { history, residual } = solve(named('HS78'), { forcing, accuracy: 'practical', tolerance: 1e-10 })
        const sizes = [...history.map((record) => record.residual), residual]
        return sizes.slice(1).map((size, k) => size / sizes[k])
      }
      expect(ratios('residual').at(-1)).to.be.below(1e-3)
      for (const ratio of ratios(1).slice(-3)) expect(ratio).to.be.below(0.5)
    })

    it('PDE control: exact, MINRES and sketches agree; sparse and dense factorizations as well', () => {
      const exact = solve(pdeControl(3), { linearSolver: 'exact' })
      expect(exact.iterations).to.equal(1)
      for (const options of [
        { linearSolver: 'minres' },
        { accuracy: 'practical' },
        { accuracy: 'practical', sketch: 'rows', blockSize: 9 },
        { accuracy: 'practical', sketch: 'count-sketch', blockSize: 12 },
      ] as const) {
        const other = solve(pdeControl(3), options)
        expect(other.status).to.equal('converged')
        expect(other.value).to.be.closeTo(exact.value, 1e-3)
      }
      for (const curvature of ['inertia', 'assume'] as const) {
        const large = solve(pdeControl(14), { linearSolver: 'exact', curvature })
        expect(large.status).to.equal('converged')
        expect(large.iterations).to.equal(1)
        expect(large.secondOrder).to.equal(curvature === 'inertia' ? true : undefined)
      }
      const minres = solve(pdeControl(14), { linearSolver: 'minres', accuracy: 'practical', tolerance: 1e-3 })
      expect(minres.status).to.equal('converged')
    })

    it('constrained logistic regression, by hessian and by hvp', async () => {
      const problem = constrainedLogistic(200, 12, 4) as Any
      const exact = solve(problem, { linearSolver: 'exact' })
      const sketched = solve(problem, { accuracy: 'practical', sketch: 'gaussian-block', blockSize: 8 })
      expect(exact.status).to.equal('converged')
      expect(sketched.status).to.equal('converged')
      expect(sketched.value).to.be.closeTo(exact.value, 1e-4)
      const { hessian, ...rest } = problem
      const hvp = async (x: Float64Array, y: Float64Array, v: Float64Array) => {
        const { data } = hessian(x, y)
        return v.map((_, i) => v.reduce((sum, value, j) => sum + data[i * v.length + j] * value, 0))
      }
      const byProducts = await minimizeEqualityConstrained({ ...rest, hvp }, { backend, linearSolver: 'exact' })
      expect(byProducts.value).to.be.closeTo(exact.value, 1e-9)
      expect(byProducts.evaluations.hvp).to.equal(12 * (byProducts.iterations + 1))
    })

    it('statuses, events, abort and time limit', async () => {
      const records: number[] = []
      const short = solve(named('HS6'), { maxIterations: 2, onIteration: ({ iteration }) => records.push(iteration) })
      expect(short.status).to.equal('iteration-limit')
      expect(records).to.deep.equal([0, 1])
      const late = solve(pdeControl(20), { timeLimit: 30, maxSketches: 1e9, curvature: 'assume' })
      expect(late.status).to.equal('time-limit')
      expect(late.residual).to.be.finite
      const abort = new AbortController()
      const running = minimizeEqualityConstrained(pdeControl(20), { backend, maxSketches: 1e9, signal: abort.signal })
      setTimeout(() => abort.abort(), 20)
      expect(((await rejection(running)) as Error).name).to.equal('AbortError')
      const before = AbortSignal.abort()
      expect(
        ((await rejection(minimizeEqualityConstrained(circle, { backend, signal: before }))) as Error).name,
      ).to.equal('AbortError')
    })

    it('singular Jacobians and inconsistent constraints', () => {
      const twice = {
        ...circle,
        constraints: () => [1, 2],
        jacobian: () => [
          [1, 1],
          [1, 1],
        ],
        hessian: () => [
          [1, 0],
          [0, 1],
        ],
      } as Any
      expectError(() => solve(twice), 'ERR_SINGULAR', /jacobian: expected full row rank/)
      const never: Any = { ...circle, constraints: (x: Any) => [x[0] ** 2 + x[1] ** 2 + 1] }
      try {
        solve(never, { linearSolver: 'exact' })
        expect.fail()
      } catch (error) {
        expect((error as ExtremaError).code).to.equal('ERR_INFEASIBLE')
        expect(((error as ExtremaError).cause as Any).x).to.have.length(2)
      }
    })

    it('halves the step where the objective has no value', () => {
      const logs: EqualityConstrainedProblem = {
        x0: [-1, 3],
        value: (x) => -x[0] - Math.log(x[1]),
        gradient: (x) => [-1, -1 / x[1]],
        constraints: (x) => [x[0] + x[1] - 2],
        jacobian: () => [[1, 1]],
        hessian: (x) => [
          [0, 0],
          [0, 1 / x[1] ** 2],
        ],
      }
      expect(solve(logs, { linearSolver: 'exact' }).x[1]).to.be.closeTo(1, 0.1)
    })

    it('bad problems, options and oracles', async () => {
      const refuses = refusing(minimizeEqualityConstrained, minimizeEqualityConstrainedSync)
      await refuses(null, { backend }, 'ERR_SHAPE', /problem: expected \{ x0/)
      await refuses({ ...circle, hesian: 1 }, { backend }, 'ERR_OPTION', /did you mean 'hessian'/)
      await refuses({ ...circle, hessian: undefined }, { backend }, 'ERR_OPTION', /either hessian or hvp, got neither/)
      await refuses({ ...circle, x0: [1, Number.NaN] }, { backend }, 'ERR_NOT_FINITE', /x0\[1\]/)
      await refuses({ ...circle, value: 3 }, { backend }, 'ERR_OPTION', /value: expected a function, got 3/)
      await refuses({ ...circle, multipliers0: [1, 2] }, { backend }, 'ERR_SHAPE', /multipliers0: expected 1 numbers/)
      await refuses(
        { ...circle, constraints: () => [1, 2, 3] },
        { backend },
        'ERR_SHAPE',
        /constraints: expected from 1/,
      )
      await refuses(circle, { backend, tolerence: 1 }, 'ERR_OPTION', /did you mean 'tolerance'/)
      await refuses(circle, { backend, beta: 0.5 }, 'ERR_OPTION', /beta: expected a number between/)
      await refuses(circle, { backend, forcing: 2 }, 'ERR_OPTION', /forcing: expected/)
      const oracles: [object, RegExp][] = [
        [{ value: () => Number.NaN }, /value: expected a finite number, got NaN/],
        [{ value: () => 'x' }, /value: expected a finite number, got 'x'/],
        [{ gradient: () => [1] }, /gradient: expected 2 numbers, got 1/],
        [{ gradient: () => [1, Number.NaN] }, /gradient: expected finite numbers, got NaN/],
        [{ constraints: () => [Number.POSITIVE_INFINITY] }, /constraints: expected finite numbers/],
        [{ jacobian: () => [[1, 2, 3]] }, /jacobian: expected a 1×2 matrix, got 1×3/],
        [{ jacobian: () => [[1, Number.NaN]] }, /jacobian: expected finite entries/],
        [
          {
            hessian: () => [
              [1, 2],
              [3, 4],
            ],
          },
          /hessian: expected a symmetric matrix/,
        ],
        [{ gradient: () => { throw new Error('no') } }, /gradient: expected a result, got an exception/], // biome-ignore format: one line each
      ]
      for (const [oracle, message] of oracles)
        await refuses({ ...circle, ...oracle }, { backend }, 'ERR_ORACLE', message)
      const later = { ...circle, value: async () => 1 }
      expectError(() => solve(later), 'ERR_ORACLE', /value: expected a result at once in the Sync form, got a promise/)
    })
  })

  it('both backends agree', () => {
    for (const name of ['HS7', 'HS78', 'HS77']) {
      const [a, b] = (['native', 'portable'] as const).map((backend) =>
        minimizeEqualityConstrainedSync(named(name), { backend, tolerance: 1e-8 }),
      )
      expect(a.iterations).to.equal(b.iterations)
      a.x.forEach((value, i) => {
        expect(value).to.be.closeTo(b.x[i], 1e-9 * Math.max(1, Math.abs(value)))
      })
    }
  })
})
