import { expect } from 'chai'
import type { ErrorCode } from '../../lib/core/index.js'
import {
  pointCloud,
  quadraticRegularized,
  quadraticRegularizedSync,
  type SparsityOptions,
  sparsityConstrained,
  sparsityConstrainedSync,
} from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { resizable, transferred } from '../helpers/buffers.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { asProblem, randomDense } from '../helpers/transport.js'

// biome-ignore lint/suspicious/noExplicitAny: this file is about values that the types forbid.
type Wrong = any

const good = () => ({
  cost: { data: Float64Array.from({ length: 12 }, (_, k) => (7 * k) % 12), shape: [3, 4] },
  a: [0.2, 0.3, 0.5],
  b: [0.1, 0.2, 0.3, 0.4],
})
const { NaN: nan, POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: minus } = Number

async function refuses(problem: Wrong, options: Wrong, code: ErrorCode, message: RegExp | string): Promise<void> {
  expectError(() => sparsityConstrainedSync(problem, options), code, message)
  await expectRejection(sparsityConstrained(problem, options), code, message)
}

describe('sparsityConstrained: bad input', () => {
  forEachBackend((backend) => {
    const options = { maxNonzeros: 2, gamma: 1, backend }

    it('maxNonzeros', async () => {
      for (const value of [0, -1, 4, 1.5, nan, infinity, '2', null, [2], true]) {
        const wrong = { ...options, maxNonzeros: value }
        await refuses(good(), wrong, 'ERR_OPTION', /^maxNonzeros: expected a whole number from 1 to 3, got /)
      }
      const missing = 'maxNonzeros: expected a whole number from 1 to 3, got undefined'
      await refuses(good(), { gamma: 1, backend }, 'ERR_OPTION', missing)
      // Rows have four entries.
      const rows = { ...options, axis: 'rows' }
      expect(sparsityConstrainedSync(good(), { ...rows, maxNonzeros: 4 } as SparsityOptions).status).to.be.a('string')
      const five = { ...rows, maxNonzeros: 5 }
      await refuses(good(), five, 'ERR_OPTION', 'maxNonzeros: expected a whole number from 1 to 4, got 5')
    })

    it('gamma', async () => {
      const exact = 'gamma: expected a finite number > 0 (without a regulariser it is exact transport: emd), got 0'
      for (const gamma of [0, -0]) await refuses(good(), { ...options, gamma }, 'ERR_NOT_POSITIVE', exact)
      for (const gamma of [-1, infinity, minus]) {
        await refuses(good(), { ...options, gamma }, 'ERR_NOT_POSITIVE', /^gamma: expected a finite number > 0, got /)
      }
      for (const gamma of [nan, '1', null, [1], {}, true, 1n]) {
        await refuses(good(), { ...options, gamma }, 'ERR_OPTION', /^gamma: expected a finite number > 0, got /)
      }
      const entropic = { maxNonzeros: 2, regularizer: 'entropy', backend }
      await refuses(good(), entropic, 'ERR_OPTION', 'gamma: expected a finite number > 0, got undefined')
    })

    it('words', async () => {
      for (const [name, wrong, meant] of [
        ['axis', 'column', 'columns'],
        ['axis', 'row', 'rows'],
        ['formulation', 'semi-dual', 'semidual'],
        ['formulation', 'duall', 'dual'],
        ['method', 'lbgfs', 'lbfgs'],
        ['method', 'stochastik', 'stochastic'],
        ['continuation', 'smooth', 'smoothing'],
        ['continuation', 'halvin', 'halving'],
        ['regularizer', 'quadratik', 'quadratic'],
        ['regularizer', 'entropic', 'entropy'],
        ['repair', 'rounding', 'round'],
        ['repair', 'flows', 'flow'],
      ]) {
        const message = new RegExp(`^${name}: expected one of .+, got '${wrong}'; did you mean '${meant}'\\?$`)
        await refuses(good(), { ...options, [name]: wrong }, 'ERR_OPTION', message)
      }
      for (const name of ['axis', 'formulation', 'method', 'continuation', 'regularizer', 'repair']) {
        for (const value of [1, null, true, {}]) {
          await refuses(good(), { ...options, [name]: value }, 'ERR_OPTION', new RegExp(`^${name}: expected one of `))
        }
      }
    })

    it('names that are not known', async () => {
      for (const [typo, meant] of [
        ['maxNonzero', 'maxNonzeros'],
        ['gama', 'gamma'],
        ['axes', 'axis'],
        ['learningrate', 'learningRate'],
        ['batchsize', 'batchSize'],
        ['regulariser', 'regularizer'],
        ['maxIter', 'maxIterations'],
      ]) {
        const message = `options: unknown name '${typo}'; did you mean '${meant}'?`
        await refuses(good(), { ...options, [typo]: 1 }, 'ERR_OPTION', message)
      }
      for (const name of ['maxNonzeros', 'regularizer', 'continuation']) {
        const message = new RegExp(`^options: unknown name '${name}'; `)
        const wrong = { backend, [name]: 1 } as Wrong
        expectError(() => quadraticRegularizedSync(good(), wrong), 'ERR_OPTION', message)
        await expectRejection(quadraticRegularized(good(), wrong), 'ERR_OPTION', message)
      }
    })

    it('options that go with other ones', async () => {
      for (const name of ['learningRate', 'batchSize', 'seed']) {
        const only = new RegExp(`^${name}: expected with method: .+ only, got 1$`)
        await refuses(good(), { ...options, [name]: 1 }, 'ERR_OPTION', only)
        if (name === 'learningRate') continue
        await refuses(good(), { ...options, method: 'adam', [name]: 1 }, 'ERR_OPTION', only)
      }
      for (const method of ['adam', 'stochastic']) {
        const wrong = { ...options, method, continuation: 'none' }
        await refuses(good(), wrong, 'ERR_OPTION', "continuation: expected with method: 'lbfgs' only, got 'none'")
      }
      const stochastic = { ...options, method: 'stochastic', formulation: 'dual' }
      const semidual = "formulation: expected 'semidual' with method: 'stochastic', got 'dual'"
      await refuses(good(), stochastic, 'ERR_OPTION', semidual)
      const entropic = { ...options, regularizer: 'entropy', continuation: 'smoothing' }
      const halving = "continuation: expected 'halving' or 'none' with regularizer: 'entropy', got 'smoothing'"
      await refuses(good(), entropic, 'ERR_OPTION', halving)
    })

    it('numbers', async () => {
      for (const tolerance of [-1, nan, infinity, '1', null]) {
        await refuses(
          good(),
          { ...options, tolerance },
          'ERR_OPTION',
          /^tolerance: expected a finite number >= 0, got /,
        )
      }
      for (const maxIterations of [0, -1, 1.5, nan, 2 ** 31, '5', null]) {
        await refuses(
          good(),
          { ...options, maxIterations },
          'ERR_OPTION',
          /^maxIterations: expected a whole number from 1 /,
        )
      }
      const stochastic = { ...options, method: 'stochastic' }
      for (const batchSize of [0, -1, 1.5, nan, '5', null]) {
        await refuses(good(), { ...stochastic, batchSize }, 'ERR_OPTION', /^batchSize: expected a whole number from 1 /)
      }
      for (const learningRate of [nan, '1', null]) {
        await refuses(
          good(),
          { ...stochastic, learningRate },
          'ERR_OPTION',
          /^learningRate: expected a finite number > 0/,
        )
      }
      for (const learningRate of [0, -1, infinity]) {
        const wrong = { ...options, method: 'adam', learningRate }
        await refuses(good(), wrong, 'ERR_NOT_POSITIVE', /^learningRate: expected a finite number > 0/)
      }
      for (const seed of [-1, 1.5, nan, '1', null, 2n ** 64n]) {
        await refuses(good(), { ...stochastic, seed }, 'ERR_OPTION', /^seed: expected /)
      }
      for (const threads of [0, 65, '2']) {
        await refuses(
          good(),
          { ...options, threads },
          'ERR_OPTION',
          /^threads: expected a whole number from 1 to 64, got /,
        )
      }
    })

    it('no options', async () => {
      for (const wrong of [undefined, null, 7, 'abc']) {
        await refuses(good(), wrong, 'ERR_OPTION', /^options: expected \{ maxNonzeros, … \}, got /)
      }
      expectError(
        () => quadraticRegularizedSync(good(), null as Wrong),
        'ERR_OPTION',
        /^options: expected \{ gamma, … \}/,
      )
      expect(quadraticRegularizedSync(good()).status).to.equal('converged')
    })

    it('starts', async () => {
      const f = [0, 0, 0]
      const g = [0, 0, 0, 0]
      for (const [warmStart, code, message] of [
        [7, 'ERR_OPTION', /^warmStart: expected \{ f, g \}, got 7/],
        [{ f }, 'ERR_SHAPE', 'warmStart.g: expected a vector of numbers, got undefined'],
        [{ f, g, h: 1 }, 'ERR_OPTION', /^warmStart: unknown name 'h'; /],
        [{ f: [0], g }, 'ERR_SHAPE', 'warmStart.f: expected 3 numbers, got 1'],
        [{ f: [0, nan, 0], g }, 'ERR_NOT_FINITE', 'warmStart.f[1]: expected a finite number, got NaN'],
        [{ f, g: [0, 0, infinity, 0] }, 'ERR_NOT_FINITE', 'warmStart.g[2]: expected a finite number, got Infinity'],
      ] as [Wrong, ErrorCode, RegExp | string][]) {
        await refuses(good(), { ...options, warmStart }, code, message)
      }
    })

    it('problems', async () => {
      for (const [problem, code, message] of [
        [null, 'ERR_SHAPE', 'problem: expected { cost, a, b }, got null'],
        [{}, 'ERR_SHAPE', /^cost: expected .+, got undefined$/],
        [{ cost: [] }, 'ERR_SHAPE', 'cost: expected a non-empty matrix, got 0×0'],
        [{ ...good(), costs: 1 }, 'ERR_OPTION', "problem: unknown name 'costs'; did you mean 'cost'?"],
        [{ ...good(), a: [1, 1] }, 'ERR_SHAPE', 'a: expected 3 weights to match the 3×4 cost, got 2'],
        [{ ...good(), a: [0.5, -0.5, 1] }, 'ERR_NOT_POSITIVE', 'a[1]: expected a finite weight >= 0, got -0.5'],
        [{ ...good(), b: [nan, 0, 0, 1] }, 'ERR_NOT_FINITE', 'b[0]: expected a finite weight >= 0, got NaN'],
        [{ ...good(), b: [0, 0, 0, 0] }, 'ERR_MASS', 'b: expected weights with a positive finite total, got 0'],
        [{ ...good(), a: [1, 1, 1] }, 'ERR_MASS', /^a, b: expected equal totals/],
        [
          { ...good(), cost: { data: resizable(12), shape: [3, 4] } },
          'ERR_BUFFER',
          /^cost: expected memory of fixed length/,
        ],
        [
          { ...good(), cost: { data: transferred(new Float64Array(12)), shape: [3, 4] } },
          'ERR_BUFFER',
          /transferred away$/,
        ],
      ] as [Wrong, ErrorCode, RegExp | string][]) {
        await refuses(problem, options, code, message)
      }
    })

    it('NaN and -Infinity among the costs, and arcs that cannot carry the mass', async () => {
      for (const axis of ['columns', 'rows']) {
        for (const [value, text] of [
          [nan, 'NaN'],
          [minus, '-Infinity'],
        ] as const) {
          for (const k of [0, 5, 11]) {
            const problem = good()
            problem.cost.data[k] = value
            const place = `cost\\[${Math.floor(k / 4)}\\]\\[${k % 4}\\]`
            const message = new RegExp(`^${place}: expected a finite number .+, got ${text}$`)
            await refuses(problem, { ...options, axis }, 'ERR_NOT_FINITE', message)
          }
        }
        const blocked = good()
        for (const k of [0, 1, 2, 4, 5, 6]) blocked.cost.data[k] = infinity
        const message =
          /^cost: expected allowed \(finite\) arcs for all mass; rows 0, 1 supply 0\.5 but reach only columns 3 /
        await refuses(blocked, { ...options, axis }, 'ERR_INFEASIBLE', message)
      }
      const far = pointCloud([[0], [1e200]], [[1], [-1e200]]) // biome-ignore format: points
      await refuses({ cost: far }, options, 'ERR_NOT_FINITE', /^cost: the distances between the points overflow; /)
    })
  })
})

