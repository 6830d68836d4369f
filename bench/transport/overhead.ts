import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { type SinkhornOptions, sinkhorn, sinkhornBatch, sinkhornSync } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { type DenseProblem, randomAssignment, uniformClouds } from '../lib/problems.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { inTurns, milliseconds } from '../lib/timing.js'

export const description = 'What a call costs, how batches use the cores, and whether the event loop stays free.'

export async function run(context: Context): Promise<Report> {
  const parts = [await calls(context), await batch(context), await eventLoop(context)]
  return { tables: parts.map(({ table }) => table), targets: parts.flatMap(({ targets }) => targets) }
}

interface Part {
  table: Table
  targets: Target[]
}

/** Calls per measurement of the time of one. */
const callCount = 5000
const longRun = 1001

async function calls({ quick, log }: Context): Promise<Part> {
  log('calls on a 10 × 10 problem')
  const problem = randomAssignment(10, 1)
  const shortest: SinkhornOptions = {
    epsilon: 0.1,
    tolerance: 0,
    maxIterations: 1,
    certificate: false,
    acceleration: 'none',
  }
  const long: SinkhornOptions = { ...shortest, maxIterations: longRun }
  const whole: SinkhornOptions = { epsilon: 0.1 }
  const sync = (options: SinkhornOptions, count: number) => async () => {
    const time = await milliseconds(() => {
      for (let k = 0; k < count; k++) sinkhornSync(problem, options)
    })
    return (1000 * time) / count
  }
  const async = (options: SinkhornOptions, count: number) => async () => {
    const time = await milliseconds(async () => {
      for (let k = 0; k < count; k++) await sinkhorn(problem, options)
    })
    return (1000 * time) / count
  }
  const time = await inTurns(quick ? 3 : 9, {
    sync: sync(shortest, callCount),
    syncLong: sync(long, callCount / 100),
    syncWhole: sync(whole, callCount),
    async: async(shortest, callCount),
    asyncWhole: async(whole, callCount),
  })
  // What the kernel itself takes: its iterations at the slope between a run of one and a long one.
  const iteration = (time.syncLong - time.sync) / (longRun - 1)
  const { iterations } = sinkhornSync(problem, whole)
  const rows: Cell[][] = [
    ['sync, one iteration, no certificate', 1, time.sync, time.sync - iteration],
    [`sync, to 1e-9 with certificate`, iterations, time.syncWhole, time.syncWhole - iterations * iteration],
    ['async, one iteration, no certificate', 1, time.async, time.async - iteration],
    [`async, to 1e-9 with certificate`, iterations, time.asyncWhole, time.asyncWhole - iterations * iteration],
  ]
  return {
    table: {
      title: 'Calls on a 10 × 10 problem, microseconds',
      note:
        `One after the other. "less iterations": minus the kernel's iterations at ${(1000 * iteration).toFixed(0)} ns each, ` +
        'the slope between one iteration and many; set-up, final measurement and certificate of the kernel still count.',
      columns: ['call', 'iterations', 'per call', 'less iterations'],
      rows,
    },
    targets: [
      atMost('async call overhead, 10 × 10', time.async - iteration, 30, ' µs'),
      atMost('sync call overhead, 10 × 10', time.sync - iteration, 3, ' µs'),
    ],
  }
}

async function batch({ quick, threads, log }: Context): Promise<Part> {
  const count = quick ? 1000 : 10_000
  log(`batch of ${count}`)
  const problems: DenseProblem[] = []
  for (let k = 0; k < count; k++) problems.push(randomAssignment(64, k))
  const solve = (limit: number) => () => milliseconds(() => sinkhornBatch(problems, { epsilon: 0.05, threads: limit }))
  const oneByOne = () =>
    milliseconds(async () => {
      for (const problem of problems) await sinkhorn(problem, { epsilon: 0.05, threads: 1 })
    })
  const time = await inTurns(quick ? 2 : 5, { single: solve(1), all: solve(threads), oneByOne })
  const speedUp = time.single / time.all
  const rows: Cell[][] = [
    ['batch', 1, time.single, (1000 * time.single) / count, 1],
    ['batch', threads, time.all, (1000 * time.all) / count, speedUp],
    ['awaited one by one', 1, time.oneByOne, (1000 * time.oneByOne) / count, time.single / time.oneByOne],
  ]
  return {
    table: {
      title: `${count} problems of 64 × 64, Sinkhorn to 1e-9 at ε = 0.05, with certificates`,
      columns: ['', 'threads', 'milliseconds', 'µs per problem', 'speed-up'],
      rows,
    },
    targets:
      threads < 2 ? [] : [atLeast(`batch of ${count}, ${threads} threads against one`, speedUp, 0.9 * threads, '×')],
  }
}

async function eventLoop({ quick, log }: Context): Promise<Part> {
  const n = quick ? 1000 : 4000
  log(`event loop during a solve of ${n} × ${n}`)
  const problem = uniformClouds(n, 100)
  const solve = () => sinkhorn(problem, { epsilon: 1e-3, tolerance: 0, maxIterations: quick ? 2000 : 500 })
  await sinkhorn(problem, { epsilon: 1e-3, tolerance: 0, maxIterations: 5 })
  const idle = await delays(() => sleep(1000))
  const busy = await delays(solve)
  const row = (name: string, { p50, p99, most, seconds }: Delays): Cell[] => [name, seconds, p50, p99, most]
  return {
    table: {
      title: `Event-loop delay while a ${n} × ${n} Sinkhorn solve runs, milliseconds`,
      note: 'perf_hooks.monitorEventLoopDelay at a resolution of 1 ms, which is included: about 1 ms is no delay.',
      columns: ['', 'seconds', 'median', 'p99', 'max'],
      rows: [row('idle', idle), row('during the solve', busy)],
    },
    targets: [atMost(`event-loop delay at p99, ${n} × ${n}`, busy.p99, 5, ' ms')],
  }
}

interface Delays {
  p50: number
  p99: number
  most: number
  seconds: number
}

async function delays(task: () => Promise<unknown>): Promise<Delays> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  const time = await milliseconds(task)
  histogram.disable()
  const ms = (nanoseconds: number) => nanoseconds / 1e6
  return {
    p50: ms(histogram.percentile(50)),
    p99: ms(histogram.percentile(99)),
    most: ms(histogram.max),
    seconds: time / 1000,
  }
}
