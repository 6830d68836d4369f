import { expect } from 'chai'
import type { TransportProblem } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectRejection } from '../helpers/errors.js'
import { methodsOn } from '../helpers/methods.js'
import { largestDifference, randomDense } from '../helpers/transport.js'

const dense = randomDense(6, 5, 211)
const { n, m, cost, a, b } = dense
const options = { epsilon: 0.1, tolerance: 1e-12 }

/** A view of the cost with these strides, in memory that holds nothing else but NaN. */
function strided(rowStride: number, columnStride: number, before = 3) {
  const reach = [0, (n - 1) * rowStride, (m - 1) * columnStride, (n - 1) * rowStride + (m - 1) * columnStride]
  const offset = before - Math.min(...reach)
  const data = new Float64Array(offset + Math.max(...reach) + 4).fill(Number.NaN)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < m; j++) data[offset + i * rowStride + j * columnStride] = cost[i * m + j]
  return { data, shape: [n, m], stride: [rowStride, columnStride], offset }
}

function shared<T extends Float64Array | Float32Array>(values: T): T {
  const memory = new SharedArrayBuffer(values.byteLength)
  const copy = values instanceof Float64Array ? new Float64Array(memory) : new Float32Array(memory)
  copy.set(values)
  return copy as T
}

const rows = Array.from({ length: n }, (_, i) => Array.from(cost.subarray(i * m, (i + 1) * m)))

const forms: Record<string, TransportProblem> = {
  'rows of numbers': { cost: rows, a: Array.from(a), b: Array.from(b) },
  'rows of typed arrays': { cost: rows.map((row) => Float64Array.from(row)), a, b },
  'an array for data': { cost: { data: Array.from(cost), shape: [n, m] }, a, b },
  'typed shape and stride': { cost: { data: cost, shape: Int32Array.of(n, m), stride: Int32Array.of(m, 1) }, a, b },
  'offset only': { cost: { data: Float64Array.of(9, 9, ...cost, 9), shape: [n, m], offset: 2 }, a, b },
  'padded rows': { cost: strided(m + 3, 1), a, b },
  'column by column': { cost: strided(1, n), a, b },
  'every other number': { cost: strided(2 * m, 2), a, b },
  'upside down': { cost: strided(-m, 1), a, b },
  'back to front': { cost: strided(-m, -1), a, b },
  'mirrored columns': { cost: strided(m + 1, -1), a, b },
  'shared memory': { cost: { data: shared(cost), shape: [n, m] }, a: shared(a), b: shared(b) },
  'a subarray': { cost: { data: Float64Array.of(7, ...cost, 7).subarray(1, 1 + n * m), shape: [n, m] }, a, b },
  'weights of other types': {
    cost: { data: cost, shape: [n, m] },
    a: Object.assign({ length: n }, Array.from(a)) as ArrayLike<number>,
    b: Array.from(b),
  },
}

describe('transport: forms of input', () => {
  forEachBackend((backend) => {
    for (const method of methodsOn(backend)) {
      it(`${method.name}: the same answer from every form`, async () => {
        const direct = method.runSync({ cost: { data: cost, shape: [n, m] }, a, b }, options)
        for (const [name, problem] of Object.entries(forms)) {
          const kept = structuredClone(problem)
          const inBatch = (await method.runBatch([problem], options))[0]
          for (const solution of [method.runSync(problem, options), await method.run(problem, options), inBatch]) {
            expect(solution.potentials, name).to.deep.equal(direct.potentials)
            expect(largestDifference(solution.plan().data, direct.plan().data), name).to.equal(0)
          }
          expect(problem, name).to.deep.equal(kept)
        }
      })

      it(`${method.name}: float32 forms, and uniform weights by default`, async () => {
        const single = Float32Array.from(cost)
        const matrix = { data: single, shape: [n, m] }
        const plain = { cost: Array.from(rows, (row) => row.map(Math.fround)) }
        const direct = method.runSync(plain, options)
        const equalA = new Float64Array(n).fill(1 / n)
        const equalB = new Float64Array(m).fill(1 / m)
        for (const problem of [
          { cost: matrix },
          { cost: { data: shared(single), shape: [n, m] } },
          { cost: matrix, a: equalA },
          { cost: matrix, b: equalB },
          { cost: matrix, a: equalA, b: equalB },
          { cost: matrix, a: undefined, b: undefined },
        ]) {
          const solution = await method.run(problem, options)
          expect(largestDifference(solution.plan().data, direct.plan().data)).to.be.below(1e-12)
        }
      })

      it(`${method.name}: totals that differ by rounding are one total`, () => {
        const exact = method.runSync({ cost: rows, a, b }, options)
        const nearly = method.runSync({ cost: rows, a, b: b.map((w) => w * (1 + 9e-7)) }, options)
        expect(nearly.status).to.equal('converged')
        expect(largestDifference(nearly.plan().data, exact.plan().data)).to.be.below(1e-12)
      })

      it(`${method.name}: NaN written into a large input during the call is an error, no answer`, async () => {
        const { cost: data } = randomDense(450, 400, 212) // too large to be copied
        const running = method.run({ cost: { data, shape: [450, 400] } }, { ...options, epsilon: 1e-4, timeLimit: 100 })
        data.fill(Number.NaN)
        await expectRejection(running, 'ERR_NOT_FINITE', /^cost/)
      })

      it(`${method.name}: reuse of the input after the call has begun`, async () => {
        const memory = cost.slice()
        const weights = a.slice()
        const running = method.run({ cost: { data: memory, shape: [n, m] }, a: weights, b }, options)
        memory.fill(0.5)
        weights.fill(7)
        const solution = await running
        const direct = method.runSync({ cost: rows, a, b }, options)
        expect(solution.potentials).to.deep.equal(direct.potentials)
        expect(largestDifference(solution.plan().data, direct.plan().data)).to.equal(0)
      })
    }
  })
})
