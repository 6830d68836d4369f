import { Writable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { expect } from 'chai'
import { ProgressBar, residualFraction } from '../../lib/cli/progress.js'

/** A terminal, or a pipe, that remembers what was written. */
function screen(isTTY: boolean) {
  let text = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk
      done()
    },
  })
  Object.assign(stream, { isTTY, columns: 100, rows: 30 })
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => text }
}

async function work(isTTY: boolean, milliseconds: number): Promise<string> {
  const { stream, text } = screen(isTTY)
  const bar = new ProgressBar('solving', stream)
  bar.update(0.1, 'early')
  await setTimeout(milliseconds)
  bar.update(0.5, 'half')
  bar.update(0.25, 'back') // must not go back
  bar.end()
  return text()
}

describe('cli: progress', () => {
  it('draws on a terminal', async () => {
    const text = await work(true, 250)
    expect(text).to.match(/solving \[.+\] 50% \| half/)
    expect(text).to.not.include('25%')
  })

  it('is silent in a pipe', async () => {
    expect(await work(false, 250)).to.equal('')
  })

  it('is silent for short work', async () => {
    expect(await work(true, 0)).to.equal('')
  })

  it('measures the way to the tolerance in decades', () => {
    const fraction = residualFraction(1e-9)
    expect(fraction(1e-1)).to.equal(0)
    expect(fraction(1e-5)).to.be.closeTo(0.5, 1e-12)
    expect(fraction(1e-9)).to.be.closeTo(1, 1e-12)
    expect(fraction(0)).to.equal(0)
  })
})
