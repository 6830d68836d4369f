import { expect } from 'chai'
import { adam, lion, lionK, runOptimizer, runOptimizerSync, sgd } from '../../lib/descent/index.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { quadratic } from './quadratic.js'

const { n, value, gradient, Q, b } = quadratic(8, 4)
const problem = { x0: new Float64Array(n), value, gradient }

describe('runOptimizer', () => {
  it('comes to where the gradient is as small as asked', async () => {
    const {
      x,
      status,
      residual,
      value: found,
      iterations,
    } = await runOptimizer(problem, sgd({ learningRate: 0.2, momentum: 0.8 }), {
      tolerance: 1e-8,
      maxIterations: 5000,
    })
    expect(status).to.equal('converged')
    expect(residual).to.equal(Math.max(...gradient(x).map(Math.abs)))
    expect(found).to.equal(value(x))
    expect(iterations).to.be.below(5000)
    Q.forEach((row, i) => {
      expect(row.reduce((sum, entry, j) => sum + entry * x[j], 0)).to.be.closeTo(b[i], 1e-7)
    })
  })

  it('takes the steps that a loop takes, and does not touch x0', () => {
    const [one, other] = [adam({ learningRate: 0.1 }), adam({ learningRate: 0.1 })]
    const x = new Float64Array(n)
    for (let step = 0; step < 30; step++) other.step(x, gradient(x))
    const ran = runOptimizerSync(problem, one, { maxIterations: 30 })
    expect([...ran.x]).to.deep.equal([...x])
    expect(ran).to.include({ status: 'iteration-limit', iterations: 30 })
    expect(one.steps).to.equal(30)
    expect(problem.x0.every((entry) => entry === 0)).to.equal(true)
    expect(ran.trace).to.equal(undefined)
  })

  it('ends Lion-K by its gap, and traces the Lyapunov function and the distance', async () => {
    const opt = lionK({ k: 'half-square', learningRate: 0.05, weightDecay: 1 })
    const { status, residual, x, trace } = await runOptimizer(
      { x0: new Float64Array(n), valueAndGradient: async (at) => ({ value: value(at), gradient: gradient(at) }) },
      opt,
      { tolerance: 1e-6, maxIterations: 5000, traceEvery: 10 },
    )
    expect(status).to.equal('converged')
    expect(residual).to.be.within(0, 1e-6)
    // (Q + I) x = b
    Q.forEach((row, i) => {
      expect(row.reduce((sum, entry, j) => sum + entry * x[j], x[i])).to.be.closeTo(b[i], 3e-3)
    })
    expect([...trace!.steps.subarray(0, 3)]).to.deep.equal([0, 10, 20])
    expect(trace!.lyapunov.at(-1)!).to.be.below(trace!.lyapunov[0])
    const boxed = runOptimizerSync(
      { ...problem, x0: new Float64Array(n).fill(3) },
      lion({ learningRate: 0.1, weightDecay: 1 }),
      {
        maxIterations: 20,
        traceEvery: 1,
      },
    )
    boxed.trace!.distances.forEach((distance, k) => {
      expect(distance).to.be.at.most(2 * 0.9 ** k + 1e-12)
    })
  })

  it('keeps to limits, and aborts', async () => {
    const slow = {
      ...problem,
      value: (x: Float64Array) => {
        const end = performance.now() + 1
        while (performance.now() < end);
        return value(x)
      },
    }
    const limited = runOptimizerSync(slow, sgd(), { maxIterations: 1e6, timeLimit: 20 })
    expect(limited.status).to.equal('time-limit')
    expect(limited.value).to.equal(value(limited.x))
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('enough')), 5)
    const running = runOptimizer(slow, sgd(), { maxIterations: 1e6, signal: controller.signal })
    expect(await rejection(running)).to.have.property('message', 'enough')
  })

  it('faults of oracles and options are refused', async () => {
    await expectRejection(
      runOptimizer({ ...problem, gradient: () => new Float64Array(n).fill(Number.NaN) }, sgd()),
      'ERR_ORACLE',
      /at step 0/,
    )
    expectError(() => runOptimizerSync(problem, sgd(), { tolerance: 0 }), 'ERR_NOT_POSITIVE', /tolerance/)
    expectError(() => runOptimizerSync(problem, sgd(), { every: 1 } as object), 'ERR_OPTION', /unknown name 'every'/)
    expectError(() => runOptimizerSync({ ...problem, x0: [] }, sgd()), 'ERR_SHAPE', /x0/)
  })
})
