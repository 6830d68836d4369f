import { expect } from 'chai'
import { kernels } from '../../lib/backend/index.js'
import { lionSlopes, type UpdateKernels } from '../../lib/backend/tensor-update.js'
import { fill, randomNormal } from '../helpers/random.js'

type Arrays = (Float64Array | Float32Array)[]
type Case = [string, (update: UpdateKernels, [x, g, m, v, w]: Arrays) => unknown]

const cases: Case[] = [
  ['combine', (k, [x, g]) => k.combine(x, x, g, 0.3, -1.2)],
  ['combine into the second', (k, [x, g]) => k.combine(g, x, g, 0.3, -1.2)],
  ['clip', (k, [x]) => k.clip(x, 0.5)],
  ['sgd', (k, [x, g]) => k.sgd(x, g, null, 0.1, 0, false, 0.2, 0.7)],
  ['momentum', (k, [x, g, m]) => k.sgd(x, g, m, 0.1, 0.9, false, 0.2, 0.7)],
  ['nesterov', (k, [x, g, m]) => k.sgd(x, g, m, 0.1, 0.9, true, 0.2, 0.7)],
  ['adam', (k, [x, g, m, v]) => k.adam(x, g, m, v, 0.9, 0.99, 0.1, 1.3, 1e-3, 0.1, 1, 0.7)],
  ['adamW', (k, [x, g, m, v]) => k.adam(x, g, m, v, 0.9, 0.99, 0.1, 1.3, 1e-3, 0, 0.98, 0.7)],
  ['rmsprop', (k, [x, g, , v]) => k.rmsprop(x, g, v, null, null, 0.9, 0.1, 1e-3, 0, 0.1, 0.7)],
  ['rmsprop, centred', (k, [x, g, m, v]) => k.rmsprop(x, g, v, m, null, 0.9, 0.1, 1e-3, 0, 0.1, 0.7)],
  ['rmsprop, momentum', (k, [x, g, m, v]) => k.rmsprop(x, g, v, null, m, 0.9, 0.1, 1e-3, 0.5, 0.1, 0.7)],
  ['rmsprop, both', (k, [x, g, m, v, w]) => k.rmsprop(x, g, v, w, m, 0.9, 0.1, 1e-3, 0.5, 0.1, 0.7)],
  ...lionSlopes.map(
    (name, slope): Case => [
      `lion ${name}`,
      (k, [x, g, m]) => k.lion(slope, x, g, m, 0.9, -0.1, 0.99, -0.01, 0.1, 0.97, 1.7),
    ],
  ),
]

// Those that are not the same to the last bit: library functions, and norms in another order.
const rounded: Case[] = [
  ['lamb', (k, [x, g, m, v]) => k.lamb(x, g, m, v, 0.9, 0.99, 0.1, 1.2, 1.3, 1e-3, 0.1, 0.7)],
  ['sumOfSquares', (k, [x]) => k.sumOfSquares(x)],
]

/** Around every multiple of a vector, and more than a block. */
const lengths = [0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 1023, 1024, 1025, 2500]

describe('native and portable update kernels', () => {
  const arrays = (n: number, single: boolean): Arrays => {
    const next = randomNormal(n + 1)
    const made = Array.from({ length: 5 }, () => fill(n, next))
    // Second moments are above squared means, and some entries are 0.
    for (const array of [made[2], made[4]])
      array.forEach((entry, i) => {
        array[i] = 0.1 * entry
      })
    made[3] = made[3].map((entry) => 0.2 + entry * entry)
    if (n > 3) for (const array of made.slice(0, 3)) array[2] = 0
    return single ? made.map((array) => Float32Array.from(array)) : made
  }

  for (const [name, run] of [...cases, ...rounded]) {
    const exact = cases.some(([known]) => known === name) && !/tanh|power/.test(name)
    it(`${name}: agree in float64${exact ? ' bit by bit' : ''} and in float32`, () => {
      for (const n of lengths) {
        for (const single of [false, true]) {
          const [native, portable] = [arrays(n, single), arrays(n, single)]
          const results = [run(kernels('native').update, native), run(kernels('portable').update, portable)]
          if (exact && !single) {
            native.forEach((array, a) => {
              expect(
                array.findIndex((entry, i) => !Object.is(entry, portable[a][i])),
                `array ${a}`,
              ).to.equal(-1)
            })
            continue
          }
          const tolerance = single ? 2e-5 : 1e-13
          native.forEach((array, a) => {
            let worst = 0
            array.forEach((entry, i) => {
              const gap = Math.abs(portable[a][i] - entry) / Math.max(1, Math.abs(entry))
              if (!(gap <= worst)) worst = gap
            })
            expect(worst, `array ${a}`).to.be.at.most(tolerance)
          })
          if (typeof results[0] !== 'number') continue
          expect(results[1]).to.be.closeTo(results[0], tolerance * Math.max(1, results[0]))
        }
      }
    })
  }

  it('rankOne: agree bit by bit, for matrices of any width', () => {
    const next = randomNormal(9)
    for (const [rows, columns] of [
      [1, 1],
      [3, 5],
      [8, 16],
      [7, 33],
      [0, 4],
    ]) {
      const a = fill(rows * columns, next)
      const b = a.slice()
      const [u, v] = [fill(rows, next), fill(columns, next)]
      kernels('native').update.rankOne(a, u, v, 0.9, 0.3)
      kernels('portable').update.rankOne(b, u, v, 0.9, 0.3)
      expect(a).to.deep.equal(b)
    }
  })

  it('write nothing past the end', () => {
    for (const backend of ['native', 'portable'] as const) {
      for (const [name, run] of [...cases, ...rounded]) {
        for (const n of [1, 5, 13, 29]) {
          const whole = arrays(n + 32, false).map((array) => array.fill(7))
          run(
            kernels(backend).update,
            whole.map((array) => array.subarray(16, 16 + n)),
          )
          for (const array of whole) {
            expect(
              [...array.subarray(0, 16), ...array.subarray(16 + n)].every((entry) => entry === 7),
              name,
            ).to.equal(true)
          }
        }
      }
    }
  })

  it('sums of squares of float32 numbers are kept in float64', () => {
    const x = new Float32Array(4001).fill(1e-4)
    x[0] = 1e4
    const exact = Number(x[0]) ** 2 + 4000 * Number(x[1]) ** 2
    for (const backend of ['native', 'portable'] as const) {
      expect(kernels(backend).update.sumOfSquares(x)).to.be.closeTo(exact, 5e-6)
      expect(kernels(backend).update.sumOfSquares(new Float32Array(100).fill(1e30))).to.be.closeTo(1e62, 1e56)
    }
  })
})
