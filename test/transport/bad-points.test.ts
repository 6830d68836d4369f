import { expect } from 'chai'
import { pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { resizable, transferred } from '../helpers/buffers.js'
import { expectError } from '../helpers/errors.js'
import { methodsOn } from '../helpers/methods.js'

// biome-ignore lint/suspicious/noExplicitAny: this file is about values that the types forbid.
type Wrong = any

const x = [
  [0, 1],
  [2, 3],
  [4, 5],
]
const y = [
  [1, 1],
  [2, 2],
]
const { NaN: nan, POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: minus } = Number

describe('transport: bad points', () => {
  it('what is no points', () => {
    for (const value of [undefined, null, 7, 'abc', true, {}, () => 1, new Map()] as Wrong[]) {
      expectError(() => pointCloud(value, y), 'ERR_SHAPE', /^x: expected .+, got /)
      expectError(() => pointCloud(x, value), 'ERR_SHAPE', /^y: expected .+, got /)
    }
    expectError(() => pointCloud([1, 2] as Wrong, y), 'ERR_SHAPE', /^x\[0\]: expected a row of .*numbers, got number$/)
    expectError(() => pointCloud([[0, 1], [2]], y), 'ERR_SHAPE', 'x[1]: expected a row of 2 numbers, got 1 numbers')
    expectError(() => pointCloud(x, [[1, '2']] as Wrong), 'ERR_SHAPE', 'y[0][1]: expected a number, got string')
  })

  it('shapes that do not match, or are empty', () => {
    for (const [p, q, shapes] of [
      [x, [[1], [2]], '3×2 and 2×1'],
      [[], y, '0×0 and 2×2'],
      [x, [], '3×2 and 0×0'],
      [[[], []], [[]], '2×0 and 1×0'],
      [{ data: [], shape: [0, 2] }, y, '0×2 and 2×2'],
    ] as const) {
      expectError(
        () => pointCloud(p as Wrong, q as Wrong),
        'ERR_SHAPE',
        `x, y: expected non-empty n×d and m×d points, got ${shapes}`,
      )
    }
  })

  it('coordinates that are not finite, at every place', () => {
    for (const value of [nan, infinity, minus]) {
      for (let i = 0; i < 3; i++) {
        for (let k = 0; k < 2; k++) {
          const wrong = x.map((row) => [...row])
          wrong[i][k] = value
          const message = `[${i}][${k}]: expected a finite coordinate, got ${value}`
          expectError(() => pointCloud(wrong, y), 'ERR_NOT_FINITE', `x${message}`)
          expectError(() => pointCloud(y, wrong), 'ERR_NOT_FINITE', `y${message}`)
        }
      }
    }
  })

  it('points without direction have no cosine', () => {
    const zero = [
      [1, 2],
      [0, 0],
    ]
    expectError(() => pointCloud(zero, y, { cost: 'cosine' }), 'ERR_NOT_POSITIVE', /^x\[1\]: expected .+, got /)
    expectError(() => pointCloud(x, zero, { cost: 'cosine' }), 'ERR_NOT_POSITIVE', /^y\[1\]: expected .+, got /)
    expect(pointCloud(zero, y).metric).to.equal('sqeuclidean')
  })

  it('options', () => {
    for (const options of [null, 7, 'cosine', true] as Wrong[]) {
      expectError(() => pointCloud(x, y, options), 'ERR_OPTION', /^pointCloud options: expected .+, got /)
    }
    expectError(
      () => pointCloud(x, y, { costs: 'cosine' } as Wrong),
      'ERR_OPTION',
      "pointCloud options: unknown name 'costs'; did you mean 'cost'?",
    )
    expectError(
      () => pointCloud(x, y, { cost: 'euclidian' } as Wrong),
      'ERR_OPTION',
      "cost: expected one of 'sqeuclidean', 'euclidean', 'cosine', 'cityblock', got 'euclidian'; did you mean 'euclidean'?",
    )
    for (const cost of ['dense', 'l2', 1, null] as Wrong[]) {
      expectError(() => pointCloud(x, y, { cost }), 'ERR_OPTION', /^cost: expected one of 'sqeuclidean'/)
    }
    expect(pointCloud(x, y, { cost: undefined }).metric).to.equal('sqeuclidean')
  })

  it('memory that may go away', () => {
    const gone = { data: transferred(new Float64Array(6)), shape: [3, 2] }
    expectError(() => pointCloud(gone, y), 'ERR_BUFFER', /^x: .+transferred away$/)
    const loose = { data: resizable(6), shape: [3, 2] }
    expectError(() => pointCloud(x, loose), 'ERR_BUFFER', /^y: expected memory of fixed length/)
  })

  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      it(`${method.name}: weights that do not match the points, distances that overflow`, () => {
        const options = { epsilon: 1 }
        expectError(
          () => method.runSync({ cost: pointCloud(x, y), a: [1, 0] }, options),
          'ERR_SHAPE',
          'a: expected 3 weights to match the 3×2 cost, got 2',
        )
        const far = pointCloud([[-1e200]], [[1e200]])
        expectError(
          () => method.runSync({ cost: far }, options),
          'ERR_NOT_FINITE',
          /^cost: the distances between the points overflow; /,
        )
        const apart = pointCloud([[-1e308]], [[1e308]], { cost: 'cityblock' })
        expectError(
          () => method.runSync({ cost: apart }, options),
          'ERR_NOT_FINITE',
          /^cost: the distances between the points overflow; /,
        )
        // Not so far: squares near 1e32.
        const { status, value } = method.runSync({ cost: pointCloud([[0]], [[1e16]]) }, { epsilon: 1e30 })
        expect(status).to.equal('converged')
        expect(value).to.be.closeTo(1e32, 1e19)
      })

      it(`${method.name}: points whose memory was transferred away after pointCloud`, () => {
        const data = Float64Array.of(0, 1, 2, 3, 4, 5)
        const cost = pointCloud({ data, shape: [3, 2] }, y)
        transferred(data)
        expectError(() => method.runSync({ cost }, { epsilon: 1 }), 'ERR_BUFFER', /transferred away/)
      })

      it(`${method.name}: points that lost their finiteness after pointCloud`, () => {
        const data = Float64Array.of(0, 1, 2, 3, 4, 5)
        const cost = pointCloud({ data, shape: [3, 2] }, y)
        data[3] = Number.NaN
        expectError(
          () => method.runSync({ cost }, { epsilon: 1 }),
          'ERR_NOT_FINITE',
          'cost.x[1][1]: expected a finite coordinate, got NaN',
        )
      })
    }
  })
})
