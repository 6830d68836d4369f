import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Csr } from '../../lib/core/index.js'

/** The 5-point Laplacian of side × side points. */
export function laplacian(side: number): Csr {
  const n = side * side
  const indptr = new Int32Array(n + 1)
  const indices = new Int32Array(5 * n - 4 * side)
  const data = new Float64Array(indices.length)
  let count = 0
  for (let i = 0; i < n; i++) {
    const column = i % side
    for (const [j, is, value] of [
      [i - side, i >= side, -1],
      [i - 1, column > 0, -1],
      [i, true, 4],
      [i + 1, column + 1 < side, -1],
      [i + side, i + side < n, -1],
    ] as const) {
      if (!is) continue
      indices[count] = j
      data[count++] = value
    }
    indptr[i + 1] = count
  }
  return { shape: [n, n], indptr, indices, data }
}

const peer = (file: string) => fileURLToPath(new URL(`../peer/${file}`, import.meta.url))

export interface ScipyAnswer {
  scipy: string
  matvec: number[]
  cg: number[]
  iterations: number
  residual: number
}

/** scipy.sparse on it, in a process of its own. */
export function scipySparse(side: number, repetitions: number, tolerance: number): ScipyAnswer {
  const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'
  const given = [peer('scipy_sparse.py'), String(side), String(repetitions), String(tolerance)]
  return JSON.parse(execFileSync(python, given, { encoding: 'utf8' })) as ScipyAnswer
}

export interface EigenAnswer {
  eigen: string
  seconds: number[]
  iterations: number
  residual: number
}

/** Eigen's CG with incomplete Cholesky, compiled for this machine; null where its headers (libeigen3-dev) are missing. */
export function eigenCg(side: number, repetitions: number, tolerance: number): EigenAnswer | null {
  const headers = process.env.EXTREMA_BENCH_EIGEN ?? '/usr/include/eigen3'
  if (!existsSync(path.join(headers, 'Eigen'))) return null
  const folder = mkdtempSync(path.join(os.tmpdir(), 'extrema-bench-'))
  try {
    const program = path.join(folder, 'eigen_cg')
    const flags = ['-O3', '-march=native', '-DNDEBUG', '-std=c++17', `-I${headers}`]
    execFileSync(process.env.CXX ?? 'c++', [...flags, peer('eigen_cg.cc'), '-o', program])
    const text = execFileSync(program, [String(side), String(repetitions), String(tolerance)], { encoding: 'utf8' })
    return JSON.parse(text) as EigenAnswer
  } finally {
    rmSync(folder, { recursive: true })
  }
}
