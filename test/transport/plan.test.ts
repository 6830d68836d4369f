import { expect } from 'chai'
import fc from 'fast-check'
import { pointCloud, type TransportSolution } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { transferred } from '../helpers/buffers.js'
import { expectError } from '../helpers/errors.js'
import { methodsOn, sinkhornOn } from '../helpers/methods.js'
import { check } from '../helpers/property.js'
import { fill, random } from '../helpers/random.js'
import { asProblem, dot, largestDifference, randomDense, total } from '../helpers/transport.js'

describe('transport: reading the plan', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      it(`${method.name}: plan, sparsePlan, apply and applyTranspose agree`, () => {
        const size = fc.integer({ min: 1, max: 40 })
        check(
          fc.property(size, size, fc.nat(), fc.constantFrom(0.003, 0.05, 1), (n, m, seed, epsilon) => {
            const solution = method.runSync(asProblem(randomDense(n, m, seed)), { epsilon, maxIterations: 200 })
            expectConsistent(solution, n, m, random(seed))
          }),
        )
      })
    }

    it('on a plan of more than one block of rows', () => {
      const solution = sinkhornOn(backend).runSync(asProblem(randomDense(310, 290, 181)), { epsilon: 0.05 })
      expectConsistent(solution, 310, 290, random(182))
    })

    it('of points', () => {
      const next = random(183)
      for (const d of [2, 15]) {
        const cloud = (count: number) => ({ data: fill(count * d, next), shape: [count, d] })
        for (const cost of ['sqeuclidean', 'euclidean', 'cosine', 'cityblock'] as const) {
          const solution = sinkhornOn(backend).runSync(
            { cost: pointCloud(cloud(30), cloud(20), { cost }) },
            { epsilon: 0.1 },
          )
          expectConsistent(solution, 30, 20, next)
        }
      }
    })

    it('with nodes that have no weight', () => {
      const dense = randomDense(6, 5, 184)
      const a = Float64Array.of(0, 0.3, 0, 0.5, 0.2, 0)
      const b = Float64Array.of(0.25, 0, 0.25, 0.5, 0)
      const solution = sinkhornOn(backend).runSync(asProblem({ ...dense, a, b }), { epsilon: 0.2, tolerance: 1e-12 })
      expectConsistent(solution, 6, 5, random(185))
      expect(solution.sparsePlan(1e-300).indptr).to.deep.equal(Int32Array.of(0, 0, 3, 3, 6, 9, 9))
    })

    it('takes any vector, and refuses what is none', () => {
      const solution = sinkhornOn(backend).runSync(asProblem(randomDense(3, 4, 186)), { epsilon: 0.1 })
      const expected = solution.apply(Float64Array.of(1, 2, 3, 4))
      expect(solution.apply([1, 2, 3, 4])).to.deep.equal(expected)
      expect(solution.apply(Float32Array.of(1, 2, 3, 4))).to.deep.equal(expected)
      expect(solution.apply(Int16Array.of(1, 2, 3, 4))).to.deep.equal(expected)
      expectError(() => solution.apply([1, 2, 3]), 'ERR_SHAPE', 'v: expected 4 numbers, got 3')
      expectError(() => solution.applyTranspose([1, 2, 3, 4]), 'ERR_SHAPE', 'v: expected 3 numbers, got 4')
      for (const wrong of [undefined, null, 'abc', 7, {}, ['1', 2, 3, 4], [1n, 2n, 3n, 4n]]) {
        expectError(() => solution.apply(wrong as never), 'ERR_SHAPE', /^v(\[0\])?: expected a (vector|number)/)
      }
      for (const threshold of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, null, '0.1']) {
        expectError(
          () => solution.sparsePlan(threshold as never),
          typeof threshold === 'number' && !Number.isNaN(threshold) ? 'ERR_NOT_POSITIVE' : 'ERR_OPTION',
          /^threshold: expected a finite number > 0, got /,
        )
      }
    })

    it('of a large cost that was transferred away afterwards: an error', () => {
      const data = randomDense(400, 350, 188).cost
      const solution = sinkhornOn(backend).runSync({ cost: { data, shape: [400, 350] } }, { epsilon: 0.1 })
      expect(solution.apply(new Float64Array(350))).to.have.length(400)
      transferred(data)
      for (const read of [
        () => solution.plan(),
        () => solution.sparsePlan(1e-3),
        () => solution.apply(new Float64Array(350)),
        () => solution.applyTranspose(new Float64Array(400)),
      ]) {
        expectError(read, 'ERR_BUFFER', 'cost: expected an array, got one whose buffer was transferred away')
      }
    })

    it('belongs to the solution, whatever happens to the problem afterwards', async () => {
      const dense = randomDense(12, 9, 187)
      const solution = await sinkhornOn(backend).run(asProblem(dense), { epsilon: 0.1 })
      const { data: before } = solution.plan()
      dense.cost.fill(0)
      dense.a.fill(1)
      expect(solution.plan().data).to.deep.equal(before)
      expect(solution.sparsePlan(1e-12).data.length).to.be.above(0)
      expect(largestDifference(solution.apply(new Float64Array(9).fill(1)), randomDense(12, 9, 187).a)).to.be.below(
        1e-9,
      )
    })
  })
})

function expectConsistent(solution: TransportSolution, n: number, m: number, next: () => number): void {
  const { data: plan, shape } = solution.plan()
  expect(shape).to.deep.equal([n, m])
  expect(plan).to.have.length(n * m)
  expect(plan.findIndex((p) => !(p >= 0 && p < 2))).to.equal(-1)

  const v = fill(m, () => 2 * next() - 1)
  const w = fill(n, () => 2 * next() - 1)
  const slack = 1e-14 * (1 + total(plan))
  const forward = solution.apply(v)
  const backward = solution.applyTranspose(w)
  expect([forward.length, backward.length]).to.deep.equal([n, m])
  for (let i = 0; i < n; i++) expect(forward[i]).to.be.closeTo(dot(plan.subarray(i * m, (i + 1) * m), v), slack)
  for (let j = 0; j < m; j++) {
    const column = Float64Array.from({ length: n }, (_, i) => plan[i * m + j])
    expect(backward[j]).to.be.closeTo(dot(column, w), slack)
  }

  for (const threshold of [1e-300, 1e-12, 0.01 / n, 0.7 / n, 10]) {
    const { shape: sparseShape, indptr, indices, data } = solution.sparsePlan(threshold)
    expect(sparseShape).to.deep.equal([n, m])
    expect(indptr)
      .to.be.instanceOf(Int32Array)
      .with.length(n + 1)
    expect(indices).to.be.instanceOf(Int32Array)
    expect(data).to.be.instanceOf(Float64Array)
    expect([indptr[0], indptr[n]]).to.deep.equal([0, data.length])
    const kept = new Float64Array(n * m)
    let descents = 0
    for (let i = 0; i < n; i++) {
      for (let k = indptr[i]; k < indptr[i + 1]; k++) {
        if (k > indptr[i] && indices[k] <= indices[k - 1]) descents++
        kept[i * m + indices[k]] = data[k]
      }
    }
    expect(descents, 'columns ascend').to.equal(0)
    const wrong = kept.findIndex((value, k) => {
      // An entry within rounding of the threshold may fall on either side.
      if (Math.abs(plan[k] - threshold) <= 1e-9 * threshold) return false
      return plan[k] > threshold ? !(Math.abs(value - plan[k]) <= 1e-13 * plan[k]) : value !== 0
    })
    expect(wrong, `first wrong entry at threshold ${threshold}`).to.equal(-1)
  }
}
