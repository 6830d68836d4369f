import type { CsrData, OperatorData } from '../backend/linear-sparse.js'
import { normOf } from '../backend/portable/linear/matrix.js'
import { portableOperator } from '../backend/portable/linear/operators.js'
import type { Clock, Step } from '../backend/portable/linear/step.js'
import { ExtremaError } from '../core/errors.js'
import type { Status } from '../core/solution.js'
import { cholesky, choleskySync } from './cholesky.js'
import { allocate, type DirectOptions, solveCalls } from './direct.js'
import type { Run } from './drive.js'
import type { IterativeOptions, LinearSolution } from './iterative.js'
import { lu, luSync } from './lu.js'
import { multiply, multiplySync } from './multiply.js'
import { type PreparedOperator, shapeOf } from './operator.js'
import { qr, qrSync } from './qr.js'
import { rowsOf } from './rows.js'
import { sparseCholesky, sparseCholeskySync } from './sparse-cholesky.js'

// Factor, solve, and refine once or twice: the direct methods of `solve`.

export const directMethods = ['cholesky', 'lu', 'qr', 'sparseCholesky'] as const
export type DirectMethod = (typeof directMethods)[number]

/** A call in the form that is wanted: its promise never rejects, so that the steps see the error. */
export function* either<T>({ sync }: Run, runSync: () => T, run: () => Promise<T>): Step<T> {
  if (sync) return runSync()
  const settled = run().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  const outcome = (yield settled) as { value: T } | { error: unknown }
  if ('error' in outcome) throw outcome.error
  return outcome.value
}

const norm = (x: Float64Array) => normOf(x, 0, x.length)

interface Factor {
  backend: 'native' | 'portable'
  solve(b: Float64Array): Step<Float64Array>
  /** All entries, where those were factored. */
  entries: Float64Array | null
}

function* factorOf(
  method: DirectMethod,
  matrix: PreparedOperator,
  data: OperatorData,
  options: DirectOptions,
  run: Run,
): Step<Factor> {
  if (method === 'sparseCholesky') {
    const { threads: _, ...rest } = options
    const factor = yield* either(
      run,
      () => sparseCholeskySync(matrix, rest),
      () => sparseCholesky(matrix, rest),
    )
    const { signal } = options
    return {
      backend: factor.backend,
      entries: null,
      solve: (b) =>
        either(
          run,
          () => factor.solveSync(b),
          () => factor.solve(b, signal === undefined ? {} : { signal }),
        ),
    }
  }
  const dense = yield* denseForm(data, run)
  const forms = {
    cholesky: { sync: choleskySync, async: cholesky },
    lu: { sync: luSync, async: lu },
    qr: { sync: qrSync, async: qr },
  }[method]
  const own = method === 'qr' ? { ...options, q: false } : options
  const factor = yield* either<{ backend: 'native' | 'portable' }>(
    run,
    () => forms.sync(dense, own),
    () => forms.async(dense, own),
  )
  return {
    backend: factor.backend,
    entries: dense.data,
    *solve(b) {
      const calls = solveCalls.get(factor)!(b)
      for (;;) {
        const { done, value } = calls.next()
        if (done) return value
        yield* either(
          run,
          () => value.runSync(run.control),
          () => value.run(run.control),
        )
      }
    },
  }
}

/** All entries, row by row. */
function* denseForm(data: OperatorData, run: Run): Step<{ data: Float64Array; shape: [number, number] }> {
  const { monitor } = run
  const [rows, columns] = shapeOf(data)
  const shape: [number, number] = [rows, columns]
  switch (data.kind) {
    case 'dense':
      return { data: data.data, shape }
    case 'csr':
    case 'stencil':
    case 'constant-stencil':
      return { data: yield* filled(yield* rowsOf('matrix', data, monitor), monitor), shape }
    case 'transposed': {
      const inner = yield* denseForm(data.of, run)
      return { data: yield* turned(inner.data, columns, rows, monitor), shape }
    }
  }
  const { applyTranspose } = portableOperator(data, monitor)
  const out = allocate(rows * columns)
  const unit = new Float64Array(rows)
  for (let i = 0; i < rows; i++) {
    unit[i] = 1
    yield* applyTranspose(unit, out.subarray(i * columns, (i + 1) * columns))
    unit[i] = 0
  }
  return { data: out, shape }
}

