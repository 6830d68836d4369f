import type { Command } from 'commander'
import { doctor } from '../backend/doctor.js'
import { listing } from './text.js'

/** `extrema doctor`: which backend runs, and why. */
export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('tell which backend runs and why, on which BLAS and processor kernels, with how many threads')
    .option('--json', 'print JSON')
    .action(({ json }: { json?: boolean }) => {
      const report = doctor()
      process.stdout.write(
        json
          ? `${JSON.stringify(report, undefined, 2)}\n`
          : listing(Object.entries(report).map(([name, value]) => [name, String(value ?? '-')])),
      )
    })
}
