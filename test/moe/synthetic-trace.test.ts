import { expect } from 'chai'
import { syntheticTrace } from '../../lib/moe/index.js'
import { expectError } from '../helpers/errors.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

describe('moe: syntheticTrace', () => {
  it('is a router log: probabilities, and the experts of the highest', () => {
    const { trace, scores, topics } = syntheticTrace({ tokens: 200, experts: 7, layers: 3, k: 3, seed: 5 })
    expect(trace.shape).to.deep.equal([3, 200, 3])
    expect(scores.shape).to.deep.equal([3, 200, 7])
    expect(topics.length).to.equal(200)
    for (let i = 0; i < 600; i++) {
      const row = Array.from(scores.data.subarray(7 * i, 7 * i + 7))
      expect(row.reduce((sum, p) => sum + p, 0)).to.be.closeTo(1, 1e-12)
      const best = row.map((_, e) => e).sort((a, b) => row[b] - row[a] || a - b)
      expect([...trace.data.subarray(3 * i, 3 * i + 3)]).to.deep.equal(best.slice(0, 3))
    }
  })

  it('is the same for the same seed, whatever layers follow', () => {
    const options = { tokens: 50, experts: 5, layers: 2, seed: 9 }
    const one = syntheticTrace(options)
    expect(syntheticTrace(options)).to.deep.equal(one)
    const longer = syntheticTrace({ ...options, layers: 4 })
    expect(longer.scores.data.subarray(0, 500)).to.deep.equal(one.scores.data)
    expect(syntheticTrace({ ...options, seed: 10 }).trace.data).to.not.deep.equal(one.trace.data)
  })

  it('keeps topics in runs, and is surer the sharper it is', () => {
    const { topics } = syntheticTrace({ tokens: 20000, experts: 2, topics: 8, stay: 0.9 })
    let changes = 0
    for (let t = 1; t < 20000; t++) if (topics[t] !== topics[t - 1]) changes++
    expect(changes / 20000).to.be.closeTo(0.1 * (7 / 8), 0.01)
    const { scores } = syntheticTrace({ tokens: 500, experts: 8, layers: 2, sharpness: [0.5, 2] })
    const surest = (layer: number) => {
      let sum = 0
      for (let t = 0; t < 500; t++) {
        const first = (layer * 500 + t) * 8
        sum += Math.max(...scores.data.subarray(first, first + 8))
      }
      return sum / 500
    }
    expect(surest(1)).to.be.above(1.5 * surest(0))
  })

  it('refuses bad options', () => {
    const bad: [Wrong, RegExp][] = [
      [undefined, /^options: expected \{ tokens, experts, … \}, got undefined$/],
      [{ experts: 4 }, /^tokens: expected a whole number/],
      [{ tokens: 4, experts: 0 }, /^experts: expected a whole number/],
      [{ tokens: 4, experts: 2, k: 3 }, /^k: expected a whole number from 1 to 2, got 3$/],
      [{ tokens: 4, experts: 2, stay: 1.5 }, /^stay: expected a probability, got 1.5$/],
      [{ tokens: 4, experts: 2, sharpness: [1, 2] }, /^sharpness: expected a number or 1 of them, got 1,2$/],
      [{ tokens: 4, experts: 2, layer: 2 }, /did you mean 'layers'\?$/],
    ]
    for (const [options, message] of bad) expectError(() => syntheticTrace(options), 'ERR_OPTION', message)
  })
})
