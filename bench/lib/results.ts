import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Report } from './benchmark.js'
import { type Machine, machineLine } from './machine.js'
import { markdown } from './table.js'

/** What a results file holds. */
export interface Result extends Report {
  room: string
  name: string
  description: string
  /** The command that measures it again. */
  command: string
  quick: boolean
  /** ISO 8601 */
  measured: string
  seconds: number
  /** The machine's load average over the minute before. */
  load: number
  machine: Machine
  /** The peers that took part. */
  peers: string[]
}

export function resultMarkdown(result: Result): string {
  const parts = [
    `## ${result.room}/${result.name}`,
    result.description,
    `\`${result.command}\`, ${result.measured.slice(0, 10)}, ${Math.round(result.seconds)} s. ${machineLine(result.machine)}; load before ${result.load.toFixed(1)}.`,
    ...result.peers.map((peer) => `Peer: ${peer}.`),
  ]
  if (result.targets.length > 0) {
    const rows = result.targets.map(({ name, target, reached, met }) => [
      name,
      target,
      reached,
      met ? 'met' : '**missed**',
    ])
    parts.push('### Targets', markdown(['', 'target', 'reached', 'verdict'], rows))
  }
  for (const { title, note, columns, rows } of result.tables) {
    parts.push(`### ${title}`, ...(note === undefined ? [] : [note]), markdown(columns, rows))
  }
  return parts.join('\n\n')
}

/** Writes `<room>-<name>.json` and the folder's README.md, which shows every result that lies there. */
export function saveResult(folder: string, result: Result): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, `${result.room}-${result.name}.json`), `${JSON.stringify(result, null, 2)}\n`)
  writeFileSync(path.join(folder, 'README.md'), summary(readResults(folder)))
}

export function readResults(folder: string): Result[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => JSON.parse(readFileSync(path.join(folder, file), 'utf8')))
}

function summary(results: Result[]): string {
  const intro = `# Benchmark results

Written by \`npm run bench\`, never by hand. Medians after a warm-up; we and the peer in turns, on the same number of threads.`
  return `${[intro, ...results.map(resultMarkdown)].join('\n\n')}\n`
}
