import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { backend } from '../../lib/backend/index.js'
import { run } from '../../lib/cli/program.js'

export const root = fileURLToPath(new URL('../../', import.meta.url))
/** Names the backend, so that a child that falls back to portable does not warn about it. */
export const childEnvironment = { ...process.env, EXTREMA_BACKEND: backend().name }

const main = join(root, 'lib/cli/main.ts')

export interface Result {
  code: number | null
  stdout: string
  stderr: string
}

export interface Launch {
  input?: string
  env?: NodeJS.ProcessEnv
  nodeOptions?: string[]
  /** Called with what the child has written to standard error so far; may send it a signal. */
  watch?: (stderr: string, kill: (signal: NodeJS.Signals) => void) => void
  /** Leaves standard input open. */
  keepInput?: boolean
}

/** Runs the command line as a user does: a process of its own, its output in pipes. */
export function cli(
  args: string[],
  { input = '', env = {}, nodeOptions = [], watch, keepInput = false }: Launch = {},
): Promise<Result> {
  const child = spawn(process.execPath, [...nodeOptions, '--import', 'tsx', main, ...args], {
    cwd: root,
    env: { ...childEnvironment, ...env },
    timeout: 50_000, // no child outlives a test that gave up on it
    killSignal: 'SIGKILL',
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
    watch?.(stderr, (signal) => child.kill(signal))
  })
  child.stdin.on('error', () => {}) // the child may leave without reading all
  child.stdin.write(input)
  if (!keepInput) child.stdin.end()
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** The same inside this process, which is faster: for the many ways to call it wrongly. */
export async function inProcess(args: string[]): Promise<Result> {
  const written = { stdout: '', stderr: '' }
  const restore = (['stdout', 'stderr'] as const).map((name) => {
    const { write } = process[name]
    process[name].write = ((text: string) => {
      written[name] += text
      return true
    }) as typeof write
    return () => {
      process[name].write = write
    }
  })
  try {
    const code = await run(args)
    return { code, ...written }
  } finally {
    for (const undo of restore) undo()
  }
}

/** A folder of its own for each test of a suite. */
export class Scratch {
  readonly folder = mkdtempSync(join(tmpdir(), 'extrema-cli-'))

  path(name: string): string {
    return join(this.folder, name)
  }

  file(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content)
    return this.path(name)
  }

  get names(): string[] {
    return readdirSync(this.folder).sort()
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Numbers in [0, 1) from a rule that shares nothing with the package's generators: fractional parts of k·√prime. */
export function scatter(count: number, prime: number): number[] {
  return Array.from({ length: count }, (_, k) => ((k + 1) * Math.sqrt(prime)) % 1)
}

export function csv(rows: readonly (readonly (number | string)[])[], header?: readonly string[]): string {
  return [...(header ? [header] : []), ...rows].map((row) => `${row.join(',')}\n`).join('')
}

/** The triplets of a written plan. */
export function triplets(text: string): { source: number; target: number; mass: number }[] {
  const [header, ...lines] = text.trimEnd().split('\n')
  if (header !== 'source,target,mass') throw new Error(`unexpected header ${header}`)
  return lines.map((line) => {
    const [source, target, mass] = line.split(',').map(Number)
    return { source: source!, target: target!, mass: mass! }
  })
}