function* filled({ rows, columns, indptr, indices, data }: CsrData, watch: Clock): Step<Float64Array> {
  const out = allocate(rows * columns)
  for (let i = 0; i < rows; i++) {
    for (let k = indptr[i]; k < indptr[i + 1]; k++) out[i * columns + indices[k]] = data[k]
    if (watch.due()) yield
  }
  return out
}

/** The transpose of a row-major rows × columns matrix, in tiles. */
function* turned(data: Float64Array, rows: number, columns: number, watch: Clock): Step<Float64Array> {
  const side = 32
  const out = allocate(rows * columns)
  for (let top = 0; top < rows; top += side) {
    for (let left = 0; left < columns; left += side) {
      for (let j = left; j < Math.min(columns, left + side); j++) {
        for (let i = top; i < Math.min(rows, top + side); i++) out[j * rows + i] = data[i * columns + j]
      }
    }
    if (watch.due()) yield
  }
  return out
}

/** Residuals are refined while they are above the tolerance, and fall. */
const mostRefinements = 3

/**
 * A x = b, or for `qr` and more rows than columns min ‖A x - b‖, by a factorization. `residual` is ‖b - A x‖ / ‖b‖, or
 * where that is less ‖Aᵀ(b - A x)‖ / (‖A‖ ‖b - A x‖), Frobenius norm, for least squares.
 */
export function* directSteps(
  method: DirectMethod,
  matrix: PreparedOperator,
  data: OperatorData,
  b: Float64Array,
  options: IterativeOptions,
  run: Run,
): Step<LinearSolution> {
  const start = performance.now()
  const { tolerance = 1e-8, history, threads, signal, backend } = options
  const own: DirectOptions = {
    ...(threads === undefined ? {} : { threads }),
    ...(signal === undefined ? {} : { signal }),
    ...(backend === undefined ? {} : { backend }),
  }
  const [rows, columns] = matrix.shape
  const factor = yield* factorOf(method, matrix, data, own, run)
  const size = norm(b)
  const product = (x: Float64Array, transpose: boolean) =>
    either(
      run,
      () => multiplySync(matrix, x, { ...own, transpose }),
      () => multiply(matrix, x, { ...own, transpose }),
    )
  const x = new Float64Array(columns)
  const r = b.slice()
  const residuals = [size === 0 ? 0 : 1]
  let matvecs = 0
  /** ‖A‖, Frobenius norm, once it is known. */
  let scale: number | undefined
  while (residuals.length <= mostRefinements) {
    if (residuals.at(-1)! === 0) break
    const step = yield* factor.solve(r)
    const next = x.map((value, i) => value + step[i])
    let residual = Number.NaN
    let rest = r
    if (next.every(Number.isFinite)) {
      const image = yield* product(next, false)
      matvecs++
      rest = b.map((value, i) => value - image[i])
      residual = norm(rest) / size
    }
    if (rows > columns && residual > tolerance && Number.isFinite(residual)) {
      const gradient = yield* product(rest, true)
      matvecs++
      scale ??= yield* frobenius(factor.entries!, run)
      residual = Math.min(residual, norm(gradient) / (scale * norm(rest)))
    }
    if (!Number.isFinite(residual)) {
      if (residuals.length > 1) break
      throw new ExtremaError('ERR_SINGULAR', 'matrix: expected an invertible one, got a solution beyond float64')
    }
    if (residuals.length > 1 && residual >= residuals.at(-1)!) break
    x.set(next)
    r.set(rest)
    residuals.push(residual)
    if (residual <= tolerance) break
  }
  const residual = residuals.at(-1)!
  const status: Status = residual <= tolerance ? 'converged' : 'stalled'
  const solution: LinearSolution = {
    status,
    iterations: residuals.length - 1,
    residual,
    elapsed: performance.now() - start,
    backend: factor.backend,
    x,
    matvecs,
  }
  return history === true ? { ...solution, history: Float64Array.from(residuals) } : solution
}

/** Entries between two looks at the clock. */
const stretch = 65_536

function* frobenius(entries: Float64Array, { monitor }: Run): Step<number> {
  const parts = new Float64Array(Math.ceil(entries.length / stretch))
  for (let p = 0; p < parts.length; p++) {
    parts[p] = normOf(entries, p * stretch, Math.min(stretch, entries.length - p * stretch))
    if (monitor.due()) yield
  }
  return norm(parts)
}
