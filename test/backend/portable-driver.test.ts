import { expect } from 'chai'
import type { Control } from '../../lib/backend/kernels.js'
import { type Monitor, portableKernel, type Steps } from '../../lib/backend/portable/driver.js'
import { sinkhorn } from '../../lib/backend/portable/transport/sinkhorn.js'
import { sinkhornNewtonSparse } from '../../lib/backend/portable/transport/sinkhorn-newton-sparse.js'
import { sinkhornSync, sinkhorn as solve } from '../../lib/transport/index.js'
import { counting, finish } from '../helpers/clock.js'
import { rejection } from '../helpers/errors.js'
import { fill, random } from '../helpers/random.js'
import { uniform } from '../helpers/transport.js'

const forever: Control = { timeLimit: Number.POSITIVE_INFINITY }

/** Works until the monitor wants the event loop to have its turn. */
function busy(monitor: Monitor): void {
  while (!monitor.due()) {
    // Busy.
  }
}

/** Counts the turns of the event loop until it is stopped. */
function countTurns(): { count: number; stop(): void } {
  const turns = { count: 0, stop: () => {} }
  let running = true
  turns.stop = () => {
    running = false
  }
  const next = () => {
    turns.count++
    if (running) setImmediate(next)
  }
  setImmediate(next)
  return turns
}

describe('portable driver', () => {
  it('leaves the event loop a turn after every slice', async () => {
    const kernel = portableKernel(function* (slices: number, monitor): Steps {
      for (let k = 0; k < slices; k++) {
        busy(monitor)
        yield
      }
    })
    const turns = countTurns()
    await kernel.run(20, forever)
    turns.stop()
    expect(turns.count).to.be.at.least(20)
  })

  it('is never due in a synchronous run', () => {
    let due = 0
    let yields = 0
    const kernel = portableKernel(function* (_: null, monitor): Steps {
      const start = performance.now()
      while (performance.now() - start < 20) if (monitor.due()) due++
      for (; yields < 10; yields++) yield
    })
    let turns = 0
    const turn = setImmediate(() => turns++)
    kernel.runSync(null, forever)
    clearImmediate(turn)
    expect({ due, yields, turns }).to.deep.equal({ due: 0, yields: 10, turns: 0 })
  })

  it('rejects with the reason of an abort between slices, and lets the kernel clean up', async () => {
    let slices = 0
    let cleaned = false
    const kernel = portableKernel(function* (_: null, monitor): Steps {
      try {
        for (; ; slices++) {
          busy(monitor)
          yield
        }
      } finally {
        cleaned = true
      }
    })
    const controller = new AbortController()
    const reason = new Error('enough')
    const running = kernel.run(null, { ...forever, signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    expect(await rejection(running)).to.equal(reason)
    expect(cleaned).to.equal(true)
    expect(slices).to.be.at.most(2)
  })

  it('rejects when the progress callback aborts, though the kernel ends in the same slice', async () => {
    const kernel = portableKernel(function* (_: null, monitor): Steps {
      monitor.progress(1, 0.5)
      if (monitor.due()) yield
    })
    const controller = new AbortController()
    const onProgress = () => controller.abort()
    const reason = await rejection(kernel.run(null, { ...forever, signal: controller.signal, onProgress }))
    expect(reason).to.equal(controller.signal.reason)
    expect((reason as Error).name).to.equal('AbortError')
  })

  it('rejects with what the progress callback throws', async () => {
    const kernel = portableKernel(function* (_: null, monitor): Steps {
      for (let k = 1; ; k++) {
        monitor.progress(k, 1 / k)
        busy(monitor)
        yield
      }
    })
    const failure = new Error('the bar broke')
    const onProgress = () => {
      throw failure
    }
    expect(await rejection(kernel.run(null, { ...forever, onProgress }))).to.equal(failure)
  })

  it('rejects with what the kernel throws', async () => {
    const failure = new Error('singular')
    const kernel = portableKernel(function* (_: null, monitor): Steps {
      if (monitor.due()) yield
      throw failure
    })
    expect(await rejection(kernel.run(null, forever))).to.equal(failure)
    expect(() => kernel.runSync(null, forever)).to.throw(failure)
  })

  it('reports the first progress at once and then at most every 50 ms', async () => {
    const reports: number[] = []
    const kernel = portableKernel(function* (_: null, monitor): Steps {
      for (let k = 1; reports.length < 4; k++) {
        monitor.progress(k, 1 / k)
        if (k === 1) expect(reports).to.have.length(1)
        if (monitor.due()) yield
      }
    })
    await kernel.run(null, {
      ...forever,
      onProgress: ({ iteration, residual, elapsed }) => {
        expect(residual).to.equal(1 / iteration)
        reports.push(elapsed)
      },
    })
    for (let k = 1; k < reports.length; k++) expect(reports[k] - reports[k - 1]).to.be.at.least(50)
  })

  it('knows when the time is over, in synchronous runs too', async () => {
    const kernel = portableKernel(function* (found: boolean[], monitor): Steps {
      found.push(monitor.expired())
      while (performance.now() - monitor.start < 10) if (monitor.due()) yield
      found.push(monitor.expired())
    })
    for (const [timeLimit, after] of [
      [10, true],
      [1e6, false],
      [Number.POSITIVE_INFINITY, false],
    ] as const) {
      const found: boolean[] = []
      await kernel.run(found, { timeLimit })
      kernel.runSync(found, { timeLimit })
      expect(found).to.deep.equal([false, after, false, after])
    }
  })
})

describe('portable transport kernels in slices', () => {
  const next = random(5)
  const side = 300
  const cost = { data: fill(side * side, next), shape: [side, side] }
  const options = { epsilon: 0.01, tolerance: 0, maxIterations: 400, backend: 'portable', certificate: false } as const

  it('leave the event loop its turns', async () => {
    const turns = countTurns()
    await solve({ cost }, options)
    turns.stop()
    expect(turns.count).to.be.at.least(4)
  })

  it('give the same bits in one go', async () => {
    const sliced = await solve({ cost }, options)
    const whole = sinkhornSync({ cost }, options)
    expect(sliced.potentials).to.deep.equal(whole.potentials)
    expect(sliced.value).to.equal(whole.value)
  })

  it('stop at an abort', async () => {
    const controller = new AbortController()
    const reason = new Error('closed')
    const running = solve({ cost }, { ...options, maxIterations: 1e9, signal: controller.signal })
    setTimeout(() => controller.abort(reason), 20)
    expect(await rejection(running)).to.equal(reason)
  })

  it('look at the clock after every iteration, however small', () => {
    for (const solver of [sinkhorn, sinkhornNewtonSparse]) {
      for (const paper of [false, true]) {
        const { watch, looks } = counting()
        const problem = {
          n: 25,
          m: 30,
          d: 0,
          metric: 'dense',
          x: fill(750, next),
          y: null,
          a: uniform(25),
          b: uniform(30),
        } as const
        const settings = {
          epsilon: 0.001,
          tolerance: 0,
          maxIterations: 60,
          threads: 1,
          float32: false,
          certificate: true,
          paper,
          sinkhornIterations: 20,
          sparsity: 0.1,
        }
        const job = { problem, settings, f: new Float64Array(25), g: new Float64Array(30), history: null }
        const report = finish(solver(job, watch))
        expect(report.iterations).to.be.at.least(20)
        expect(looks()).to.be.at.least(report.iterations - 1)
      }
    }
  })
})
