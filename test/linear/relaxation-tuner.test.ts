import { expect } from 'chai'
import fc from 'fast-check'
import { type RelaxationTuner, type RelaxationTunerOptions, relaxationTuner, sorSync } from '../../lib/linear/index.js'
import { features, fitBounded, newChebyshev, weigh } from '../../lib/linear/relaxation/chebyshev.js'
import { probabilities } from '../../lib/linear/relaxation/tsallis.js'
import { expectError } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { random, randomNormal } from '../helpers/random.js'

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

describe('linear: relaxationTuner', () => {
  it("Tsallis-INF's probabilities sum to 1 and fulfil their equation", () => {
    check(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 25 }),
        fc.double({ min: 1e-3, max: 2, noNaN: true }),
        (losses, eta) => {
          const p = probabilities(Float64Array.from(losses), eta)
          expect(p.reduce((sum, x) => sum + x, 0)).to.be.closeTo(1, 1e-12)
          // losses_i - 2 / (eta √p_i) is the same x for all.
          const least = Math.min(...losses)
          const x = Array.from(p, (value, i) => losses[i] - least - 2 / (eta * Math.sqrt(value)))
          const size = 1 + Math.max(...losses)
          for (const value of x) expect(Math.abs(value - x[0])).to.be.at.most(1e-6 * (size + 2 / eta))
        },
      ),
    )
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
    for (let k = 0; k <= 40; k++) {
      const c = -1 + k / 20
      const phi = features(c, range, m)
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
    fitBounded(gram, moment, new Float64Array(m).fill(1), theta)
    theta.forEach((value, j) => {
      expect(value).to.be.closeTo(truth[j], 1e-12)
    })
    // Where a bound binds: feasible, and no single coordinate can do better.
    const most = new Float64Array(m).fill(0.1)
    fitBounded(gram, moment, most, theta)
    const slope = (j: number) =>
      moment[j] - theta.reduce((sum: number, x: number, l: number) => sum + gram[j * m + l] * x, 0)
    theta.forEach((value, j) => {
      expect(Math.abs(value)).to.be.at.most(0.1)
      if (Math.abs(value) < 0.1) expect(slope(j)).to.be.closeTo(0, 1e-8)
      else expect(Math.sign(value) * slope(j)).to.be.at.least(-1e-8)
    })
  })

  it('inverse-gap weights sum to 1, none but the best above 1/d', () => {
    const tuner = relaxationTuner(all[2])
    play(tuner, all[2], 0, 300)
    const { chebyshev } = tuner.state()
    for (const c of [-1, -0.3, 0.5, 1]) {
      const { p, predicted } = weigh(chebyshev ?? newChebyshev(1, 1), features(c, range, 6))
      expect(p.reduce((sum, x) => sum + x, 0)).to.be.closeTo(1, 1e-12)
      const best = predicted.indexOf(Math.min(...predicted))
      p.forEach((value, i) => {
        if (i !== best) expect(value).to.be.at.most(1 / 20 + 1e-15)
      })
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

  it('learns omega of SOR on shifted Laplacians: near the best fixed one, and near the optimal one', () => {
    const N = 10
    const next = random(5)
    const normal = randomNormal(6)
    const tuner = relaxationTuner({ method: 'chebyshev', range: [-0.15, 0.45], seed: 2 })
    const [indptr, indices, data]: number[][] = [[0], [], []]
    for (let k = 0; k < N * N; k++) {
      const near = [
        k >= N ? k - N : -1,
        k % N > 0 ? k - 1 : -1,
        k,
        k % N < N - 1 ? k + 1 : -1,
        k + N < N * N ? k + N : -1,
      ]
      for (const j of near.filter((value) => value >= 0)) {
        indices.push(j)
        data.push(j === k ? 4 : -1)
      }
      indptr.push(indices.length)
    }
    const totals = { tuner: 0, optimal: 0, fixed: 0 }
    for (let t = 0; t < 800; t++) {
      const c = -0.15 + 0.6 * next()
      const values = Float64Array.from(data, (value) => (value > 0 ? value + c : value))
      const matrix = {
        shape: [N * N, N * N] as [number, number],
        indptr: Int32Array.from(indptr),
        indices: Int32Array.from(indices),
        data: values,
      }
      const b = Float64Array.from({ length: N * N }, normal)
      const solve = (omega: number) =>
        sorSync({ matrix, b }, { omega, tolerance: 1e-8, checkSymmetry: false }).iterations
      const trial = tuner.ask(c)
      const cost = solve(trial.omega)
      tuner.tell(trial, cost)
      if (t < 400) continue
      const beta = (4 * Math.cos(Math.PI / (N + 1))) / (4 + c)
      totals.tuner += cost
      totals.optimal += solve(1 + (beta / (1 + Math.sqrt(1 - beta * beta))) ** 2)
      totals.fixed += solve(1.6)
    }
    expect(totals.tuner / totals.optimal).to.be.below(1.3)
    expect(totals.tuner / totals.fixed).to.be.below(1.1)
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
