import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { writeWhole } from '../../lib/cli/io/output.js'
import { planCsv } from '../../lib/cli/io/plan.js'
import { Scratch, scatter, triplets } from './helpers.js'

async function rejection(promise: Promise<void>): Promise<Error> {
  return promise.then(
    () => expect.fail('expected a rejection'),
    (error) => error,
  )
}

describe('cli: output files', () => {
  let scratch: Scratch
  beforeEach(() => {
    scratch = new Scratch()
  })
  afterEach(() => scratch.dispose())
  const never = new AbortController().signal

  it('replaces a file by text, bytes or lines', async () => {
    const path = scratch.file('plan.csv', 'before')
    for (const content of ['text', Buffer.from('bytes'), ['li', 'nes']]) {
      await writeWhole(path, content, never)
      expect(readFileSync(path, 'utf8')).to.equal(
        typeof content === 'string' ? content : Buffer.isBuffer(content) ? 'bytes' : 'lines',
      )
    }
    expect(scratch.names).to.deep.equal(['plan.csv'])
  })

  it('keeps the old file, and nothing of the new, when something fails half-way', async () => {
    const path = scratch.file('plan.csv', 'before')
    function* lines() {
      yield 'first'
      throw new Error('second')
    }
    expect((await rejection(writeWhole(path, lines(), never))).message).to.equal('second')
    expect(scratch.names).to.deep.equal(['plan.csv'])
    expect(readFileSync(path, 'utf8')).to.equal('before')
  })

  it('the same when it is aborted half-way', async () => {
    const path = scratch.path('plan.csv')
    const controller = new AbortController()
    function* lines() {
      for (let k = 0; ; k++) {
        if (k === 1000) controller.abort()
        yield 'line '.repeat(1000)
      }
    }
    expect((await rejection(writeWhole(path, lines(), controller.signal))).name).to.equal('AbortError')
    expect((await rejection(writeWhole(path, 'text', controller.signal))).name).to.equal('AbortError')
    expect(scratch.names).to.deep.equal([])
  })

  it('writes a plan of many lines in pieces', () => {
    const [n, m] = [90, 110]
    const data = Float64Array.from(scatter(n * m, 2))
    const plan = {
      shape: [n, m] as [number, number],
      indptr: Int32Array.from({ length: n + 1 }, (_, i) => i * m),
      indices: Int32Array.from({ length: n * m }, (_, k) => k % m),
      data,
    }
    const pieces = [...planCsv(plan)]
    expect(pieces.length).to.be.greaterThan(1)
    const expected = Array.from(data, (mass, k) => ({ source: Math.floor(k / m), target: k % m, mass }))
    expect(triplets(pieces.join(''))).to.deep.equal(expected)
  })
})
