import { expect } from 'chai'
import fc from 'fast-check'
import { allocateSlots, allocateSlotsSync, cacheSync, missCurves, syntheticTrace } from '../../lib/moe/index.js'
import { expectError, expectRejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

/** The fewest misses over all ways to give out the slots. */
function bruteForce(curves: number[][], total: number, least: number): number {
  const visit = (l: number, left: number): number => {
    if (l === curves.length) return 0
    let best = Number.POSITIVE_INFINITY
    for (let c = least; c < curves[l].length && c <= left; c++)
      best = Math.min(best, curves[l][c] + visit(l + 1, left - c))
    return best
  }
  return visit(0, total)
}

describe('moe: allocateSlots', () => {
  it('is the best of all by trying them, for curves of any form; the others and the bounds enclose it', () => {
    const problem = fc
      .record({ layers: fc.integer({ min: 1, max: 4 }), most: fc.integer({ min: 1, max: 8 }), least: fc.nat(1) })
      .chain(({ layers, most, least }) =>
        fc.record({
          curves: fc.array(fc.array(fc.nat(50), { minLength: most + 1, maxLength: most + 1 }), {
            minLength: layers,
            maxLength: layers,
          }),
          total: fc.integer({ min: layers * least, max: layers * most + 2 }),
          least: fc.constant(least),
        }),
      )
    check(
      fc.property(problem, ({ curves, total, least }) => {
        const best = bruteForce(curves, total, least)
        const exact = allocateSlotsSync(curves, { total, least })
        expect(exact.value).to.equal(best)
        expect([exact.gap, exact.residual]).to.deep.equal([0, 0])
        for (const method of ['exact', 'greedy', 'uniform'] as const) {
          const solution = allocateSlotsSync(curves, { total, least, method })
          const sum = solution.slots.reduce((x, y) => x + y, 0)
          expect(sum).to.be.at.most(total)
          if (method === 'uniform' && Math.min(...solution.slots) < least) continue
          expect(solution.value).to.equal(curves.reduce((value, curve, l) => value + curve[solution.slots[l]], 0))
          expect(solution.value).to.be.at.least(best)
          expect(solution.bound).to.be.at.most(best + 1e-9)
        }
      }),
      { runs: 300 },
    )
  })

  it('greedy fails where a curve is not convex', () => {
    const curves = [
      [10, 10, 0],
      [10, 8, 6],
    ]
    expect([...allocateSlotsSync(curves, { total: 2 }).slots]).to.deep.equal([2, 0])
    expect(allocateSlotsSync(curves, { total: 2, method: 'greedy' }).value).to.equal(16)
  })

  it('on ten synthetic traces: better than equally many slots', () => {
    for (let seed = 0; seed < 10; seed++) {
      const { trace } = syntheticTrace({
        ...{ tokens: 512, experts: 16, layers: 8, k: 2, seed },
        sharpness: [0.5, 0.7, 0.8, 1, 1, 1.2, 1.5, 2],
      })
      for (const slots of [8, 4]) {
        const { slots: own, value } = allocateSlotsSync(missCurves(trace), { total: 8 * slots, least: 1 })
        const solution = cacheSync(trace, { slots: own, bound: false })
        expect(solution.misses).to.equal(value)
        expect(solution.misses).to.be.below(cacheSync(trace, { slots, bound: false }).misses)
      }
    }
  })

  it('refuses bad curves and options', async () => {
    const good = [
      [3, 2, 1],
      [3, 1, 0],
    ]
    const bad: [Wrong, Wrong, string, RegExp][] = [
      [[], { total: 1 }, 'ERR_SHAPE', /^curves: expected a non-empty matrix, got 0×0$/],
      [
        [[1, -1]],
        { total: 1 },
        'ERR_NOT_POSITIVE',
        /^curves\[0\]\[1\]: expected a finite number of misses >= 0, got -1$/,
      ],
      [[[1, Number.NaN]], { total: 1 }, 'ERR_NOT_FINITE', /^curves\[0\]\[1\]: /],
      [good, {}, 'ERR_OPTION', /^total: expected a whole number/],
      [
        good,
        { total: 1, least: 1 },
        'ERR_INFEASIBLE',
        /^total: expected 2 slots or more \(1 for each of 2 layers\), got 1$/,
      ],
      [good, { total: 3, least: 3 }, 'ERR_OPTION', /^least: expected a whole number from 0 to 2, got 3$/],
      [good, { total: 3, method: 'dp' }, 'ERR_OPTION', /^method: expected one of/],
      [good, { totals: 3 }, 'ERR_OPTION', /did you mean 'total'\?$/],
    ]
    for (const [curves, options, code, message] of bad) {
      expectError(() => allocateSlotsSync(curves, options), code as 'ERR_SHAPE', message)
      await expectRejection(allocateSlots(curves, options), code as 'ERR_SHAPE', message)
    }
  })
})
