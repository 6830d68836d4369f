import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import { pointCloud, type TransportProblem } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { rejection } from '../helpers/errors.js'
import { methodsOn, sinkhornOn } from '../helpers/methods.js'
import { checkAsync } from '../helpers/property.js'
import { fill, random } from '../helpers/random.js'
import { asProblem, randomDense } from '../helpers/transport.js'

/** Would run for minutes. */
const endless = { epsilon: 1e-5, tolerance: 1e-15, maxIterations: 2 ** 31 - 1, history: false }

function hardProblems(): TransportProblem[] {
  const next = random(311)
  const cloud = (count: number, d: number) => ({ data: fill(count * d, next), shape: [count, d] })
  return [
    asProblem(randomDense(90, 110, 312)),
    asProblem(randomDense(400, 450, 313)),
    { cost: pointCloud(cloud(200, 2), cloud(220, 2)) },
    { cost: pointCloud(cloud(200, 20), cloud(220, 20)) },
  ]
}

describe('backend: abort', () => {
  forEachBackend((backend) => {
    const problems = hardProblems()
    const reference = asProblem(randomDense(30, 40, 314))
    const healthy = () => sinkhornOn(backend).runSync(reference, { epsilon: 0.1 }).potentials
    const before = healthy()

    it('at any moment: the reason, and nothing is harmed', async () => {
      const moment = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 25 }))
      const count = fc.integer({ min: 1, max: 5 })
      await checkAsync(
        fc.asyncProperty(
          fc.array(moment, { minLength: 1, maxLength: 4 }),
          count,
          fc.nat({ max: 3 }),
          async (moments, copies, first) => {
            const reasons: unknown[] = []
            const runs = moments.flatMap((milliseconds, k) => {
              const controller = new AbortController()
              const reason = k % 2 === 0 ? undefined : { k }
              setTimeout(() => controller.abort(reason), milliseconds)
              return Array.from({ length: copies }, (_, copy) => {
                reasons.push(reason)
                const options = { ...endless, signal: controller.signal }
                const problem = problems[(first + k + copy) % problems.length]
                return copy === 4
                  ? sinkhornOn(backend).runBatch([problem, reference, problem], options)
                  : sinkhornOn(backend).run(problem, options)
              })
            })
            const errors = await Promise.all(runs.map(rejection))
            errors.forEach((error, k) => {
              if (reasons[k] === undefined)
                expect(error).to.be.instanceOf(DOMException).with.property('name', 'AbortError')
              else expect(error).to.equal(reasons[k])
            })
            expect(healthy()).to.deep.equal(before)
          },
        ),
        { runs: 25 },
      )
    })

    it('of the Newton methods', async () => {
      for (const method of methodsOn(backend).slice(1)) {
        for (const problem of problems) {
          for (const milliseconds of [0, 1, 5]) {
            const controller = new AbortController()
            setTimeout(() => controller.abort(), milliseconds)
            const running = method.run(problem, { epsilon: 1e-5, tolerance: 1e-15, signal: controller.signal })
            // It may be through before the abort comes: then it has its answer.
            const ended = await running.then(
              ({ potentials }) => [...potentials.f].every(Number.isFinite),
              (error) => error.name === 'AbortError',
            )
            expect(ended).to.equal(true)
          }
        }
      }
      expect(healthy()).to.deep.equal(before)
    })

    it('soon, also in the middle of a large problem', async () => {
      const large = asProblem(randomDense(2000, 1800, 315))
      for (const milliseconds of [1, 30, 120]) {
        const running = sinkhornOn(backend).run(large, { ...endless, signal: AbortSignal.timeout(milliseconds) })
        const start = performance.now()
        expect(await rejection(running)).to.have.property('name', 'TimeoutError')
        expect(performance.now() - start).to.be.below(5000)
      }
    })

    it('of a hundred waiting calls by one signal', async () => {
      const warnings: Error[] = []
      const note = (warning: Error) => warnings.push(warning)
      process.on('warning', note)
      const controller = new AbortController()
      const options = { ...endless, signal: controller.signal }
      const runs = Array.from({ length: 100 }, () => sinkhornOn(backend).run(problems[0], options))
      const errors = Promise.all(runs.map(rejection))
      await sleep(10)
      controller.abort()
      for (const error of await errors) expect(error).to.have.property('name', 'AbortError')
      await sleep(0)
      process.off('warning', note)
      expect(warnings.map(String)).to.deep.equal([])
      expect(healthy()).to.deep.equal(before)
    })

    it('after the end changes nothing, and leaves no listener behind', async () => {
      const { signal } = new AbortController()
      const controller = new AbortController()
      const options = { epsilon: 0.1, signal: controller.signal }
      const solution = await sinkhornOn(backend).run(reference, options)
      const [inBatch] = await sinkhornOn(backend).runBatch([reference], options)
      await rejection(sinkhornOn(backend).run({ cost: [[Number.NaN]] }, options))
      expect(getEventListeners(controller.signal, 'abort')).to.have.length(0)
      controller.abort()
      await sleep(1)
      expect(solution.potentials).to.deep.equal(before)
      expect(inBatch.potentials).to.deep.equal(before)
      expect(signal.aborted).to.equal(false)
      const aborted = new AbortController()
      const running = sinkhornOn(backend).run(problems[0], { ...endless, signal: aborted.signal })
      aborted.abort()
      await rejection(running)
      expect(getEventListeners(aborted.signal, 'abort')).to.have.length(0)
    })

    it('from within the progress callback', async () => {
      const controller = new AbortController()
      const onProgress = () => controller.abort('seen enough')
      const running = sinkhornOn(backend).run(problems[1], { ...endless, signal: controller.signal, onProgress })
      expect(await rejection(running)).to.equal('seen enough')
      expect(healthy()).to.deep.equal(before)
    })

    it('a buffer that is transferred away under a running kernel: an error, not a crash', async () => {
      const options = { ...endless, timeLimit: 150 }
      const { run, runBatch } = sinkhornOn(backend)
      for (const call of [
        (problem: TransportProblem) => run(problem, options),
        (problem: TransportProblem) => runBatch([reference, problem], options),
      ]) {
        const data = randomDense(500, 400, 316).cost // too large to be copied
        const running = call({ cost: { data, shape: [500, 400] } })
        const kept = structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] })
        // A portable batch may be the first to read it only now, and find no numbers.
        expect(await rejection(running))
          .to.have.property('code')
          .that.is.oneOf(['ERR_BUFFER', 'ERR_NOT_FINITE'])
        expect(kept.byteLength).to.equal(8 * 500 * 400)
        expect(healthy()).to.deep.equal(before)
      }
    })
  })
})
