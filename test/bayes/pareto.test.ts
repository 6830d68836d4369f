import { expect } from 'chai'
import fc from 'fast-check'
import { createStudy, nonDominatedSort, real } from '../../lib/bayes/index.js'
import { expectError } from '../helpers/errors.js'
import { check } from '../helpers/property.js'

/** By the definition: take away, front by front, what no other dominates. */
function fronts(values: number[][]): number[] {
  const ranks = values.map(() => -1)
  const dominates = (a: number[], b: number[]) => a.every((x, j) => x <= b[j]) && a.some((x, j) => x < b[j])
  for (let front = 0; ranks.includes(-1); front++) {
    const left = ranks.flatMap((rank, i) => (rank < 0 ? [i] : []))
    for (const i of left) if (!left.some((k) => dominates(values[k], values[i]))) ranks[i] = front
  }
  return ranks
}

describe('non-dominated sort', () => {
  it('is that of the definition, ties included', () => {
    for (const m of [1, 2, 3, 5]) {
      // Few different numbers, so that points and coordinates coincide.
      const point = fc.array(fc.integer({ min: -2, max: 2 }), { minLength: m, maxLength: m })
      check(
        fc.property(fc.array(point, { minLength: 1, maxLength: 40 }), (values) => {
          expect(Array.from(nonDominatedSort(values))).to.deep.equal(fronts(values))
        }),
        { runs: 60 },
      )
    }
  })

  it('does not mind the order of points, and turns around what is maximized', () => {
    const point = fc.array(fc.double({ noNaN: true, min: -1, max: 1 }), { minLength: 3, maxLength: 3 })
    check(
      fc.property(fc.array(point, { minLength: 2, maxLength: 30 }), (values) => {
        const ranks = Array.from(nonDominatedSort(values))
        expect(Array.from(nonDominatedSort([...values].reverse())).reverse()).to.deep.equal(ranks)
        const turned = values.map(([x, y, z]) => [x, -y, z])
        expect(Array.from(nonDominatedSort(turned, ['minimize', 'maximize', 'minimize']))).to.deep.equal(ranks)
      }),
    )
  })

  it('refuses what cannot be compared', () => {
    expectError(() => nonDominatedSort([[1, 2], [1]]), 'ERR_SHAPE', 'values[1]: expected 2 numbers, got 1')
    expectError(() => nonDominatedSort([[1, Number.NaN]]), 'ERR_NOT_FINITE', /^values\[0\]\[1\]/)
    expectError(() => nonDominatedSort([[1, 2]], ['minimize']), 'ERR_SHAPE', /^values\[0\]: expected 1 numbers/)
  })
})

describe('the front of a study', () => {
  it('has what nothing beats among what keeps the constraints', async () => {
    const study = await createStudy({ space: { x: real(0, 1) }, directions: ['minimize', 'maximize'], constraints: 1 })
    const results: [number, number, number][] = [
      [1, 1, 0],
      [2, 2, -1],
      [3, 2, 0],
      [0, 3, 0.5],
      [1, 1, -2],
      [4, 9, 0],
    ]
    for (const [a, b, c] of results) await study.add({ x: a / 10 }, { values: [a, b], constraints: [c] })
    await study.add({ x: 0.5 }, { failed: true })
    expect(study.paretoFront.map(({ number }) => number)).to.deep.equal([0, 1, 4, 5])
    expectError(() => study.best, 'ERR_OPTION', /^best: expected one objective, got 2; see paretoFront/)
  })

  it('is the least infeasible where nothing keeps the constraints', async () => {
    const study = await createStudy({ space: { x: real(0, 1) }, directions: ['minimize', 'minimize'], constraints: 2 })
    expect(study.paretoFront).to.deep.equal([])
    for (const c of [
      [3, 1],
      [2, -5],
      [1, 1],
      [9, 0],
    ])
      await study.add({ x: 0.1 }, { values: [c[0], 1], constraints: c })
    // Violations 4, 2, 2, 9; of the two with 2 the values (1, 1) beat (2, 1).
    expect(study.paretoFront.map(({ number }) => number)).to.deep.equal([2])
  })
})
