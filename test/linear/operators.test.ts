import { expect } from 'chai'
import fc from 'fast-check'
import type { BackendName } from '../../lib/index.js'
import {
  type BuiltInOperator,
  type Csc,
  conjugateGradientSync,
  fromTriplets,
  gmresSync,
  multiply,
  multiplySync,
  prepare,
  transpose,
} from '../../lib/linear/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { fill, random } from '../helpers/random.js'
import {
  apart,
  eliminate,
  flipped,
  laplacian,
  norm,
  normals,
  product,
  type Rows,
  randomDefinite,
  randomSparse,
  times,
  toCsr,
} from './helpers.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

/** A matrix of normal numbers, with zeros among them. */
const gaussian = (rows: number, columns: number, seed: number): Rows => {
  const values = normals(rows * columns, seed)
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) => (values[i * columns + j] > 0.8 ? 0 : values[i * columns + j])),
  )
}

const toCsc = (a: Rows): Csc => {
  const { indptr, indices, data } = toCsr(flipped(a))
  return { format: 'csc', shape: [a.length, a[0].length], indptr, indices, data }
}

const kronecker = (l: Rows, r: Rows): Rows =>
  l.flatMap((left) => r.map((right) => left.flatMap((value) => right.map((other) => value * other))))

/** Each kind of operator beside the matrix that it is, from its definition. */
function pairs(n: number, seed: number): [string, BuiltInOperator, Rows][] {
  const a = gaussian(n, n + 2, seed)
  const small = gaussian(3, 4, seed + 1)
  const [height, width] = [n, 5]
  const cells = height * width
  const next = random(seed)
  const coefficient = fill(cells, () => 0.5 + next())
  const shift = fill(cells, next)
  const mask = Uint8Array.from({ length: cells }, (_, k) => (k % 7 === 3 ? 0 : 1))
  const variable = (boundary: 'dirichlet' | 'neumann'): Rows => {
    const m: Rows = Array.from({ length: cells }, () => new Array<number>(cells).fill(0))
    for (let k = 0; k < cells; k++) {
      if (mask[k] === 0) continue
      m[k][k] += shift[k]
      const [i, j] = [Math.floor(k / width), k % width]
      for (const [di, dj] of [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1],
      ]) {
        const [p, q] = [i + di, j + dj]
        const other = p * width + q
        const isCell = p >= 0 && p < height && q >= 0 && q < width && mask[other] === 1
        if (isCell) {
          const face = (coefficient[k] + coefficient[other]) / 2
          m[k][k] += face
          m[k][other] -= face
        } else if (boundary === 'dirichlet') {
          m[k][k] += coefficient[k]
        }
      }
    }
    return m
  }
  const cube = kronecker(kronecker(identity(3), identity(n)), laplacian(1, 4))
  const other = kronecker(kronecker(identity(3), laplacian(1, n)), identity(4))
  const third = kronecker(kronecker(laplacian(1, 3), identity(n)), identity(4))
  // laplacian(1, n) has 4 on its diagonal: two of the three axes are elsewhere.
  const seven = cube.map((row, i) => row.map((value, j) => value + other[i][j] + third[i][j] - (i === j ? 6 : 0)))
  const factor = gaussian(2, n, seed + 5)
  const d = normals(n, seed + 6)
  const gram = product(flipped(factor), factor)
  const corner = gaussian(2, n + 2, seed + 7)
  return [
    ['dense', a, a],
    ['csr', toCsr(a), a],
    ['csc', toCsc(a), a],
    ['prepared', prepare(toCsr(a)), a],
    ['transposed', { kind: 'transposed', of: toCsr(a) }, flipped(a)],
    ['5-point', { kind: 'stencil', grid: [n, 4] }, laplacian(n, 4)],
    ['7-point', { kind: 'stencil', grid: [3, n, 4] }, seven],
    ['dirichlet', { kind: 'stencil', grid: [height, width], coefficient, shift, mask }, variable('dirichlet')],
    [
      'neumann',
      { kind: 'stencil', grid: [height, width], coefficient, shift, mask, boundary: 'neumann' },
      variable('neumann'),
    ],
    [
      'low rank',
      { kind: 'low-rank', factor, diagonal: d, scale: -0.3 },
      gram.map((row, i) => row.map((value, j) => -0.3 * value + (i === j ? d[i] : 0))),
    ],
    ['kronecker', { kind: 'kronecker', left: small, right: toCsr(a) }, kronecker(small, a)],
    ['kronecker of csc', { kind: 'kronecker', left: toCsc(a), right: toCsc(small) }, kronecker(a, small)],
    [
      'block',
      {
        kind: 'block',
        blocks: [
          [toCsr(a), null],
          [corner, toCsr(small)],
        ] as Wrong,
      },
      [...a.map((row) => [...row, 0, 0, 0, 0]), ...corner.map((row, i) => [...row, ...small[i]])],
    ],
  ].map(([name, operator, matrix]) => [name, operator, matrix] as Wrong)
}

