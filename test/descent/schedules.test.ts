import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { schedules } from '../../lib/descent/index.js'
import { expectError } from '../helpers/errors.js'

const file = new URL('../fixtures/torch-optimizers.json', import.meta.url)
const { oneCycle } = JSON.parse(readFileSync(file, 'utf8'))

const first = (count: number, schedule: (step: number) => number) =>
  Array.from({ length: count }, (_, k) => schedule(k))

describe('schedules', () => {
  const { constant, step, exponential, cosine, cosinePower, warmup, piecewise } = schedules

  it('constant', () => {
    expect(first(3, constant(0.2))).to.deep.equal([0.2, 0.2, 0.2])
  })

  it('step', () => {
    expect(first(7, step({ rate: 8, every: 2, factor: 0.5 }))).to.deep.equal([8, 8, 4, 4, 2, 2, 1])
    expect(step({ rate: 1, every: 5 })(10)).to.be.closeTo(0.01, 1e-17)
  })

  it('exponential', () => {
    expect(first(4, exponential({ rate: 8, decay: 0.5 }))).to.deep.equal([8, 4, 2, 1])
  })

  it('cosine: both ends, the middle, and a third of the way', () => {
    const at = cosine({ rate: 5, steps: 12, floor: 1 })
    for (const [k, expected] of [
      [0, 5],
      [4, 4],
      [6, 3],
      [8, 2],
      [12, 1],
      [50, 1],
    ]) {
      expect(at(k)).to.be.closeTo(expected, 1e-14)
    }
  })

  it('cosine power: (p^(w + 1) − p) / (p² − p)', () => {
    const [rate, floor, steps, p] = [2, 0.1, 30, 10]
    const at = cosinePower({ rate, floor, steps, power: p })
    for (let k = 0; k <= 35; k++) {
      const w = k >= steps ? 0 : (1 + Math.cos((Math.PI * k) / steps)) / 2
      expect(at(k)).to.be.closeTo(floor + ((rate - floor) * (p ** (w + 1) - p)) / (p * p - p), 1e-14)
    }
    // p = 1 is the plain cosine, in the limit and by name.
    const plain = cosine({ rate, floor, steps })
    for (const k of [0, 7, 15, 29]) {
      expect(cosinePower({ rate, floor, steps, power: 1 })(k)).to.be.closeTo(plain(k), 1e-15)
      expect(cosinePower({ rate, floor, steps, power: 1 + 1e-7 })(k)).to.be.closeTo(plain(k), 1e-6)
    }
  })

  it("one cycle is PyTorch's", () => {
    const at = schedules.oneCycle({ peak: 0.5, steps: 20 })
    oneCycle.forEach((expected: number, k: number) => {
      expect(at(k)).to.be.closeTo(expected, 1e-15)
    })
    expect(at(1000)).to.be.closeTo(oneCycle[19], 1e-15)
    // Without a step to rise in it starts at the peak.
    expect(schedules.oneCycle({ peak: 1, steps: 3 })(0)).to.equal(1)
  })

  it('warmup runs up to the schedule and then begins it', () => {
    const at = warmup({ steps: 4, start: 0.5 }, exponential({ rate: 8, decay: 0.5 }))
    expect(first(7, at)).to.deep.equal([4, 5, 6, 7, 8, 4, 2])
    expect(warmup({ steps: 2 }, constant(1))(0)).to.equal(0)
  })

  it('piecewise', () => {
    expect(first(6, piecewise([2, 4], [3, 2, 1]))).to.deep.equal([3, 3, 2, 2, 1, 1])
    expect(piecewise([], [7])(100)).to.equal(7)
  })

  it('refuse what makes no rate', () => {
    expectError(() => constant(0), 'ERR_NOT_POSITIVE', /rate/)
    expectError(() => step({ rate: 1 } as never), 'ERR_OPTION', /every/)
    expectError(() => cosine({ rate: 1, steps: 0 }), 'ERR_OPTION', /steps/)
    expectError(() => cosine({ rate: 1, steps: 5, floor: -1 }), 'ERR_OPTION', /floor/)
    expectError(() => cosinePower({ rate: 1, steps: 5, power: 0 }), 'ERR_NOT_POSITIVE', /power/)
    expectError(() => schedules.oneCycle({ peak: 1, steps: 10, rise: 1 }), 'ERR_OPTION', /rise/)
    expectError(() => warmup({ steps: 5 }, 0.1 as never), 'ERR_OPTION', /then: expected a schedule, got 0.1/)
    expectError(() => piecewise([2], [1]), 'ERR_SHAPE', /rates: expected one rate more/)
    expectError(() => piecewise([2, 2], [1, 1, 1]), 'ERR_OPTION', /starts\[1\]/)
    expectError(() => piecewise([2], [1, 0]), 'ERR_NOT_POSITIVE', /rates\[1\]/)
  })
})
