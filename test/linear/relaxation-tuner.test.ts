import { expect } from 'chai'
import fc from 'fast-check'
import { type RelaxationTuner, type RelaxationTunerOptions, relaxationTuner, sorSync } from '../../lib/linear/index.js'
import { BoundedFit } from '../../lib/linear/relaxation/bounded-fit.js'
import { ChebyshevBandit, fillFeatures, newChebyshev } from '../../lib/linear/relaxation/chebyshev.js'
import { normalise } from '../../lib/linear/relaxation/tsallis.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { random, randomNormal } from '../helpers/random.js'
import { eliminate, laplacian, toCsr } from './helpers.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

const range: [number, number] = [-1, 1]
const all: RelaxationTunerOptions[] = [
  { method: 'tsallis-inf', seed: 4 },
  { method: 'tsallis-inf-contextual', range, seed: 4 },
  { method: 'chebyshev', range, seed: 4 },
]
const contextOf = (options: RelaxationTunerOptions, t: number) =>
  options.method === 'tsallis-inf' ? undefined : Math.sin(t)

/** Plays rounds with a cost of its own, and returns the choices. */
function play(tuner: RelaxationTuner, options: RelaxationTunerOptions, from: number, to: number): number[] {
  const chosen: number[] = []
  for (let t = from; t < to; t++) {
    const trial = tuner.ask(contextOf(options, t))
    chosen.push(trial.omega, trial.probability)
    tuner.tell(trial, 20 + Math.round(100 * Math.abs(trial.omega - 1.5 - 0.2 * Math.sin(t))))
  }
  return chosen
}

/** The least error of least squares within bounds, by every choice of unknowns at -most, at most, or free. */
function bestOnFaces(X: number[][], y: number[], most: Float64Array, error: (theta: number[]) => number): number {
  const m = most.length
  let best = Number.POSITIVE_INFINITY
  for (let face = 0; face < 3 ** m; face++) {
    const side = Array.from({ length: m }, (_, j) => (Math.floor(face / 3 ** j) % 3) - 1)
    const free = [...side.keys()].filter((j) => side[j] === 0)
    // A grain of ridge makes dependent columns independent.
    const A = free.map((i) => free.map((j) => X.reduce((sum, row) => sum + row[i] * row[j], 0) + (i === j ? 1e-11 : 0)))
    const b = free.map((i) =>
      X.reduce((sum, row, r) => sum + row[i] * (y[r] - row.reduce((z, x, j) => z + x * side[j] * most[j], 0)), 0),
    )
    const theta = side.map((sign, j) => sign * most[j])
    eliminate(A, b).forEach((value, k) => {
      theta[free[k]] = value
    })
    if (theta.every((value, j) => Math.abs(value) <= most[j])) best = Math.min(best, error(theta))
  }
  return best
}

/** eta by its formula, from the saved sums and coefficients. */
function rateOf(tuner: RelaxationTuner): number {
  const { chebyshev, features: m, omegas } = tuner.state()
  if (chebyshev === null) throw new Error('expected a Chebyshev state')
  const { theta, gram, moment, squares, scale, told, most, least, error } = chebyshev
  const d = omegas.length
  let rho = 0
  for (let i = 0; i < d; i++) {
    let own = squares[i] / scale ** 2
    for (let j = 0; j < m; j++) {
      own -= (2 * theta[i][j] * moment[i][j]) / scale
      for (let k = 0; k < m; k++) own += theta[i][j] * gram[i][j * m + k] * theta[i][k]
    }
    rho += own
  }
  const alpha = ((Math.PI + (2 / Math.PI) * Math.log(2 * m + 1)) * (most - least)) / (2 * scale * (m + 1))
  return 2 * told * Math.sqrt((d * told) / (error / scale ** 2 - rho + 2 * alpha ** 2 * told))
}

