import { expect } from 'chai'
import { forEachBackend } from '../helpers/backends.js'
import { adaptiveOn, sinkhornOn } from '../helpers/methods.js'
import { asProblem, randomDense } from '../helpers/transport.js'

describe('backend: the event loop', () => {
  forEachBackend((backend) => {
    it('goes on turning while kernels run', async () => {
      const problem = asProblem(randomDense(700, 600, 331))
      const options = { epsilon: 1e-5, tolerance: 1e-15, maxIterations: 2 ** 31 - 1, timeLimit: 500 }
      for (const method of [sinkhornOn(backend), adaptiveOn(backend)]) {
        let turns = 0
        let running = true
        let longest = 0
        let last = performance.now()
        const turn = () => {
          turns++
          longest = Math.max(longest, performance.now() - last)
          last = performance.now()
          if (running) setImmediate(turn)
        }
        setImmediate(turn)
        const { elapsed } = await method.run(problem, options)
        running = false
        // Portable kernels hand over every few milliseconds; native ones are not on this thread at all.
        expect(turns, `turns in ${elapsed} ms, the longest of ${longest} ms`).to.be.above(
          elapsed / (backend === 'native' ? 10 : 50),
        )
      }
    })
  })
})
