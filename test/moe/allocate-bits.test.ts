import { expect } from 'chai'
import fc from 'fast-check'
import { type AllocateBitsOptions, allocateBits, allocateBitsSync, quantizationErrors } from '../../lib/moe/index.js'
import { generator } from '../../lib/random/index.js'
import { expectError, expectRejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { random, shuffled } from '../helpers/random.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

interface Problem {
  errors: number[][]
  sizes: number[]
  frequency: number[]
  weight: number[]
  budget: number
  atLeastOne: number[]
}

const bits = [1, 2, 3]

/** The least loss over all choices, infinite if there is none. */
function bruteForce({ errors, sizes, frequency, weight, budget, atLeastOne }: Problem, alpha = 1, beta = 1): number {
  const visit = (e: number, left: number, loss: number, seen: Set<number>): number => {
    if (e === errors.length) return atLeastOne.every((width) => seen.has(width)) ? loss : Number.POSITIVE_INFINITY
    return Math.min(
      ...bits.map((width, c) => {
        const rest = left - sizes[e] * width
        if (rest < -1e-9) return Number.POSITIVE_INFINITY
        const own = frequency[e] ** alpha * weight[e] ** beta * errors[e][c]
        return visit(e + 1, rest, loss + own, new Set([...seen, width]))
      }),
    )
  }
  return visit(0, budget, 0, new Set())
}

const problems: fc.Arbitrary<Problem> = fc.integer({ min: 1, max: 6 }).chain((experts) => {
  const list = <T>(entry: fc.Arbitrary<T>) => fc.array(entry, { minLength: experts, maxLength: experts })
  const real = fc.double({ min: 0.01, max: 5, noNaN: true })
  return fc.record({
    errors: list(fc.array(fc.oneof(fc.nat(9), real), { minLength: 3, maxLength: 3 })),
    sizes: list(fc.oneof(fc.integer({ min: 1, max: 4 }), real)),
    frequency: list(real),
    weight: list(real),
    budget: fc.double({ min: 0.01, max: 60, noNaN: true }),
    atLeastOne: fc.subarray(bits),
  })
})

/** Relative errors of matrices of heavy-tailed weights: normal ones over a chi of four degrees. */
function heavyTailed(seed: number): { errors: number[][]; frequency: Float64Array } {
  const rng = generator(seed)
  const entries = 64 * 64
  const matrices = Array.from({ length: 16 }, () => {
    const [z, c] = [rng.normal(entries), rng.normal(4 * entries)]
    const chi = (i: number) =>
      Math.sqrt((c[4 * i] ** 2 + c[4 * i + 1] ** 2 + c[4 * i + 2] ** 2 + c[4 * i + 3] ** 2) / 4)
    return { data: z.map((x, i) => x / chi(i)), shape: [64, 64] }
  })
  const { data } = quantizationErrors(matrices)
  const errors = matrices.map((matrix, e) => {
    const norm = matrix.data.reduce((sum, w) => sum + w * w, 0)
    return Array.from(data.subarray(4 * e, 4 * e + 4), (error) => error / norm)
  })
  return { errors, frequency: Float64Array.from(rng.permutation(16), (rank) => 1 / (1 + rank)) }
}

describe('moe: allocateBits', () => {
  it('is the best of all by trying them; the others and the bounds enclose it', () => {
    check(
      fc.property(problems, fc.constantFrom(0, 0.5, 1, 2), (problem, power) => {
        const { errors, atLeastOne, ...rest } = problem
        const options: AllocateBitsOptions = { ...rest, bits, alpha: power, beta: 1.5 }
        const least = rest.sizes.reduce((sum, size) => sum + size, 0)
        if (least > rest.budget) {
          expectError(
            () => allocateBitsSync(errors, options),
            'ERR_INFEASIBLE',
            /^budget: expected .+ \(all experts at 1 bits\)/,
          )
          return
        }
        const free = bruteForce({ ...problem, atLeastOne: [] }, power, 1.5)
        const exact = allocateBitsSync(errors, options)
        expect(exact.value).to.be.closeTo(free, 1e-9 * (1 + free))
        expect(exact.gap).to.be.closeTo(0, 1e-12)
        expect(exact.lagrangianBound).to.be.at.most(exact.value + 1e-9)
        expect(exact.used).to.be.at.most(rest.budget * (1 + 1e-9))
        const used = rest.sizes.reduce((sum, size, e) => sum + size * exact.bits[e], 0)
        expect(exact.used).to.be.closeTo(used, 1e-9)
        for (const method of ['greedy', 'uniform'] as const) {
          const other = allocateBitsSync(errors, { ...options, method })
          expect(other.value).to.be.at.least(free - 1e-9)
          expect(other.gap).to.be.at.least(-1e-9)
          expect(other.used).to.be.at.most(rest.budget * (1 + 1e-9))
        }
        const marked = bruteForce(problem, power, 1.5)
        if (marked === Number.POSITIVE_INFINITY) {
          expectError(
            () => allocateBitsSync(errors, { ...options, atLeastOne }),
            'ERR_INFEASIBLE',
            /widths of atLeastOne/,
          )
          return
        }
        const solution = allocateBitsSync(errors, { ...options, atLeastOne })
        expect(solution.value).to.be.closeTo(marked, 1e-9 * (1 + marked))
        for (const width of atLeastOne) expect([...solution.bits]).to.include(width)
      }),
      { runs: 300 },
    )
  })

  it('on ten sets of heavy-tailed experts: far better than uniform and greedy, which may be worse than uniform', () => {
    let worse = 0
    for (let seed = 0; seed < 10; seed++) {
      const { errors, frequency } = heavyTailed(seed)
      const value = (averageBits: number, method: 'exact' | 'greedy' | 'uniform') =>
        allocateBitsSync(errors, { averageBits, frequency, method }).value
      expect(value(2, 'exact')).to.be.below(0.4 * value(2, 'uniform'))
      expect(value(2, 'exact')).to.be.below(0.6 * value(2, 'greedy'))
      expect(value(3, 'exact')).to.be.below(0.75 * value(3, 'uniform'))
      if (value(3, 'greedy') > value(3, 'uniform')) worse++
    }
    expect(worse).to.be.at.least(8)
  })

  it('many experts of different sizes, and another order of them', () => {
    const next = random(3)
    const errors = Array.from({ length: 200 }, () => {
      const scale = 0.1 + next()
      return [1, 0.9, 0.25, 0.06].map((error) => error * scale * (0.7 + 0.6 * next()))
    })
    const sizes = errors.map(() => 1 + Math.floor(5 * next()) + next())
    const solution = allocateBitsSync(errors, { averageBits: 2.3, sizes })
    expect(solution.gap).to.be.at.most(1e-9)
    expect(solution.value / solution.lagrangianBound).to.be.within(1 - 1e-9, 1.01)
    const order = shuffled(200, next)
    const moved = allocateBitsSync(
      order.map((e) => errors[e]),
      { averageBits: 2.3, sizes: order.map((e) => sizes[e]) },
    )
    expect(moved.value).to.be.closeTo(solution.value, 1e-9)
  })

  it('the same on the calling thread and off it', async () => {
    const { errors, frequency } = heavyTailed(11)
    const { elapsed: _, ...expected } = allocateBitsSync(errors, { averageBits: 2.5, frequency })
    const { elapsed, ...came } = await allocateBits(errors, { averageBits: 2.5, frequency })
    expect(came).to.deep.equal(expected)
    expect(elapsed).to.be.at.least(0)
  })

  it('refuses bad errors and options', async () => {
    const good = [
      [3, 2, 1],
      [4, 3, 1],
    ]
    const bad: [Wrong, Wrong, string, RegExp][] = [
      [[], { averageBits: 2 }, 'ERR_SHAPE', /^errors: expected a row for each expert, of 4 errors/],
      [good, { averageBits: 2 }, 'ERR_SHAPE', /\(for 1, 2, 3, 4 bits\), got 2×3$/],
      [
        [[1, -1, 0]],
        { averageBits: 2, bits },
        'ERR_NOT_POSITIVE',
        /^errors\[0\]\[1\]: expected a finite error >= 0, got -1$/,
      ],
      [[[1, Number.NaN, 0]], { averageBits: 2, bits }, 'ERR_NOT_FINITE', /^errors\[0\]\[1\]: /],
      [good, { bits }, 'ERR_OPTION', /^budget, averageBits: expected one of them, got neither$/],
      [good, { bits, budget: 1, averageBits: 1 }, 'ERR_OPTION', /got both$/],
      [
        good,
        { bits, averageBits: 0.5 },
        'ERR_INFEASIBLE',
        /^budget: expected 2 or more \(all experts at 1 bits\), got 1$/,
      ],
      [good, { bits: [2, 1, 3], averageBits: 2 }, 'ERR_OPTION', /^bits\[1\]: expected more than 2, got 1$/],
      [good, { bits: [], averageBits: 2 }, 'ERR_OPTION', /^bits: expected a list of 1 to 16 widths/],
      [good, { bits, averageBits: 2, sizes: [1] }, 'ERR_SHAPE', /^sizes: expected 2 numbers, got 1$/],
      [good, { bits, averageBits: 2, frequency: [1, -1] }, 'ERR_NOT_POSITIVE', /^frequency\[1\]: /],
      [
        good,
        { bits, averageBits: 2, atLeastOne: [4] },
        'ERR_OPTION',
        /^atLeastOne\[0\]: expected one of 1, 2, 3 bits, got 4$/,
      ],
      [
        good,
        { bits, averageBits: 2, atLeastOne: [1], method: 'greedy' },
        'ERR_OPTION',
        /^atLeastOne: expected with method 'exact' only/,
      ],
      [good, { bits, averageBits: 2, method: 'dp' }, 'ERR_OPTION', /^method: expected one of/],
      [good, { bits, averagebits: 2 }, 'ERR_OPTION', /did you mean 'averageBits'\?$/],
    ]
    for (const [errors, options, code, message] of bad) {
      expectError(() => allocateBitsSync(errors, options), code as 'ERR_SHAPE', message)
      await expectRejection(allocateBits(errors, options), code as 'ERR_SHAPE', message)
    }
  })
})
