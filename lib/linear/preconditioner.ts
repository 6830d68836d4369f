import type { Kernels } from '../backend/kernels.js'
import type { CsrData, OperatorData, PreconditionerData, StencilData } from '../backend/linear-sparse.js'
import { deflation, portablePreconditioner, solveCholesky } from '../backend/portable/linear/preconditioners.js'
import { stencilInverse } from '../backend/portable/linear/stencil-sweeps.js'
import type { Apply, Step } from '../backend/portable/linear/step.js'
import { axpy, dot } from '../backend/portable/linear/vectors.js'
import {
  type Csr,
  checkFinite,
  type MatrixLike,
  shapeText,
  toDenseMatrix,
  toFloat64,
  type VectorLike,
} from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, nonNegative } from '../core/options.js'
import { checkCompressed } from './csr.js'
import type { Run } from './drive.js'
import { incompleteSteps } from './incomplete-cholesky.js'
import { type BuiltInOperator, builtIn, type CheckedOperator, shapeOf } from './operator.js'
import { oracleApply } from './oracle.js'
import { checkHasEntries, diagonalOf, rowsOf } from './rows.js'

/**
 * M, near to A and easy to invert: iterations run on M⁻¹ A. `conjugateGradient` and `minres` want it symmetric and positive
 * definite.
 */
export type Preconditioner =
  /** The diagonal of A, or the one given. */
  | { kind: 'jacobi'; diagonal?: VectorLike }
  /** (D + omega L) D⁻¹ (D + omega Lᵀ) / (omega (2 - omega)) of A = D + L + Lᵀ; omega in (0, 2), default 1. */
  | { kind: 'ssor'; omega?: number }
  /** L Lᵀ on the pattern of A, shifted where that has no positive pivots. For many solves see `incompleteCholesky`. */
  | { kind: 'incomplete-cholesky'; shift?: number }
  /** L Lᵀ of any lower triangular L with the diagonal at the end of each row. */
  | { kind: 'factor'; lower: Csr; shift?: number }
  /**
   * For `conjugateGradient`, `gmres` and `bicgstab`: solves exactly in the span of these vectors, the rows of a k × n
   * matrix (eigenvectors or Ritz vectors of the least eigenvalues, mostly), and leaves the rest to `inner`, or to no
   * preconditioner. A must be symmetric positive definite.
   */
  | { kind: 'deflation'; vectors: MatrixLike; inner?: Preconditioner }
  /** RᵀR, R upper triangular: of a sketched QR decomposition, for `lsqr`. */
  | { kind: 'upper'; r: MatrixLike }
  /** An operator that is M⁻¹. */
  | { kind: 'operator'; inverse: BuiltInOperator }
  /** M⁻¹ r by the caller's function, which may return a promise in the asynchronous form. r is overwritten afterwards. */
  | { kind: 'user'; solve(r: Float64Array): VectorLike | PromiseLike<VectorLike> }

/** A preconditioner for a kernel, or as functions for an iteration with oracles. */
export type CheckedPreconditioner =
  | null
  | { kind: 'data'; data: PreconditionerData }
  | { kind: 'oracle'; solve(r: Float64Array): VectorLike | PromiseLike<VectorLike> }
  /** To be computed first. */
  | { kind: 'ssor'; operator: OperatorData; omega: number }
  | { kind: 'incomplete'; operator: OperatorData; shift: number }
  | { kind: 'stencil'; stencil: StencilData; omega: number; shift: number | null }
  | { kind: 'deflation'; vectors: Float64Array; k: number; inner: CheckedPreconditioner }

/** What a preconditioner has become when the iteration starts. */
export type ResolvedPreconditioner = null | { data: PreconditionerData } | { data: null; apply: Apply }

const names = {
  jacobi: new Set(['kind', 'diagonal']),
  ssor: new Set(['kind', 'omega']),
  'incomplete-cholesky': new Set(['kind', 'shift']),
  factor: new Set(['kind', 'lower', 'shift']),
  deflation: new Set(['kind', 'vectors', 'inner']),
  upper: new Set(['kind', 'r']),
  operator: new Set(['kind', 'inverse']),
  user: new Set(['kind', 'solve']),
} as const

