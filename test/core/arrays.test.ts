import { expect } from 'chai'
import fc from 'fast-check'
import { checkBuffer, shapeText, toDenseMatrix, toFloat64, toVector } from '../../lib/core/arrays.js'
import { growable, resizable, transferred } from '../helpers/buffers.js'
import { expectError } from '../helpers/errors.js'
import { check } from '../helpers/property.js'

describe('core: vectors', () => {
  it('typed arrays are used in place', () => {
    const double = Float64Array.of(1, 2)
    const single = Float32Array.of(1, 2)
    expect(toVector('v', double)).to.equal(double)
    expect(toVector('v', single)).to.equal(single)
    expect(toFloat64('v', double)).to.equal(double)
    expect(toFloat64('v', single)).to.deep.equal(double)
    const shared = new Float64Array(new SharedArrayBuffer(16))
    expect(toVector('v', shared)).to.equal(shared)
  })

  it('everything array-like is copied once', () => {
    for (const value of [[1, 2], Int32Array.of(1, 2), Uint8Array.of(1, 2), { length: 2, 0: 1, 1: 2 }]) {
      expect(toVector('v', value)).to.deep.equal(Float64Array.of(1, 2))
    }
    expect(toVector('v', [])).to.deep.equal(new Float64Array(0))
    expect(toVector('v', new Float64Array(0))).to.have.length(0)
  })

  it('what is none is refused', () => {
    for (const value of [
      undefined,
      null,
      1,
      'ab',
      true,
      {},
      () => [1],
      1n,
      Symbol.iterator,
      new Map(),
      new ArrayBuffer(8),
    ]) {
      expectError(() => toVector('v', value as never), 'ERR_SHAPE', /^v: expected a vector of numbers, got /)
    }
    for (const [value, at] of [
      [[1, '2'], 1],
      [[undefined], 0],
      [[1, null], 1],
      [[[1]], 0],
      [BigInt64Array.of(1n), 0],
      [new Array(3), 0],
    ] as const) {
      expectError(
        () => toVector('v', value as never),
        'ERR_SHAPE',
        new RegExp(`^v\\[${at}\\]: expected a number, got `),
      )
    }
    for (const length of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expectError(() => toVector('v', { length } as never), 'ERR_SHAPE', /^v: expected a vector of numbers, got /)
    }
  })

  it('memory that may go away is refused', () => {
    expectError(
      () => toVector('v', resizable(4)),
      'ERR_BUFFER',
      'v: expected memory of fixed length, got a resizable buffer',
    )
    expectError(
      () => toVector('v', growable(4)),
      'ERR_BUFFER',
      'v: expected memory of fixed length, got a resizable buffer',
    )
    expectError(
      () => toVector('v', transferred(Float64Array.of(1))),
      'ERR_BUFFER',
      'v: expected an array, got one whose buffer was transferred away',
    )
    expectError(() => toVector('v', transferred(Float32Array.of(1))), 'ERR_BUFFER', /transferred/)
    checkBuffer('v', new Float64Array(0))
    checkBuffer('v', Int32Array.of(1))
  })
})