describe('linear: relaxationTuner', () => {
  it("Tsallis-INF's probabilities sum to 1 and fulfil their equation, wherever the search starts", () => {
    check(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 25 }),
        fc.double({ min: 1e-3, max: 2, noNaN: true }),
        fc.double({ min: 0, max: 20, noNaN: true }),
        (losses, eta, start) => {
          const least = Math.min(...losses)
          const p = Float64Array.from(losses, (loss) => eta * (loss - least))
          normalise(p, start)
          expect(p.reduce((sum, x) => sum + x, 0)).to.be.closeTo(1, 1e-12)
          // losses_i - 2 / (eta √p_i) is the same x for all.
          const x = Array.from(p, (value, i) => losses[i] - least - 2 / (eta * Math.sqrt(value)))
          const size = 1 + Math.max(...losses)
          for (const value of x) expect(Math.abs(value - x[0])).to.be.at.most(1e-6 * (size + 2 / eta))
        },
      ),
    )
  })

  it('the first rounds of Tsallis-INF: rate 2/√t, losses over the mean cost less 1', () => {
    const omegas = [1, 1.3, 1.6, 1.9]
    const tuner = relaxationTuner({ method: 'tsallis-inf', omegas, seed: 5 })
    const K = [0, 0, 0, 0]
    const costs: number[] = []
    for (let t = 1; t <= 40; t++) {
      const s = t === 1 ? 1 : costs.reduce((sum, cost) => sum + cost, 0) / costs.length - 1
      // x by bisection over the sum of 4 (eta (K / s - x))^-2.
      const eta = 2 / Math.sqrt(t)
      const p = (x: number) => K.map((k) => 4 * (eta * (k / s - x)) ** -2)
      let [low, high] = [Math.min(...K) / s - (2 * Math.sqrt(4)) / eta, Math.min(...K) / s - 2 / eta]
      for (let k = 0; k < 200; k++) {
        const middle = (low + high) / 2
        if (p(middle).reduce((sum, value) => sum + value, 0) > 1) high = middle
        else low = middle
      }
      const trial = tuner.ask()
      expect(trial.probability).to.be.closeTo(p(low)[trial.action], 1e-9)
      const cost = 3 + ((7 * t + trial.action) % 5)
      K[trial.action] += (cost - 1) / trial.probability
      costs.push(cost)
      tuner.tell(trial, cost)
    }
  })

  it('importance weights are unbiased, by enumeration', () => {
    const tuner = relaxationTuner({ method: 'tsallis-inf', omegas: [1, 1.5, 1.8] })
    play(tuner, all[0], 0, 5)
    const before = tuner.state()
    const p = [0.2, 0.3, 0.5]
    const costs = [11, 21, 31]
    const expected = [0, 0, 0]
    for (const action of [0, 1, 2]) {
      const copy = relaxationTuner.fromState(before)
      copy.tell({ omega: before.omegas[action], action, probability: p[action] }, costs[action])
      copy.state().tsallis[0].weighted.forEach((sum, i) => {
        expected[i] += p[action] * (sum - before.tsallis[0].weighted[i])
      })
    }
    expected.forEach((value, i) => {
      expect(value).to.be.closeTo(costs[i] - 1, 1e-9)
    })
  })

  it('every ask draws anew, by the probabilities', () => {
    const tuner = relaxationTuner({ method: 'tsallis-inf', omegas: [1, 1.3, 1.6], seed: 12 })
    const counts = [0, 0, 0]
    for (let t = 0; t < 3000; t++) {
      const { action, probability } = tuner.ask()
      expect(probability).to.be.closeTo(1 / 3, 1e-12)
      counts[action]++
    }
    // Five standard deviations of the binomial distribution.
    for (const count of counts) expect(Math.abs(count - 1000)).to.be.below(5 * Math.sqrt((3000 * 2) / 9))
    expect(relaxationTuner({ method: 'tsallis-inf', seed: 13 }).ask()).not.to.deep.equal(
      relaxationTuner({ method: 'tsallis-inf', seed: 14 }).ask(),
    )
  })

  it('a context goes to the bin whose centre is nearest, and to no other', () => {
    const bins = 4
    const centres = Array.from({ length: bins }, (_, j) => -1 + (2 * (j + 0.5)) / bins)
    for (const context of [-1, -0.8, -0.6, -0.49, 0.2, 0.4, 0.51, 0.99, 1, 7]) {
      const tuner = relaxationTuner({ method: 'tsallis-inf-contextual', range, bins })
      const trial = tuner.ask(context)
      tuner.tell(trial, 30)
      const distances = centres.map((centre) => Math.abs(centre - Math.min(1, context)))
      const nearest = distances.indexOf(Math.min(...distances))
      tuner.state().tsallis.forEach(({ rounds, told, weighted }, j) => {
        expect([rounds, told]).to.deep.equal(j === nearest ? [1, 1] : [0, 0])
        expect(weighted[trial.action]).to.be.closeTo(j === nearest ? 29 / trial.probability : 0, 1e-9)
      })
    }
  })

  it('two deterministic arms: the regret grows like a logarithm', () => {
    const tuner = relaxationTuner({ method: 'tsallis-inf', omegas: [1, 1.5], seed: 9 })
    const regret: number[] = []
    let wrong = 0
    for (let t = 1; t <= 20_000; t++) {
      const trial = tuner.ask()
      wrong += trial.action
      tuner.tell(trial, trial.action === 0 ? 10 : 20)
      if (t === 200 || t === 20_000) regret.push(wrong)
    }
    // √t would be ten times as much.
    expect(regret[1]).to.be.at.most(4 * regret[0] + 40)
  })

  it('Chebyshev features, and a fit that recovers a polynomial of degree m - 1', () => {
    const m = 6
    const gram = new Array(m * m).fill(0)
    const moment = new Array(m).fill(0)
    const truth = [0.3, -0.2, 0.1, 0.05, -0.04, 0.02]
    const phi = new Float64Array(m)
    for (let k = 0; k <= 40; k++) {
      const c = -1 + k / 20
      fillFeatures(c, range, phi)
      phi.forEach((value, j) => {
        expect(value).to.be.closeTo(Math.cos(j * Math.acos(c)), 1e-12)
      })
      const y = truth.reduce((sum, theta, j) => sum + theta * phi[j], 0)
      for (let j = 0; j < m; j++) {
        moment[j] += phi[j] * y
        for (let l = 0; l < m; l++) gram[j * m + l] += phi[j] * phi[l]
      }
    }
    const theta = new Array(m).fill(0)
    new BoundedFit(m).fit(gram, moment, new Float64Array(m).fill(1), theta)
    theta.forEach((value, j) => {
      expect(value).to.be.closeTo(truth[j], 1e-12)
    })
  })

  it('the fit within bounds is the best over all choices of bounds that bind, also of dependent columns', () => {
    const m = 3
    const next = randomNormal(8)
    const uniform = random(9)
    const fitted = new BoundedFit(m)
    for (let trial = 0; trial < 400; trial++) {
      const rows = 1 + (trial % 6)
      const X = Array.from({ length: rows }, () => [next(), next(), next()])
      const y = Array.from({ length: rows }, next)
      const most = Float64Array.from({ length: m }, (_, j) => (trial % 7 === 0 && j === 1 ? 0 : 0.1 + uniform()))
      const gram = Array.from({ length: m * m }, (_, k) =>
        X.reduce((sum, row) => sum + row[Math.floor(k / m)] * row[k % m], 0),
      )
      const moment = Array.from({ length: m }, (_, j) => X.reduce((sum, row, r) => sum + row[j] * y[r], 0))
      const error = (theta: number[]) =>
        X.reduce((sum, row, r) => sum + (row.reduce((z, x, j) => z + x * theta[j], 0) - y[r]) ** 2, 0)
      const theta = Array.from({ length: m }, next)
      fitted.fit(gram, moment, most, theta)
      theta.forEach((value, j) => {
        expect(Math.abs(value)).to.be.at.most(most[j])
      })
      expect(error(theta)).to.be.at.most(bestOnFaces(X, y, most, error) + 1e-9)
    }
  })

  it('inverse-gap weights sum to 1, none but the best above 1/d', () => {
    const tuner = relaxationTuner(all[2])
    play(tuner, all[2], 0, 300)
    const bandit = new ChebyshevBandit(tuner.state().chebyshev ?? newChebyshev(1, 1), range)
    for (const c of [-1, -0.3, 0.5, 1]) {
      const p = bandit.weigh(c)
      expect(p.reduce((sum, x) => sum + x, 0)).to.be.closeTo(1, 1e-12)
      const best = bandit.predicted.indexOf(Math.min(...bandit.predicted))
      p.forEach((value, i) => {
        if (i !== best) expect(value).to.be.at.most(1 / 20 + 1e-15)
      })
      // 1 / (d + eta gap): one eta for all.
      const etas = Array.from(p, (value, i) => (1 / value - 20) / (bandit.predicted[i] - bandit.predicted[best]))
      for (const eta of etas.filter((_, i) => i !== best && bandit.predicted[i] > bandit.predicted[best] + 1e-6)) {
        expect(eta).to.be.closeTo(rateOf(tuner), 1e-6 * eta)
      }
    }
  })

  for (const options of all) {
    it(`${options.method}: saved and restored, it makes the same choices bit for bit`, () => {
      const tuner = relaxationTuner(options)
      play(tuner, options, 0, 150)
      const copy = relaxationTuner.fromState(JSON.parse(JSON.stringify(tuner.state())))
      expect(play(copy, options, 150, 300)).to.deep.equal(play(tuner, options, 150, 300))
      expect(copy.state()).to.deep.equal(tuner.state())
      const replayed = relaxationTuner(options)
      play(replayed, options, 0, 300)
      expect(replayed.state()).to.deep.equal(tuner.state())
    })

    it(`${options.method}: trials may overlap`, () => {
      const tuner = relaxationTuner(options)
      const trials = Array.from({ length: 8 }, (_, t) => tuner.ask(contextOf(options, t)))
      for (const trial of trials.reverse()) tuner.tell(trial, 30)
      expect(tuner.told).to.equal(8)
    })
  }

  it('costs at the cap count and stay finite; contexts outside the range are moved', () => {
    const tuner = relaxationTuner({ method: 'chebyshev', range, cap: 100 })
    for (const cost of [100, 1e9, 0, 7]) tuner.tell(tuner.ask(5), cost)
    expect([tuner.capped, tuner.clamped]).to.deep.equal([2, 4])
    expect(tuner.state().chebyshev?.most).to.equal(100)
  })

  forEachBackend((backend) => {
    it('learns omega of SOR on shifted Laplacians: near the best fixed one, and near the optimal one', () => {
      const N = 10
      const next = random(5)
      const normal = randomNormal(6)
      const tuner = relaxationTuner({ method: 'chebyshev', range: [-0.15, 0.45], seed: 2 })
      const base = toCsr(laplacian(N, N))
      const totals = { tuner: 0, optimal: 0, fixed: 0 }
      for (let t = 0; t < 600; t++) {
        const c = -0.15 + 0.6 * next()
        const matrix = { ...base, data: Float64Array.from(base.data, (value) => (value > 0 ? value + c : value)) }
        const b = Float64Array.from({ length: N * N }, normal)
        const solve = (omega: number) =>
          sorSync({ matrix, b }, { omega, tolerance: 1e-8, checkSymmetry: false, backend }).iterations
        const trial = tuner.ask(c)
        const cost = solve(trial.omega)
        tuner.tell(trial, cost)
        if (t < 300) continue
        const beta = (4 * Math.cos(Math.PI / (N + 1))) / (4 + c)
        totals.tuner += cost
        totals.optimal += solve(1 + (beta / (1 + Math.sqrt(1 - beta * beta))) ** 2)
        totals.fixed += solve(1.6)
      }
      expect(totals.tuner / totals.optimal).to.be.below(1.3)
      expect(totals.tuner / totals.fixed).to.be.below(1.1)
    })
  })

  it('refuses what is wrong', () => {
    const make = (options: Wrong) => () => relaxationTuner(options)
    expectError(make(undefined), 'ERR_OPTION', /^options: expected/)
    expectError(make({}), 'ERR_OPTION', /^method: expected one of/)
    expectError(make({ method: 'tsallis' }), 'ERR_OPTION', /did you mean 'tsallis-inf'/)
    expectError(make({ method: 'tsallis-inf', omega: [1] }), 'ERR_OPTION', /did you mean 'omegas'/)
    expectError(
      make({ method: 'tsallis-inf', omegas: [1, 2] }),
      'ERR_OPTION',
      /^omegas\[1\]: expected a number in \(0, 2\), got 2/,
    )
    expectError(make({ method: 'tsallis-inf', omegas: [] }), 'ERR_OPTION', /^omegas: expected/)
    expectError(make({ method: 'tsallis-inf', range }), 'ERR_OPTION', /^range: expected none/)
    expectError(make({ method: 'chebyshev' }), 'ERR_OPTION', /^range: expected/)
    expectError(make({ method: 'chebyshev', range: [1, 1] }), 'ERR_OPTION', /^range: expected/)
    expectError(make({ method: 'chebyshev', range: [-1e308, 1e308] }), 'ERR_OPTION', /^range: expected/)
    expectError(make({ method: 'chebyshev', range, features: 0 }), 'ERR_OPTION', /^features: expected/)
    expectError(() => relaxationTuner.fromState(null as Wrong), 'ERR_OPTION', /^state: expected/)
    const plain = relaxationTuner(all[0])
    const contextual = relaxationTuner(all[2])
    expectError(() => plain.ask(1), 'ERR_OPTION', /^context: expected none/)
    expectError(() => contextual.ask(), 'ERR_OPTION', /^context: expected a number/)
    expectError(() => contextual.ask(Number.NaN), 'ERR_NOT_FINITE', /^context: expected a finite number, got NaN/)
    const trial = plain.ask()
    const before = plain.state()
    for (const cost of [Number.NaN, Number.POSITIVE_INFINITY, '7' as Wrong]) {
      expectError(() => plain.tell(trial, cost), 'ERR_NOT_FINITE', /^iterations: expected a finite number/)
    }
    expectError(() => plain.tell(trial, -1), 'ERR_OPTION', /^iterations: expected/)
    expectError(() => plain.tell({ ...trial, action: 99 }, 5), 'ERR_OPTION', /^trial: expected what ask/)
    expect(plain.state()).to.deep.equal(before)
    const broken = plain.state()
    broken.tsallis[0].weighted[0] = Number.NaN
    expectError(() => relaxationTuner.fromState(broken), 'ERR_OPTION', /^state: expected finite tables/)
  })
})
