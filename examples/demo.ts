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

/** The same command with both methods, as rows of the table. Both write the same pictures. */
async function compare(problem: string, ...command: string[]): Promise<string[][]> {
  const rows: string[][] = []
  for (const method of ['sinkhorn', 'sinkhorn-newton-sparse']) {
    const result = await extrema(...command, '--tolerance', '1e-9', '--method', method)
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
const picture = (name: string) => resolve(out, name)
const written = [
  'flights.png',
  'flights.csv',
  'rocket-in-coffee.png',
  'rocket-in-coffee-sharp.png',
  'coffee-at-dusk.png',
]
const [map, plan, evening, sharp, morning] = written.map(picture)
const [rocket, coffee] = [`${data}rocket.jpg`, `${data}coffee.jpg`]

const points = [`${data}population.csv`, `${data}flights.csv`]
const weights = ['--source-weights', 'people', '--target-weights', 'departures', '--normalize']
const kilometres = ['--cost', 'euclidean', '--epsilon', '5']
const table = [
  ...(await compare(
    'people to flights',
    'transport',
    ...points,
    ...weights,
    ...kilometres,
    '--plot',
    map,
    '--out',
    plan,
  )),
  ...(await compare('rocket in coffee', 'color', rocket, coffee, '-o', evening)),
  ...(await compare(
    'the same, sharper',
    'color',
    rocket,
    coffee,
    '-o',
    sharp,
    '--epsilon',
    '5e-4',
    '--samples',
    '1500',
  )),
]
await extrema('color', coffee, rocket, '-o', morning)

printTable(
  ['problem', 'method', 'status', 'iterations', 'passes', 'time', 'marginal error', 'cost <C,P>', 'gap'],
  table,
)
console.log('\ncost: km per person; squared distance in OKLab. gap: between the bounds of the cost without entropy.')
console.log(`All of it took ${((performance.now() - start) / 1000).toFixed(0)} s and wrote`)
for (const name of written) console.log(`  ${here(picture(name))}`)
