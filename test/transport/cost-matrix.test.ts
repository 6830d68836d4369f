import { expect } from 'chai'
import { type CostMatrixOptions, costMatrix, costMatrixSync, emd, pointCloud } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'

/** Letters that differ, and by how much lengths do. */
const unlike = (a: string, b: string) =>
  Math.abs(a.length - b.length) + [...a].filter((letter, i) => i < b.length && letter !== b[i]).length

const words = ['cat', 'horse', 'bird']
const others = ['cart', 'birds', 'house', 'mule']

describe('costMatrix', () => {
  it('asks once for each pair and keeps the answers by rows', async () => {
    const pairs: string[] = []
    const cost = (a: string, b: string) => {
      pairs.push(`${a} ${b}`)
      return unlike(a, b)
    }
    const expected = [2, 5, 5, 4, 4, 5, 1, 4, 4, 1, 4, 4].map((_, k) => unlike(words[k >> 2], others[k & 3]))
    const { data, shape } = await costMatrix(words, others, cost)
    expect(shape).to.deep.equal([3, 4])
    expect([...data]).to.deep.equal(expected)
    expect(pairs).to.deep.equal(words.flatMap((a) => others.map((b) => `${a} ${b}`)))
    expect(costMatrixSync(words, others, unlike)).to.deep.equal({ data, shape })
  })

  forEachBackend((backend) => {
    it('of a cost between points gives the plan that pointCloud gives', async () => {
      const x = Array.from({ length: 20 }, (_, i) => [Math.sin(3 * i), Math.cos(5 * i)])
      const y = Array.from({ length: 20 }, (_, i) => [Math.sin(7 * i + 1), Math.cos(2 * i)])
      const cost = await costMatrix(x, y, (p, q) => Math.hypot(p[0] - q[0], p[1] - q[1]))
      const own = await emd({ cost }, { backend })
      const known = await emd({ cost: pointCloud(x, y, { cost: 'euclidean' }) }, { backend })
      expect(own.value).to.be.closeTo(known.value, 1e-12)
      expect(own.certificate.gap).to.be.closeTo(0, 1e-12)
    })

    it('lets Infinity forbid a pair', async () => {
      const cost = await costMatrix([0, 1, 2], [0, 1, 2], (p, q) =>
        p === q ? Number.POSITIVE_INFINITY : q > p ? 1 : 2,
      )
      // Without fixed points there are the two rotations: 1 + 1 + 2 and 1 + 2 + 2.
      expect((await emd({ cost }, { backend })).value).to.be.closeTo(4 / 3, 1e-14)
    })
  })

  it('leaves the event loop its turns, tells of its progress and can be stopped', async () => {
    const slow = (i: number, j: number) => {
      const end = performance.now() + 0.1
      while (performance.now() < end);
      return i + j
    }
    const range = Array.from({ length: 30 }, (_, i) => i)
    let turns = 0
    let running = true
    const count = () => {
      turns++
      if (running) setImmediate(count)
    }
    setImmediate(count)
    const residuals: number[] = []
    await costMatrix(range, range, slow, { onProgress: ({ residual }) => residuals.push(residual) })
    running = false
    expect(turns).to.be.at.least(5)
    expect(residuals).to.not.be.empty
    expect(residuals).to.deep.equal([...residuals].sort((a, b) => b - a))

    const controller = new AbortController()
    let calls = 0
    const stopping = (i: number, j: number) => {
      if (++calls === 100) controller.abort(new Error('enough'))
      return slow(i, j)
    }
    const reason = await rejection(costMatrix(range, range, stopping, { signal: controller.signal }))
    expect(reason).to.have.property('message', 'enough')
    expect(calls).to.be.below(900)
    expect(await rejection(costMatrix(range, range, slow, { signal: AbortSignal.abort('before') }))).to.equal('before')
  })

  it('refuses what is no cost, with the place', async () => {
    const refused: [unknown, unknown, unknown, 'ERR_SHAPE' | 'ERR_ORACLE', RegExp][] = [
      [[], [1], unlike, 'ERR_SHAPE', /^x: expected an array that is not empty, got a length of 0$/],
      [[1], 5, unlike, 'ERR_SHAPE', /^y: .*got 5$/],
      [[1], [1], 'euclidean', 'ERR_ORACLE', /^cost: expected a function of x and y, got 'euclidean'$/],
      [[1, 2], [1, 2], (a: number, b: number) => (a + b < 4 ? 0 : Number.NaN), 'ERR_ORACLE', /^cost\[1\]\[1\]: .*NaN$/],
      [[1, 2], [1, 2], (a: number) => (a < 2 ? 0 : Number.NEGATIVE_INFINITY), 'ERR_ORACLE', /^cost\[1\]\[0\]: .*-Inf/],
      [[1], [1], () => '3', 'ERR_ORACLE', /^cost\[0\]\[0\]: expected a number or Infinity, got '3'$/],
      [[1], [1], async () => 3, 'ERR_ORACLE', /^cost\[0\]\[0\]: .*got Promise$/],
    ]
    for (const [x, y, cost, code, message] of refused) {
      const call = [x as number[], y as number[], cost as () => number] as const
      await expectRejection(costMatrix(...call), code, message)
      expectError(() => costMatrixSync(...call), code, message)
    }
    const cause = new Error('no such word')
    const failing = () => {
      throw cause
    }
    await expectRejection(costMatrix([1], [1], failing), 'ERR_ORACLE', /^cost\[0\]\[0\]: .*no such word/)
    expect(await rejection(costMatrix([1], [1], failing))).to.have.property('cause', cause)
    const options = { threads: 2 } as CostMatrixOptions
    await expectRejection(costMatrix([1], [1], unlike as never, options), 'ERR_OPTION', /unknown name 'threads'/)
  })

  it('is what pointCloud points to for a function', () => {
    const cost = ((x: number, y: number) => x - y) as never
    expectError(() => pointCloud([[1]], [[2]], { cost }), 'ERR_OPTION', /^cost: .*costMatrix/)
  })
})
