import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Trial, TrialResult } from '../../bayes/index.js'
import { codeOf, InputError } from '../errors.js'

export interface Evaluation {
  /** The program and its arguments. */
  command: string[]
  trial: Trial
  /** Milliseconds, less than 2^31. */
  timeout: number | undefined
  /** Pass on what the program writes that is not for us. */
  verbose: boolean
}

/** Milliseconds between asking a program to end and ending it. */
const grace = 2000

/** Characters of a failed program's last words that are kept. */
const lastWords = 500

/**
 * Runs the program once and reads what it prints: lines of JSON with `value` or `values` (the last one counts), `constraints`, or
 * `step` and `report`. Failing, taking too long and printing no value make a failed trial.
 *
 * @throws InputError if the program cannot be started at all
 */
export async function evaluate({ command, trial, timeout, verbose }: Evaluation): Promise<TrialResult> {
  const [program, ...args] = command
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that what it starts ends with it.
    detached: process.platform !== 'win32',
    env: { ...process.env, EXTREMA_TRIAL: String(trial.number), EXTREMA_PARAMS: JSON.stringify(trial.params) },
  })
  let verdict: TrialResult | undefined
  const stop = (result: TrialResult) => {
    verdict ??= result
    end(child, 'SIGTERM')
    killing ??= setTimeout(() => end(child, 'SIGKILL'), grace)
  }
  let killing: NodeJS.Timeout | undefined
  const timer =
    timeout === undefined
      ? undefined
      : setTimeout(() => stop({ failed: `no result within ${timeout / 1000} s` }), timeout)
  const onAbort = () => stop({ cancelled: true })
  trial.signal.addEventListener('abort', onAbort, { once: true })
  if (trial.signal.aborted) onAbort()
  try {
    const words = lastOf(child, verbose)
    const closed = closing(child)
    const result = await readLines(child, trial, stop, verbose)
    const { code, signal } = await closed
    if (verdict !== undefined) return verdict
    if (code !== 0) {
      const said = words().trim().split('\n').at(-1)
      return { failed: `${signal === null ? `exit code ${code}` : signal}${said ? `: ${said}` : ''}` }
    }
    return result ?? { failed: 'no line {"value": …} on standard output' }
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM'].includes(codeOf(error))) {
      throw new InputError(`command: cannot run '${program}'; ${codeOf(error)}`)
    }
    throw error
  } finally {
    clearTimeout(timer)
    clearTimeout(killing)
    trial.signal.removeEventListener('abort', onAbort)
  }
}

/** Reads the program's lines to their end; stops it when the trial is not worth finishing. */
async function readLines(
  child: ChildProcess,
  trial: Trial,
  stop: (result: TrialResult) => void,
  verbose: boolean,
): Promise<TrialResult | undefined> {
  let result: TrialResult | undefined
  for await (const line of createInterface({ input: child.stdout!, crlfDelay: Number.POSITIVE_INFINITY })) {
    const record = recordOf(line)
    if (record === undefined) {
      if (verbose) process.stderr.write(`${line}\n`)
      continue
    }
    const { report, step, ...rest } = record
    if (report === undefined) {
      result = rest as TrialResult
      continue
    }
    if (trial.signal.aborted) continue
    try {
      await trial.report(step as number, report as number)
    } catch (error) {
      stop({ failed: `${line}: ${(error as Error).message}` })
      continue
    }
    if (trial.shouldPrune()) stop({ pruned: true })
  }
  return result
}

/** The object of a line that is for us. */
function recordOf(line: string): Record<string, unknown> | undefined {
  if (!line.trimStart().startsWith('{')) return undefined
  try {
    const record = JSON.parse(line) as Record<string, unknown>
    return ['value', 'values', 'report', 'failed'].some((name) => Object.hasOwn(record, name)) ? record : undefined
  } catch {
    return undefined // a line of the program's own
  }
}

/** Keeps the end of what the program complains of. */
function lastOf(child: ChildProcess, verbose: boolean): () => string {
  let words = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    if (verbose) process.stderr.write(text)
    words = (words + text).slice(-lastWords)
  })
  return () => words
}

function closing(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const closed = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  closed.catch(() => {}) // it is awaited after the output has ended
  return closed
}

/** Ends the program and what it started. */
function end(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error // it has ended already
  }
}
