import { expect } from 'chai'
import { forEachBackend } from '../helpers/backends.js'
import { childResult } from '../helpers/children.js'

// One cost matrix left behind by each call would be 170 MB. AddressSanitizer keeps freed memory for a while.
const allowed = process.env.EXTREMA_SANITIZED ? 600e6 : 40e6

describe('backend: memory', function () {
  this.timeout(240_000)

  forEachBackend((backend) => {
    it('ten thousand calls leave nothing behind', async () => {
      const { rss, heap } = await childResult<{ rss: number; heap: number }>('many-calls', {
        args: [backend],
        nodeOptions: ['--expose-gc'],
      })
      expect(rss, 'bytes of the process').to.be.below(allowed)
      expect(heap, 'bytes of JavaScript').to.be.below(2e6)
    })
  })
})
