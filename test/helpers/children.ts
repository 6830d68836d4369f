import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** Milliseconds from what the child last wrote to its end. */
  sinceOutput: number
}

const inherited = ['EXTREMA_BACKEND', 'EXTREMA_THREADS', 'EXTREMA_SIMD']

/** Runs a script of test/backend/children in a process of its own, with these variables and none that choose for it. */
export function runChild(
  name: string,
  { env = {}, args = [], nodeOptions = [] }: { env?: NodeJS.ProcessEnv; args?: string[]; nodeOptions?: string[] } = {},
): Promise<Ended> {
  const script = fileURLToPath(new URL(`../backend/children/${name}.ts`, import.meta.url))
  const clean = { ...process.env }
  for (const variable of inherited) delete clean[variable]
  const child = spawn(process.execPath, ['--import', 'tsx', ...nodeOptions, script, ...args], {
    env: { ...clean, ...env },
  })
  let stdout = ''
  let stderr = ''
  let lastOutput = performance.now()
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
    lastOutput = performance.now()
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr, sinceOutput: performance.now() - lastOutput })
    })
  })
}

/** What the script printed as JSON; its standard error when it failed. */
export async function childResult<T>(name: string, options: Parameters<typeof runChild>[1] = {}): Promise<T> {
  const { code, signal, stdout, stderr } = await runChild(name, options)
  if (code !== 0) throw new Error(`${name} ended with ${signal ?? code}: ${stderr}`)
  return JSON.parse(stdout) as T
}

/** A folder for the length of `use`. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'extrema-test-'))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
