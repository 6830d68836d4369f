// Runs what the documentation promises: every ```ts block of README.md and docs/ that imports from extrema, and every
// program directly under examples/ but the demo, which has `make demo`. Each runs in a process of its own, from the sources, and must exit
// with 0 and print no warning.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const stage = 'build/examples'
rmSync(stage, { recursive: true, force: true })
mkdirSync(stage, { recursive: true })

const pages = [
  'README.md',
  ...list('docs', '.md'),
  ...list('docs/transport', '.md'),
  ...list('docs/linear', '.md'),
  ...list('docs/lowrank', '.md'),
].filter((page) => existsSync(page))
const programs = list('examples', '.ts').filter((program) => path.basename(program) !== 'demo.ts')
for (const page of pages) {
  for (const [index, block] of [...readFileSync(page, 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].entries()) {
    if (!/from 'extrema/.test(block[1])) continue
    const file = path.join(stage, `${path.basename(page, '.md')}-${index + 1}.mts`)
    writeFileSync(file, block[1])
    programs.push(file)
  }
}

let failed = 0
const waiting = [...programs]
const run = promisify(execFile)
async function work() {
  for (let program = waiting.shift(); program !== undefined; program = waiting.shift()) {
    const { code = 0, stdout, stderr } = await run(process.execPath, ['--import=tsx', program]).catch((error) => error)
    const good = code === 0 && !/warning/i.test(stderr)
    console.log(`${good ? 'ran   ' : 'FAILED'} ${program}`)
    if (!good) {
      failed++
      console.log(code, stdout, stderr)
    }
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, work))
if (failed > 0 || programs.length === 0) process.exit(1)

function list(folder, extension) {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith(extension))
    .map((name) => path.join(folder, name))
}
