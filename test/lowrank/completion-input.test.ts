import { RecordBatch, tableFromArrays } from 'apache-arrow'
import { expect } from 'chai'
import { completeMatrix, completeMatrixSync } from '../../lib/lowrank/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectRejection, refusing, rejection } from '../helpers/errors.js'
import { planted } from '../helpers/planted.js'

const refuses = refusing(completeMatrix, completeMatrixSync)

describe('lowrank: what completeMatrix refuses', () => {
  forEachBackend((backend) => {
    const good = { shape: [3, 3], rows: [0, 1, 2, 0], columns: [0, 1, 2, 1], values: [1, 2, 3, 4] }
    const options = { rank: 1, backend }
    const csr = { shape: [2, 3], indptr: [0, 2, 3], indices: [0, 2, 1], data: [1, 2, 3] }

    it('bad entries', async () => {
      const cases: [object, string, string | RegExp][] = [
        [{ ...good, rows: [0, 1, 3, 0] }, 'ERR_SHAPE', 'rows[2]: expected an index from 0 to 2, got 3'],
        [{ ...good, columns: [0, -1, 2, 1] }, 'ERR_SHAPE', 'columns[1]: expected an index from 0 to 2, got -1'],
        [
          { ...good, columns: [0, 1, 2, 0] },
          'ERR_SHAPE',
          'columns: expected every entry once, got row 0, column 0 twice',
        ],
        [{ ...good, rows: [0, 1.5, 2, 0] }, 'ERR_SHAPE', 'rows[1]: expected a whole number, got 1.5'],
        [{ ...good, rows: [0, '1', 2, 0] }, 'ERR_SHAPE', "rows[1]: expected a whole number, got '1'"],
        [{ ...good, values: [1, Number.NaN, 3, 4] }, 'ERR_NOT_FINITE', 'values[1]: expected a finite number, got NaN'],
        [{ ...good, values: [1, 2, Number.POSITIVE_INFINITY, 4] }, 'ERR_NOT_FINITE', /values\[2\].*got Infinity/],
        [{ ...good, values: [1e200, 2, 3, 4] }, 'ERR_NOT_FINITE', /values: expected numbers whose squares/],
        [{ ...good, values: [1, 2, 3] }, 'ERR_SHAPE', 'rows: expected 3 indices to match values, got 4'],
        [{ ...good, weights: [1, 1, 1] }, 'ERR_SHAPE', 'weights: expected 4 numbers to match values, got 3'],
        [{ ...good, weights: [1, -1, 1, 1] }, 'ERR_OPTION', 'weights[1]: expected a finite number >= 0, got -1'],
        [{ ...good, weights: [1, 1, 1, Number.NaN] }, 'ERR_NOT_FINITE', /weights\[3\]/],
        [
          { ...good, rows: [], columns: [], values: [] },
          'ERR_SHAPE',
          'values: expected at least one observed entry, got none',
        ],
        [{ ...good, shape: [3] }, 'ERR_SHAPE', 'shape: expected two whole numbers > 0, got [3]'],
        [{ ...good, shape: [3, 0] }, 'ERR_SHAPE', /shape/],
        [{ ...good, rows: 5 }, 'ERR_SHAPE', 'rows: expected an array of indices, got 5'],
        [{ ...csr, indptr: [0, 3] }, 'ERR_SHAPE', 'indptr: expected 3 indices to match the shape (2 rows), got 2'],
        [{ ...csr, indptr: [0, 2, 2] }, 'ERR_SHAPE', 'indptr: expected offsets that end at 3, got 2'],
        [{ ...csr, indptr: [0, 4, 3] }, 'ERR_SHAPE', /indptr: expected offsets that rise/],
        [{ ...csr, indices: [0, 3, 1] }, 'ERR_SHAPE', 'indices[1]: expected an index from 0 to 2, got 3'],
        [{ ...csr, data: [1, 2, Number.NaN] }, 'ERR_NOT_FINITE', /data\[2\]/],
      ]
      for (const [problem, code, message] of cases) await refuses(problem, options, code as 'ERR_SHAPE', message)
      await refuses(null, options, 'ERR_SHAPE', /problem: expected/)
      const buffer = new (ArrayBuffer as new (length: number, options: object) => ArrayBuffer)(32, {
        maxByteLength: 64,
      })
      await refuses(
        { ...good, values: new Float64Array(buffer) },
        options,
        'ERR_BUFFER',
        /values: expected memory of fixed/,
      )
    })

    it('bad options', async () => {
      const cases: [object, string, string | RegExp][] = [
        [{}, 'ERR_OPTION', 'rank: expected a whole number >= 1, got undefined'],
        [{ rank: 4 }, 'ERR_OPTION', 'rank: expected a whole number from 1 to 3, got 4'],
        [{ rank: 0 }, 'ERR_OPTION', /rank/],
        [{ rank: 1, regularisation: 1 }, 'ERR_OPTION', /did you mean 'regularization'/],
        [{ rank: 1, regularization: -1 }, 'ERR_OPTION', /regularization/],
        [{ rank: 1, solver: 'als' }, 'ERR_OPTION', /solver: expected one of/],
        [
          { rank: 1, sketch: 'gaussian' },
          'ERR_OPTION',
          "sketch: expected solver 'sketched' or 'gradient' beside it, got 'exact'",
        ],
        [{ rank: 1, repeats: 3 }, 'ERR_OPTION', /repeats/],
        [{ rank: 1, solver: 'gradient', iteration: 'cg' }, 'ERR_OPTION', /iteration/],
        [{ rank: 1, innerTolerance: 1e-3 }, 'ERR_OPTION', /innerTolerance/],
        [{ rank: 1, solver: 'sketched', nonNegative: true }, 'ERR_OPTION', /solver: expected 'exact' or 'inexact'/],
        [{ rank: 1, solver: 'sketched', sketchRows: 0 }, 'ERR_OPTION', /sketchRows/],
        [{ rank: 1, confidence: 0 }, 'ERR_NOT_POSITIVE', /confidence/],
        [{ rank: 1, confidence: 1, biases: true }, 'ERR_OPTION', 'biases: expected false with confidence, got true'],
        [{ rank: 1, validation: 1 }, 'ERR_OPTION', /validation: expected/],
        [
          { rank: 1, validation: { rows: [5], columns: [0], values: [1] } },
          'ERR_SHAPE',
          'validation.rows[0]: expected an index from 0 to 2, got 5',
        ],
        [
          { rank: 1, validation: { rows: [0], columns: [0], values: [Number.NaN] } },
          'ERR_NOT_FINITE',
          /validation.values\[0\]/,
        ],
        [{ rank: 1, validation: { rows: [], columns: [], values: [] } }, 'ERR_SHAPE', /validation.values/],
        [{ rank: 1, patience: 3 }, 'ERR_OPTION', 'patience: expected validation beside it, got 3'],
        [{ rank: 1, maxIterations: 0 }, 'ERR_OPTION', /maxIterations/],
        [{ rank: 1, tolerance: -1 }, 'ERR_OPTION', /tolerance/],
        [{ rank: 1, initialization: 'zeros' }, 'ERR_OPTION', /initialization/],
      ]
      for (const [given, code, message] of cases)
        await refuses(good, { ...given, backend }, code as 'ERR_OPTION', message)
      await refuses(good, undefined, 'ERR_OPTION', /options: expected/)
      await refuses(
        { ...good, values: [1, -2, 3, 4] },
        { ...options, confidence: 1 },
        'ERR_OPTION',
        /values\[1\]: expected a count >= 0/,
      )
    })

    it('an abort before the call', async () => {
      const reason = new Error('no')
      expect(
        await rejection(completeMatrix(good as never, { ...options, signal: AbortSignal.abort(reason) })),
      ).to.equal(reason)
    })
  })
})

