import { expect } from 'chai'
import { type LionFunction, lionK } from '../../lib/descent/index.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { kinds, size } from './lion-kinds.js'
import { matrixTensor, quadratic } from './quadratic.js'

describe('what Lion-K reports', () => {
  const { value, gradient, lipschitz } = quadratic(size, 11)

  for (const scheme of ['explicit', 'implicit'] as const) {
    for (const mix of ['old', 'new'] as const) {
      it(`the Lyapunov function rises by at most ½ L ‖step‖² (${scheme} scheme, ${mix} momentum)`, () => {
        for (const [name, k] of kinds) {
          for (const learningRate of [1e-2, 0.2]) {
            const weightDecay = 1.3
            const opt = lionK({ k, learningRate, weightDecay, scheme, mix })
            const x = fill(size, random(7)).map((entry) => entry / size)
            // Inside of every set: entries add up to 1 / λ for the simplex.
            const total = x.reduce((sum, entry) => sum + entry, 0)
            const params = [matrixTensor(x.map((entry) => entry / (total * weightDecay)))]
            const data = params[0].data as Float64Array
            let last = Number.POSITIVE_INFINITY
            let before = data.slice()
            for (let step = 0; step < 120; step++) {
              const gradients = [matrixTensor(gradient(data))]
              const { lyapunov, phase, gap, objective } = opt.report(params, gradients, value(data))
              expect(phase).to.equal('II')
              expect(gap!, `${name}: gap`).to.be.at.least(-1e-12)
              expect(lyapunov!, `${name}: H >= F`).to.be.at.least(objective! - 1e-12)
              const moved = data.reduce((sum, entry, i) => sum + (entry - before[i]) ** 2, 0)
              const allowed = (lipschitz / 2) * moved
              expect(lyapunov! - last, `${name}, step ${step}`).to.be.at.most(allowed + 1e-11)
              last = lyapunov!
              before = data.slice()
              opt.step(params, gradients)
            }
          }
        }
      })
    }
  }

  it('the largest rise goes with the square of the learning rate', () => {
    const n = 20
    const { value, gradient } = quadratic(n, 5, 0.5)
    const largestRise = (learningRate: number): number => {
      const opt = lionK({ learningRate, weightDecay: 1 })
      const x = fill(n, () => 0.5)
      let last = Number.POSITIVE_INFINITY
      let most = 0
      for (let step = 0; step < 6 / learningRate; step++) {
        const g = gradient(x)
        const { lyapunov } = opt.report(x, g, value(x))
        most = Math.max(most, lyapunov! - last)
        last = lyapunov!
        opt.step(x, g)
      }
      return most / learningRate ** 2
    }
    const [coarse, fine] = [largestRise(1e-2), largestRise(1e-3)]
    expect(coarse).to.be.greaterThan(0.05)
    expect(fine / coarse).to.be.within(0.5, 2)
  })

  it('the gap bounds how far a convex objective is from its least value', () => {
    const weightDecay = 1
    for (const [name, k] of kinds) {
      const x = [matrixTensor(new Float64Array(size).fill(1 / size))]
      const data = x[0].data as Float64Array
      const schedule = (step: number) => 0.2 / (1 + step / 20)
      const opt = lionK({ k, learningRate: schedule, weightDecay })
      const objectives: number[] = []
      const bounds: number[] = []
      for (let step = 0; step < 1500; step++) {
        const g = [matrixTensor(gradient(data))]
        if (step % 100 === 0) {
          const { gap, objective } = opt.report(x, g, value(data))
          objectives.push(objective!)
          bounds.push(objective! - gap!)
        }
        opt.step(x, g)
      }
      const least = Math.min(...objectives)
      for (const bound of bounds) expect(bound, name).to.be.at.most(least + 1e-10)
      expect(least - Math.max(...bounds), `${name}: closes`).to.be.below(0.05)
    }
  })

  it('phase, distance and bound follow the parameters; λ = 0 has none', () => {
    const params = { weight: Float64Array.of(3, -1), bias: Float64Array.of(0.1) }
    const slopes = { weight: Float64Array.of(1, 1), bias: Float64Array.of(1) }
    const opt = lionK({ weightDecay: 0.5, groups: [{ parameters: /bias/, weightDecay: 2 }] })
    const outside = opt.report(params, slopes, 1)
    expect(outside.phase).to.equal('I')
    expect(outside.distance).to.equal(1)
    expect(outside.lyapunov).to.equal(Number.POSITIVE_INFINITY)
    expect(outside.gap).to.equal(Number.POSITIVE_INFINITY)
    expect(outside.leaves).to.deep.equal([
      { path: 'weight', bound: 2, distance: 1 },
      { path: 'bias', bound: 0.5, distance: 0 },
    ])
    params.weight[0] = 2
    const inside = opt.report(params, slopes, 1)
    expect(inside.phase).to.equal('II')
    expect(inside.lyapunov).to.equal(1) // m = 0
    // ‖g‖₁ / λ + ⟨g, x⟩ by hand: (2 · 2 + 1) + (1 / 2 + 0.1)
    expect(inside.gap).to.be.closeTo(5.6, 1e-14)
    expect(inside.residual).to.equal(1)
    // Against clip(x − g, ±1/λ): 2 → 1, −1 → −2, 0.1 → −0.5.
    expect(inside.proximal).to.equal(1)
    const free = lionK({}).report(params, slopes, 1)
    expect(free).to.include({ phase: null, lyapunov: null, gap: null, residual: null, objective: 1 })
    expect(free.leaves[0].bound).to.equal(Number.POSITIVE_INFINITY)
  })

  it('float32 parameters on the border count as inside', () => {
    const x = Float32Array.of(1 / 3)
    const g = Float32Array.of(-1)
    const opt = lionK({ learningRate: 0.1, weightDecay: 3 })
    for (let step = 0; step < 100; step++) opt.step(x, g)
    const { phase, lyapunov } = opt.report(x, g, 0)
    expect(phase).to.equal('II')
    expect(lyapunov).to.be.closeTo(0, 1e-5)
  })

  it('noise as small as it is leaves the box for no step, in 1e5 steps', () => {
    const next = randomNormal(9)
    const x = Float64Array.of(0.2, -0.4, 0)
    const g = new Float64Array(3)
    const opt = lionK({ learningRate: 0.3, weightDecay: 2 })
    let most = 0
    for (let step = 0; step < 1e5; step++) {
      for (let i = 0; i < 3; i++) g[i] = next()
      opt.step(x, g)
      most = Math.max(most, ...x.map(Math.abs))
    }
    expect(most).to.be.within(0.4, 0.5 + 1e-15)
  })

  it('a custom K without a conjugate has no Lyapunov value', () => {
    const k: LionFunction = { kind: 'custom', value: (z) => Math.hypot(...z), subgradient: (z) => normalized(z) }
    const opt = lionK({ k, weightDecay: 1 })
    const report = opt.report(Float64Array.of(0.1), Float64Array.of(1), 2)
    expect(report.lyapunov).to.equal(null)
    expect(report.gap).to.equal(null)
  })
})

function normalized(z: Float64Array): Float64Array {
  const size = Math.hypot(...z)
  return z.map((value) => value / (size || 1))
}
