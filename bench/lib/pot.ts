import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import readline from 'node:readline'
import { fileURLToPath } from 'node:url'
import { environment } from './environment.js'
import type { DenseProblem } from './problems.js'
import { median } from './timing.js'

export type PotMethod = 'sinkhorn' | 'sinkhorn_log' | 'sinkhorn_stabilized' | 'sinkhorn_epsilon_scaling' | 'emd'

export interface PotInfo {
  python: string
  pot: string
  numpy: string
  blas: { name: string; version: string; core: string | null; threads: number }[]
}

export interface PotRequest {
  method: PotMethod
  /** POT's `reg`, our epsilon. Not for emd. */
  epsilon?: number
  /** POT's `numItermax`. */
  iterations: number
  /** POT's `stopThr`, below zero to never stop. Not for emd. */
  stop?: number
  /** Further keyword arguments of the method. */
  options?: Record<string, number>
  /** Seconds. */
  timeLimit?: number
}

export interface PotAnswer {
  timedOut: boolean
  seconds: number
  iterations: number
  /** |P1 − a|₁ + |Pᵀ1 − b|₁ */
  marginalError: number
  /** |Pᵀ1 − b|₂, which POT's stopping rule looks at. */
  columnErrorL2: number
  /** <C, P> */
  cost: number
  warnings: string[]
}

const script = fileURLToPath(new URL('../peer/pot.py', import.meta.url))

/** The Python that has POT: `EXTREMA_BENCH_PYTHON`, else Debian's, else the first on the path. */
function findPython(): string {
  const given = process.env.EXTREMA_BENCH_PYTHON
  for (const python of given === undefined ? ['/usr/bin/python3', 'python3'] : [given]) {
    try {
      execFileSync(python, ['-c', 'import ot'], { stdio: 'ignore' })
      return python
    } catch {}
  }
  throw new Error('POT is missing: install python3-pot (Debian), or name a Python that has it in EXTREMA_BENCH_PYTHON')
}

/** A child process that answers requests with measurements of POT. */
export class Pot {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #folder: string
  readonly #files = new Map<DenseProblem, { cost: string; a: string; b: string }>()
  info!: PotInfo

  private constructor(threads: number) {
    const count = String(threads)
    const python = findPython()
    this.#folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
    this.#child = spawn(python, ['-u', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...environment(), OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count },
    })
    // A child that died is reported by the answer that does not come.
    this.#child.stdin!.on('error', () => {})
    this.#lines = readline.createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]()
  }

  static async start(threads: number): Promise<Pot> {
    const pot = new Pot(threads)
    pot.info = (await pot.#ask({ op: 'info' })) as unknown as PotInfo
    return pot
  }

  async solve(problem: DenseProblem, request: PotRequest): Promise<PotAnswer> {
    const { epsilon, ...rest } = request
    const answer = await this.#ask({
      op: 'solve',
      ...rest,
      regularization: epsilon,
      ...this.#store(problem),
      shape: problem.cost.shape,
      dtype: '<f8',
    })
    const errors = [answer.rowError, answer.columnError].map((error) =>
      typeof error === 'number' ? error : Number.NaN,
    )
    return { ...answer, marginalError: errors[0] + errors[1] } as unknown as PotAnswer
  }

  async close(): Promise<void> {
    this.#child.stdin!.end()
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
    rmSync(this.#folder, { recursive: true })
  }

  async #ask(request: object): Promise<Record<string, unknown>> {
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the POT process ended without an answer')
    const answer = JSON.parse(value)
    if (answer.error !== undefined) throw new Error(`POT: ${answer.error}`)
    return answer
  }

  #store(problem: DenseProblem): { cost: string; a: string; b: string } {
    let files = this.#files.get(problem)
    if (files === undefined) {
      const write = (name: string, data: Float64Array) => {
        const file = path.join(this.#folder, `${this.#files.size}.${name}`)
        writeFileSync(file, data)
        return file
      }
      files = { cost: write('cost', problem.cost.data), a: write('a', problem.a), b: write('b', problem.b) }
      this.#files.set(problem, files)
    }
    return files
  }
}

/** As in "OpenBLAS 0.3.21, core Haswell, 2 threads". */
export function potLine({ python, pot, numpy, blas }: PotInfo): string {
  const libraries = blas.map(
    ({ name, version, core, threads }) => `${name} ${version}, core ${core}, ${threads} threads`,
  )
  const library = libraries.length > 0 ? libraries.join('; ') : 'BLAS unknown (python3-threadpoolctl is not installed)'
  return `POT ${pot}, NumPy ${numpy}, Python ${python}; ${library}`
}

/** Milliseconds of `iterations` iterations of POT, its own check every 10 or 20 iterations included. */
export async function potIterations(
  pot: Pot,
  problem: DenseProblem,
  method: PotMethod,
  epsilon: number,
  iterations: number,
): Promise<number> {
  const answer = await pot.solve(problem, { method, epsilon, iterations, stop: -1 })
  if (answer.iterations !== iterations) {
    throw new Error(
      `POT's ${method} stopped after ${answer.iterations} of ${iterations} iterations: ${answer.warnings}`,
    )
  }
  return answer.seconds * 1000
}

/** Seconds beyond which a run is not repeated: jitter of the machine is small against it. */
const longRun = 5

/**
 * POT's time to an L1 marginal error <= tolerance. POT stops on the L2 norm of one marginal, so a first run with the
 * threshold that is safe for any vector (tolerance / √m) tells the ratio of the two norms, and further ones are stopped by
 * the threshold at which the L1 error just falls below the tolerance; the time is the median of `repetitions` of those, or
 * that of a single one beyond 5 seconds.
 * Where a run exceeds `timeLimit` seconds or ends above the tolerance, `answer` is null; with `proof`, `atLeast` is then
 * what a run took that stops no later than at the tolerance, as its threshold is for the L2 norm, below the L1 error.
 */
export async function potToTolerance(
  pot: Pot,
  problem: DenseProblem,
  { proof, ...request }: Omit<PotRequest, 'iterations' | 'stop'> & { timeLimit: number; proof: boolean },
  tolerance: number,
  repetitions: number,
): Promise<{ answer: PotAnswer | null; atLeast: number }> {
  // Epsilon scaling stops on the sum of squared errors of both marginals.
  const squared = request.method === 'sinkhorn_epsilon_scaling'
  const run = (error: number) =>
    pot.solve(problem, { ...request, iterations: 10_000_000, stop: squared ? error ** 2 : error })
  const reached = ({ timedOut, marginalError }: PotAnswer) => !timedOut && marginalError <= tolerance
  const safe = await run(tolerance / Math.sqrt(problem.b.length))
  if (!reached(safe)) {
    if (!proof) return { answer: null, atLeast: 0 }
    const early = await run(tolerance)
    return { answer: null, atLeast: early.timedOut ? request.timeLimit : early.seconds }
  }
  const seconds: number[] = []
  let answer = safe
  for (let k = 0; k < repetitions; k++) {
    const sharp = await run((0.99 * tolerance * safe.columnErrorL2) / safe.marginalError)
    if (!reached(sharp)) return { answer: safe, atLeast: safe.seconds }
    answer = sharp
    seconds.push(sharp.seconds)
    if (sharp.seconds > longRun) break
  }
  const middle = median(seconds)
  return { answer: { ...answer, seconds: middle }, atLeast: middle }
}