describe('lowrank: ratings in chunks', () => {
  const data = planted(20, 15, { values: [1, 0.5], share: 0.7, noise: 0.1, seed: 5 })
  const { rows, columns, values } = data.problem
  const options = { rank: 2, tolerance: 1e-10, maxIterations: 200 }
  const expected = completeMatrixSync(data.problem, options)
  const chunked = <T>(make: (from: number, to: number) => T) =>
    (async function* () {
      for (let from = 0; from < rows.length; from += 50) yield make(from, Math.min(rows.length, from + 50))
    })()
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, k) => from + k)

  it('triplets, tuples, records, single records and Arrow batches', async () => {
    const record = (k: number) => ({ user: rows[k], item: columns[k], rating: String(values[k]) })
    const fields = { row: 'user', column: 'item', value: 'rating' }
    const table = tableFromArrays({ user: rows, item: columns, rating: values })
    expect(table.batches[0]).to.be.instanceOf(RecordBatch)
    const streams = [
      chunked((from, to) => ({
        rows: rows.slice(from, to),
        columns: columns.slice(from, to),
        values: values.slice(from, to),
      })),
      chunked((from, to) => range(from, to).map((k) => [rows[k], columns[k], values[k]])),
      { chunks: chunked((from, to) => range(from, to).map(record)), fields },
      { chunks: range(0, rows.length).map(record), fields },
      { chunks: table.batches, fields, shape: [20, 15] as const },
    ]
    for (const stream of streams) {
      const solution = await completeMatrix(stream, options)
      expect(solution.shape).to.deep.equal([20, 15])
      expect([...solution.u.data]).to.deep.equal([...expected.u.data])
      expect(solution.labels).to.equal(undefined)
    }
  })

  it('names instead of indices, and weights', async () => {
    const order = [...new Set(rows)]
    const solution = await completeMatrix(
      {
        chunks: chunked((from, to) =>
          range(from, to).map((k) => ({ row: `u${rows[k]}`, column: `i${columns[k]}`, value: values[k], w: '1' })),
        ),
        fields: { weight: 'w' },
      },
      options,
    )
    expect(solution.labels?.rows).to.deep.equal(order.map((i) => `u${i}`))
    const [i, j] = [solution.labels?.rows.indexOf('u7') ?? -1, solution.labels?.columns.indexOf('i3') ?? -1]
    expect(solution.predict([i], [j])[0]).to.be.closeTo(expected.predict([7], [3])[0], 1e-6)
    expect(JSON.parse(JSON.stringify(solution)).labels.rows[0]).to.equal(`u${rows[0]}`)
  })

  it('refuses what is no rating', async () => {
    const stream = (chunk: unknown, rest = {}) => ({ chunks: [[0, 0, 1], chunk], ...rest }) as never
    const cases: [unknown, string, RegExp][] = [
      [[0, 1, 'x'], 'ERR_SHAPE', /chunks\[1\]: expected a finite number for the value, got 'x'/],
      [[0, 1, Number.NaN], 'ERR_NOT_FINITE', /chunks\[1\]: expected a finite number/],
      [['a', 1, 1], 'ERR_SHAPE', /chunks\[1\]: expected an index for the row, got 'a'/],
      [[0, -1, 1], 'ERR_SHAPE', /chunks\[1\]: expected a whole number >= 0 for the column, got -1/],
      [{ row: 0, column: 1 }, 'ERR_SHAPE', /chunks\[1\]: expected a field 'value', got row, column/],
      [7, 'ERR_SHAPE', /chunks\[1\]: expected ratings, got 7/],
      [[0, 0, 2], 'ERR_SHAPE', /every entry once/],
      [[0, 1, 2, 1], 'ERR_SHAPE', /a weight for all ratings or none/],
      [{ rows: [0], columns: [0, 1], values: [1] }, 'ERR_SHAPE', /columns: expected 1 entries/],
      [tableFromArrays({ a: [1] }).batches[0], 'ERR_SHAPE', /expected a column 'row'/],
    ]
    for (const [chunk, code, message] of cases)
      await expectRejection(completeMatrix(stream(chunk), { rank: 1 }), code as 'ERR_SHAPE', message)
    await expectRejection(
      completeMatrix({ chunks: [] }, { rank: 1 }),
      'ERR_SHAPE',
      /chunks: expected at least one rating/,
    )
    await expectRejection(
      completeMatrix(stream([0, 1, 1], { field: {} }), { rank: 1 }),
      'ERR_OPTION',
      /did you mean 'fields'/,
    )
    await expectRejection(
      completeMatrix({ chunks: 5 } as never, { rank: 1 }),
      'ERR_SHAPE',
      /chunks: expected an iterable/,
    )
    const failing = (async function* () {
      yield [0, 0, 1]
      throw new Error('the file ended early')
    })()
    expect(await rejection(completeMatrix(failing, { rank: 1 }))).to.have.property('message', 'the file ended early')
  })
})
