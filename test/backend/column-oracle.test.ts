import { expect } from 'chai'
import { ColumnOracle } from '../../lib/backend/portable/transport/column-oracle.js'
import type { ColumnTerms } from '../../lib/backend/portable/transport/column-solver.js'
import { Columns } from '../../lib/backend/portable/transport/columns.js'
import { counting, finish } from '../helpers/clock.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { largestDifference, normalized } from '../helpers/transport.js'

const { watch } = counting()

/** An oracle of columns (or rows) of 300 random costs each. */
function makeOracle(byRows: boolean): ColumnOracle {
  const [n, m] = byRows ? [50, 300] : [300, 50]
  const next = random(31)
  const weights = (length: number) => normalized(fill(length, () => 0.05 + next()))
  const problem = { n, m, metric: 'dense' as const, x: fill(n * m, next), y: null, d: 0, a: weights(n), b: weights(m) }
  const columns = finish(Columns.open(problem, byRows, watch))
  return ColumnOracle.of(problem, byRows, columns, watch)
}

const termsOf = (dual: boolean): ColumnTerms[] => [
  { maxNonzeros: 3, gamma: 1, rho: 0, entropy: false, dual },
  { maxNonzeros: 300, gamma: 1, rho: 0, entropy: false, dual },
  { maxNonzeros: 3, gamma: 1, rho: 0.1, entropy: false, dual },
  { maxNonzeros: 100, gamma: 50, rho: 5, entropy: false, dual },
  { maxNonzeros: 5, gamma: 0.2, rho: 0, entropy: true, dual },
  { maxNonzeros: 300, gamma: 0.2, rho: 0, entropy: true, dual },
]

describe('the dual objective', () => {
  for (const byRows of [false, true]) {
    for (const dual of [false, true]) {
      it(`${byRows ? 'rows' : 'columns'}, ${dual ? 'dual' : 'semi-dual'}: the same whatever was evaluated before`, () => {
        for (const terms of termsOf(dual)) {
          const oracle = makeOracle(byRows)
          const fresh = makeOracle(byRows)
          oracle.use(terms)
          const length = 300 + (dual ? 50 : 0)
          const next = randomNormal(7)
          let x = new Float64Array(length)
          for (let round = 0; round < 40; round++) {
            // Small moves, large ones, leaps of single entries, and no move at all.
            const size = [0, 1e-6, 1e-2, 0.3, 3][round % 5]
            x = x.map((value, i) => value + (round % 7 === 3 && i % 11 !== 0 ? 0 : size * next()))
            fresh.use(terms)
            const slope = new Float64Array(length)
            const expected = new Float64Array(length)
            const value = finish(oracle.evaluate(x, slope))
            const sure = finish(fresh.evaluate(x, expected))
            expect(value).to.be.closeTo(sure, 1e-13 * (1 + Math.abs(sure)))
            expect(largestDifference(slope, expected)).to.be.below(1e-12 * (1 + Math.abs(sure)))
            expect(oracle.residual).to.be.closeTo(fresh.residual, 1e-12 * (1 + fresh.residual))
            if (terms.rho > 0) continue // the share of an entry may be as small as rounding
            expect([...oracle.counts]).to.deep.equal([...fresh.counts])
            expect(oracle.fullest).to.equal(fresh.fullest)
          }
          expect(oracle.passes).to.equal(40)
        }
      })
    }
  }
})
