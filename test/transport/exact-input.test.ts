import { expect } from 'chai'
import type { ErrorCode } from '../../lib/core/index.js'
import { emd, emdBatch, emdSync, pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { growable, resizable, transferred } from '../helpers/buffers.js'
import { expectError, expectRejection } from '../helpers/errors.js'

// biome-ignore lint/suspicious/noExplicitAny: this file is about values that the types forbid.
type Wrong = any

const { NaN: nan, POSITIVE_INFINITY: infinity, NEGATIVE_INFINITY: minus } = Number
const cost = () => ({ data: Float64Array.from({ length: 12 }, (_, k) => (7 * k) % 12), shape: [3, 4] })
const good = () => ({ cost: cost(), a: [0.2, 0.3, 0.5], b: [0.1, 0.2, 0.3, 0.4] })
const arcs = () => ({
  shape: [3, 4],
  indptr: Int32Array.of(0, 4, 8, 12),
  indices: Int32Array.of(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3),
  data: cost().data,
})

describe('transport: bad input of emd', () => {
  forEachBackend((backend) => {
    const options = { backend }

    async function refuses(problem: Wrong, code: ErrorCode, message: RegExp): Promise<void> {
      const text = new RegExp(`^${message.source}`)
      expectError(() => emdSync(problem, options), code, text)
      await expectRejection(emd(problem, options), code, text)
      await expectRejection(
        emdBatch([good(), problem], options),
        code,
        new RegExp(`^problems\\[1\\]\\.${message.source}`),
      )
    }

    it('no problem, no cost, names that are not known', async () => {
      for (const wrong of [undefined, null, 7, 'abc', true])
        await refuses(wrong, 'ERR_SHAPE', /problem: expected \{ cost, a, b \}, got /)
      for (const wrong of [undefined, null, 7, 'abc'])
        await refuses({ cost: wrong }, 'ERR_SHAPE', /cost: expected .+, got /)
      await refuses({ ...good(), costs: 1 }, 'ERR_OPTION', /problem: unknown name 'costs'; did you mean 'cost'\?/)
      await refuses({ cost: arcs(), c: 1 }, 'ERR_OPTION', /problem: unknown name 'c'; /)
      await refuses({ cost: [] }, 'ERR_SHAPE', /cost: expected a non-empty matrix, got 0×0/)
      await refuses({ cost: [[1, 2], [3]] }, 'ERR_SHAPE', /cost\[1\]: expected a row of 2 numbers, got 1 numbers/)
    })

    it('weights', async () => {
      for (const given of [cost(), arcs()]) {
        await refuses({ cost: given, a: [1, 2] }, 'ERR_SHAPE', /a: expected 3 weights to match the 3×4 cost, got 2/)
        await refuses({ cost: given, b: [1, 2] }, 'ERR_SHAPE', /b: expected 4 weights to match the 3×4 cost, got 2/)
        await refuses(
          { cost: given, a: [0.2, -0.1, 0.9] },
          'ERR_NOT_POSITIVE',
          /a\[1\]: expected a finite weight >= 0, got -0\.1/,
        )
        for (const wrong of [nan, infinity, minus]) {
          await refuses(
            { cost: given, b: [0.5, 0.5, wrong, 0] },
            'ERR_NOT_FINITE',
            /b\[2\]: expected a finite weight >= 0, got /,
          )
        }
        await refuses(
          { cost: given, a: [0, 0, 0] },
          'ERR_MASS',
          /a: expected weights with a positive finite total, got 0/,
        )
        await refuses(
          { cost: given, a: [1, 1, 1] },
          'ERR_MASS',
          /a, b: expected equal totals \(to 1e-6\), got 3 and 1; /,
        )
      }
    })

    it('NaN and -Infinity among the costs', async () => {
      for (const [value, text] of [
        [nan, 'NaN'],
        [minus, '-Infinity'],
      ] as const) {
        for (const k of [0, 5, 11]) {
          const [matrix, list] = [cost(), arcs()]
          matrix.data[k] = value
          list.data[k] = value
          const place = `cost\\[${Math.floor(k / 4)}\\]\\[${k % 4}\\]`
          await refuses(
            { cost: matrix },
            'ERR_NOT_FINITE',
            new RegExp(`${place}: expected a finite number .*, got ${text}`),
          )
          await refuses(
            { cost: list },
            'ERR_NOT_FINITE',
            new RegExp(`cost\\.data\\[${k}\\]: expected a finite number .*, got ${text}`),
          )
        }
      }
      await refuses(
        { cost: pointCloud([[1e200, 0]], [[-1e200, 0]]) },
        'ERR_NOT_FINITE',
        /cost: the distances between the points overflow; /,
      )
    })

    it('lists of arcs', async () => {
      const list = (change: Wrong) => ({ cost: { ...arcs(), ...change } })
      for (const shape of [undefined, 7, [3], [3, 0], [3, 4.5], [3, 4, 5], ['3', '4']]) {
        await refuses(list({ shape }), 'ERR_SHAPE', /cost\.shape: expected two whole numbers > 0, got /)
      }
      await refuses(
        list({ indptr: Int32Array.of(0, 4, 12) }),
        'ERR_SHAPE',
        /cost\.indptr: expected 4 offsets for 3 rows, got 3/,
      )
      await refuses(list({ indptr: 7 }), 'ERR_SHAPE', /cost\.indptr: expected an Int32Array, got 7/)
      await refuses(list({ indices: undefined }), 'ERR_SHAPE', /cost\.indices: expected an Int32Array, got undefined/)
      await refuses(list({ indices: [0.5] }), 'ERR_SHAPE', /cost\.indices\[0\]: expected a whole number, got 0\.5/)
      await refuses(
        list({ indices: Int32Array.of(1) }),
        'ERR_SHAPE',
        /cost\.indices: expected as many as the 12 numbers of data, got 1/,
      )
      await refuses(list({ data: 'abc' }), 'ERR_SHAPE', /cost\.data: expected a vector of numbers, got string/)
      for (const [at, value] of [
        [0, 1],
        [1, -1],
        [2, 3],
        [2, 13],
        [3, 11],
        [3, 13],
      ]) {
        const { indptr } = arcs()
        indptr[at] = value
        await refuses(
          list({ indptr }),
          'ERR_SHAPE',
          /cost\.indptr\[\d\]: expected offsets that ascend from 0 to 12, got /,
        )
      }
      for (const wrong of [-1, 4, 2 ** 31 - 1]) {
        const { indices } = arcs()
        indices[6] = wrong
        await refuses(list({ indices }), 'ERR_SHAPE', /cost\.indices\[6\]: expected a column below 4, got /)
      }
      const none = { shape: [2, 2], indptr: [0, 0, 0], indices: [], data: [] }
      await refuses({ cost: none }, 'ERR_INFEASIBLE', /cost: expected arcs for all mass, got none/)
      const elsewhere = { shape: [2, 2], indptr: [0, 0, 1], indices: [1], data: [1] }
      await refuses(
        { cost: elsewhere, a: [1, 0] },
        'ERR_INFEASIBLE',
        /cost: expected arcs between nodes with weight, got none/,
      )
    })

    it('memory that may go away', async () => {
      for (const make of [resizable, growable]) {
        await refuses(
          { ...good(), cost: { data: make(12), shape: [3, 4] } },
          'ERR_BUFFER',
          /cost: expected memory of fixed length, got /,
        )
        await refuses({ ...good(), a: make(3) }, 'ERR_BUFFER', /a: expected memory of fixed length, got /)
        await refuses(
          { cost: { ...arcs(), data: make(12) } },
          'ERR_BUFFER',
          /cost\.data: expected memory of fixed length, got /,
        )
      }
      const gone = { data: transferred(new Float64Array(12)), shape: [3, 4] }
      await refuses(
        { ...good(), cost: gone },
        'ERR_BUFFER',
        /cost: expected an array, got one whose buffer was transferred away/,
      )
    })

    it('options', async () => {
      for (const [wrong, code, message] of [
        [7, 'ERR_OPTION', /^options: expected \{ … \}, got 7/],
        [{ tolerence: 1 }, 'ERR_OPTION', /^options: unknown name 'tolerence'; did you mean 'tolerance'\?/],
        [{ epsilon: 1 }, 'ERR_OPTION', /^options: unknown name 'epsilon'; /],
        [{ tolerance: -1 }, 'ERR_OPTION', /^tolerance: expected a finite number >= 0, got -1/],
        [{ maxIterations: 0 }, 'ERR_OPTION', /^maxIterations: expected a whole number from 1 /],
        [{ timeLimit: 0 }, 'ERR_NOT_POSITIVE', /^timeLimit: expected a finite number > 0, got 0/],
        [{ threads: 0 }, 'ERR_OPTION', /^threads: expected a whole number from 1 to 64, got 0/],
        [{ backend: 'gpu' }, 'ERR_OPTION', /^backend: expected one of /],
        [{ warmStart: 1 }, 'ERR_OPTION', /^warmStart: expected \{ f, g \}, got 1/],
        [{ warmStart: { f: [0, 0, 0], g: [0, 0, 0, 0], h: 1 } }, 'ERR_OPTION', /^warmStart: unknown name 'h'; /],
        [{ warmStart: { f: [0, 0], g: [0, 0, 0, 0] } }, 'ERR_SHAPE', /^warmStart\.f: expected 3 numbers, got 2/],
        [
          { warmStart: { f: [0, 0, nan], g: [0, 0, 0, 0] } },
          'ERR_NOT_FINITE',
          /^warmStart\.f\[2\]: expected a finite number, got NaN/,
        ],
      ] as [Wrong, ErrorCode, RegExp][]) {
        const given = typeof wrong === 'object' && wrong.backend === undefined ? { ...options, ...wrong } : wrong
        expectError(() => emdSync(good(), given), code, message)
        await expectRejection(emd(good(), given), code, message)
      }
      const warmStart = { f: [0, 0, 0], g: [0, 0, 0, 0] }
      await expectRejection(
        emdBatch([good()], { ...options, warmStart }),
        'ERR_OPTION',
        /^warmStart: expected for single problems only/,
      )
      for (const wrong of [undefined, null, 7, good(), 'abc']) {
        await expectRejection(
          emdBatch(wrong as Wrong, options),
          'ERR_SHAPE',
          /^problems: expected an array of problems, got /,
        )
      }
      expect(emdSync(good(), { ...options, warmStart }).status).to.equal('converged')
    })
  })
})
