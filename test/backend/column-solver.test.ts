import { expect } from 'chai'
import { ColumnSolver, type ColumnTerms } from '../../lib/backend/portable/transport/column-solver.js'
import { kSupportNorm } from '../../lib/core/projections.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { dot, normalized, total } from '../helpers/transport.js'

/** R(t) of the terms, from the definition; Infinity where t has too many entries. */
function regularizer(t: Float64Array, { gamma, rho, entropy, maxNonzeros: k }: ColumnTerms): number {
  if (rho > 0) return 0.5 * (gamma - rho) * kSupportNorm(t, k) ** 2 + 0.5 * rho * dot(t, t)
  if (t.filter((value) => value > 0).length > k) return Number.POSITIVE_INFINITY
  if (entropy) return gamma * t.reduce((sum, value) => sum + (value > 0 ? value * (Math.log(value) - 1) : 0), 0)
  return 0.5 * gamma * dot(t, t)
}

function solve(s: Float64Array, terms: ColumnTerms, mass: number, potential = 0) {
  const n = s.length
  const solver = new ColumnSolver(n)
  solver.terms = terms
  const candidates = s.slice()
  const index = Int32Array.from(s.keys())
  solver.solve(candidates, index, 0, n, mass, potential)
  const t = new Float64Array(n)
  for (let r = 0; r < solver.count; r++) t[index[r]] += solver.plan[r]
  return { t, solver }
}

/** Any plan of that mass, with few entries where it must. */
function anyPlan(n: number, mass: number, terms: ColumnTerms, next: () => number): Float64Array {
  const t = fill(n, () => (next() < 0.4 ? 0 : next() ** 3))
  if (terms.rho === 0) {
    const kept = new Set([...t.keys()].sort(() => next() - 0.5).slice(0, terms.maxNonzeros))
    for (let i = 0; i < n; i++) if (!kept.has(i)) t[i] = 0
  }
  const sum = total(t)
  return sum > 0 ? t.map((value) => (value * mass) / sum) : t.map((_, i) => (i === 0 ? mass : 0))
}

const cases: { name: string; rho: number[]; entropy: boolean }[] = [
  { name: 'quadratic', rho: [0], entropy: false },
  { name: 'relaxed by the k-support norm', rho: [0.9, 0.3, 0.01, 1e-3], entropy: false },
  { name: 'entropic', rho: [0], entropy: true },
]

