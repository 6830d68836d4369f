import { expect } from 'chai'
import { type MfacOptimizerOptions, mfacOptimizer } from '../../lib/curvature/index.js'
import { fromData } from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { inverseFisher, relativeError } from '../helpers/fisher.js'
import { times } from '../helpers/matrices.js'
import { fill, randomNormal } from '../helpers/random.js'

/** The method by dense algebra, on a flat vector. */
function reference(
  start: number[],
  gradients: number[][],
  options: Required<Pick<MfacOptimizerOptions, 'capacity' | 'damping' | 'momentum' | 'weightDecay'>> & { rate: number },
): number[] {
  const { capacity: m, damping, momentum, weightDecay, rate } = options
  const d = start.length
  const w = [...start]
  const ring = new Float64Array(m * d)
  const v = new Array<number>(d).fill(0)
  gradients.forEach((gradient, t) => {
    const g = gradient.map((value, j) => value + weightDecay * w[j])
    ring.set(g, (t % m) * d)
    const u = times(inverseFisher(ring, d, damping), g)
    for (let j = 0; j < d; j++) {
      v[j] = momentum > 0 ? momentum * v[j] + (1 - momentum) * u[j] : u[j]
      w[j] -= rate * v[j]
    }
  })
  return w
}

describe('curvature: mfacOptimizer', () => {
  forEachBackend((backend) => {
    const next = randomNormal(1)
    const start = Array.from(fill(7, next))
    const gradients = Array.from({ length: 9 }, () => Array.from(fill(7, next)))

    it('is the printed method, in trees of tensors and arrays', () => {
      for (const [momentum, weightDecay] of [
        [0, 0],
        [0.9, 0.1],
      ]) {
        const settings = { capacity: 4, damping: 0.1, momentum, weightDecay }
        const optimizer = mfacOptimizer({ ...settings, learningRate: 0.05, precision: 'float64', backend })
        const params = {
          a: fromData(Float64Array.from(start.slice(0, 6)), [2, 3]),
          rest: [Float64Array.from(start.slice(6))],
        }
        for (const g of gradients) {
          const tree = { a: fromData(Float64Array.from(g.slice(0, 6)), [2, 3]), rest: [Float64Array.from(g.slice(6))] }
          optimizer.step(params, tree)
        }
        const expected = reference(start, gradients, { ...settings, rate: 0.05 })
        expect(relativeError([...params.a.data, ...params.rest[0]], expected)).to.be.at.most(1e-11)
        expect(optimizer.steps).to.equal(9)
      }
    })

    it('follows a schedule, and leaves zeros alone when sparse', () => {
      const optimizer = mfacOptimizer({
        capacity: 3,
        damping: 1,
        learningRate: (step) => (step === 1 ? 0 : 0.1),
        sparse: true,
        backend,
      })
      const params = Float32Array.of(1, 0, 2)
      optimizer.step(params, Float32Array.of(1, 1, 1))
      const once = params.slice()
      expect(once[1]).to.equal(0)
      expect(once[0]).to.be.below(1)
      optimizer.step(params, Float32Array.of(3, 1, 1))
      expect(params).to.deep.equal(once)
      // What is kept is without the masked coordinate too: one over (1 + 2/3) at first.
      expect(once[0]).to.be.closeTo(1 - 0.1 / (1 + 2 / 3), 1e-6)
    })

    it('goes on bit by bit from a state', () => {
      const options = { capacity: 4, damping: 0.1, momentum: 0.5, learningRate: 0.1, backend } as const
      const run = (optimizer: ReturnType<typeof mfacOptimizer>, params: Float32Array, from: number, to: number) => {
        for (let k = from; k < to; k++) optimizer.step([params], [Float32Array.from(gradients[k])])
      }
      const first = mfacOptimizer(options)
      const params = Float32Array.from(start)
      run(first, params, 0, 5)
      const state = structuredClone(first.state())
      const copy = params.slice()
      run(first, params, 5, 9)
      const second = mfacOptimizer(options)
      second.restore(state)
      run(second, copy, 5, 9)
      expect(copy).to.deep.equal(params)
      expect(second.state()).to.deep.equal(first.state())
      expect(JSON.parse(JSON.stringify(state.header))).to.deep.equal(state.header)
    })

    it('changes nothing where it throws', () => {
      const optimizer = mfacOptimizer({ capacity: 4, damping: 1e-20, precision: 'float64', backend })
      const params = { w: Float64Array.of(1, 2) }
      optimizer.step(params, { w: Float64Array.of(1, 0) })
      const before = structuredClone([params, optimizer.state()])
      const same = (call: () => void, code: Parameters<typeof expectError>[1], message: RegExp) => {
        expectError(call, code, message)
        expect([params, optimizer.state()]).to.deep.equal(before)
      }
      const step = (w: unknown) => () => optimizer.step(params, { w } as never)
      same(step(Float64Array.of(1, 0)), 'ERR_SINGULAR', /^damping: /)
      same(step(Float64Array.of(1, Number.NaN)), 'ERR_NOT_FINITE', /^gradients\.w\[1\]: /)
      same(step(Float64Array.of(1)), 'ERR_SHAPE', /^gradients\.w: /)
      same(step(Float32Array.of(1, 2)), 'ERR_DTYPE', /^gradients\.w: /)
      same(step(params.w), 'ERR_BUFFER', /memory of its own/)
      same(() => optimizer.step([Float64Array.of(1, 2)], [Float64Array.of(1, 2)]), 'ERR_SHAPE', /^params: expected 'w'/)
      same(() => optimizer.restore({ ...mfacOptimizer({ momentum: 0.1 }).state() }), 'ERR_OPTION', /^state: /)
    })

    it('refuses options it cannot use', () => {
      expectError(() => mfacOptimizer({ capacity: 0, backend }), 'ERR_OPTION', /^capacity: /)
      expectError(() => mfacOptimizer({ damping: 0, backend }), 'ERR_NOT_POSITIVE', /^damping: /)
      expectError(() => mfacOptimizer({ momentum: 1, backend }), 'ERR_OPTION', /^momentum: /)
      expectError(() => mfacOptimizer({ learningRate: 0, backend }), 'ERR_NOT_POSITIVE', /^learningRate: /)
      expectError(() => mfacOptimizer({ rate: 1, backend } as never), 'ERR_OPTION', /unknown name 'rate'/)
    })
  })
})
