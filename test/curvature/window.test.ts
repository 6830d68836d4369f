import { expect } from 'chai'
import { type MfacWindow, mfacSync, mfacWindow } from '../../lib/curvature/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { fisherProduct, inverseFisher, randomGradients, relativeError } from '../helpers/fisher.js'
import { times } from '../helpers/matrices.js'
import { fill, randomNormal } from '../helpers/random.js'

/** The rows that a window of m holds after these pushes, in any order; zeros where it is not full. */
function held(g: Float64Array, d: number, pushes: number, m: number): Float64Array {
  const out = new Float64Array(m * d)
  for (let k = Math.max(0, pushes - m); k < pushes; k++) out.set(g.subarray(k * d, (k + 1) * d), (k % m) * d)
  return out
}

describe('curvature: mfacWindow', () => {
  forEachBackend((backend) => {
    it('equals a fresh build from the rows it holds, after every push', () => {
      const [m, d] = [6, 20]
      const g = randomGradients(3 * m + 2, d, 1)
      const x = fill(d, randomNormal(2))
      const window = mfacWindow({ capacity: m, dimension: d, damping: 1e-3, precision: 'float64', backend })
      for (let k = 0; k < 3 * m + 2; k++) {
        window.pushSync(g.subarray(k * d, (k + 1) * d))
        const rows = held(g, d, k + 1, m)
        const dense = inverseFisher(rows, d, 1e-3)
        expect(relativeError(window.ihvpSync(x), times(dense, x))).to.be.at.most(1e-10)
        const last = g.subarray(k * d, (k + 1) * d)
        expect(relativeError(window.ihvpOfLastSync(), times(dense, last))).to.be.at.most(1e-10)
        const fresh = mfacSync({ gradients: { data: rows, shape: [m, d] } }, { damping: 1e-3, backend })
        expect(relativeError(window.ihvpSync(x), fresh.ihvpSync(x))).to.be.at.most(1e-11)
      }
      expect(window.pushes).to.equal(3 * m + 2)
      expect(window.memoryBytes).to.equal(8 * (m * d + 2 * m * m))
    })

    it('does not mind in which order the ring was filled', () => {
      const [m, d] = [5, 12]
      const g = randomGradients(m, d, 3)
      const x = fill(d, randomNormal(4))
      const products = [0, 2, 4].map((first) => {
        const window = mfacWindow({ capacity: m, dimension: d, damping: 0.01, precision: 'float64', backend })
        for (let k = 0; k < m; k++) {
          const row = (first + k) % m
          window.pushSync(g.subarray(row * d, (row + 1) * d))
        }
        return window.ihvpSync(x)
      })
      for (const product of products) expect(relativeError(product, products[0])).to.be.at.most(1e-12)
    })

    it('keeps its digits in float32 with gradients of its span', () => {
      const [m, d] = [128, 2000]
      const g = randomGradients(m, d, 5)
      const window = mfacWindow({ capacity: m, dimension: d, backend })
      for (let k = 0; k < m; k++) window.pushSync(g.subarray(k * d, (k + 1) * d))
      const stored = Float32Array.from(g)
      const last = Float64Array.from(stored.subarray((m - 1) * d))
      const { damping, precision } = window
      expect([damping, precision]).to.deep.equal([1e-5, 'float32'])
      for (const product of [window.ihvpOfLastSync(), window.ihvpSync(last)]) {
        expect(relativeError(fisherProduct(stored, d, damping, product), last)).to.be.at.most(1e-9)
      }
    })

    it('carries out asynchronous calls in their order', async () => {
      const [m, d] = [4, 30]
      const g = randomGradients(6, d, 6)
      const x = fill(d, randomNormal(7))
      const options = { capacity: m, dimension: d, damping: 0.1, precision: 'float64', backend } as const
      const window = mfacWindow(options)
      const twin = mfacWindow(options)
      const reused = new Float64Array(d)
      const products: Promise<Float64Array>[] = []
      const expected: Float64Array[] = []
      const pushes: Promise<void>[] = []
      for (let k = 0; k < 6; k++) {
        reused.set(g.subarray(k * d, (k + 1) * d))
        pushes.push(window.push(reused))
        products.push(window.ihvp(x), window.ihvpOfLast())
        twin.pushSync(reused)
        expected.push(twin.ihvpSync(x), twin.ihvpOfLastSync())
      }
      expectError(() => window.pushSync(x), 'ERR_OPTION', /^window: expected no call under way/)
      expectError(() => window.save(), 'ERR_OPTION', /^window: /)
      expect(await Promise.all(products)).to.deep.equal(expected)
      await Promise.all(pushes)
      expect(window.save()).to.deep.equal(twin.save())
    })

    it('goes on exactly from a saved state', () => {
      const [m, d] = [5, 9]
      const g = randomGradients(17, d, 8)
      const push = (window: MfacWindow, from: number, to: number) => {
        for (let k = from; k < to; k++) window.pushSync(g.subarray(k * d, (k + 1) * d))
      }
      const window = mfacWindow({ capacity: m, dimension: d, damping: 0.3, backend })
      push(window, 0, 12)
      const saved = structuredClone(window.save())
      push(window, 12, 17)
      const restored = mfacWindow({ capacity: m, dimension: d, damping: 1, backend })
      restored.restore(saved)
      push(restored, 12, 17)
      expect(restored.save()).to.deep.equal(window.save())
      expect(restored.ihvpOfLastSync()).to.deep.equal(window.ihvpOfLastSync())
    })

    it('is as it was after a push that failed', async () => {
      const window = mfacWindow({ capacity: 2, dimension: 3, damping: 0.5, backend })
      window.pushSync([1, 2, 3])
      const before = window.save()
      expectError(() => window.pushSync([1, Number.NaN, 0]), 'ERR_NOT_FINITE', /^gradient\[1\]: /)
      expectError(
        () => window.pushSync([1, 1e39, 0]),
        'ERR_NOT_FINITE',
        /^gradient\[1\]: expected a finite number in float32/,
      )
      await expectRejection(window.push([1]), 'ERR_SHAPE', 'gradient: expected 3 numbers, got 1')
      const aborted = window.push([4, 5, 6], { signal: AbortSignal.abort(new Error('no')) })
      expect(await rejection(aborted)).to.have.property('message', 'no')
      expect(window.save()).to.deep.equal(before)
      const wide = mfacWindow({ capacity: 2, dimension: 1, precision: 'float64', backend })
      expectError(
        () => wide.pushSync([1e150]),
        'ERR_NOT_FINITE',
        /at most 1e300 times the damping, got 1\.00e\+305 times/,
      )
      expect(wide.pushes).to.equal(0)
    })

    it('refuses what it cannot use', () => {
      const make = (options: object) => () => mfacWindow({ capacity: 2, dimension: 3, backend, ...options })
      expectError(make({ capacity: 0 }), 'ERR_OPTION', /^capacity: /)
      expectError(make({ capacity: undefined }), 'ERR_OPTION', /^capacity: /)
      expectError(make({ dimension: 1.5 }), 'ERR_OPTION', /^dimension: /)
      expectError(make({ damping: -1 }), 'ERR_NOT_POSITIVE', /^damping: /)
      expectError(make({ precision: 'half' }), 'ERR_OPTION', /^precision: /)
      const window = make({})()
      expectError(() => window.ihvpOfLastSync(), 'ERR_OPTION', /^window: .*push one first/)
      expectError(() => window.ihvpSync([1, 2]), 'ERR_SHAPE', 'x: expected 3 numbers, got 2')
      const state = window.save()
      expectError(() => window.restore({ ...state, capacity: 3 }), 'ERR_OPTION', 'state.capacity: expected 2, got 3')
      expectError(() => window.restore({ ...state, gram: new Float64Array(3) }), 'ERR_SHAPE', /^state\.gram: /)
      const gradients = new Float64Array(6)
      expectError(
        () => window.restore({ ...state, gradients }),
        'ERR_SHAPE',
        /^state\.gradients: expected a Float32Array/,
      )
      expectError(() => window.restore({ ...state, pushes: -1 }), 'ERR_OPTION', /^state\.pushes: /)
    })
  })
})
