import type { Command } from 'commander'
import { doctor } from '../index.js'
import { listing } from './text.js'

/** `extrema doctor`: which backend runs, and why. */
export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('tell which backend runs and why, with its BLAS, processor core, threads and self-test')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const report = await doctor()
      process.stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : listing(rows(report)))
    })
}

function rows(report: object): [string, string][] {
  return Object.entries(report).map(([name, value]) => [name, value === undefined ? '-' : plain(value)])
}

function plain(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([name, entry]) => `${name} ${plain(entry)}`)
    .join(', ')
}
