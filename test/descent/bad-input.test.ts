import { expect } from 'chai'
import {
  blockCoordinateDescent,
  blockCoordinateDescentSync,
  labelPropagation,
  type OracleProblem,
} from '../../lib/descent/index.js'
import { expectError, refusing } from '../helpers/errors.js'
import { toCsr } from './helpers.js'

const wrong = refusing(blockCoordinateDescent, blockCoordinateDescentSync)
const A = [
  [1, 2],
  [3, 4],
  [5, 6],
]
const b = [1, 2, 3]
const squares = { loss: 'least-squares', A, b }

describe('descent: bad input', () => {
  it('problems', async () => {
    await wrong(null, {}, 'ERR_SHAPE', /^problem: expected/)
    await wrong({ ...squares, loss: 'least-square' }, {}, 'ERR_OPTION', /did you mean 'least-squares'/)
    await wrong({ A, b }, {}, 'ERR_OPTION', /^loss: expected one of/)
    await wrong({ ...squares, L1: 1 }, {}, 'ERR_OPTION', /unknown name 'L1'; did you mean 'l1'/)
    await wrong({ ...squares, A: [] }, {}, 'ERR_SHAPE', /non-empty/)
    await wrong(
      {
        ...squares,
        A: [
          [1, Number.NaN],
          [1, 1],
          [1, 1],
        ],
      },
      {},
      'ERR_NOT_FINITE',
      /^A\[0\]\[1\]/,
    )
    await wrong({ ...squares, b: [1] }, {}, 'ERR_SHAPE', 'b: expected 3 numbers, one for each row of A, got 1')
    await wrong({ ...squares, b: [1, Number.POSITIVE_INFINITY, 1] }, {}, 'ERR_NOT_FINITE', /^b\[1\]/)
    await wrong({ loss: 'logistic', A, labels: [1, 0, 1] }, {}, 'ERR_SHAPE', 'labels[1]: expected 1 or -1, got 0')
    await wrong({ loss: 'softmax', A, labels: [1, 0.5, 1] }, {}, 'ERR_SHAPE', /^labels\[1\]: expected a whole number/)
    await wrong({ loss: 'softmax', A, labels: [1, 3, 0], classes: 2 }, {}, 'ERR_OPTION', /^classes/)
    await wrong({ loss: 'quadratic', A, b }, {}, 'ERR_SHAPE', /square/)
    await wrong({ ...squares, l1: -1 }, {}, 'ERR_OPTION', /^l1\[0\]/)
    await wrong({ ...squares, l1: [1] }, {}, 'ERR_SHAPE', 'l1: expected 2 numbers, got 1')
    await wrong({ ...squares, l2: -1 }, {}, 'ERR_OPTION', /^l2/)
    await wrong(
      { ...squares, lower: 2, upper: 1 },
      {},
      'ERR_INFEASIBLE',
      /^lower\[0\]: expected a number at most upper/,
    )
    await wrong({ ...squares, A: { ...toCsr(A), indptr: Int32Array.of(0, 2, 1, 6) } }, {}, 'ERR_SHAPE', /ascending/)
    await wrong({ ...squares, A: { ...toCsr(A), indptr: Int32Array.of(0, 2, 4, 60) } }, {}, 'ERR_SHAPE', /offsets/)
  })

  it('quadratics that have no minimum, or are not symmetric', async () => {
    const of = (matrix: number[][], right = [1, 1]) => ({ loss: 'quadratic', A: matrix, b: right })
    for (const backend of ['native', 'portable'] as const) {
      const both = refusing(
        (p, o) => blockCoordinateDescent(p as never, { ...(o as object), backend }),
        (p, o) => blockCoordinateDescentSync(p as never, { ...(o as object), backend }),
      )
      await both(
        of([
          [1, 2],
          [0, 1],
        ]),
        {},
        'ERR_SHAPE',
        /symmetric/,
      )
      await both(
        of([
          [-1, 0],
          [0, 1],
        ]),
        {},
        'ERR_NOT_POSITIVE',
        /negative diagonal/,
      )
      await both(
        of([
          [0, 1],
          [1, 1],
        ]),
        {},
        'ERR_NOT_POSITIVE',
        /^A\[0\]\[0\]: expected a positive entry/,
      )
      await both(
        of([
          [0, 0],
          [0, 1],
        ]),
        {},
        'ERR_NOT_POSITIVE',
        /linear term/,
      )
      await both(
        of([
          [1, 2],
          [2, 1],
        ]),
        {},
        'ERR_NOT_POSITIVE',
        /^A: expected a positive definite block/,
      )
      await both(
        of([
          [1, 2],
          [2, 1],
        ]),
        { update: 'message-passing', partition: [[0, 1]] },
        'ERR_NOT_POSITIVE',
        /block/,
      )
      const cycle = [
        [3, -1, -1],
        [-1, 3, -1],
        [-1, -1, 3],
      ]
      await both(
        of(cycle, b),
        { update: 'message-passing', partition: [[0, 1, 2]] },
        'ERR_SHAPE',
        /^partition: expected blocks whose graphs are forests/,
      )
      await both(of(cycle, b), { partition: 'red-black' }, 'ERR_OPTION', /odd cycles.*'colouring'/)
    }
  })

  it('options', async () => {
    const option = (options: object, message: RegExp | string) => wrong(squares, options, 'ERR_OPTION', message)
    await option({ blocksize: 3 }, /did you mean 'blockSize'/)
    await option({ blockSize: 0 }, /^blockSize/)
    await option({ selection: 'GS' }, /did you mean 'gs'/)
    await option({ partition: 'sorted' }, /did you mean 'sort'/)
    await option({ update: 'Newton' }, /did you mean 'newton'/)
    await option({ selection: 'gsq' }, /'iht' with variable blocks/)
    await option({ selection: 'iht', partition: 'sort' }, /'gsq' with fixed blocks/)
    await option({ selection: 'gs-tree', partition: 'sort' }, /^partition: expected 'variable' with 'gs-tree'/)
    await option({ partition: 'combs' }, /^lattice/)
    await option({ partition: 'combs', lattice: [3, 3] }, /^lattice.*got \[3,3\]/)
    await option({ tolerance: -1 }, /^tolerance/)
    await option({ cubic: 1 }, /^cubic/)
    await option({ seed: 0.5 }, /^seed/)
    await wrong(
      { loss: 'logistic', A, labels: [1, -1, 1] },
      { update: 'exact' },
      'ERR_OPTION',
      /^update: expected 'newton'/,
    )
    await wrong({ ...squares, l1: 1 }, { selection: 'iht' }, 'ERR_OPTION', /'gsd'/)
    await wrong(squares, { x0: [1] }, 'ERR_SHAPE', 'x0: expected 2 numbers, got 1')
    await wrong(squares, { x0: [1, Number.NaN] }, 'ERR_NOT_FINITE', /^x0\[1\]/)
    await wrong(squares, { partition: [[0, 0]] }, 'ERR_SHAPE', /^partition\[0\]\[1\]/)
    await wrong(squares, { partition: [[0]] }, 'ERR_SHAPE', 'partition: expected all 2 coordinates, got 1 of them')
    const many = { loss: 'least-squares', A: [Array.from({ length: 60 }, (_, i) => i + 1)], b: [1] }
    await wrong(many, { selection: 'mi', blockSize: 9 }, 'ERR_OPTION', /'mi'/)
  })

  it('label propagation', () => {
    const given = {
      weights: [
        [0, 1],
        [1, 0],
      ],
      labelled: [0],
      labels: [1],
    }
    const refuse = (
      change: object,
      code: 'ERR_SHAPE' | 'ERR_NOT_POSITIVE' | 'ERR_NOT_FINITE' | 'ERR_OPTION',
      message: RegExp,
    ) => expectError(() => labelPropagation({ ...given, ...change }), code, message)
    refuse({ weights: [[0, 1]] }, 'ERR_SHAPE', /square/)
    refuse(
      {
        weights: [
          [0, -1],
          [-1, 0],
        ],
      },
      'ERR_NOT_POSITIVE',
      /^weights\[1\]\[0\]/,
    )
    refuse({ labelled: [0, 0], labels: [1, 1] }, 'ERR_SHAPE', /^labelled\[1\]/)
    refuse({ labelled: [2] }, 'ERR_SHAPE', /^labelled\[0\]/)
    refuse({ labels: [] }, 'ERR_SHAPE', /^labels/)
    refuse({ labels: [Number.NaN] }, 'ERR_NOT_FINITE', /^labels\[0\]/)
    refuse({ label: 1 }, 'ERR_OPTION', /unknown/)
  })
})

