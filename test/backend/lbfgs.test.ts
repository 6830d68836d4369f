import { expect } from 'chai'
import { type LbfgsOptions, lbfgs } from '../../lib/backend/portable/lbfgs.js'
import { fill, random } from '../helpers/random.js'

type Oracle = (x: Float64Array, gradient: Float64Array) => number

/** Runs it on a function; the residual is the largest entry of the gradient. */
function minimize(oracle: Oracle, start: ArrayLike<number>, options: Partial<LbfgsOptions> = {}) {
  const x = Float64Array.from(start)
  const run = lbfgs(x, { tolerance: 1e-10, maxIterations: 1000, firstStep: 1, ...options })
  let evaluations = 0
  for (let step = run.next(); ; step = run.next()) {
    if (step.done) return { ...step.value, x, evaluations }
    const trial = step.value
    trial.value = oracle(trial.x, trial.gradient)
    trial.residual = trial.gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0)
    trial.roundoff = 4 * Number.EPSILON * Math.abs(trial.value)
    evaluations++
  }
}

const rosenbrock: Oracle = (x, g) => {
  let value = 0
  g.fill(0)
  for (let i = 0; i + 1 < x.length; i++) {
    const a = x[i + 1] - x[i] * x[i]
    const b = 1 - x[i]
    value += 100 * a * a + b * b
    g[i] -= 400 * x[i] * a + 2 * b
    g[i + 1] += 200 * a
  }
  return value
}

describe('L-BFGS', () => {
  it('a quadratic with condition number 10^4', () => {
    const n = 40
    const curvature = Float64Array.from({ length: n }, (_, i) => 10 ** ((4 * i) / (n - 1)))
    const target = fill(n, random(3))
    const found = minimize(
      (x, g) => {
        let value = 0
        for (let i = 0; i < n; i++) {
          g[i] = curvature[i] * (x[i] - target[i])
          value += 0.5 * g[i] * (x[i] - target[i])
        }
        return value
      },
      new Float64Array(n),
      { maxIterations: 3000 },
    )
    expect(found.status).to.equal('converged')
    found.x.forEach((value, i) => {
      expect(value).to.be.closeTo(target[i], 1e-9)
    })
  })

  it("Rosenbrock's valley in 2 and in 50 dimensions", () => {
    for (const n of [2, 50]) {
      const found = minimize(
        rosenbrock,
        Float64Array.from({ length: n }, (_, i) => (i % 2 === 0 ? -1.2 : 1)),
      )
      expect(found.status).to.equal('converged')
      expect(found.evaluations).to.be.below(n === 2 ? 60 : 400)
      for (const value of found.x) expect(value).to.be.closeTo(1, 1e-8)
    }
  })

  it('a value that moves by less than its rounding: slopes decide', () => {
    // 10^8 + x² has its gradient to full precision long after the values have become equal.
    const found = minimize(
      (x, g) => {
        g[0] = 2 * x[0]
        g[1] = 20 * x[1]
        return 1e8 + x[0] ** 2 + 10 * x[1] ** 2
      },
      [1, 1],
    )
    expect(found.status).to.equal('converged')
    expect(found.residual).to.be.at.most(1e-10)
  })

  it('a kink: descends to it, and ends', () => {
    const found = minimize(
      (x, g) => {
        g[0] = Math.sign(x[0]) * 2 + 0.2 * x[0]
        g[1] = 2 * (x[1] - 3)
        return 2 * Math.abs(x[0]) + 0.1 * x[0] ** 2 + (x[1] - 3) ** 2
      },
      [5, -4],
    )
    expect(found.status).to.be.oneOf(['stalled', 'iteration-limit'])
    expect(Math.abs(found.x[0])).to.be.below(1e-6)
    expect(found.x[1]).to.be.closeTo(3, 1e-4)
  })

  it('never climbs, and holds the best point when it is left', () => {
    const x = Float64Array.of(-1.2, 1)
    const run = lbfgs(x, { tolerance: 0, maxIterations: 30, firstStep: 1 })
    let last = Number.POSITIVE_INFINITY
    const g = new Float64Array(2)
    for (let step = run.next(); !step.done; step = run.next()) {
      const value = rosenbrock(x, g)
      expect(value).to.be.at.most(last)
      last = value
      step.value.value = rosenbrock(step.value.x, step.value.gradient)
      step.value.residual = 1
    }
  })

  it('walls of NaN and infinity are not stepped through', () => {
    for (const wall of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const found = minimize(
        (x, g) => {
          g[0] = x[0] > 0 ? 1 - 1 / x[0] : Number.NaN
          return x[0] > 0 ? x[0] - Math.log(x[0]) : wall
        },
        [1e-3],
        { firstStep: 100 },
      )
      expect(found.status).to.equal('converged')
      expect(found.x[0]).to.be.closeTo(1, 1e-9)
    }
  })

  it('ends at once where nothing is to be done, or nothing can be', () => {
    const flat = minimize(
      (_x, g) => {
        g.fill(0)
        return 1
      },
      [1, 2],
    )
    expect(flat).to.include({ status: 'converged', iterations: 0, evaluations: 1 })
    const broken = minimize(
      (_x, g) => {
        g.fill(Number.NaN)
        return Number.NaN
      },
      [1, 2],
    )
    expect(broken.status).to.equal('stalled')
    expect([...broken.x]).to.deep.equal([1, 2])
    const short = minimize(rosenbrock, [-1.2, 1], { maxIterations: 3 })
    expect(short).to.include({ status: 'iteration-limit', iterations: 3 })
  })

  it('remembers as much as it is told to', () => {
    const few = minimize(rosenbrock, new Float64Array(30).fill(-1), { memory: 1, maxIterations: 5000 })
    const many = minimize(rosenbrock, new Float64Array(30).fill(-1), { memory: 30, maxIterations: 5000 })
    expect(few.status).to.equal('converged')
    expect(many.status).to.equal('converged')
    expect(many.iterations).to.be.below(few.iterations)
  })
})
