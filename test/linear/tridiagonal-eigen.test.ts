import { expect } from 'chai'
import fc from 'fast-check'
import { symmetricEigen } from '../../lib/backend/portable/linear/tridiagonal-eigen.js'
import { congruence, matrixFunction, multiply } from '../../lib/linear/dense.js'
import { counting, finish } from '../helpers/clock.js'
import { check } from '../helpers/property.js'
import { random, randomNormal } from '../helpers/random.js'

const clock = { due: () => false }
const eigen = (matrix: Float64Array, n: number) => finish(symmetricEigen(matrix, n, clock))

function symmetric(n: number, next: () => number): Float64Array {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      out[i * n + j] = next()
      out[j * n + i] = out[i * n + j]
    }
  }
  return out
}

/** Largest of |A z - lambda z| / largest entry of A and |zᵀ z - 1|, in units of rounding. */
function errorOf(matrix: Float64Array, n: number): number {
  const { values, vectors } = eigen(matrix, n)
  const scale = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), Number.MIN_VALUE)
  let worst = 0
  const note = (error: number) => {
    // NaN must not pass for small.
    if (!(error <= worst)) worst = error
  }
  for (let k = 0; k < n; k++) {
    if (k > 0) expect(values[k]).to.be.at.least(values[k - 1])
    const z = vectors.subarray(k * n, (k + 1) * n)
    for (let i = 0; i < n; i++) {
      let product = 0
      let inner = 0
      for (let j = 0; j < n; j++) {
        product += (matrix[i * n + j] / scale) * z[j]
        inner += vectors[i * n + j] * z[j]
      }
      note(Math.abs(product - (values[k] / scale) * z[i]))
      note(Math.abs(inner - (i === k ? 1 : 0)))
    }
  }
  return worst / Number.EPSILON
}

describe('linear: eigenpairs in TypeScript', () => {
  it('of random matrices: A z = lambda z, orthonormal and ascending', () => {
    check(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), (n, seed) => {
        expect(errorOf(symmetric(n, randomNormal(seed)), n)).to.be.below(20 + 10 * n)
      }),
      { runs: 60 },
    )
  })

  it('of the second difference: 2 - 2 cos(k pi / (n + 1))', () => {
    for (const n of [1, 2, 3, 10, 120]) {
      const matrix = new Float64Array(n * n)
      for (let i = 0; i < n; i++) {
        matrix[i * n + i] = 2
        if (i > 0) matrix[i * n + i - 1] = matrix[(i - 1) * n + i] = -1
      }
      eigen(matrix, n).values.forEach((value, k) => {
        expect(value).to.be.closeTo(2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)), 1e-14)
      })
      expect(errorOf(matrix, n)).to.be.below(100 + n)
    }
  })

  it('of matrices with many equal eigenvalues, none, or blocks', () => {
    const next = random(3)
    const n = 30
    const ones = new Float64Array(n * n).fill(1)
    const { values } = eigen(ones, n)
    expect(values[n - 1]).to.be.closeTo(n, 1e-13)
    for (const value of values.subarray(0, n - 1)) expect(value).to.be.closeTo(0, 1e-13)
    const identity = ones.map((_, k) => (k % (n + 1) === 0 ? 1 : 0))
    expect(eigen(identity, n).values).to.deep.equal(new Float64Array(n).fill(1))
    expect(eigen(new Float64Array(n * n), n).values).to.deep.equal(new Float64Array(n))
    const blocks = symmetric(n, next).map((v, k) => (Math.floor(k / n) < 11 === k % n < 11 ? v : 0))
    const diagonal = identity.map((v) => v * (next() - 0.5))
    for (const matrix of [ones, identity, blocks, diagonal]) expect(errorOf(matrix, n)).to.be.below(300)
  })

  it('of any magnitude, and across many', () => {
    const matrix = symmetric(12, randomNormal(4))
    for (const unit of [1e-300, 1e-160, 1e150, 1e300]) {
      expect(
        errorOf(
          matrix.map((v) => v * unit),
          12,
        ),
      ).to.be.below(200)
    }
    const graded = symmetric(12, randomNormal(5)).map((v, k) => v * 10 ** -(Math.floor(k / 12) + (k % 12)))
    expect(errorOf(graded, 12)).to.be.below(200)
  })

  it('a few hundred rows, in parts, without changing the matrix', () => {
    const n = 200
    const matrix = symmetric(n, randomNormal(6))
    const before = matrix.slice()
    const { watch, looks } = counting()
    const { values } = finish(symmetricEigen(matrix, n, watch))
    expect(looks()).to.be.above(1000)
    expect(matrix).to.deep.equal(before)
    expect(values).to.deep.equal(eigen(matrix, n).values)
    expect(errorOf(matrix, n)).to.be.below(2000)
  })

  it('functions of matrices: the square of the root', () => {
    const n = 25
    const factor = symmetric(n, randomNormal(7))
    const matrix = finish(multiply(factor, factor, n, clock))
    const root = finish(matrixFunction(eigen(matrix, n), Math.sqrt, clock))
    const squared = finish(multiply(root, root, n, clock))
    const inverse = finish(matrixFunction(eigen(matrix, n), (value) => 1 / Math.sqrt(value), clock))
    const identity = finish(congruence(inverse, matrix, n, clock))
    for (let k = 0; k < n * n; k++) {
      expect(squared[k]).to.be.closeTo(matrix[k], 1e-12)
      expect(identity[k]).to.be.closeTo(k % (n + 1) === 0 ? 1 : 0, 1e-6)
      expect(root[k]).to.equal(root[(k % n) * n + Math.floor(k / n)])
    }
  })
})