describe('descent: oracles', () => {
  /** Σ cosh(x_i - i) + ½ (Σ x)²/10, whose second derivatives are not bounded. */
  const cosh = (isAsync: boolean): OracleProblem => {
    const give = <T>(value: T): T | Promise<T> => (isAsync ? Promise.resolve(value) : value)
    const sum = (x: Float64Array) => x.reduce((s, v) => s + v, 0)
    return {
      n: 6,
      value: (x) => give(x.reduce((s, v, i) => s + Math.cosh(v - i), 0) + sum(x) ** 2 / 20),
      gradient: (x) => give(x.map((v, i) => Math.sinh(v - i) + sum(x) / 10)),
      hessian: (x, block) =>
        give(
          Float64Array.from({ length: block.length ** 2 }, (_, k) => {
            const [p, q] = [Math.floor(k / block.length), k % block.length]
            return 0.1 + (p === q ? Math.cosh(x[block[p]] - block[p]) : 0)
          }),
        ),
    }
  }

  it('are solved by every update that they allow, awaited or at once', async () => {
    for (const update of ['lipschitz-approximation', 'newton', 'two-metric'] as const) {
      for (const selection of ['gsd', 'random', 'cyclic', 'gs'] as const) {
        const options = { update, selection, blockSize: 2, tolerance: 1e-9 }
        const now = blockCoordinateDescentSync(cosh(false), options)
        const later = await blockCoordinateDescent(cosh(true), options)
        expect(now.status).to.equal('converged')
        expect([...later.x]).to.deep.equal([...now.x])
        const total = now.x.reduce((s, v) => s + v, 0)
        now.x.forEach((v, i) => {
          expect(Math.sinh(v - i) + total / 10).to.be.closeTo(0, 1e-7)
        })
        expect(now.backend).to.equal('portable')
      }
    }
  })

  it('take bounds, L1 terms and Lipschitz constants', () => {
    const at = [3, -2, 0.5, 0]
    const problem: OracleProblem = {
      n: 4,
      value: (x) => x.reduce((s, v, i) => s + 0.5 * (v - at[i]) ** 2, 0),
      gradient: (x) => x.map((v, i) => v - at[i]),
      lipschitz: [1, 1, 1, 0],
      l1: 1,
      upper: 1.5,
    }
    for (const update of ['gradient', 'lipschitz-approximation', 'matrix'] as const) {
      const { x, support } = blockCoordinateDescentSync(problem, { update, tolerance: 1e-12 })
      ;[1.5, -1, 0, 0].forEach((v, i) => {
        expect(x[i]).to.be.closeTo(v, 1e-10)
      })
      expect([...support]).to.deep.equal([1])
    }
  })

  it('that are wrong are named', async () => {
    const good = cosh(false)
    await wrong({ ...good, value: 3 }, {}, 'ERR_ORACLE', /^value: expected a function/)
    await wrong({ ...good, gradient: () => [1] }, {}, 'ERR_ORACLE', /^gradient: expected 6 numbers/)
    await wrong({ ...good, gradient: () => [1, 1, 1, 1, 1, Number.NaN] }, {}, 'ERR_ORACLE', /^gradient\[5\]/)
    await wrong({ ...good, value: () => 'x' }, {}, 'ERR_ORACLE', /^value: expected a number/)
    await wrong(
      { ...good, hessian: () => [-1] },
      { update: 'newton', blockSize: 1 },
      'ERR_NOT_POSITIVE',
      /positive definite/,
    )
    await wrong({ ...good, lipschitz: [1] }, {}, 'ERR_SHAPE', /^lipschitz/)
    await wrong({ ...good, n: 0 }, {}, 'ERR_OPTION', /^n/)
    await wrong({ ...good, n: 6, hessian: undefined }, { update: 'newton' }, 'ERR_OPTION', /hessian/)
    await wrong(good, { update: 'matrix' }, 'ERR_OPTION', /without lipschitz/)
    await wrong(good, { selection: 'gs-tree' }, 'ERR_OPTION', /^selection/)
    // Constants that are too small make the objective rise.
    await wrong(
      { ...good, lipschitz: new Float64Array(6).fill(1e-3) },
      { update: 'gradient', blockSize: 6 },
      'ERR_NOT_POSITIVE',
      /^value: expected an objective that falls, got a rise by .* at iteration 1/,
    )
    expectError(() => blockCoordinateDescentSync(cosh(true)), 'ERR_ORACLE', /got a promise/)
  })
})
