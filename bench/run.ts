// npm run bench -- [room[/name]] [--quick]
import { readdirSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { Benchmark, Context } from './lib/benchmark.js'
import { unpinBlas } from './lib/environment.js'
import { Pot, potLine } from './lib/pot.js'
import { type Result, resultMarkdown, saveResult } from './lib/results.js'

// Before anything loads the addon: the imports below are dynamic for that.
unpinBlas()

const here = path.dirname(fileURLToPath(import.meta.url))
const notRooms = new Set(['lib', 'peer', 'results'])

interface Entry {
  room: string
  name: string
}

function entries(): Entry[] {
  return readdirSync(here, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !notRooms.has(entry.name))
    .flatMap(({ name: room }) =>
      readdirSync(path.join(here, room))
        .filter((file) => file.endsWith('.ts'))
        .map((file) => ({ room, name: path.basename(file, '.ts') })),
    )
}

async function measure({ room, name }: Entry, quick: boolean): Promise<Result> {
  const benchmark: Benchmark = await import(pathToFileURL(path.join(here, room, `${name}.ts`)).href)
  if (typeof benchmark.run !== 'function') throw new Error('expected an exported function run(context)')
  const { describeMachine } = await import('./lib/machine.js')
  const threads = os.availableParallelism()
  const pots = new Map<number, Promise<Pot>>()
  const context: Context = {
    quick,
    threads,
    log: (line) => console.error(`  ${line}`),
    pot: (count = threads) => {
      const running = pots.get(count) ?? Pot.start(count)
      pots.set(count, running)
      return running
    },
  }
  const [load] = os.loadavg()
  if (load > 0.5) console.error(`  the machine is busy (load ${load.toFixed(1)}): the figures will be off`)
  const start = performance.now()
  try {
    const report = await benchmark.run(context)
    const peers = await Promise.all(pots.values())
    return {
      room,
      name,
      description: benchmark.description,
      command: `npm run bench -- ${room}/${name}${quick ? ' --quick' : ''}`,
      quick,
      measured: new Date().toISOString(),
      seconds: (performance.now() - start) / 1000,
      load,
      machine: describeMachine(threads),
      peers: peers.map(({ info }) => potLine(info)),
      ...report,
    }
  } finally {
    for (const started of await Promise.allSettled(pots.values())) {
      if (started.status === 'fulfilled') await started.value.close()
    }
  }
}

const { values, positionals } = parseArgs({ options: { quick: { type: 'boolean' } }, allowPositionals: true })
const quick = values.quick ?? false
const [wanted = ''] = positionals
const chosen = entries().filter(({ room, name }) => wanted === '' || wanted === room || wanted === `${room}/${name}`)
if (chosen.length === 0) {
  const known = entries().map(({ room, name }) => `${room}/${name}`)
  console.error(`no benchmark '${wanted}'; there are ${known.join(', ')}`)
  process.exit(1)
}

// Quick figures must not replace measured ones.
const folder = quick ? path.join(here, '..', 'out', 'bench') : path.join(here, 'results')
let failed = 0
for (const entry of chosen) {
  console.error(`${entry.room}/${entry.name}`)
  try {
    const result = await measure(entry, quick)
    saveResult(folder, result)
    console.log(`${resultMarkdown(result)}\n`)
  } catch (error) {
    failed++
    console.error(`${entry.room}/${entry.name} failed:`, error)
  }
}
console.error(`written to ${path.relative(process.cwd(), folder)}`)
process.exitCode = failed > 0 ? 1 : 0
