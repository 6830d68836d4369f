import { expect } from 'chai'
import { type LionFunction, lionFlow, lionFlowSync } from '../../lib/descent/index.js'
import { expectError, rejection } from '../helpers/errors.js'
import { fill, randomNormal } from '../helpers/random.js'
import { quadratic } from './quadratic.js'

describe('the flow of Lion-K', () => {
  it('follows the linear equation of K = ½‖·‖², as small steps do', () => {
    // f = ½ q x²: m' = −α q x − γ m, x' = m − ε (α q x + γ m) − λ x.
    const [q, alpha, gamma, epsilon, lambda] = [2, 1.5, 0.7, 0.4, 0.3]
    const { x, m, status, time } = lionFlowSync(
      { x0: [1], m0: [0.5], gradient: (x) => [q * x[0]] },
      { k: 'half-square', time: 3, weightDecay: lambda, alpha, gamma, epsilon, tolerance: 1e-11 },
    )
    // The power series of the matrix exponential, in twelve pieces.
    const A = [
      [-epsilon * alpha * q - lambda, 1 - epsilon * gamma],
      [-alpha * q, -gamma],
    ]
    let state = [1, 0.5]
    for (let piece = 0; piece < 12; piece++) {
      let term = state
      const sum = [...state]
      for (let k = 1; k < 30; k++) {
        term = A.map((row) => ((row[0] * term[0] + row[1] * term[1]) * 0.25) / k)
        sum[0] += term[0]
        sum[1] += term[1]
      }
      state = sum
    }
    expect(status).to.equal('converged')
    expect(time).to.equal(3)
    expect(x[0]).to.be.closeTo(state[0], 1e-9)
    expect(m[0]).to.be.closeTo(state[1], 1e-9)
  })

  const smooth: [string, LionFunction][] = [
    ['soft-abs', { kind: 'soft-abs', e: 0.1 }],
    ['huber', { kind: 'huber', e: 0.2 }],
    ['log-cosh', { kind: 'log-cosh', e: 0.2 }],
    ['half-square', 'half-square'],
    ['lp 2', { kind: 'lp', p: 2 }],
  ]
  for (const [name, k] of smooth) {
    it(`${name}: the Lyapunov function falls, and the end is stationary`, async () => {
      const { value, gradient } = quadratic(20, 14)
      const lambda = 0.8
      const solution = await lionFlow(
        { x0: fill(20, randomNormal(3)).map((entry) => entry / 20), gradient, value },
        { k, time: 60, weightDecay: lambda, epsilon: 0.5, tolerance: 1e-10 },
      )
      expect(solution.status).to.equal('converged')
      const { lyapunov, times } = solution
      expect(lyapunov!.length).to.equal(times.length)
      const scale = Math.abs(lyapunov![0])
      let largestRise = Number.NEGATIVE_INFINITY
      for (let t = 1; t < times.length; t++) largestRise = Math.max(largestRise, lyapunov![t] - lyapunov![t - 1])
      expect(largestRise).to.be.below(1e-8 * (1 + scale))
      expect(lyapunov!.at(-1)).to.be.below(lyapunov![0] - 1)
      // m = −∇f and dK(m) = λ x.
      const g = gradient(solution.x)
      solution.m.forEach((entry, i) => {
        expect(entry).to.be.closeTo(-g[i], 1e-4)
      })
    })
  }

  it('the Lyapunov function falls from wherever x and m start, with a strong decay', () => {
    const lambda = 20
    const next = randomNormal(12)
    const starts = Array.from({ length: 30 }, () => ({ x: (0.9 * Math.tanh(next())) / lambda, m: 8 * next() }))
    // Where a larger factor of the last term would let it rise.
    starts.push({ x: 0.2, m: 0 })
    const cases: [LionFunction, (x: number) => boolean][] = [
      ['half-square', () => true],
      [{ kind: 'soft-abs', e: 0.3 }, (x) => Math.abs(x * lambda) < 1],
    ]
    for (const [k, fits] of cases) {
      for (const { x, m } of starts.filter((start) => fits(start.x))) {
        const { lyapunov } = lionFlowSync(
          { x0: [x], m0: [m], gradient: ([t]) => [t - 10.2], value: ([t]) => (t - 10.2) ** 2 / 2 },
          { k, time: 0.3, weightDecay: lambda, epsilon: 0.5, tolerance: 1e-11 },
        )
        for (let t = 1; t < lyapunov!.length; t++) {
          expect(lyapunov![t] - lyapunov![t - 1]).to.be.at.most(1e-9 * Math.abs(lyapunov![0]))
        }
      }
    }
  })

  it('from outside, the distance to the box shrinks as exp(−λ t)', () => {
    const bound = 2
    const { x } = lionFlowSync(
      { x0: [10], gradient: () => [-1] },
      { k: { kind: 'huber', e: 1e-3 }, time: 4, weightDecay: 1 / bound, gamma: 1, tolerance: 1e-10 },
    )
    // m rises quickly from 0 to 1, and from e on the slope is 1.
    expect(x[0] - bound).to.be.closeTo(8 * Math.exp(-2), 1e-2)
  })

  it('limits, faults and bad input', async () => {
    const problem = { x0: [1, 1], gradient: (x: Float64Array) => x }
    const limited = lionFlowSync(problem, { time: 1e6, weightDecay: 1, k: 'half-square', maxIterations: 3 })
    expect(limited.status).to.equal('iteration-limit')
    expect(limited.iterations).to.equal(3)
    expect(limited.lyapunov).to.equal(undefined)
    const controller = new AbortController()
    const slow = lionFlow(
      {
        x0: [1],
        gradient: async (x) => {
          controller.abort(new Error('enough'))
          return x
        },
      },
      { time: 1, weightDecay: 1, signal: controller.signal },
    )
    expect(await rejection(slow)).to.have.property('message', 'enough')
    const refuse = (options: object, message: RegExp) =>
      expectError(() => lionFlowSync(problem, { time: 1, weightDecay: 1, ...options }), 'ERR_OPTION', message)
    refuse({ epsilon: 2 }, /epsilon: expected at most 1 \/ gamma, got 2/)
    refuse({ k: 'l7' }, /k: expected one of/)
    expectError(() => lionFlowSync(problem, { time: 0, weightDecay: 1 }), 'ERR_NOT_POSITIVE', /time/)
    expectError(() => lionFlowSync(problem, { time: 1, weightDecay: 0 }), 'ERR_NOT_POSITIVE', /weightDecay/)
    expectError(
      () => lionFlowSync({ x0: [1], gradient: () => [Number.NaN] }, { time: 1, weightDecay: 1 }),
      'ERR_ORACLE',
      /gradient\[0\]: expected a finite number, got NaN/,
    )
  })
})
