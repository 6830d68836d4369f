import { expect } from 'chai'
import fc from 'fast-check'
import { checkNames, flag, nearestName, nonNegative, oneOf, positive, whole } from '../../lib/core/options.js'
import { expectError } from '../helpers/errors.js'
import { check } from '../helpers/property.js'

const numbersOnly: unknown[] = ['1', '', null, true, [], [1], {}, 1n, () => 1, Symbol.iterator, Number.NaN]

describe('core: options', () => {
  it('positive: finite numbers > 0', () => {
    for (const value of [1, 1e-300, Number.MIN_VALUE, Number.MAX_VALUE]) expect(positive('x', value)).to.equal(value)
    expect(positive('x', undefined, 3)).to.equal(3)
    for (const value of [0, -0, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expectError(() => positive('x', value), 'ERR_NOT_POSITIVE', `x: expected a finite number > 0, got ${value}`)
    }
    for (const value of [undefined, ...numbersOnly]) {
      expectError(() => positive('x', value), 'ERR_OPTION', /^x: expected a finite number > 0, got /)
    }
  })

  it('nonNegative: finite numbers >= 0', () => {
    for (const value of [0, 1, Number.MAX_VALUE]) expect(nonNegative('x', value, 7)).to.equal(value)
    expect(nonNegative('x', undefined, 7)).to.equal(7)
    for (const value of [-1e-300, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, ...numbersOnly]) {
      expectError(() => nonNegative('x', value, 7), 'ERR_OPTION', /^x: expected a finite number >= 0, got /)
    }
  })

  it('whole: whole numbers between two limits', () => {
    for (const value of [2, 3, 5]) expect(whole('x', value, 4, 2, 5)).to.equal(value)
    expect(whole('x', undefined, 4, 2, 5)).to.equal(4)
    expect(whole('x', 2 ** 31 - 1, 4, 2)).to.equal(2 ** 31 - 1)
    for (const value of [1, 6, 2.5, -3, Number.POSITIVE_INFINITY, ...numbersOnly]) {
      expectError(() => whole('x', value, 4, 2, 5), 'ERR_OPTION', /^x: expected a whole number from 2 to 5, got /)
    }
    expectError(() => whole('x', 2 ** 31, 4, 2), 'ERR_OPTION', /^x: expected a whole number from 2 to 2147483647, got/)
  })

  it('oneOf: one of a few words, and the nearest of them for a typo', () => {
    const words = ['float64', 'float32'] as const
    expect(oneOf('x', 'float32', words, 'float64')).to.equal('float32')
    expect(oneOf('x', undefined, words, 'float64')).to.equal('float64')
    expectError(
      () => oneOf('x', 'flaot32', words, 'float64'),
      'ERR_OPTION',
      "x: expected one of 'float64', 'float32', got 'flaot32'; did you mean 'float32'?",
    )
    expectError(
      () => oneOf('x', 'bananas', words, 'float64'),
      'ERR_OPTION',
      "x: expected one of 'float64', 'float32', got 'bananas'",
    )
    for (const value of numbersOnly) {
      expectError(
        () => oneOf('x', value, words, 'float64'),
        'ERR_OPTION',
        /^x: expected one of 'float64', 'float32', got /,
      )
    }
  })

  it('flag: true or false, nothing like them', () => {
    expect([flag('x', true, false), flag('x', false, true)]).to.deep.equal([true, false])
    expect([flag('x', undefined, false), flag('x', undefined, true)]).to.deep.equal([false, true])
    for (const value of [0, 1, 'true', '', null, [], {}]) {
      expectError(() => flag('x', value, true), 'ERR_OPTION', /^x: expected true or false, got /)
    }
  })

  it('describes any value without failing on it', () => {
    for (const value of [Object.create(null), Symbol('s'), new Proxy({}, {}), 10n, new Date(0), /x/, [[]]]) {
      expectError(() => positive('x', value), 'ERR_OPTION', /^x: expected a finite number > 0, got /)
    }
  })

  it('checkNames: known names pass, typos name what was meant', () => {
    const known = new Set(['epsilon', 'tolerance', 'maxIterations', 'threads'])
    checkNames('options', { epsilon: 1, threads: undefined }, known)
    checkNames('options', {}, known)
    for (const [typo, meant] of [
      ['epsilom', 'epsilon'],
      ['Epsilon', 'epsilon'],
      ['tolerence', 'tolerance'],
      ['maxiterations', 'maxIterations'],
      ['maxIteration', 'maxIterations'],
      ['thread', 'threads'],
    ]) {
      expectError(
        () => checkNames('options', { [typo]: 1 }, known),
        'ERR_OPTION',
        `options: unknown name '${typo}'; did you mean '${meant}'?`,
      )
    }
    expectError(
      () => checkNames('options', { somethingElse: 1 }, known),
      'ERR_OPTION',
      "options: unknown name 'somethingElse'; known are epsilon, tolerance, maxIterations, threads",
    )
  })

  it('checkNames: inherited options count', () => {
    const defaults = { epsilon: 1 }
    checkNames('options', Object.create(defaults), new Set(['epsilon']))
    expectError(() => checkNames('options', Object.create({ epslon: 1 }), new Set(['epsilon'])), 'ERR_OPTION', /epslon/)
  })

  it('nearestName: undoes one wrong, missing, added or exchanged letter', () => {
    const known = ['epsilon', 'tolerance', 'maxIterations', 'timeLimit', 'precision', 'warmStart', 'certificate']
    check(
      fc.property(
        fc.constantFrom(...known),
        fc.nat(),
        fc.constantFrom('wrong', 'missing', 'added', 'exchanged'),
        (name, at, kind) => {
          const k = at % (name.length - 1)
          const typos = {
            wrong: `${name.slice(0, k)}q${name.slice(k + 1)}`,
            missing: name.slice(0, k) + name.slice(k + 1),
            added: `${name.slice(0, k)}q${name.slice(k)}`,
            exchanged: name.slice(0, k) + name[k + 1] + name[k] + name.slice(k + 2),
          }
          expect(nearestName(typos[kind], known)).to.equal(name)
        },
      ),
      { runs: 200 },
    )
    expect(nearestName('xyz', known)).to.equal(undefined)
    expect(nearestName('', known)).to.equal(undefined)
  })
})