export function checkPreconditioner(
  name: string,
  given: Preconditioner | undefined,
  matrix: CheckedOperator,
): CheckedPreconditioner {
  if (given === undefined) return null
  if (typeof given !== 'object' || given === null) {
    throw new ExtremaError('ERR_OPTION', `${name}: expected { kind, … }, got ${describe(given)}`)
  }
  const known: ReadonlySet<string> | undefined = Object.hasOwn(names, given.kind) ? names[given.kind] : undefined
  if (known === undefined) {
    const kinds = Object.keys(names).join("', '")
    throw new ExtremaError('ERR_OPTION', `${name}.kind: expected one of '${kinds}', got ${describe(given.kind)}`)
  }
  checkNames(name, given, known)
  const n = matrix.columns
  switch (given.kind) {
    case 'jacobi':
      return { kind: 'data', data: jacobi(name, given.diagonal, matrix) }
    case 'ssor': {
      const omega = checkOmega(`${name}.omega`, given.omega, 1)
      const stencil = stencilOf(matrix)
      if (stencil !== null) return { kind: 'stencil', stencil, omega, shift: null }
      return { kind: 'ssor', operator: entries(name, matrix), omega }
    }
    case 'incomplete-cholesky': {
      const shift = nonNegative(`${name}.shift`, given.shift, 0)
      const stencil = stencilOf(matrix)
      if (stencil !== null) return { kind: 'stencil', stencil, omega: 1, shift }
      return { kind: 'incomplete', operator: entries(name, matrix), shift }
    }
    case 'factor':
      return { kind: 'data', data: { kind: 'triangular', lower: checkLower(`${name}.lower`, given.lower, n) } }
    case 'deflation': {
      const { data, rows, columns } = toDenseMatrix(`${name}.vectors`, given.vectors)
      if (rows < 1 || columns !== n) {
        throw new ExtremaError('ERR_SHAPE', `${name}.vectors: expected rows of ${n}, got ${shapeText(rows, columns)}`)
      }
      const vectors = checkFinite(`${name}.vectors`, Float64Array.from(data), { columns })
      return { kind: 'deflation', vectors, k: rows, inner: checkPreconditioner(`${name}.inner`, given.inner, matrix) }
    }
    case 'upper':
      return { kind: 'data', data: upper(name, given.r, n) }
    case 'operator': {
      const operator = builtIn(`${name}.inverse`, given.inverse)
      checkSquare(`${name}.inverse`, shapeOf(operator), n)
      return { kind: 'data', data: { kind: 'operator', operator } }
    }
    case 'user':
      if (typeof given.solve === 'function') return { kind: 'oracle', solve: (r) => given.solve(r) }
      throw new ExtremaError('ERR_ORACLE', `${name}.solve: expected a function, got ${describe(given.solve)}`)
  }
}

/** The relaxation parameter, in (0, 2). */
export function checkOmega(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value === 'number' && value > 0 && value < 2) return value
  throw new ExtremaError('ERR_OPTION', `${name}: expected a number in (0, 2), got ${describe(value)}`)
}

function entries(name: string, matrix: CheckedOperator): OperatorData {
  if (matrix.data !== null) return checkHasEntries('matrix', matrix.data)
  throw new ExtremaError('ERR_OPTION', `${name}: expected a matrix with entries, got one with matvec only`)
}

/** A grid keeps its form: symmetric as it is, and without a list of entries. */
function stencilOf({ data }: CheckedOperator): StencilData | null {
  return data !== null && (data.kind === 'stencil' || data.kind === 'constant-stencil') ? data : null
}

function jacobi(name: string, given: VectorLike | undefined, matrix: CheckedOperator): PreconditionerData {
  if (given === undefined && matrix.data === null) {
    throw new ExtremaError('ERR_OPTION', `${name}.diagonal: expected one for a matrix with matvec only, got undefined`)
  }
  const n = matrix.columns
  const diagonal = given === undefined ? diagonalOf(matrix.data!) : toFloat64(`${name}.diagonal`, given)
  if (diagonal.length !== n) {
    throw new ExtremaError('ERR_SHAPE', `${name}.diagonal: expected ${n} numbers, got ${diagonal.length}`)
  }
  checkFinite(`${name}.diagonal`, diagonal)
  const zero = diagonal.indexOf(0)
  if (zero >= 0)
    throw new ExtremaError('ERR_SINGULAR', `${name}.diagonal[${zero}]: expected a number other than 0, got 0`)
  return { kind: 'jacobi', inverse: diagonal.map((value) => 1 / value) }
}

function upper(name: string, given: MatrixLike, n: number): PreconditionerData {
  const { data, rows, columns } = toDenseMatrix(`${name}.r`, given)
  checkSquare(`${name}.r`, [rows, columns], n)
  const r = checkFinite(`${name}.r`, data instanceof Float64Array ? data : Float64Array.from(data), { columns })
  for (let i = 0; i < n; i++) {
    if (r[i * (n + 1)] !== 0) continue
    throw new ExtremaError('ERR_SINGULAR', `${name}.r[${i}][${i}]: expected a number other than 0, got 0`)
  }
  return { kind: 'upper', n, r }
}

function checkSquare(name: string, [rows, columns]: readonly [number, number], n: number): void {
  if (rows === n && columns === n) return
  throw new ExtremaError('ERR_SHAPE', `${name}: expected a ${shapeText(n, n)} matrix, got ${shapeText(rows, columns)}`)
}

