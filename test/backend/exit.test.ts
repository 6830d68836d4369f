import { expect } from 'chai'
import { forEachBackend } from '../helpers/backends.js'
import { runChild } from '../helpers/children.js'

// Solves that would be waited for take minutes. Sanitizers look for leaks after the end, which takes them seconds.
const atOnce = process.env.EXTREMA_SANITIZED ? 30_000 : 5000

describe('backend: the end of the process', function () {
  this.timeout(120_000)

  forEachBackend((backend) => {
    for (const [way, expected] of [
      ['exit', { code: 7, signal: null }],
      ['throw', { code: 1, signal: null }],
      ['signal', { code: null, signal: 'SIGTERM' }],
    ] as const) {
      it(`by ${way} in the middle of solves: at once`, async () => {
        const { code, signal, stdout, sinceOutput } = await runChild('exiting', { args: [way, backend] })
        expect(stdout).to.equal('leaving\n')
        expect({ code, signal }).to.deep.equal(expected)
        expect(sinceOutput).to.be.below(atOnce)
      })
    }

    it('not while a solve is awaited, and by itself after the last one', async () => {
      const { code, stdout, stderr } = await runChild('waiting', { args: [backend] })
      expect(stderr).to.equal('')
      expect(stdout).to.equal('time-limit\n')
      expect(code).to.equal(0)
    })
  })
})
