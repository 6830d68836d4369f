import { expect } from 'chai'
import type { Progress } from '../../lib/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { rejection } from '../helpers/errors.js'
import { sinkhornOn } from '../helpers/methods.js'
import { asProblem, randomDense } from '../helpers/transport.js'

const problem = asProblem(randomDense(200, 180, 321))
/** Runs until its time is up; without acceleration, whose residual may rise on the way. */
const endless = { epsilon: 1e-5, tolerance: 1e-15, maxIterations: 2 ** 31 - 1, acceleration: 'none' as const }

describe('backend: progress', () => {
  forEachBackend((backend) => {
    const { run, runBatch, runSync } = sinkhornOn(backend)

    it('no more than 20 times a second, iterations growing', async () => {
      const reports: Progress[] = []
      const solution = await run(problem, { ...endless, timeLimit: 1000, onProgress: (report) => reports.push(report) })
      expect(solution.status).to.equal('time-limit')
      expect(reports.length).to.be.within(3, 1 + solution.elapsed / 50)
      for (const [k, { iteration, residual, elapsed }] of reports.entries()) {
        expect(iteration).to.satisfy(Number.isInteger)
        expect(residual).to.satisfy((r: number) => Number.isFinite(r) && r > 0)
        expect(elapsed).to.be.within(0, solution.elapsed + 1)
        if (k === 0) continue
        expect(iteration).to.be.above(reports[k - 1].iteration)
        expect(elapsed).to.be.above(reports[k - 1].elapsed)
        expect(residual).to.be.at.most(reports[k - 1].residual * (1 + 1e-9))
      }
      expect(reports.at(-1)!.iteration).to.be.at.most(solution.iterations)
    })

    it('of two solves at once, each to its own callback', async () => {
      const [few, many]: [number[], number[]] = [[], []]
      const small = asProblem(randomDense(40, 40, 322))
      const options = { ...endless, timeLimit: 400, threads: 1 }
      const [first, second] = await Promise.all([
        run(problem, { ...options, onProgress: ({ iteration }) => few.push(iteration) }),
        run(small, { ...options, onProgress: ({ iteration }) => many.push(iteration) }),
      ])
      expect(few.length).to.be.above(0)
      expect(many.length).to.be.above(0)
      expect(few.at(-1)).to.be.at.most(first.iterations)
      expect(many.at(-1)).to.be.at.most(second.iterations)
    })

    it('of a batch: finished problems', async () => {
      const reports: Progress[] = []
      const problems = Array.from({ length: 300 }, () => asProblem(randomDense(30, 30, 323)))
      await runBatch(problems, {
        epsilon: 1e-3,
        tolerance: 1e-14,
        maxIterations: 500,
        threads: 1,
        onProgress: (report) => reports.push(report),
      })
      for (const [k, { iteration }] of reports.entries()) {
        expect(iteration).to.be.within(0, 300)
        if (k > 0) expect(iteration).to.be.above(reports[k - 1].iteration)
      }
      expect(reports.length).to.be.above(0)
    })

    it('an error in the callback is the error of the call', async () => {
      const mistake = new RangeError('mine')
      let calls = 0
      const onProgress = () => {
        calls++
        throw mistake
      }
      expect(await rejection(run(problem, { ...endless, onProgress }))).to.equal(mistake)
      const quick = Array.from({ length: 2000 }, () => asProblem(randomDense(30, 30, 324)))
      const options = { epsilon: 1e-3, tolerance: 1e-14, maxIterations: 200, threads: 1, onProgress }
      expect(await rejection(runBatch(quick, options))).to.equal(mistake)
      expect(calls).to.equal(2)
      expect((await run(problem, { epsilon: 0.1 })).status).to.equal('converged')
    })

    it('what the callback returns is ignored', async () => {
      const onProgress = async () => 7
      expect((await run(problem, { ...endless, timeLimit: 200, onProgress })).status).to.equal('time-limit')
    })

    it('new solves can be started from the callback', async () => {
      const started: Promise<unknown>[] = []
      const onProgress = () => {
        started.push(run(problem, { epsilon: 0.1 }))
        runSync(problem, { epsilon: 0.1 })
      }
      await run(problem, { ...endless, timeLimit: 200, onProgress })
      expect(started.length).to.be.above(0)
      for (const solution of await Promise.all(started)) expect(solution).to.have.property('status', 'converged')
    })
  })
})