describe('sparsityConstrained: how it runs', () => {
  forEachBackend((backend) => {
    const dense = randomDense(1500, 1200, 3)
    const problem = asProblem(dense)
    const long = { maxNonzeros: 3, gamma: 1, tolerance: 0, maxIterations: 100_000, backend } as const

    it('a signal that is aborted already: its reason, before any work', async () => {
      const reason = { why: 'enough' }
      const signal = AbortSignal.abort(reason)
      const wrong = { cost: 'never looked at' } as Wrong
      expect(await rejection(sparsityConstrained(wrong, { ...long, signal }))).to.equal(reason)
      let thrown: unknown
      try {
        sparsityConstrainedSync(wrong, { ...long, signal })
      } catch (error) {
        thrown = error
      }
      expect(thrown).to.equal(reason)
    })

    for (const extra of [{}, { method: 'adam' }, { method: 'stochastic' }, { continuation: 'halving' }] as const) {
      const name = JSON.stringify(extra)

      it(`aborted while it runs ${name}`, async () => {
        const controller = new AbortController()
        const running = sparsityConstrained(problem, { ...long, ...extra, signal: controller.signal })
        setTimeout(() => controller.abort(), 60)
        expect(await rejection(running)).to.have.property('name', 'AbortError')
      })

      it(`a time limit gives a sound solution ${name}`, async () => {
        const options = { ...long, ...extra, timeLimit: 40 }
        for (const solution of [
          sparsityConstrainedSync(problem, options),
          await sparsityConstrained(problem, options),
        ]) {
          expect(solution.status).to.equal('time-limit')
          expect(Math.max(...solution.nonzeros)).to.be.at.most(3)
          expect(Number.isFinite(solution.dualValue)).to.equal(true)
          expect(solution.residual).to.be.within(0, 2)
          expect(solution.plan().data.every((p) => p >= 0)).to.equal(true)
        }
      })

      it(`tells its progress ${name}`, async () => {
        const seen: { iteration: number; residual: number }[] = []
        const onProgress = (progress: (typeof seen)[number]) => void seen.push(progress)
        await sparsityConstrained(problem, { ...long, ...extra, timeLimit: 300, onProgress })
        expect(seen.length).to.be.within(1, 8)
        seen.forEach(({ iteration, residual }, k) => {
          if (k > 0) expect(iteration).to.be.at.least(seen[k - 1].iteration)
          expect(residual).to.be.within(0, 2)
        })
      })
    }

    it('one iteration at most', () => {
      const solution = sparsityConstrainedSync(problem, { ...long, continuation: 'none', maxIterations: 1 })
      expect(solution.status).to.equal('iteration-limit')
      expect(solution.iterations).to.equal(1)
    })

    it('a cost that was transferred away, or changed, is an error and not another plan', () => {
      const big = randomDense(400, 400, 4)
      const solution = sparsityConstrainedSync(asProblem(big), { maxNonzeros: 4, gamma: 1, maxIterations: 5, backend })
      const changed = sparsityConstrainedSync(asProblem(big), { maxNonzeros: 4, gamma: 1, maxIterations: 5, backend })
      big.cost.forEach((_, k) => {
        big.cost[k] = (k * 7919) % 1013
      })
      expectError(() => changed.plan(), 'ERR_NOT_FINITE', /^cost: expected numbers that stay as they are/)
      transferred(big.cost)
      expectError(() => solution.plan(), 'ERR_BUFFER', /transferred away$/)
    })

    it('v of the wrong length', () => {
      const solution = sparsityConstrainedSync(good(), { maxNonzeros: 2, backend })
      expectError(() => solution.apply([1, 2]), 'ERR_SHAPE', 'v: expected 4 numbers, got 2')
      expectError(() => solution.applyTranspose([1, 2]), 'ERR_SHAPE', 'v: expected 3 numbers, got 2')
      expectError(() => solution.apply('abcd' as Wrong), 'ERR_SHAPE', 'v: expected a vector of numbers, got string')
    })
  })
})
