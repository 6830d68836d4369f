import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { environment } from './environment.js'

export interface DensePeerAnswer {
  seconds: number[]
  /** |A x - b|, for least squares. */
  residual?: number
  /** Eigenvalues or singular values. */
  values?: number[]
}

const script = fileURLToPath(new URL('../peer/linear_dense.py', import.meta.url))
const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'

/** NumPy's or SciPy's time for the operation, in a process of its own on that many threads. */
export function askDensePeer(
  op: 'least-squares' | 'cholesky' | 'lu' | 'qr' | 'eigen' | 'svd' | 'product',
  a: { data: Float64Array; shape: readonly number[] },
  { repetitions, threads, b }: { repetitions: number; threads: number; b?: Float64Array },
): DensePeerAnswer {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  try {
    const write = (name: string, data: Float64Array) => {
      const file = path.join(folder, name)
      writeFileSync(file, data)
      return file
    }
    const request = {
      op,
      a: write('a', a.data),
      shape: a.shape,
      repetitions,
      ...(b === undefined ? {} : { b: write('b', b) }),
    }
    const count = String(threads)
    const env = { ...environment(), OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count }
    return JSON.parse(execFileSync(python, [script, JSON.stringify(request)], { encoding: 'utf8', env }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
