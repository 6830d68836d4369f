import { expect } from 'chai'
import { categorical, integer, type LinearConstraint, real, searchSpace } from '../../lib/bayes/index.js'
import { generator } from '../../lib/random/index.js'
import { expectError } from '../helpers/errors.js'

const names = (d: number) => Array.from({ length: d }, (_, j) => `x${j}`)
const cube = (d: number) => Object.fromEntries(names(d).map((name) => [name, real(0, 1)]))
const ones = (d: number) => Object.fromEntries(names(d).map((name) => [name, 1]))

describe('constraints on points', () => {
  it('samples a simplex that rejection would hit once in 3.6 million times, uniformly', () => {
    const d = 10
    const space = searchSpace(cube(d), { linear: [{ weights: ones(d), atMost: 1 }] })
    const n = 120
    const sums = Array.from({ length: n }, (_, k) => {
      const params = space.sample(generator(1).split(k))
      expect(space.allows(params)).to.equal(true)
      return Object.values(params).reduce((sum: number, x) => sum + (x as number), 0)
    })
    // On the simplex the sum S is Beta(d, 1): E S = d / (d + 1), Var S = d / ((d + 1)² (d + 2)). Within four standard errors.
    const mean = sums.reduce((sum, x) => sum + x, 0) / n
    expect(Math.abs(mean - d / (d + 1))).to.be.below(4 * Math.sqrt(d / ((d + 1) ** 2 * (d + 2)) / n))
  })

  it('samples a triangle as rejection does', () => {
    // x + y <= 0.1 on the square: 0.5 % of it, so that both ways are taken. Means are 1/30 each.
    const space = searchSpace(cube(2), { linear: [{ weights: ones(2), atMost: 0.1 }] })
    const n = 600
    let sum = 0
    for (let k = 0; k < n; k++) sum += space.sample(generator(2).split(k)).x0
    // Var x of that triangle: 0.1² / 18.
    expect(Math.abs(sum / n - 1 / 30)).to.be.below(4 * Math.sqrt(0.01 / 18 / n))
  })

  it('keeps equalities: shares of a mixture', () => {
    const d = 5
    const space = searchSpace(
      { ...cube(d), k: integer(0, 3) },
      {
        linear: [
          { weights: ones(d), equals: 1 },
          { weights: { x0: 1, x1: -1 }, atLeast: 0.2 },
        ],
      },
    )
    let last = 0
    for (let k = 0; k < 100; k++) {
      const params = space.sample(generator(3).split(k)) as Record<string, number>
      const sum = names(d).reduce((total, name) => total + params[name], 0)
      expect(Math.abs(sum - 1)).to.be.below(1e-8)
      expect(params.x0 - params.x1).to.be.at.least(0.2)
      last += params.x4
    }
    expect(last / 100).to.be.within(0.05, 0.3)
  })

  it('holds for whole numbers and logarithms too', () => {
    const space = searchSpace(
      { a: integer(0, 1000), b: integer(1, 1000, { log: true }), c: real(1e-6, 1, { log: true }) },
      { linear: [{ weights: { a: 1, b: 1, c: 100 }, atLeast: 1899, atMost: 1999 }] },
    )
    for (let k = 0; k < 20; k++) {
      const { a, b, c } = space.sample(generator(4).split(k))
      expect(a + b + 100 * c).to.be.within(1899, 1999)
      expect(Number.isInteger(a) && Number.isInteger(b)).to.equal(true)
    }
  })

  it('asks a function, alone and with linear constraints', () => {
    const where = ({ x, y }: { x: number; y: number }) => Math.abs(x - y) < 0.01
    const space = searchSpace(
      { x: real(0, 1), y: real(0, 1) },
      { where, linear: [{ weights: { x: 1 }, atLeast: 0.99 }] },
    )
    for (let k = 0; k < 20; k++) {
      const params = space.sample(generator(5).split(k))
      expect(params.x).to.be.at.least(0.99)
      expect(where(params)).to.equal(true)
    }
    // One point of a thousand: found by going through them.
    const needle = searchSpace({ i: integer(0, 9999) }, { where: ({ i }) => i === 4321 })
    expect(needle.sample(generator(6))).to.deep.equal({ i: 4321 })
  })

  it('says so when nothing is left', () => {
    const empty = (linear: LinearConstraint[]) => () => searchSpace(cube(3), { linear }).sample(generator(7))
    const message = /^space: expected constraints that some point satisfies/
    expectError(empty([{ weights: ones(3), atLeast: 3.1 }]), 'ERR_INFEASIBLE', message)
    expectError(empty([{ weights: ones(3), equals: -1 }]), 'ERR_INFEASIBLE', message)
    const contradiction = [
      { weights: ones(3), equals: 1 },
      { weights: { x0: 2, x1: 2, x2: 2 }, equals: 3 },
    ]
    expectError(empty(contradiction), 'ERR_INFEASIBLE', message)
    const none = searchSpace({ i: integer(0, 99) }, { where: () => false })
    expectError(() => none.sample(generator(8)), 'ERR_INFEASIBLE', message)
  }).timeout(20_000)

  it('refuses constraints that mean nothing', () => {
    const space = { x: real(0, 1), y: real(1, 2, { log: true }), k: integer(0, 3), c: categorical(['a', 'b']) }
    const wrong = (linear: unknown) => () => searchSpace(space, { linear: linear as LinearConstraint[] })
    expectError(wrong({}), 'ERR_OPTION', /^linear: expected a list/)
    expectError(wrong([{}]), 'ERR_OPTION', /^linear\[0\]: expected \{ weights, atMost \}/)
    expectError(wrong([{ weights: { x: 1 } }]), 'ERR_OPTION', /expected atLeast, atMost or both/)
    expectError(wrong([{ weights: { x: 1 }, equals: 1, atMost: 2 }]), 'ERR_OPTION', /expected atLeast, atMost or both/)
    expectError(wrong([{ weights: { x: 1 }, atLeast: 2, atMost: 1 }]), 'ERR_OPTION', /expected atLeast <= atMost/)
    expectError(wrong([{ weights: { c: 1 }, atMost: 1 }]), 'ERR_OPTION', /expected names of a real or integer/)
    expectError(wrong([{ weights: { y: 1 }, equals: 1.5 }]), 'ERR_OPTION', /not logarithmic/)
    expectError(wrong([{ weights: { k: 1 }, equals: 1 }]), 'ERR_OPTION', /expected names of a real parameter/)
    expectError(wrong([{ weights: { x: Number.NaN }, atMost: 1 }]), 'ERR_OPTION', /linear\[0\].x: expected a finite/)
    expectError(wrong([{ weights: { x: 0 }, atMost: 1 }]), 'ERR_OPTION', /expected a weight other than 0/)
    expectError(wrong([{ weights: { x: 1 }, atmost: 1 }]), 'ERR_OPTION', /did you mean 'atMost'/)
    expectError(() => searchSpace(space, { where: 3 as never }), 'ERR_OPTION', /^where: expected a function/)
  })
})
