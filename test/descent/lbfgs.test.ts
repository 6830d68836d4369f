import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { lbfgs, lbfgsSync, type SmoothProblem } from '../../lib/descent/index.js'
import { add, fromTensorFunction, mul, slice, square, sub, sum, type Tensor } from '../../lib/tensor/index.js'
import { expectError, expectRejection, refusing, rejection } from '../helpers/errors.js'
import { fill, randomNormal } from '../helpers/random.js'
import { gradientOf, type LeastSquaresProblem, problems, squaresAt } from './lbfgs-problems.js'
import { quadratic } from './quadratic.js'

const file = new URL('../fixtures/scipy-lbfgs.json', import.meta.url)
const scipy: Record<string, { value: number; iterations: number; evaluations: number }> = JSON.parse(
  readFileSync(file, 'utf8'),
).problems

const oraclesOf = (problem: LeastSquaresProblem): SmoothProblem => ({
  x0: problem.x0,
  value: (x) => squaresAt(problem, x),
  gradient: (x) => gradientOf(problem, x),
})

describe('lbfgs', () => {
  for (const problem of problems) {
    it(`${problem.name}: the published minimum, with at most twice the evaluations of SciPy`, async () => {
      const { status, x, value, gradient, residual, evaluations } = await lbfgs(oraclesOf(problem))
      expect(status).to.equal('converged')
      expect(value).to.equal(squaresAt(problem, x))
      expect([...gradient]).to.deep.equal([...gradientOf(problem, x)])
      expect(residual).to.equal(Math.max(...gradient.map(Math.abs)))
      expect(residual).to.be.at.most(1e-6)
      const peer = scipy[problem.name]
      expect(peer.value).to.be.closeTo(problem.minimum, 1e-5 * Math.max(1e-3, problem.minimum))
      expect(value).to.be.closeTo(problem.minimum, 1e-5 * Math.max(1e-3, problem.minimum))
      expect(evaluations).to.be.at.most(2 * peer.evaluations)
    })
  }

  it('quadratics: as many steps as a Hessian has eigenvalues, with memory for all', () => {
    // Conjugate gradients end after as many steps as there are distinct eigenvalues; so does BFGS with exact line
    // searches. These are not exact: some more.
    const n = 60
    const x0 = fill(n, randomNormal(2))
    const weight = (i: number) => [1, 3, 9, 40][i % 4]
    const { status, iterations, value } = lbfgsSync(
      {
        x0,
        value: (x) => x.reduce((total, entry, i) => total + (weight(i) * entry * entry) / 2, 0),
        gradient: (x) => x.map((entry, i) => weight(i) * entry),
      },
      { memory: 30, tolerance: 1e-10 },
    )
    expect(status).to.equal('converged')
    expect(iterations).to.be.at.most(24)
    expect(value).to.be.below(1e-20)
  })

  it('a dense quadratic: the solution of its equations', () => {
    const { Q, b, value, gradient, n } = quadratic(25, 6)
    const { x, status } = lbfgsSync({ x0: new Float64Array(n), value, gradient }, { tolerance: 1e-10 })
    expect(status).to.equal('converged')
    Q.forEach((row, i) => {
      expect(row.reduce((total, entry, j) => total + entry * x[j], 0)).to.be.closeTo(b[i], 1e-9)
    })
  })

  it('every iterate decreases, and the history has it', () => {
    const { history, value, iterations } = lbfgsSync(oraclesOf(problems[0]), { history: true })
    expect(history!.length).to.equal(iterations + 1)
    expect(history![0]).to.be.closeTo(24.2, 1e-12)
    expect(history!.at(-1)).to.equal(value)
    for (let k = 1; k < history!.length; k++) expect(history![k]).to.be.below(history![k - 1])
  })

  it('accepted steps meet the strong Wolfe conditions', () => {
    for (const problem of problems) {
      const points: { x: Float64Array; value: number; gradient: Float64Array }[] = []
      const { x, history } = lbfgsSync(
        {
          x0: problem.x0,
          valueAndGradient: (at) => {
            const both = { value: squaresAt(problem, at), gradient: gradientOf(problem, at) }
            points.push({ x: at.slice(), ...both })
            return both
          },
        },
        { history: true, tolerance: 1e-3 },
      )
      // The points whose values are in the history are those accepted.
      const accepted = Array.from(history!, (value) => points.find((point) => point.value === value)!)
      expect([...accepted.at(-1)!.x]).to.deep.equal([...x])
      for (let k = 1; k < accepted.length; k++) {
        const [from, to] = [accepted[k - 1], accepted[k]]
        const along = (g: Float64Array) => g.reduce((total, entry, i) => total + entry * (to.x[i] - from.x[i]), 0)
        const slope = along(from.gradient)
        expect(to.value).to.be.at.most(from.value + 1e-4 * slope + 1e-15)
        expect(Math.abs(along(to.gradient))).to.be.at.most(-0.9 * slope * (1 + 1e-9))
      }
    }
  })

  it('draws back from where f has no numbers', () => {
    // −log(1 − x) − log(1 + x) + 3x, from a start whose first step leaves the domain; and NaN, not Infinity.
    for (const outside of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const { status, x, evaluations } = lbfgsSync(
        {
          x0: [0.999],
          value: ([t]) => (Math.abs(t) < 1 ? -Math.log(1 - t) - Math.log(1 + t) + 3 * t : outside),
          gradient: ([t]) => [1 / (1 - t) - 1 / (1 + t) + 3],
        },
        { firstStep: 1e12, tolerance: 1e-9 },
      )
      expect(status).to.equal('converged')
      expect(x[0]).to.be.closeTo((1 - Math.sqrt(10)) / 3, 1e-9)
      expect(evaluations).to.be.below(40)
    }
    // A gradient without numbers where the value is fine.
    const { x } = lbfgsSync({
      x0: [4],
      value: ([t]) => Math.abs(t) ** 1.5 - t,
      gradient: ([t]) => [1.5 * Math.sqrt(t) - 1],
    })
    expect(x[0]).to.be.closeTo(4 / 9, 1e-6)
  })

  it('ends as stalled at a kink, and where f has no minimum at the iteration limit', () => {
    const kink = lbfgsSync({
      x0: [1, 3],
      value: ([a, b]) => Math.abs(a) + Math.abs(b),
      gradient: (x) => x.map(Math.sign),
    })
    expect(kink.status).to.equal('stalled')
    expect(kink.value).to.be.below(0.1)
    const down = lbfgsSync({ x0: [1], value: ([t]) => -t, gradient: () => [-1] }, { maxIterations: 5 })
    expect(down.status).to.equal('iteration-limit')
    expect(down.iterations).to.equal(5)
  })

  it('at the start already', () => {
    const { status, iterations, evaluations } = lbfgsSync({ x0: [0, 0], value: () => 3, gradient: () => [0, 0] })
    expect({ status, iterations, evaluations }).to.deep.equal({ status: 'converged', iterations: 0, evaluations: 1 })
  })

  it('oracles may be promises; the answer is that of the Sync form', async () => {
    const problem = problems[5]
    const slow = await lbfgs({
      x0: problem.x0,
      value: async (x) => squaresAt(problem, x),
      gradient: (x) => Promise.resolve(Array.from(gradientOf(problem, x))),
    })
    const quick = lbfgsSync(oraclesOf(problem))
    expect([...slow.x]).to.deep.equal([...quick.x])
    expect(slow.evaluations).to.equal(quick.evaluations)
  })

  it('takes a tensor function, whose gradient it is', async () => {
    const f = (x: Tensor): Tensor => {
      const [a, b] = [slice(x, [[0, -1]]), slice(x, [[1, 100]])]
      return sum(add(mul(100, square(sub(b, square(a)))), square(sub(1, a))))
    }
    const { valueAndGradient } = fromTensorFunction(f)
    const { status, x } = await lbfgs({ x0: new Float64Array(100).fill(-1), valueAndGradient })
    expect(status).to.equal('converged')
    for (const entry of x) expect(entry).to.be.closeTo(1, 1e-5)
  })

  describe('while it runs', () => {
    const endless: SmoothProblem = {
      x0: fill(50, randomNormal(1)),
      // Badly scaled, so that it takes long.
      value: (x) => x.reduce((total, entry, i) => total + 10 ** (i / 4) * entry ** 4, 0),
      gradient: (x) => x.map((entry, i) => 4 * 10 ** (i / 4) * entry ** 3),
    }

    it('the event loop gets its turns, and progress comes', async () => {
      let turns = 0
      const timer = setInterval(() => turns++, 1)
      const seen: number[] = []
      const options = {
        tolerance: 1e-300,
        timeLimit: 120,
        maxIterations: 1e9,
        onProgress: ({ iteration }: { iteration: number }) => seen.push(iteration),
      }
      const { status } = await lbfgs(slowed(endless), options)
      clearInterval(timer)
      expect(status).to.equal('time-limit')
      expect(turns).to.be.above(3)
      expect(seen.length).to.be.above(0)
    })

    it('stops at the time limit with the best point so far', () => {
      const { status, x, value, gradient } = lbfgsSync(slowed(endless), {
        tolerance: 1e-300,
        timeLimit: 20,
        maxIterations: 1e9,
      })
      expect(status).to.equal('time-limit')
      expect(value).to.equal((endless as { value(x: Float64Array): number }).value(x))
      expect([...gradient]).to.deep.equal([...(endless as { gradient(x: Float64Array): Float64Array }).gradient(x)])
    })

    it('aborts with the reason of the signal', async () => {
      const controller = new AbortController()
      const reason = new Error('enough')
      const running = lbfgs(slowed(endless), { tolerance: 1e-300, maxIterations: 1e9, signal: controller.signal })
      setTimeout(() => controller.abort(reason), 10)
      expect(await rejection(running)).to.equal(reason)
      await expectAborted(lbfgs(endless, { signal: AbortSignal.abort(reason) }), reason)
    })
  })

  it('faults of oracles are ERR_ORACLE, with their cause', async () => {
    const cause = new Error('the disk is full')
    const throwing = {
      x0: [1],
      value: () => 1,
      gradient: () => {
        throw cause
      },
    }
    const error = await rejection(lbfgs(throwing))
    expect(error).to.have.property('code', 'ERR_ORACLE')
    expect(error).to.have.property('cause', cause)
    const rejecting = { x0: [1], value: () => Promise.reject(cause), gradient: () => [1] }
    expect(await rejection(lbfgs(rejecting))).to.have.property('cause', cause)
    const refuse = (problem: object, message: RegExp) =>
      expectRejection(lbfgs(problem as SmoothProblem), 'ERR_ORACLE', message)
    const gradient = (x: Float64Array) => x
    await refuse({ x0: [1], value: () => 'one', gradient }, /value: expected a number above -Infinity, got 'one'/)
    await refuse({ x0: [1], value: () => Number.NEGATIVE_INFINITY, gradient }, /got -Infinity/)
    await refuse(
      { x0: [1], value: () => Number.NaN, gradient },
      /value: expected finite numbers for f and its gradient at x0/,
    )
    await refuse({ x0: [1], value: () => 1, gradient: () => [Number.NaN] }, /at x0/)
    await refuse({ x0: [1], value: () => 1, gradient: () => [1, 2] }, /gradient: expected 1 numbers, got 2/)
    await refuse({ x0: [1], value: () => 1, gradient: () => undefined }, /gradient: expected 1 numbers, got undefined/)
    await refuse({ x0: [1], value: () => 1, gradient: () => ['x'] }, /gradient\[0\]: expected a number, got 'x'/)
    await refuse({ x0: [1], valueAndGradient: () => 5 }, /valueAndGradient: expected \{ value, gradient \}, got 5/)
    expectError(
      () => lbfgsSync({ x0: [1], value: async () => 1, gradient }),
      'ERR_ORACLE',
      /in the Sync form, got a promise/,
    )
  })

  it('bad input is refused', async () => {
    const refuse = refusing(lbfgs, lbfgsSync)
    const good = { x0: [1], value: () => 1, gradient: () => [0] }
    await refuse(null, {}, 'ERR_SHAPE', /problem/)
    await refuse({ ...good, x0: [] }, {}, 'ERR_SHAPE', /x0/)
    await refuse({ ...good, x0: 3 }, {}, 'ERR_SHAPE', /x0/)
    await refuse({ ...good, x0: [Number.NaN] }, {}, 'ERR_NOT_FINITE', /x0\[0\]/)
    await refuse({ ...good, gradient: 1 }, {}, 'ERR_OPTION', /gradient: expected a function/)
    await refuse({ ...good, valueAndGradient: () => 1 }, {}, 'ERR_OPTION', /valueAndGradient alone/)
    await refuse({ ...good, hessian: 1 }, {}, 'ERR_OPTION', /unknown name 'hessian'/)
    await refuse(good, { tolerance: 0 }, 'ERR_NOT_POSITIVE', /tolerance/)
    await refuse(good, { memory: 0 }, 'ERR_OPTION', /memory/)
    await refuse(good, { firstStep: -1 }, 'ERR_NOT_POSITIVE', /firstStep/)
    await refuse(good, { maxIterations: 1.5 }, 'ERR_OPTION', /maxIterations/)
    await refuse(good, { threads: 2 }, 'ERR_OPTION', /unknown name 'threads'/)
  })
})

/** The same function, as slow as one that has to be computed. */
function slowed(problem: SmoothProblem): SmoothProblem {
  const { x0, value, gradient } = problem as {
    x0: Float64Array
    value(x: Float64Array): number
    gradient(x: Float64Array): Float64Array
  }
  return {
    x0,
    gradient,
    value(x) {
      const end = performance.now() + 1
      while (performance.now() < end);
      return value(x)
    },
  }
}

async function expectAborted(promise: Promise<unknown>, reason: Error): Promise<void> {
  expect(await rejection(promise)).to.equal(reason)
}
