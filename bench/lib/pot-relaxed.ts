import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { environment } from './environment.js'

export interface RelaxedRequest {
  op: 'unbalanced' | 'divergence' | 'l2' | 'tv'
  shape: readonly [number, number]
  epsilon: number
  penalty?: number
  tolerance: number
  /** What is to be reached, with 'l2'. */
  objective?: number
  /** Seconds of one run. */
  limit: number
}

/** Either a run or why there is none. */
export type RelaxedAnswer =
  | { pot: string; seconds: number; iterations: number; residual: number; value: number; failure?: undefined }
  | { pot: string; failure: string }

const script = fileURLToPath(new URL('../peer/pot_relaxed.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'

/** POT's answer, in a process of its own on that many threads. `arrays` go through files. */
export function askRelaxedPot(
  request: RelaxedRequest,
  arrays: Record<string, Float64Array>,
  threads: number,
): RelaxedAnswer {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  try {
    const files = Object.entries(arrays).map(([name, data]) => {
      const file = path.join(folder, name)
      writeFileSync(file, data)
      return [name, file]
    })
    const count = String(threads)
    return JSON.parse(
      execFileSync(python, [script, JSON.stringify({ ...request, ...Object.fromEntries(files) })], {
        encoding: 'utf8',
        env: { ...environment(), OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count },
      }),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}
