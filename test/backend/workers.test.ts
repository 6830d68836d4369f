import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { forEachBackend } from '../helpers/backends.js'
import { childResult } from '../helpers/children.js'
import { sinkhornOn } from '../helpers/methods.js'
import { random } from '../helpers/random.js'
import { asProblem, randomDense } from '../helpers/transport.js'
import { startWorker } from '../helpers/workers.js'
import type { Task } from './children/solving-worker.js'

const start = (task: Task) => startWorker('solving-worker', task)

/** Its first message. An error of the worker is an error here. */
async function message(worker: Worker): Promise<unknown> {
  const [value] = await once(worker, 'message')
  return value
}

describe('backend: worker threads', function () {
  this.timeout(120_000)

  forEachBackend((backend) => {
    const { run, runSync } = sinkhornOn(backend)
    const problem = asProblem(randomDense(30, 40, 341))
    const options = { epsilon: 0.1 }

    it('solve as the main thread does, several at once', async () => {
      const { potentials, value } = runSync(problem, options)
      const workers = Array.from({ length: 3 }, () => start({ backend, what: 'solve' }))
      const running = run(problem, options)
      const ended = Promise.all(workers.map((worker) => once(worker, 'exit')))
      for (const said of await Promise.all(workers.map(message))) {
        expect(said).to.deep.equal({
          loaded: 'native',
          solutions: Array.from({ length: 3 }, () => ({ ...potentials, value })),
        })
      }
      expect(await ended).to.deep.equal([[0], [0], [0]])
      expect((await running).potentials).to.deep.equal(potentials)
    })

    it('terminated in the middle of solves, many times: the others go on', async () => {
      const next = random(343)
      const expected = runSync(problem, options).potentials
      for (let round = 0; round < 3; round++) {
        const workers = Array.from({ length: 2 }, () => start({ backend, what: 'endless' }))
        const own = run(asProblem(randomDense(300, 300, 344)), { epsilon: 1e-3, tolerance: 1e-9, maxIterations: 300 })
        await Promise.all(workers.map(message))
        await sleep(30 * next())
        const before = performance.now()
        expect(await Promise.all(workers.map((worker) => worker.terminate()))).to.deep.equal([1, 1])
        expect(performance.now() - before).to.be.below(5000)
        expect((await own).iterations).to.be.within(1, 300)
        expect((await run(problem, options)).potentials).to.deep.equal(expected)
      }
    })

    it('leaving by process.exit() or an error in the middle of solves', async () => {
      const exiting = start({ backend, what: 'exit' })
      expect(await once(exiting, 'exit')).to.deep.equal([3])
      const failing = start({ backend, what: 'throw' })
      const [error] = await once(failing, 'error')
      expect(error).to.have.property('message', 'on purpose')
      expect((await run(problem, options)).status).to.equal('converged')
    })

    it('the addon in workers alone, one after the other', async () => {
      const ended = await childResult<string[]>('workers-only', { args: [backend] })
      expect(ended).to.deep.equal(['solved, exit 0', 'terminated, exit 1', 'solved, exit 0'])
    })
  })
})
