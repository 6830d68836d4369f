// The main job on real data, as the command line does it: `npm run demo`.
//  1. Who flies from where: the people of 48 states onto the departures of 274 airports, at the least person-kilometres.
//  2. A rocket at dusk in the colours of a cup of coffee, and the reverse.
// Each is solved by Sinkhorn's iteration and by Sinkhorn-Newton-Sparse to the same marginal error.
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const data = fileURLToPath(new URL('./data/', import.meta.url))
const out = resolve(root, 'out')
const here = (path: string) => relative(process.cwd(), path) || '.'

interface Result {
  status: string
  iterations: number
  passes: number
  elapsed: number
  marginalError: number
  value: number
  certificate: { gap: number }
  backend: string
}

/** Runs `extrema …` with `--json` in a process of its own; its progress bar and warnings go to the terminal. */
function extrema(...args: string[]): Promise<Result> {
  console.log(`$ npx extrema ${args.map((arg) => (arg.includes('/') ? here(arg) : arg)).join(' ')}`)
  const command = ['--import', 'tsx', resolve(root, 'lib/cli/main.ts'), ...args, '--json']
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(stdout)) : reject(new Error(`extrema ended with exit code ${code}`)),
    )
  })
}

const methods = ['sinkhorn', 'sinkhorn-newton-sparse'] as const

/** The same command with both methods; the second writes the pictures. */
async function compare(problem: string, command: string[], pictures: string[]): Promise<string[][]> {
  const rows: string[][] = []
  for (const method of methods) {
    const result = await extrema(
      ...command,
      '--method',
      method,
      ...(method === methods[1] ? pictures : command[0] === 'color' ? pictures : []),
    )
    rows.push([
      problem,
      `${method} (${result.backend})`,
      result.status,
      String(result.iterations),
      String(result.passes),
      `${(result.elapsed / 1000).toFixed(2)} s`,
      result.marginalError.toExponential(1),
      result.value.toPrecision(7),
      result.certificate.gap.toExponential(1),
    ])
  }
  return rows
}

function printTable(header: string[], rows: string[][]): void {
  const widths = header.map((name, c) => Math.max(name.length, ...rows.map((row) => row[c].length)))
  const line = (cells: string[]) =>
    cells.map((cell, c) => (c < 3 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  ')
  console.log(`\n${line(header)}\n${widths.map((width) => '-'.repeat(width)).join('  ')}`)
  for (const row of rows) console.log(line(row))
}

mkdirSync(out, { recursive: true })
const start = performance.now()
const map = [resolve(out, 'flights.png'), resolve(out, 'flights.csv')]
const evening = resolve(out, 'rocket-in-coffee.png')
const morning = resolve(out, 'coffee-at-dusk.png')

const weights = ['--source-weights', 'people', '--target-weights', 'departures', '--normalize']
const flights = await compare(
  'people to flights',
  ['transport', `${data}population.csv`, `${data}flights.csv`, ...weights, '--cost', 'euclidean', '--epsilon', '5'],
  ['--plot', map[0], '--out', map[1]],
)
const rocket = await compare('rocket in coffee', ['color', `${data}rocket.jpg`, `${data}coffee.jpg`], ['-o', evening])
await extrema('color', `${data}coffee.jpg`, `${data}rocket.jpg`, '-o', morning)

printTable(
  ['problem', 'method', 'status', 'iterations', 'passes', 'time', 'marginal error', 'cost <C,P>', 'gap'],
  [...flights, ...rocket],
)
console.log('\ncost: km per person; squared distance in OKLab. gap: between bounds of the cost without entropy.')
console.log(`all of it took ${((performance.now() - start) / 1000).toFixed(0)} s and wrote`)
for (const path of [...map, evening, morning]) console.log(`  ${here(path)}`)