describe('the plan of a column', () => {
  for (const { name, rho: smoothings, entropy } of cases) {
    it(`${name}: attains its value, and no other plan has more`, () => {
      const next = random(17)
      const normal = randomNormal(18)
      for (let round = 0; round < 300; round++) {
        const n = 1 + Math.floor(12 * next())
        const maxNonzeros = 1 + Math.floor(n * next())
        const gamma = 10 ** (3 * next() - 2)
        const mass = 10 ** (2 * next() - 2)
        // Every other time with many equal numbers.
        const s = fill(n, () => (round % 2 === 0 ? normal() : Math.round(2 * normal()) / 2))
        for (const smoothing of smoothings) {
          const terms = { maxNonzeros, gamma, rho: smoothing * gamma, entropy, dual: false }
          const { t, solver } = solve(s, terms, mass)
          expect(total(t)).to.be.closeTo(mass, 1e-13 * mass)
          expect(Math.min(...t)).to.be.at.least(0)
          const scale = mass * (1 + Math.max(...s.map(Math.abs)) + gamma * mass)
          const attained = dot(s, t) - regularizer(t, terms)
          expect(attained, JSON.stringify({ s: [...s], terms, mass })).to.be.closeTo(solver.value, 1e-12 * scale)
          for (let k = 0; k < 20; k++) {
            const other = anyPlan(n, mass, terms, next)
            expect(dot(s, other) - regularizer(other, terms)).to.be.at.most(solver.value + 1e-12 * scale)
            // Near the plan, too.
            if (smoothing === 0) continue
            const near = t.map((value, i) => 0.99 * value + 0.01 * other[i])
            expect(dot(s, near) - regularizer(near, terms)).to.be.at.most(solver.value + 1e-12 * scale)
          }
        }
      }
    })

    it(`${name}, with a potential instead of a mass: the same`, () => {
      const next = random(19)
      const normal = randomNormal(20)
      for (let round = 0; round < 200; round++) {
        const n = 1 + Math.floor(12 * next())
        const maxNonzeros = 1 + Math.floor(n * next())
        const gamma = 10 ** (2 * next() - 1)
        const potential = normal()
        const s = fill(n, () => (round % 2 === 0 ? normal() : Math.round(2 * normal()) / 2))
        const raised = s.map((value) => value + potential)
        for (const smoothing of smoothings) {
          const terms = { maxNonzeros, gamma, rho: smoothing * gamma, entropy, dual: true }
          const { t, solver } = solve(s, terms, Number.NaN, potential)
          expect(solver.mass).to.be.closeTo(total(t), 1e-12 * (1 + total(t)))
          expect(solver.potential).to.equal(potential)
          const scale = 1 + total(t) * (1 + Math.max(...raised.map(Math.abs)))
          expect(dot(raised, t) - regularizer(t, terms)).to.be.closeTo(solver.value, 1e-11 * scale)
          for (let k = 0; k < 20; k++) {
            const other = anyPlan(n, 2 * next() * (total(t) + 0.1), terms, next)
            expect(dot(raised, other) - regularizer(other, terms)).to.be.at.most(solver.value + 1e-11 * scale)
          }
        }
      }
    })

    it(`${name}: what is at or below the cut may be left out`, () => {
      const next = random(23)
      const normal = randomNormal(24)
      for (let round = 0; round < 200; round++) {
        const n = 2 + Math.floor(12 * next())
        const maxNonzeros = 1 + Math.floor((n - 1) * next())
        const s = fill(n, normal)
        for (const smoothing of smoothings) {
          const gamma = 0.1 + next()
          const terms = { maxNonzeros, gamma, rho: smoothing * gamma, entropy, dual: false }
          const whole = solve(s, terms, 0.5)
          const above = s.filter((value) => value > whole.solver.cut || whole.t[s.indexOf(value)] > 0)
          const part = solve(above, terms, 0.5)
          expect(part.solver.value).to.be.closeTo(whole.solver.value, 1e-13)
          expect(part.solver.cut).to.be.closeTo(whole.solver.cut, 1e-12)
          const extra = Float64Array.from([...above, whole.solver.cut - 1e-9, whole.solver.cut - 1])
          expect(solve(extra, terms, 0.5).solver.value).to.be.closeTo(whole.solver.value, 1e-13)
        }
      }
    })
  }

  it('of equal entries the first are taken', () => {
    const s = Float64Array.of(0, 1, 1, 1, 0)
    const { t } = solve(s, { maxNonzeros: 2, gamma: 1, rho: 0, entropy: false, dual: false }, 1)
    expect([...t]).to.deep.equal([0, 0.5, 0.5, 0, 0])
  })

  it('the relaxation shares what the first would take', () => {
    const s = Float64Array.of(0, 1, 1, 1, 0)
    const { t, solver } = solve(s, { maxNonzeros: 2, gamma: 1, rho: 0.01, entropy: false, dual: false }, 1)
    expect(solver.count).to.equal(3)
    for (const i of [1, 2, 3]) expect(t[i]).to.be.closeTo(1 / 3, 1e-14)
  })

  it('is the same from a start of another mass, on normalised numbers of any size', () => {
    const s = normalized(fill(9, random(5)))
    const terms = { maxNonzeros: 3, gamma: 2, rho: 0.2, entropy: false, dual: false }
    const one = solve(s, terms, 0.7)
    const moved = solve(
      s.map((value) => value + 1000),
      terms,
      0.7,
    )
    one.t.forEach((value, i) => {
      expect(moved.t[i]).to.be.closeTo(value, 1e-12)
    })
  })
})