const identity = (n: number): Rows =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)))

describe('linear: operators', () => {
  forEachBackend((backend: BackendName) => {
    it('products over a long sum, which is taken in steps', () => {
      const [rows, depth, columns] = [3, 9000, 2]
      const a = gaussian(rows, depth, 1)
      const b = gaussian(depth, columns, 2)
      const expected = product(a, b).flat()
      expect(apart((multiplySync(a, b, { backend }) as Wrong).data, Float64Array.from(expected))).to.be.at.most(1e-10)
      const turned = multiplySync(flipped(a), b, { backend, transpose: true }) as Wrong
      expect(apart(turned.data, Float64Array.from(expected))).to.be.at.most(1e-10)
    })

    it('each is the matrix it stands for, with vectors and with matrices, either way', async () => {
      for (const n of [1, 2, 7]) {
        for (const [name, operator, a] of pairs(n, n)) {
          if (name === 'block') a.length = Math.min(a.length, n + 2)
          for (const isTransposed of [false, true]) {
            const m = isTransposed ? flipped(a) : a
            const x = normals(m[0].length, 3)
            const options = { backend, transpose: isTransposed }
            if (name === 'block') {
              // Its lower right block is 3 × 4 here, its lower left 2 × (n + 2).
              expectError(() => multiplySync(operator, x, options), 'ERR_SHAPE', /expected blocks that fit in row 1/)
              continue
            }
            expect(apart(multiplySync(operator, x, options), times(m, x)), name).to.be.at.most(1e-14)
            const block = gaussian(m[0].length, 9, 4)
            const image = await multiply(operator, block, options)
            expect(image.shape).to.deep.equal([m.length, 9])
            expect(apart(image.data, product(m, block).flat()), name).to.be.at.most(1e-14)
          }
        }
      }
    })

    it('blocks of a KKT system, and what is nested in them', () => {
      const h = randomDefinite(6, 1)
      const g = gaussian(2, 6, 2)
      const kkt = {
        kind: 'block',
        blocks: [
          [toCsr(h), { kind: 'transposed', of: toCsr(g) }],
          [toCsr(g), null],
        ],
      } as const
      const matrix: Rows = [...h.map((row, i) => [...row, g[0][i], g[1][i]]), ...g.map((row) => [...row, 0, 0])]
      const b = normals(8, 3)
      expect(apart(multiplySync(kkt, b, { backend }), times(matrix, b))).to.be.at.most(1e-14)
      expect(apart(multiplySync(kkt, b, { backend, transpose: true }), times(matrix, b))).to.be.at.most(1e-14)
      const solution = gmresSync({ matrix: kkt, b }, { backend, tolerance: 1e-12 })
      expect(apart(solution.x, eliminate(matrix, b))).to.be.at.most(1e-9)
    })

    it('long rows, empty rows and many rows', () => {
      check(
        fc.property(
          fc.integer({ min: 1, max: 90 }),
          fc.integer({ min: 1, max: 90 }),
          fc.nat(1e6),
          (rows, columns, seed) => {
            const a = gaussian(rows, columns, seed)
            if (rows > 2) a[1].fill(0)
            const x = normals(columns, seed + 1)
            expect(
              norm(Array.from(multiplySync(toCsr(a), x, { backend }), (value, i) => value - times(a, x)[i])),
            ).to.be.at.most(1e-11)
          },
        ),
      )
      const n = 200_000
      const diagonal = {
        shape: [n, n] as [number, number],
        indptr: Int32Array.from({ length: n + 1 }, (_, i) => i),
        indices: Int32Array.from({ length: n }, (_, i) => n - 1 - i),
        data: Float64Array.from({ length: n }, (_, i) => i),
      }
      const out = multiplySync(
        diagonal,
        Float64Array.from({ length: n }, (_, i) => i % 13),
        { backend },
      )
      expect(out.every((value, i) => value === i * ((n - 1 - i) % 13))).to.equal(true)
    })

    it('multiply: into memory that is there, and never from NaN', async () => {
      const a = randomSparse(9, 4)
      const x = normals(9, 5)
      const out = new Float64Array(9).fill(Number.NaN)
      for (const matrix of [a, toCsr(a)]) {
        out.fill(Number.NaN)
        expect(await multiply(matrix, x, { backend, out })).to.equal(out)
        expect(apart(out, times(a, x))).to.be.at.most(1e-14)
        out.fill(Number.NaN)
        expect(multiplySync(matrix, x, { backend, out, transpose: true })).to.equal(out)
        expect(apart(out, times(flipped(a), x))).to.be.at.most(1e-14)
      }
      const block = multiplySync(
        toCsr(a),
        { data: normals(18, 6), shape: [9, 2] },
        { backend, out: new Float64Array(18) },
      )
      expect(block.shape).to.deep.equal([9, 2])
      const wrong = (options: Wrong, code: Wrong, message: RegExp, given: Wrong = x) =>
        expectError(() => multiplySync(toCsr(a), given, { backend, ...options }), code, message)
      wrong({ out: x }, 'ERR_BUFFER', /^out: expected memory apart from x/)
      const both = new Float64Array(17)
      wrong({ out: both.subarray(8) }, 'ERR_BUFFER', /^out: expected memory apart/, both.subarray(0, 9))
      wrong({ out: new Float64Array(8) }, 'ERR_SHAPE', /^out: expected room for 9 numbers, got 8/)
      wrong({ out: new Float32Array(9) }, 'ERR_SHAPE', /^out: expected a Float64Array/)
      const bad = normals(9, 5)
      bad[7] = Number.POSITIVE_INFINITY
      wrong({}, 'ERR_NOT_FINITE', /^x\[7\]: expected a finite number, got Infinity/, bad)
      wrong({}, 'ERR_NOT_FINITE', /^x\[4\]\[1\]: expected a finite number, got NaN/, {
        data: Float64Array.from({ length: 18 }, (_, k) => (k === 9 ? Number.NaN : 1)),
        shape: [9, 2],
      })
    })

    it('multiply: large dense products, exact in whole numbers', () => {
      // Cut by rows and columns, and along long sums.
      for (const [m, k, n] of [
        [600, 40, 500],
        [40, 9000, 48],
      ]) {
        const a = Float64Array.from({ length: m * k }, (_, i) => ((i * 7) % 11) - 5)
        const x = Float64Array.from({ length: k * n }, (_, i) => ((i * 5) % 13) - 6)
        const { data } = multiplySync({ data: a, shape: [m, k] }, { data: x, shape: [k, n] }, { backend })
        const turned = Float64Array.from({ length: m * k }, (_, i) => a[(i % m) * k + Math.floor(i / m)])
        const same = multiplySync(
          { data: turned, shape: [k, m] },
          { data: x, shape: [k, n] },
          { backend, transpose: true },
        )
        expect(same.data).to.deep.equal(data)
        for (const [i, j] of [
          [0, 0],
          [m - 1, n - 1],
          [m >> 1, n >> 1],
          [m >> 2, n - 2],
        ]) {
          let sum = 0
          for (let l = 0; l < k; l++) sum += a[i * k + l] * x[l * n + j]
          expect(data[i * n + j]).to.equal(sum)
        }
      }
    })
  })

  it('triplets in any order, the same place more than once', () => {
    const csr = fromTriplets({
      shape: [3, 4],
      rows: [2, 0, 2, 0, 2],
      columns: [3, 1, 0, 1, 3],
      values: [1, 2, 3, 4, 5],
    })
    expect(csr).to.deep.equal(
      toCsr([
        [0, 6, 0, 0],
        [0, 0, 0, 0],
        [3, 0, 0, 6],
      ]),
    )
    expect(transpose(csr)).to.deep.equal(
      toCsr([
        [0, 0, 3],
        [6, 0, 0],
        [0, 0, 0],
        [0, 0, 6],
      ]),
    )
    expect(transpose(transpose(csr))).to.deep.equal(csr)
    const refuse = (triplets: Wrong, message: RegExp) => expectError(() => fromTriplets(triplets), 'ERR_SHAPE', message)
    refuse({ shape: [1, 1], rows: [1], columns: [0], values: [1] }, /^rows\[0\]: expected a place from 0 to 0, got 1/)
    refuse({ shape: [1, 1], rows: [0], columns: [-1], values: [1] }, /^columns\[0\]/)
    refuse({ shape: [1, 1], rows: [0.5], columns: [0], values: [1] }, /^rows\[0\]: expected a whole number/)
    refuse(
      { shape: [1, 1], rows: [0, 0], columns: [0], values: [1] },
      /^triplets: expected rows, columns and values of one/,
    )
    refuse({ shape: [0, 1], rows: [], columns: [], values: [] }, /^triplets.shape/)
    expectError(
      () => fromTriplets({ shape: [1, 1], rows: [0], columns: [0], values: [Number.NaN] }),
      'ERR_NOT_FINITE',
      /^values\[0\]/,
    )
  })

  it('refuses what is no operator, naming the place', () => {
    const csr = toCsr([
      [1, 2],
      [0, 3],
    ])
    const refuse = (change: Wrong, message: RegExp, code: Wrong = 'ERR_SHAPE') =>
      expectError(() => multiplySync({ ...csr, ...change }, [1, 2]), code, message)
    refuse({ indptr: [0, 2] }, /^matrix.indptr: expected 3 offsets, got 2/)
    refuse({ indptr: [1, 2, 3] }, /^matrix.indptr\[0\]: expected 0/)
    refuse({ indptr: [0, 2, 1] }, /^matrix.indptr\[2\]: expected offsets that do not fall, got 1 after 2/)
    refuse({ indptr: [0, 2, 4] }, /^matrix.indices: expected 4/)
    refuse({ indices: [0, 5, 1] }, /^matrix.indices\[1\]: expected an index from 0 to 1, got 5/)
    refuse({ indices: [0, -1, 1] }, /^matrix.indices\[1\]: expected an index/)
    refuse({ indices: [1, 0, 1] }, /^matrix.indices\[1\]: expected ascending/)
    refuse({ indices: [1, 1, 1] }, /^matrix.indices\[1\]: expected ascending/)
    refuse({ data: [1, 2] }, /^matrix.data: expected 3/)
    refuse({ data: [1, Number.POSITIVE_INFINITY, 3] }, /^matrix.data\[1\]/, 'ERR_NOT_FINITE')
    refuse({ shape: [2] }, /^matrix.shape/)
    refuse({ indexes: [] }, /did you mean 'indices'/, 'ERR_OPTION')
    const operator = (given: Wrong, code: Wrong, message: RegExp) =>
      expectError(() => multiplySync(given, [1, 2, 3]), code, message)
    operator(null, 'ERR_SHAPE', /^matrix: expected a matrix or an operator, got null/)
    operator({ kind: 'toeplitz' }, 'ERR_OPTION', /^matrix.kind: expected one of/)
    operator({ kind: 'stencil', grid: [3] }, 'ERR_SHAPE', /^matrix.grid: expected two or three lengths/)
    operator({ kind: 'stencil', grid: [3, 0] }, 'ERR_OPTION', /^matrix.grid\[1\]/)
    operator({ kind: 'stencil', grid: [3, 1], mask: [1] }, 'ERR_SHAPE', /^matrix.mask: expected 3/)
    operator({ kind: 'stencil', grid: [3, 1], shift: [1] }, 'ERR_SHAPE', /^matrix.shift: expected 3/)
    operator({ kind: 'low-rank', factor: [[1, 2]], diagonal: [1] }, 'ERR_SHAPE', /^matrix.diagonal: expected 2/)
    operator(
      {
        kind: 'block',
        blocks: [
          [null, null],
          [null, null],
        ],
      },
      'ERR_SHAPE',
      /expected a block in row 0/,
    )
    operator({ kind: 'kronecker', left: [[1]] }, 'ERR_SHAPE', /^matrix.right/)
    operator([[1, 2]], 'ERR_SHAPE', /^x: expected 2 numbers/)
    expectError(() => multiplySync([[1, 2]], [1, Number.NaN]), 'ERR_NOT_FINITE', /^x\[1\]/)
    expectError(() => multiplySync([[1, 2]], [[1], [2], [3]]), 'ERR_SHAPE', /^x: expected a matrix of 2 rows/)
    // What is changed during a call is the caller's business, but not where a kernel reads.
    const prepared = prepare(csr)
    csr.indices[1] = 1_000_000
    expect([...multiplySync(prepared, [1, 1])]).to.deep.equal([3, 3])
  })

  it('a masked stencil leaves the masked cells alone', () => {
    const mask = Uint8Array.from({ length: 49 }, (_, k) => (k === 24 ? 0 : 1))
    const matrix = { kind: 'stencil', grid: [7, 7], mask, boundary: 'neumann' } as const
    const b = normals(49, 1)
    expectError(() => conjugateGradientSync({ matrix, b }), 'ERR_INFEASIBLE', /^b\[24\]: expected 0, as row 24/)
    b[24] = 0
    const solution = conjugateGradientSync({ matrix, b }, { nullspace: 'constant', tolerance: 1e-12 })
    expect(solution.status).to.equal('converged')
    expect(solution.x[24]).to.equal(0)
    expect(solution.x.reduce((sum, value) => sum + value, 0)).to.be.closeTo(0, 1e-10)
  })
})
