import { expect } from 'chai'
import { emdSync, sparsityConstrainedSync } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { fill, random } from '../helpers/random.js'
import { asProblem, dot, randomDense, total } from '../helpers/transport.js'

/** |w|² of the k-support norm by its formula (Argyriou, Foygel, Srebro 2012, proposition 2.1). */
function kSupportSquare(w: Float64Array, k: number): number {
  const sorted = w.map(Math.abs).sort().reverse()
  for (let r = 0; r < k; r++) {
    const head = k - r - 1
    const mean = total(sorted.subarray(head)) / (r + 1)
    const above = head === 0 ? Infinity : sorted[head - 1]
    if (above > mean && mean >= sorted[head])
      return total(sorted.subarray(0, head).map((x) => x * x)) + (r + 1) * mean ** 2
  }
  throw new Error('no such r')
}

/** The same as min sum w_i² / theta_i over theta in [0, 1] with sum at most k: theta = min(1, |w| / level). */
function kSupportSquareByTheta(w: Float64Array, k: number): number {
  let [low, high] = [0, total(w.map(Math.abs))]
  for (let step = 0; step < 200; step++) {
    const level = (low + high) / 2
    if (total(w.map((x) => Math.min(1, Math.abs(x) / level))) > k) low = level
    else high = level
  }
  return total(w.map((x) => (x === 0 ? 0 : (x * x) / Math.min(1, Math.abs(x) / high))))
}

describe('transport: the k-support norm', () => {
  const [n, m] = [7, 5]
  const gamma = 0.4

  it('by its formula and by its variational form', () => {
    const next = random(60)
    for (let run = 0; run < 40; run++) {
      const w = fill(n, next).map((x) => (x < 0.2 ? 0 : x - 0.4))
      for (let k = 1; k <= n; k++) expect(kSupportSquare(w, k)).to.be.closeTo(kSupportSquareByTheta(w, k), 1e-12)
    }
  })

  forEachBackend((backend) => {
    it('is what the dual is dual to: a bound of plans of any number of entries, met where nothing is tied', () => {
      let met = 0
      for (let seed = 61; seed < 69; seed++) {
        const dense = randomDense(n, m, seed)
        const { a, b, cost } = dense
        const objective = (plan: Float64Array, k: number) => {
          const columns = Array.from({ length: m }, (_, j) =>
            Float64Array.from({ length: n }, (_, i) => plan[i * m + j]),
          )
          return dot(plan, cost) + (gamma / 2) * total(columns.map((column) => kSupportSquare(column, k)))
        }
        const product = cost.map((_, at) => a[Math.floor(at / m)] * b[at % m])
        const exact = emdSync(asProblem(dense)).plan().data
        for (const k of [1, 2, 3, n]) {
          const solution = sparsityConstrainedSync(asProblem(dense), {
            maxNonzeros: k,
            gamma,
            backend,
            maxIterations: 2000,
          })
          for (const share of [0, 0.3, 1]) {
            const plan = product.map((p, at) => share * p + (1 - share) * exact[at])
            expect(objective(plan, k)).to.be.at.least(solution.dualValue - 1e-9)
          }
          if (solution.rowError > 1e-7) continue
          met++
          expect(objective(solution.plan().data, k)).to.be.closeTo(solution.dualValue, 1e-6)
        }
      }
      expect(met).to.be.at.least(8) // k = n at least
    })
  })
})
