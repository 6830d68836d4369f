import { expect } from 'chai'
import { largestEntries } from '../../lib/backend/portable/transport/largest-entries.js'
import { counting, finish } from '../helpers/clock.js'
import { fill, random, shuffled } from '../helpers/random.js'

/** By sorting: larger ones first, of equal ones those that come first. */
function expected(matrix: Float64Array, n: number, m: number, most: number) {
  const order = Array.from(matrix.keys()).sort((k, l) => matrix[l] - matrix[k] || k - l)
  const kept = order.slice(0, most).sort((k, l) => k - l)
  const indptr = new Int32Array(n + 1)
  for (const k of kept) indptr[Math.floor(k / m) + 1]++
  for (let i = 0; i < n; i++) indptr[i + 1] += indptr[i]
  return { indptr, indices: Int32Array.from(kept, (k) => k % m), data: Float64Array.from(kept, (k) => matrix[k]) }
}

describe('portable selection of the largest entries', () => {
  const next = random(31)
  const matrices: [string, (k: number) => number][] = [
    ['alike in size', next],
    ['over all magnitudes', () => Math.exp(-740 * next())],
    ['with many equal ones', () => Math.floor(5 * next()) / 8],
    ['all equal', () => 0.25],
    ['all zero', () => 0],
    ['that differ in the last bits only', (k) => 1 + ((k * 7919) % 65537) * Number.EPSILON],
    ['with zeros', () => Math.max(0, next() - 0.6)],
    ['up to the largest number', () => next() * Number.MAX_VALUE],
  ]
  for (const [name, entry] of matrices) {
    it(`of entries ${name}`, () => {
      for (const [n, m] of [
        [1, 1],
        [7, 5],
        [40, 31],
        [3, 5000],
      ]) {
        const order = shuffled(n * m, next)
        const matrix = Float64Array.from(order, entry)
        const counts = [0, 1, 2, n + m, Math.floor(fill(1, next)[0] * n * m), n * m - 1, n * m]
        for (const most of counts) {
          if (most > n * m) continue
          expect(finish(largestEntries(matrix, n, m, most, counting().watch)), `${most} of ${n}×${m}`).to.deep.equal(
            expected(matrix, n, m, most),
          )
        }
      }
    })
  }
})