describe('core: matrices', () => {
  it('contiguous data is used in place', () => {
    const data = Float64Array.of(0, 1, 2, 3, 4, 5, 6)
    const whole = toDenseMatrix('c', { data: data.subarray(0, 6), shape: [2, 3] })
    expect([whole.rows, whole.columns]).to.deep.equal([2, 3])
    expect(whole.data.buffer).to.equal(data.buffer)
    const part = toDenseMatrix('c', { data, shape: [2, 3], offset: 1 })
    expect(part.data).to.deep.equal(Float64Array.of(1, 2, 3, 4, 5, 6))
    expect(part.data.buffer).to.equal(data.buffer)
    // Strides of sides of length one mean nothing.
    expect(toDenseMatrix('c', { data, shape: [1, 3], stride: [99, 1] }).data.buffer).to.equal(data.buffer)
    expect(toDenseMatrix('c', { data, shape: [3, 1], stride: [1, 99] }).data.buffer).to.equal(data.buffer)
  })

  it('any other view is read entry by entry', () => {
    const size = fc.integer({ min: 1, max: 6 })
    const step = fc.integer({ min: -9, max: 9 })
    check(
      fc.property(
        size,
        size,
        step,
        step,
        fc.nat({ max: 5 }),
        fc.boolean(),
        (rows, columns, down, across, spare, single) => {
          const ends = [0, (rows - 1) * down, (columns - 1) * across, (rows - 1) * down + (columns - 1) * across]
          const offset = spare - Math.min(...ends)
          const numbers = Array.from({ length: offset + Math.max(...ends) + 1 }, (_, k) => k)
          const data = single ? Float32Array.from(numbers) : Float64Array.from(numbers)
          const matrix = toDenseMatrix('c', { data, shape: [rows, columns], stride: [down, across], offset })
          expect(matrix.data.constructor).to.equal(data.constructor)
          expect([matrix.rows, matrix.columns]).to.deep.equal([rows, columns])
          for (let i = 0; i < rows; i++) {
            for (let j = 0; j < columns; j++) {
              expect(matrix.data[i * columns + j]).to.equal(offset + i * down + j * across)
            }
          }
        },
      ),
      { runs: 200 },
    )
  })

  it('rows of numbers', () => {
    expect(
      toDenseMatrix('c', [
        [1, 2],
        [3, 4],
      ]),
    ).to.deep.equal({ data: Float64Array.of(1, 2, 3, 4), rows: 2, columns: 2 })
    expect(toDenseMatrix('c', [Float32Array.of(1, 2)]).data).to.deep.equal(Float64Array.of(1, 2))
    expect(toDenseMatrix('c', [])).to.deep.equal({ data: new Float64Array(0), rows: 0, columns: 0 })
    expect(toDenseMatrix('c', [[], []])).to.deep.equal({ data: new Float64Array(0), rows: 2, columns: 0 })
    expectError(
      () => toDenseMatrix('c', [[1, 2], [3]]),
      'ERR_SHAPE',
      'c[1]: expected a row of 2 numbers, got 1 numbers',
    )
    expectError(
      () => toDenseMatrix('c', [[1], [2, 3]]),
      'ERR_SHAPE',
      'c[1]: expected a row of 1 numbers, got 2 numbers',
    )
    expectError(
      () => toDenseMatrix('c', [[1, 2], 3] as never),
      'ERR_SHAPE',
      'c[1]: expected a row of 2 numbers, got number',
    )
    expectError(
      () => toDenseMatrix('c', [[1, 2], null] as never),
      'ERR_SHAPE',
      'c[1]: expected a row of 2 numbers, got null',
    )
    expectError(() => toDenseMatrix('c', [[1, '2']] as never), 'ERR_SHAPE', 'c[0][1]: expected a number, got string')
    expectError(
      () => toDenseMatrix('c', [[1, undefined]] as never),
      'ERR_SHAPE',
      'c[0][1]: expected a number, got undefined',
    )
    for (const flat of [[1, 2], Float64Array.of(1, 2)]) {
      expectError(
        () => toDenseMatrix('c', flat as never),
        'ERR_SHAPE',
        /^c\[0\]: expected a row of .*numbers, got number$/,
      )
    }
  })

  it('what is none is refused', () => {
    for (const value of [
      undefined,
      null,
      1,
      'ab',
      true,
      {},
      () => 1,
      1n,
      new Map(),
      { data: [1] },
      { shape: [1, 1] },
    ]) {
      expectError(() => toDenseMatrix('c', value as never), 'ERR_SHAPE', /^c: expected .+, got /)
    }
  })

  it('shapes and data that do not fit are refused', () => {
    const data = new Float64Array(6)
    for (const shape of [
      [6],
      [2, 3, 1],
      [2.5, 2],
      [-1, 3],
      [Number.NaN, 1],
      ['2', 3],
      [],
      6,
      null,
      undefined,
      {},
      '23',
    ]) {
      expectError(
        () => toDenseMatrix('c', { data, shape } as never),
        'ERR_SHAPE',
        /^c: expected a shape of two whole numbers, got /,
      )
    }
    for (const wrong of [
      { shape: [2, 4] },
      { shape: [3, 3] },
      { shape: [2, 3], offset: 1 },
      { shape: [2, 3], offset: -1 },
      { shape: [2, 3], stride: [4, 1] },
      { shape: [2, 3], stride: [-3, 1] },
      { shape: [2, 3], stride: [3, 2] },
      { shape: [2, 3], stride: [3, -1], offset: 1 },
    ]) {
      expectError(
        () => toDenseMatrix('c', { data, ...wrong }),
        'ERR_SHAPE',
        /^c: expected data for shape .+, got 6 numbers$/,
      )
    }
    for (const wrong of [
      { stride: [1.5, 1] },
      { stride: [Number.NaN, 1] },
      { stride: [3] },
      { stride: [3, 1, 1] },
      { stride: 3 },
      { stride: ['3', 1] },
      { stride: null },
      { offset: 0.5 },
      { offset: Number.NaN },
      { offset: '0' },
      { offset: null },
    ]) {
      expectError(
        () => toDenseMatrix('c', { data: new Float64Array(60), shape: [2, 3], ...wrong } as never),
        'ERR_SHAPE',
        /^c: expected (two whole numbers for strides|a whole number for the offset), got /,
      )
    }
    for (const wrong of [null, undefined, 1, 'abcdef', {}, new Map()]) {
      expectError(() => toDenseMatrix('c', { data: wrong, shape: [2, 3] } as never), 'ERR_SHAPE', /^c\.data: expected /)
    }
    expectError(
      () => toDenseMatrix('c', { data: [1, 'x'], shape: [1, 2] } as never),
      'ERR_SHAPE',
      /^c\.data\[1\]: expected a number/,
    )
  })

  it('memory that may go away is refused', () => {
    const shape = [2, 2]
    expectError(
      () => toDenseMatrix('c', { data: resizable(4), shape }),
      'ERR_BUFFER',
      /^c: expected memory of fixed length/,
    )
    expectError(
      () => toDenseMatrix('c', { data: growable(4), shape }),
      'ERR_BUFFER',
      /^c: expected memory of fixed length/,
    )
    const gone = transferred(new Float64Array(4))
    expectError(() => toDenseMatrix('c', { data: gone, shape }), 'ERR_BUFFER', /^c: .* transferred away$/)
  })

  it('shapes are written rows × columns', () => {
    expect(shapeText(3, 40)).to.equal('3×40')
  })
})
