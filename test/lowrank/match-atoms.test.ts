import { expect } from 'chai'
import { matchAtoms, matchAtomsSync } from '../../lib/lowrank/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, rejection } from '../helpers/errors.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { distance, rotations } from './dictionaries.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

const square = (data: Float64Array, n: number) => ({ data, shape: [n, n] })

/** The columns of D in another order, some turned round. */
function shuffled(D: Float64Array, order: number[], signs: number[]): Float64Array {
  const n = order.length
  return Float64Array.from(D, (_, k) => signs[k % n] * D[Math.floor(k / n) * n + order[k % n]])
}

function permutations(n: number): number[][] {
  if (n === 0) return [[]]
  return permutations(n - 1).flatMap((rest) => Array.from({ length: n }, (_, at) => rest.toSpliced(at, 0, n - 1)))
}

describe('lowrank: matchAtoms', () => {
  forEachBackend((backend) => {
    it('is the best of all orders', () => {
      const n = 5
      for (let trial = 0; trial < 20; trial++) {
        const [A, D] = [fill(n * n, randomNormal(trial)), fill(n * n, randomNormal(100 + trial))]
        const column = (M: Float64Array, j: number) => Array.from({ length: n }, (_, i) => M[i * n + j])
        const cosine = (i: number, j: number) => {
          const [a, d] = [column(A, i), column(D, j)]
          return a.reduce((sum, x, k) => sum + x * d[k], 0) / Math.hypot(...a) / Math.hypot(...d)
        }
        const total = (order: number[]) => order.reduce((sum, j, i) => sum + Math.abs(cosine(i, j)), 0)
        const best = permutations(n).reduce((left, right) => (total(right) > total(left) ? right : left))
        const found = matchAtomsSync(square(A, n), square(D, n), { backend })
        expect([...found.atoms]).to.deep.equal(best)
        found.atoms.forEach((j, i) => {
          expect(found.signs[i] * found.cosines[i]).to.be.closeTo(cosine(i, j), 1e-12)
        })
        expect(found.worst).to.be.closeTo(Math.max(...best.map((j, i) => 1 - Math.abs(cosine(i, j)))), 1e-12)
        expect(found.mean).to.be.closeTo(1 - total(best) / n, 1e-12)
      }
    })

    it('order and signs of the atoms change nothing of the errors', async () => {
      const n = 12
      const next = random(3)
      const [W, D] = [rotations(n, 1), rotations(n, 2)]
      const order = Array.from({ length: n }, (_, k) => k)
        .map((k) => [next(), k])
        .sort((a, b) => a[0] - b[0])
        .map(([, k]) => k)
      const signs = order.map(() => (next() < 0.5 ? -1 : 1))
      const plain = await matchAtoms(square(W, n), square(D, n), { backend })
      const other = await matchAtoms(square(W, n), square(shuffled(D, order, signs), n), { backend })
      for (const name of ['worst', 'mean', 'spread'] as const) expect(other[name]).to.be.closeTo(plain[name], 1e-12)
      expect(plain.spread).to.be.closeTo(distance(W, D, n), 1e-12)
      other.atoms.forEach((j, i) => {
        expect(order[j]).to.equal(plain.atoms[i])
        expect(other.signs[i]).to.equal(plain.signs[i] * signs[j])
      })
      const same = matchAtomsSync(square(D, n), square(shuffled(D, order, signs), n), { backend })
      expect(Math.max(same.worst, same.mean, Math.abs(same.spread))).to.be.below(1e-12)
      order.forEach((k, j) => {
        expect([same.atoms[k], same.signs[k]]).to.deep.equal([j, signs[j]])
      })
    })

    it('refuses what is wrong', async () => {
      const match = (first: Wrong, second: Wrong, options: Wrong = {}) =>
        matchAtomsSync(first, second, { backend, ...options })
      const two = [
        [1, 0],
        [0, 1],
      ]
      expectError(() => match([[1, 2]], two), 'ERR_SHAPE', /^first: expected a square matrix, got 1×2/)
      expectError(() => match(two, [[1]]), 'ERR_SHAPE', /^second: expected a 2×2 matrix to match first, got 1×1/)
      expectError(
        () =>
          match(two, [
            [1, 0],
            [Number.NaN, 1],
          ]),
        'ERR_NOT_FINITE',
        /^second\[1\]\[0\]: expected/,
      )
      expectError(
        () =>
          match(
            [
              [1, 0],
              [2, 0],
            ],
            two,
          ),
        'ERR_SINGULAR',
        /^first: expected no atom of zeros, got atom 1/,
      )
      expectError(() => match(two, two, { thread: 1 }), 'ERR_OPTION', /did you mean 'threads'/)
      // Lengths of atoms do not matter, however large.
      expect(
        match(
          [
            [1e300, 0],
            [1e300, 1e-300],
          ],
          [
            [1, 0],
            [1, 1],
          ],
        ).worst,
      ).to.be.below(1e-12)
      const reason = new Error('enough')
      expect(await rejection(matchAtoms(two, two, { signal: AbortSignal.abort(reason), backend }))).to.equal(reason)
    })
  })
})
