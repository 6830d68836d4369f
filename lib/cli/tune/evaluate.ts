import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
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

/** Milliseconds between asking a program to end and ending it, and for its output to end after it. */
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
  const closed = closing(child)
  started(child)
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
  let lingering: NodeJS.Timeout | undefined
  try {
    // Where the system has no pipes left there are none, only an error.
    if (!child.stdout || !child.stderr) await closed
    const words = lastOf(child, verbose)
    const lines = createInterface({ input: child.stdout!, crlfDelay: Number.POSITIVE_INFINITY })
    // What the program leaves running may hold its output open for ever.
    child.once('exit', () => {
      lingering = setTimeout(() => {
        lines.close()
        child.stdout!.destroy()
        child.stderr!.destroy()
      }, grace)
    })
    const result = await readLines(lines, () => lingering?.refresh(), trial, stop, verbose)
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
    clearTimeout(lingering)
    if (child.exitCode === null && child.signalCode === null) end(child, 'SIGKILL')
    trial.signal.removeEventListener('abort', onAbort)
  }
}

/** Reads the program's lines to their end; stops it when the trial is not worth finishing. */
async function readLines(
  lines: Interface,
  onLine: () => void,
  trial: Trial,
  stop: (result: TrialResult) => void,
  verbose: boolean,
): Promise<TrialResult | undefined> {
  let result: TrialResult | undefined
  for await (const line of lines) {
    onLine()
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
  // Python writes NaN and Infinity, which JSON does not have: no number is no result, but not a line of the program's own.
  const record = parsed(line) ?? parsed(line.replace(stringsAndNonNumbers, (part) => (part[0] === '"' ? part : 'null')))
  if (record === undefined) return undefined
  return ['value', 'values', 'report', 'failed'].some((name) => Object.hasOwn(record, name)) ? record : undefined
}

const stringsAndNonNumbers = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
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
    // It has ended already, or is another user's: this is called by timers, which nobody catches for.
    if (codeOf(error) !== 'ESRCH' && codeOf(error) !== 'EPERM') throw error
  }
}

/** Programs that run, which end with us: being groups of their own, they hear of no signal of the terminal. */
const running = new Set<ChildProcess>()

function started(child: ChildProcess): void {
  if (running.size === 0) process.on('exit', endAll)
  running.add(child)
  const over = () => {
    if (running.delete(child) && running.size === 0) process.off('exit', endAll)
  }
  child.once('error', over)
  child.once('exit', over)
}

function endAll(): void {
  for (const child of running) end(child, 'SIGKILL')
}
