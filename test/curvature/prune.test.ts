import { expect } from 'chai'
import type { FloatArray } from '../../lib/core/index.js'
import { prune, pruneSync } from '../../lib/curvature/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { fisherMatrix, randomGradients, relativeError } from '../helpers/fisher.js'
import { eliminate, inner, inverse, type Rows, times } from '../helpers/matrices.js'
import { fill, random, randomNormal, shuffled } from '../helpers/random.js'

/** min ½ δᵀFδ where δ = -w at the dropped places, by its KKT system. */
function constrainedMinimum(f: Rows, w: ArrayLike<number>, dropped: number[]): number[] {
  const n = f.length
  const system = f.map((row, i) => [...row, ...dropped.map((j) => (i === j ? 1 : 0))])
  for (const j of dropped)
    system.push([...Array.from({ length: n }, (_, i) => (i === j ? 1 : 0)), ...dropped.map(() => 0)])
  const right = [...new Array<number>(n).fill(0), ...dropped.map((j) => -w[j])]
  return eliminate(system, right)
    .slice(0, n)
    .map((value, i) => value + w[i])
}

describe('curvature: prune', () => {
  forEachBackend((backend) => {
    const [m, d] = [30, 14]
    const g = randomGradients(m, d, 1)
    const w = fill(d, randomNormal(2))
    const damping = 0.05
    const f = fisherMatrix(g, d, damping)
    const model = { weights: w, gradients: () => ({ data: g, shape: [m, d] }) }
    const whole = { damping, blockSize: Number.POSITIVE_INFINITY, backend }

    it('of one weight takes the cheapest, and the others make up for it exactly', async () => {
      const { weights, kept, rounds, sparsity } = await prune(model, { ...whole, sparsity: 1 / d, recomputations: 1 })
      // By brute force: what the loss rises by, for each weight alone.
      const costs = Array.from(w, (_, j) => {
        const change = constrainedMinimum(f, w, [j]).map((value, i) => value - w[i])
        return inner(change, times(f, change)) / 2
      })
      const cheapest = costs.indexOf(Math.min(...costs))
      expect(Array.from(kept, (flag, j) => (flag === 0 ? j : -1)).filter((j) => j >= 0)).to.deep.equal([cheapest])
      expect(relativeError(weights, constrainedMinimum(f, w, [cheapest]))).to.be.at.most(1e-11)
      expect(weights[cheapest]).to.equal(0)
      expect(rounds).to.have.length(1)
      expect(rounds[0].saliency).to.be.closeTo(costs[cheapest], 1e-12)
      expect(sparsity).to.be.closeTo(1 / d, 1e-15)
    })

    it('jointly reaches the minimum with several weights gone, with rows or coordinates factored', async () => {
      for (const rows of [30, 6]) {
        const some = g.slice(0, rows * d)
        const own = { weights: w, gradients: async () => ({ data: some, shape: [rows, d] }) }
        const solution = await prune(own, { ...whole, sparsity: 5 / d, recomputations: 1, joint: true })
        const dropped = Array.from(solution.kept.keys()).filter((j) => solution.kept[j] === 0)
        expect(dropped).to.have.length(5)
        const expected = constrainedMinimum(fisherMatrix(some, d, damping), w, dropped)
        expect(relativeError(solution.weights, expected)).to.be.at.most(1e-10)
      }
    })

    it('otherwise adds up the corrections of each, over blocks', () => {
      const block = 4
      const solution = pruneSync(model, { damping, blockSize: block, backend, sparsity: 4 / d, recomputations: 1 })
      const dense = inverse(fisherMatrix(g, d, damping, block)).inverse
      const saliency = Array.from(w, (value, j) => value ** 2 / (2 * dense[j][j]))
      const order = Array.from(saliency.keys())
        .sort((a, b) => saliency[a] - saliency[b])
        .slice(0, 4)
      const t = Array.from(w, (value, j) => (order.includes(j) ? -value / dense[j][j] : 0))
      const expected = times(dense, t).map((change, j) => (order.includes(j) ? 0 : w[j] + change))
      expect(relativeError(solution.weights, expected)).to.be.at.most(1e-11)
      expect(solution.rounds[0].saliency).to.be.closeTo(
        order.reduce((sum, j) => sum + saliency[j], 0),
        1e-11,
      )
    })

    it('goes down geometrically, with fresh gradients of what is left', async () => {
      const n = 64
      const seen: { weights: FloatArray; kept: Uint8Array }[] = []
      const values = Float32Array.from(fill(n, randomNormal(3)))
      const given = values.slice()
      const gradients = async (weights: FloatArray, kept: Uint8Array) => {
        seen.push({ weights: weights.slice(), kept: kept.slice() })
        const rows = Float32Array.from(randomGradients(10, n, seen.length))
        // Not looked at where nothing is left.
        for (let i = 0; i < 10 * n; i++) if (kept[i % n] === 0) rows[i] = Number.NaN
        weights.fill(7)
        kept.fill(1)
        return { data: rows, shape: [10, n] }
      }
      const start = Uint8Array.from({ length: n }, (_, j) => (j % 4 === 3 ? 0 : 1))
      const progress: number[] = []
      const solution = await prune(
        { weights: values, gradients, kept: start },
        {
          sparsity: 0.9,
          recomputations: 4,
          blockSize: 16,
          backend,
          onProgress: ({ iteration }) => progress.push(iteration),
        },
      )
      const shares = [48, ...solution.rounds.map((round) => round.kept)]
      const first = 48 / n
      for (let j = 0; j <= 4; j++) expect(shares[j]).to.equal(Math.round(n * first * (6 / 48) ** (j / 4)))
      expect(values).to.deep.equal(given)
      expect(solution.weights).to.be.instanceOf(Float32Array)
      expect(seen).to.have.length(4)
      seen.forEach(({ weights, kept }, k) => {
        expect(kept.reduce((sum, flag) => sum + flag, 0)).to.equal(shares[k])
        weights.forEach((value, j) => {
          if (kept[j] === 0) expect(value).to.equal(0)
        })
      })
      expect(Array.from(solution.weights).filter((value) => value !== 0)).to.have.length(6)
      expect(solution.kept.reduce((sum, flag) => sum + flag, 0)).to.equal(6)
      expect(progress[0]).to.equal(1)
    })

    it('takes the smallest saliencies, ties by place', () => {
      // With gradients of zeros ρ is half of w² times the damping.
      const n = 500
      const sizes = shuffled(n, random(4)).map((k) => 1 + Math.floor(k / 3))
      const zeros = {
        weights: Float64Array.from(sizes),
        gradients: () => ({ data: new Float64Array(n), shape: [1, n] }),
      }
      const { kept } = pruneSync(zeros, { sparsity: 0.4, recomputations: 1, backend })
      const order = Array.from({ length: n }, (_, j) => j).sort((a, b) => sizes[a] - sizes[b] || a - b)
      const dropped = order.slice(0, 200).sort((a, b) => a - b)
      expect(Array.from(kept.keys()).filter((j) => kept[j] === 0)).to.deep.equal(dropped)
    })

    it('refuses what it cannot use', async () => {
      const bad = (
        options: object,
        code: Parameters<typeof expectError>[1],
        message: RegExp,
        given: object = model,
      ) => {
        expectError(() => pruneSync(given as never, { sparsity: 0.5, backend, ...options }), code, message)
        return expectRejection(prune(given as never, { sparsity: 0.5, backend, ...options }), code, message)
      }
      for (const sparsity of [1, -0.1, Number.NaN, undefined])
        await bad({ sparsity }, 'ERR_OPTION', /^sparsity: expected a number in \[0, 1\)/)
      await bad({ sparsity: 0.99 }, 'ERR_OPTION', /^sparsity: expected one that keeps some of 14 weights/)
      await bad({ recomputations: 0 }, 'ERR_OPTION', /^recomputations: /)
      await bad({ damping: 0 }, 'ERR_NOT_POSITIVE', /^damping: /)
      await bad({}, 'ERR_SHAPE', /^weights: /, { ...model, weights: [1, 2] })
      await bad({}, 'ERR_NOT_FINITE', /^weights\[0\]: /, { ...model, weights: Float64Array.of(Number.NaN, 1) })
      await bad({}, 'ERR_ORACLE', /^gradients: expected a function/, { weights: w, gradients: g })
      await bad({}, 'ERR_ORACLE', /^gradients: expected rows of 14 numbers, got 1×2/, {
        weights: w,
        gradients: () => [[1, 2]],
      })
      await bad({}, 'ERR_SHAPE', /^kept: /, { ...model, kept: [1] })
      await bad({}, 'ERR_OPTION', /^kept\[1\]: /, { ...model, kept: Array.from(w, (_, j) => 2 * j) })
      await bad({ sparsity: 0.2 }, 'ERR_OPTION', /^sparsity: expected at least the 0\.5 of the mask/, {
        ...model,
        kept: Array.from(w, (_, j) => j % 2),
      })
      const nan = g.slice()
      nan[d + 3] = Number.NaN
      await bad({}, 'ERR_NOT_FINITE', /^gradients\[1\]\[3\]: /, {
        weights: w,
        gradients: () => ({ data: nan, shape: [m, d] }),
      })
      const large = {
        weights: new Float64Array(4100).fill(1),
        gradients: () => ({ data: new Float64Array(4100), shape: [1, 4100] }),
      }
      await bad(
        { joint: true, recomputations: 1 },
        'ERR_OPTION',
        /^joint: expected at most 2000 weights at once, got 2050/,
        large,
      )
      const failing = { weights: w, gradients: async () => Promise.reject(new Error('lost')) }
      expect(await rejection(prune(failing, { sparsity: 0.5, backend }))).to.have.property('message', 'lost')
      expectError(() => pruneSync(failing, { sparsity: 0.5, backend }), 'ERR_ORACLE', /Sync form/)
      const signal = AbortSignal.abort(new Error('enough'))
      expect(await rejection(prune(model, { sparsity: 0.5, signal, backend }))).to.have.property('message', 'enough')
    })
  })
})
