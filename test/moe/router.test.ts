import { expect } from 'chai'
import { router, routeSync, syntheticTrace } from '../../lib/moe/index.js'
import { expectError } from '../helpers/errors.js'
import { traceScores } from './helpers.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

describe('moe: router', () => {
  it('chooses by score and bias, and weighs by score', () => {
    const routing = router({ experts: 4, bias: [0, 0.5, 0, -1] })
    const { choices, weights } = routing.route([
      [0.4, 0.1, 0.2, 0.9],
      [0.7, 0, 0.7, 0.1],
    ])
    expect([...choices]).to.deep.equal([1, 0, 0, 2])
    expect([...weights]).to.deep.equal([0.1, 0.4, 0.7, 0.7])
    expect([...routing.route(Float32Array.of(0, 0, 1, 0)).choices]).to.deep.equal([2, 1])
    routing.bias[3] = 9
    expect([...routing.route([0.4, 0.1, 0.2, 0.9]).choices]).to.deep.equal([3, 1])
  })

  it('moves biases against the error of the load', () => {
    const sign = router({ experts: 4, step: 0.1 })
    sign.update([10, 20, 5, 5])
    for (const [e, wanted] of [0, -0.1, 0.1, 0.1].entries()) expect(sign.bias[e]).to.be.closeTo(wanted, 1e-15)
    const proportional = router({ experts: 4, step: 0.1, rule: 'proportional' })
    proportional.update([10, 20, 5, 5])
    for (const [e, wanted] of [0, -0.1, 0.05, 0.05].entries()) {
      expect(proportional.bias[e]).to.be.closeTo(wanted, 1e-15)
    }
    proportional.update([0, 0, 0, 0])
    expect(proportional.bias[1]).to.be.closeTo(-0.1, 1e-15)
  })

  it('balances a stream of batches, by either rule', () => {
    // Topics that change with every token: no batch is like the one before, but all have the same mean.
    const { scores } = syntheticTrace({ tokens: 6400, experts: 16, stay: 0, seed: 4 })
    for (const rule of ['sign', 'proportional'] as const) {
      const routing = router({ experts: 16, step: 0.01, rule })
      const imbalance = [...Array(200)].map((_, batch) => {
        const first = ((batch * 64) % 6400) * 16
        const load = new Int32Array(16)
        const rows = { data: scores.data.subarray(first, first + 64 * 16), shape: [64, 16] }
        for (const e of routing.route(rows).choices) load[e]++
        routing.update(load)
        return Math.max(...load) / 8
      })
      const mean = (list: number[]) => list.reduce((sum, x) => sum + x, 0) / list.length
      expect(mean(imbalance.slice(100))).to.be.below(0.75 * mean(imbalance.slice(0, 3)))
    }
  })

  it('routes new tokens with the prices of old ones', () => {
    const scores = traceScores(4096, 16, 6)
    const rows = (first: number) => ({ data: scores.data.subarray(first * 16, (first + 2048) * 16), shape: [2048, 16] })
    const { prices, value } = routeSync(rows(0), { capacityFactor: 1.1 })
    const routing = router({ experts: 16, bias: (prices as Float64Array).map((price) => -price) })
    const same = routing.route(rows(0)).weights.reduce((sum, weight) => sum + weight, 0)
    expect(same).to.be.closeTo(value, 1e-3 * value)
  })

  it('refuses bad options, scores and loads', () => {
    const routing = router({ experts: 3 })
    const bad: [() => unknown, string, RegExp][] = [
      [() => router(undefined as Wrong), 'ERR_OPTION', /^options: expected \{ experts, … \}, got undefined$/],
      [() => router({} as Wrong), 'ERR_OPTION', /^experts: expected a whole number/],
      [() => router({ experts: 2, k: 3 }), 'ERR_OPTION', /^k: expected at most 2/],
      [() => router({ experts: 2, bias: [1] }), 'ERR_SHAPE', /^bias: expected 2 numbers/],
      [() => router({ experts: 1, bias: [Number.NaN] }), 'ERR_NOT_FINITE', /^bias\[0\]: /],
      [() => router({ experts: 2, steps: 1 } as Wrong), 'ERR_OPTION', /did you mean 'step'\?$/],
      [() => routing.route([1, 2]), 'ERR_SHAPE', /^scores: expected 3 numbers/],
      [() => routing.route([[1, 2]]), 'ERR_SHAPE', /^scores: expected 3 columns/],
      [() => routing.route([[1, 2, Number.NaN]]), 'ERR_NOT_FINITE', /^scores\[0\]\[2\]: /],
      [() => routing.update([1, -2, 3]), 'ERR_NOT_POSITIVE', /^load\[1\]: expected a finite load >= 0, got -2$/],
      [() => routing.update([1, 2]), 'ERR_SHAPE', /^load: expected 3 numbers/],
    ]
    for (const [call, code, message] of bad) expectError(call, code as 'ERR_OPTION', message)
  })
})