function checkLower(name: string, given: Csr, n: number): CsrData {
  if (typeof given !== 'object' || given === null || !('indptr' in given)) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a CSR matrix, got ${describe(given)}`)
  }
  const lower = checkCompressed(name, given)
  checkSquare(name, [lower.rows, lower.columns], n)
  for (let i = 0; i < n; i++) {
    const end = lower.indptr[i + 1] - 1
    if (end >= lower.indptr[i] && lower.indices[end] === i && lower.data[end] > 0) continue
    throw new ExtremaError('ERR_NOT_POSITIVE', `${name}: expected a positive diagonal to end row ${i}, got none`)
  }
  return lower
}

/** Computes what is to be computed before the iteration. Deflation moves x to where the residual has no part in its span. */
export function* resolvePreconditioner(
  given: CheckedPreconditioner,
  system: { apply: Apply; b: Float64Array; x: Float64Array; n: number },
  kernels: Kernels,
  run: Run,
): Step<ResolvedPreconditioner> {
  if (given === null) return null
  switch (given.kind) {
    case 'data':
      return { data: given.data }
    case 'oracle':
      return { data: null, apply: oracleApply('preconditioner', given.solve, system.n) }
    case 'ssor': {
      const matrix = yield* rowsOf('matrix', given.operator, run.monitor)
      return { data: { kind: 'ssor', matrix, omega: given.omega } }
    }
    case 'incomplete': {
      const { lower } = yield* incompleteSteps(kernels, given.operator, given.shift, run)
      return { data: { kind: 'triangular', lower } }
    }
    case 'stencil':
      return { data: yield* stencilPreconditioner(given, system.n, run) }
    case 'deflation': {
      const inner = yield* resolvePreconditioner(given.inner, system, kernels, run)
      const space = yield* deflationSpace(given.vectors, given.k, system)
      if (inner === null || inner.data !== null)
        return { data: { ...space, inner: inner === null ? null : inner.data } }
      return { data: null, apply: deflation(space, inner.apply, run.monitor).apply }
    }
  }
}

/** SSOR, or with a shift incomplete Cholesky: on a grid only the diagonal differs. */
function* stencilPreconditioner(
  { stencil, omega, shift }: { stencil: StencilData; omega: number; shift: number | null },
  n: number,
  { monitor }: Run,
): Step<PreconditionerData> {
  const inverse = new Float64Array(n)
  if (shift === null) {
    const bad = yield* stencilInverse(stencil, false, 0, inverse, monitor)
    if (bad < 0) return { kind: 'stencil', stencil, omega, scale: omega * (2 - omega), inverse }
    const own = typeof stencil.center === 'number' ? stencil.center : stencil.center[bad]
    throw new ExtremaError('ERR_NOT_POSITIVE', `matrix[${bad}][${bad}]: expected a positive diagonal, got ${own}`)
  }
  for (let tried = shift; tried <= mostShift; tried = Math.max(leastShift, 2 * tried)) {
    if ((yield* stencilInverse(stencil, true, tried, inverse, monitor)) < 0) {
      return { kind: 'stencil', stencil, omega, scale: 1, inverse }
    }
  }
  throw new ExtremaError('ERR_NOT_POSITIVE', 'matrix: expected a positive definite one, got pivots that no shift mends')
}

// As in native/linear/sparse-cholesky.cc.
const [leastShift, mostShift] = [1e-3, 1e3]

function* deflationSpace(
  vectors: Float64Array,
  k: number,
  { apply, b, x, n }: { apply: Apply; b: Float64Array; x: Float64Array; n: number },
): Step<{
  kind: 'deflation'
  n: number
  k: number
  vectors: Float64Array
  images: Float64Array
  cholesky: Float64Array
}> {
  const images = new Float64Array(k * n)
  const row = (of: Float64Array, j: number) => of.subarray(j * n, (j + 1) * n)
  for (let j = 0; j < k; j++) yield* apply(row(vectors, j), row(images, j))
  // E = Wᵀ A W = C Cᵀ
  const cholesky = new Float64Array(k * k)
  for (let i = 0; i < k; i++) {
    const own = dot(row(vectors, i), row(images, i))
    for (let j = 0; j <= i; j++) {
      let sum = i === j ? own : dot(row(vectors, i), row(images, j))
      for (let l = 0; l < j; l++) sum -= cholesky[i * k + l] * cholesky[j * k + l]
      if (i !== j) cholesky[i * k + j] = sum / cholesky[j * k + j]
      else if (sum > 1e-13 * own) cholesky[i * k + i] = Math.sqrt(sum)
      else {
        throw new ExtremaError(
          'ERR_NOT_POSITIVE',
          `preconditioner.vectors[${i}]: expected independent vectors of positive curvature, got ${sum} left of ${own}`,
        )
      }
    }
  }
  // x += W E⁻¹ Wᵀ (b - A x)
  const r = new Float64Array(b.length)
  yield* apply(x, r)
  for (let i = 0; i < r.length; i++) r[i] = b[i] - r[i]
  const coarse = Float64Array.from({ length: k }, (_, j) => dot(row(vectors, j), r))
  solveCholesky(cholesky, coarse)
  for (let j = 0; j < k; j++) axpy(coarse[j], row(vectors, j), x)
  return { kind: 'deflation', n, k, vectors, images, cholesky }
}

/** The preconditioner as functions. */
export function preconditionerSteps(
  given: ResolvedPreconditioner,
  { monitor }: Run,
): { apply: Apply; half?: Apply; halfTranspose?: Apply } | null {
  return given === null || given.data === null ? given : portablePreconditioner(given.data, monitor)
}
