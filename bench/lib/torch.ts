import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { environment } from './environment.js'

const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'

/** The answer of a PyTorch script of bench/peer, in a process of its own on that many threads. */
export function askTorch<Answer>(script: string, request: object, threads: number): Answer {
  const file = fileURLToPath(new URL(`../peer/${script}`, import.meta.url))
  const count = String(threads)
  const env = { ...environment(), OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count, MKL_NUM_THREADS: count }
  return JSON.parse(execFileSync(python, [file, JSON.stringify(request)], { encoding: 'utf8', env }))
}
