import { expect } from 'chai'
import fc from 'fast-check'
import {
  categorical,
  conditional,
  fixed,
  integer,
  ordinal,
  type ParameterMap,
  real,
  searchSpace,
  spaceFromJSON,
} from '../../lib/bayes/index.js'
import { generator } from '../../lib/random/index.js'
import { expectError } from '../helpers/errors.js'
import { check } from '../helpers/property.js'

const tree = {
  lr: real(1e-4, 1, { log: true }),
  x: real(-2, 3),
  n: integer(1, 9, { step: 2 }),
  m: integer(1, 1000, { log: true }),
  act: categorical(['relu', 'gelu', 'tanh']),
  batch: ordinal([16, 32, 64, 128]),
  tag: fixed('v1'),
  optimizer: conditional({
    sgd: { momentum: real(0, 1), nesterov: categorical([true, false]) },
    adam: { mode: conditional({ plain: {}, amsgrad: { k: integer(0, 4) } }) },
    none: {},
  }),
}

describe('search space', () => {
  const space = searchSpace(tree)
  const d = space.dimensions.length
  const cube = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: d, maxLength: d })

  it('has a dimension for each parameter that is searched and each choice of a branch', () => {
    expect(space.dimensions.map(({ name }) => name)).to.deep.equal([
      ...['lr', 'x', 'n', 'm', 'act', 'batch', 'optimizer', 'optimizer.sgd.momentum', 'optimizer.sgd.nesterov'],
      ...['optimizer.adam.mode', 'optimizer.adam.mode.amsgrad.k'],
    ])
  })

  it('decodes a point by hand', () => {
    expect(space.decode([0.5, 0.2, 0.999, 0, 0.34, 0.75, 0.5, 0.9, 0.9, 0.6, 0.21])).to.deep.equal({
      lr: Math.exp(Math.log(1e-4) / 2),
      x: -1,
      n: 9,
      m: 1,
      act: 'gelu',
      batch: 128,
      tag: 'v1',
      optimizer: { choice: 'adam', mode: { choice: 'amsgrad', k: 1 } },
    })
    expect(space.decode([0, 1, 0, 1, 1, 0, 0.1, 0.25, 0.4, 0, 0]).optimizer).to.deep.equal({
      choice: 'sgd',
      momentum: 0.25,
      nesterov: true,
    })
  })

  it('comes back from the cube to the same point', () => {
    check(
      fc.property(cube, (u) => {
        const params = space.decode(u)
        const again = space.decode(space.encode(params))
        // Reals come back up to rounding, the rest exactly.
        expect(again.x).to.be.closeTo(params.x, 1e-14)
        expect(again.lr / params.lr).to.be.closeTo(1, 1e-13)
        expect({ ...again, x: 0, lr: 0, optimizer: rounded(again.optimizer) }).to.deep.equal({
          ...{ ...params, x: 0, lr: 0, optimizer: rounded(params.optimizer) },
        })
        expect(params.n % 2).to.equal(1)
        expect(params.m).to.be.within(1, 1000)
        expect(space.fromCoordinates(space.toCoordinates(params))).to.deep.equal(params)
        expect(Array.from(space.encode(params)).every((x) => x >= 0 && x <= 1)).to.equal(true)
      }),
      { runs: 200 },
    )
  })

  it('gives whole numbers searched in the logarithm their share of it', () => {
    const { decode } = { decode: (u: number) => searchSpace({ m: integer(1, 4, { log: true }) }).decode([u]).m }
    // Edges at log(k + 1/2) between log 0.5 and log 4.5.
    const edge = (k: number) => Math.log((k + 0.5) / 0.5) / Math.log(9)
    for (const k of [1, 2, 3]) {
      expect(decode(edge(k) - 1e-9)).to.equal(k)
      expect(decode(edge(k) + 1e-9)).to.equal(k + 1)
    }
  })

  it('shows models one column per category and where it exists', () => {
    const params = space.decode([0, 0, 0, 0, 0.5, 0.3, 0.5, 0, 0, 0.1, 0])
    const named = Object.fromEntries(
      space.columns.map(({ name }, k) => [name, [space.features(params)[k], space.active(params)[k]]]),
    )
    expect(named).to.deep.include({
      x: [0, 1],
      'act=relu': [0, 1],
      'act=gelu': [1, 1],
      batch: [0.375, 1],
      'optimizer=adam': [1, 1],
      'optimizer=sgd': [0, 1],
      'optimizer.sgd.momentum': [0.5, 0],
      'optimizer.sgd.nesterov=true': [0, 0],
      'optimizer.adam.mode=plain': [1, 1],
    })
  })

  it('counts its points, and reaches each of them once', async () => {
    const { lr: _, x: __, m: ___, optimizer, ...rest } = tree
    const discrete = searchSpace({ ...rest, opt: optimizer, deep: conditional({ a: { q: integer(1, 2) }, b: {} }) })
    expect(discrete.cardinality).to.equal(Number.POSITIVE_INFINITY)
    const finite = searchSpace({
      ...rest,
      opt: conditional({
        one: { k: integer(0, 4), m: categorical(['p', 'q']) },
        two: {},
        three: { z: ordinal([1, 2, 3]) },
      }),
    })
    // n 5, act 3, batch 4; branches 10 + 1 + 3.
    expect(finite.cardinality).to.equal(5 * 3 * 4 * 14)
    const seen = new Set<string>()
    const points = new Set<string>()
    for (;;) {
      const params = await finite.remaining(generator(seen.size), (key) => seen.has(key))
      if (params === undefined) break
      seen.add(finite.key(params))
      points.add(JSON.stringify(params))
    }
    expect([seen.size, points.size]).to.deep.equal([840, 840])
  })

  it('comes back from JSON', () => {
    const linear = [{ weights: { x: 1, n: 2 }, atMost: 9 }]
    const constrained = searchSpace(tree, { linear })
    const again = spaceFromJSON(JSON.parse(JSON.stringify(constrained)))
    expect(JSON.stringify(again)).to.equal(JSON.stringify(constrained))
    expect(spaceFromJSON(tree).dimensions).to.deep.equal(space.dimensions)
    // A parameter of that name is none of the two forms.
    expect(spaceFromJSON({ parameters: real(0, 1) }).dimensions[0].name).to.equal('parameters')
  })

  it('refuses what is no point', () => {
    const good = space.decode(new Float64Array(d))
    const wrong = (change: object) => () => space.key({ ...good, ...change } as typeof good)
    expectError(wrong({ x: 3.1 }), 'ERR_OPTION', 'params.x: expected a number from -2 to 3, got 3.1')
    expectError(wrong({ x: Number.NaN }), 'ERR_OPTION', /params.x/)
    expectError(wrong({ n: 2 }), 'ERR_OPTION', 'params.n: expected 1 + a multiple of 2 from 1 to 9, got 2')
    expectError(wrong({ act: 'rely' }), 'ERR_OPTION', /did you mean 'relu'/)
    expectError(wrong({ tag: 'v2' }), 'ERR_OPTION', "params.tag: expected 'v1', got 'v2'")
    expectError(wrong({ optimizer: { choice: 'none', momentum: 1 } }), 'ERR_OPTION', /params.optimizer: unknown name/)
    expectError(wrong({ optimizer: { choice: 'sdg' } }), 'ERR_OPTION', /params.optimizer.choice: expected/)
    expectError(wrong({ Batch: 16 }), 'ERR_OPTION', /did you mean 'batch'/)
    expectError(() => space.key(3 as never), 'ERR_OPTION', /^params: expected/)
  })

  it('refuses parameters without values', () => {
    const wrong = (parameters: unknown) => () => searchSpace(parameters as ParameterMap)
    expectError(wrong({ x: real(1, 1) }), 'ERR_OPTION', 'space.x: expected low < high, got 1 and 1')
    expectError(wrong({ x: real(0, 1, { log: true }) }), 'ERR_OPTION', /space.x.low: expected a number > 0/)
    expectError(wrong({ x: real(0, Number.POSITIVE_INFINITY) }), 'ERR_OPTION', /space.x.high: expected a finite/)
    expectError(wrong({ x: real(-1.5e308, 1.5e308) }), 'ERR_OPTION', /difference is finite/)
    expectError(wrong({ x: integer(0.5, 3) }), 'ERR_OPTION', /space.x.low: expected a whole/)
    expectError(wrong({ x: integer(0, 5, { step: 2 }) }), 'ERR_OPTION', /space.x.step: expected a divisor/)
    expectError(wrong({ x: integer(1, 5, { step: 2, log: true }) }), 'ERR_OPTION', /space.x.step: expected none/)
    expectError(wrong({ x: categorical([]) }), 'ERR_OPTION', /space.x.values: expected at least one/)
    expectError(wrong({ x: ordinal([1, 2, 1]) }), 'ERR_OPTION', /space.x.values\[2\]: expected different/)
    expectError(wrong({ x: categorical([{} as never]) }), 'ERR_OPTION', /space.x.values\[0\]: expected text/)
    expectError(wrong({ x: conditional({}) }), 'ERR_OPTION', /space.x.branches/)
    expectError(wrong({ x: conditional({ a: { choice: real(0, 1) } }) }), 'ERR_OPTION', /another name than 'choice'/)
    expectError(wrong({ x: conditional({ a: { y: real(2, 1) } }) }), 'ERR_OPTION', /^space.x.a.y: expected low < high/)
    expectError(wrong({ 'a.b': real(0, 1) }), 'ERR_OPTION', /^space: expected names/)
    expectError(wrong({ x: { ...real(0, 1), hi: 3 } }), 'ERR_OPTION', /did you mean 'high'/)
    expectError(wrong({ x: { type: 'float' } }), 'ERR_OPTION', /space.x: expected a parameter/)
    expectError(wrong([]), 'ERR_OPTION', /^space: expected parameters by name/)
  })
})

const rounded = (value: object) => ({ ...value, momentum: undefined })
