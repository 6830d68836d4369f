import type { Kernels } from '../backend/kernels.js'
import type { PreconditionerData } from '../backend/linear-sparse.js'
import { portablePreconditioner } from '../backend/portable/linear/preconditioners.js'
import type { Apply, Step } from '../backend/portable/linear/step.js'
import { checkFinite, type MatrixLike, shapeText, toDenseMatrix, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe } from '../core/options.js'
import type { Run } from './drive.js'
import { type BuiltInOperator, builtIn, type CheckedOperator, shapeOf } from './operator.js'
import { oracleApply } from './oracle.js'
import { diagonalOf, rowsOf } from './rows.js'

/**
 * M, near to A and easy to invert: iterations run on M⁻¹ A. `conjugateGradient` and `minres` want it symmetric and positive
 * definite.
 */
export type Preconditioner =
  /** The diagonal of A, or the one given. */
  | { kind: 'jacobi'; diagonal?: VectorLike }
  /** (D + omega L) D⁻¹ (D + omega Lᵀ) / (omega (2 - omega)) of A = D + L + Lᵀ; omega in (0, 2), default 1. */
  | { kind: 'ssor'; omega?: number }
  /** RᵀR, R upper triangular: of a sketched QR decomposition, for `lsqr`. */
  | { kind: 'upper'; r: MatrixLike }
  /** An operator that is M⁻¹. */
  | { kind: 'operator'; inverse: BuiltInOperator }
  /** M⁻¹ r by the caller's function, which may return a promise in the asynchronous form. r is overwritten afterwards. */
  | { kind: 'user'; solve(r: Float64Array): VectorLike | PromiseLike<VectorLike> }

/** A preconditioner for a kernel, or as functions for an iteration with oracles. */
export type CheckedPreconditioner =
  | null
  | { data: PreconditionerData; oracle: null }
  | { data: null; oracle: { solve(r: Float64Array): VectorLike | PromiseLike<VectorLike> } }

const names = {
  jacobi: new Set(['kind', 'diagonal']),
  ssor: new Set(['kind', 'omega']),
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
      return { data: jacobi(name, given.diagonal, matrix), oracle: null }
    case 'ssor': {
      const omega = checkOmega(`${name}.omega`, given.omega, 1)
      return { data: { kind: 'ssor', matrix: entries(name, matrix), omega }, oracle: null }
    }
    case 'upper':
      return { data: upper(name, given.r, n), oracle: null }
    case 'operator': {
      const operator = builtIn(`${name}.inverse`, given.inverse)
      checkSquare(`${name}.inverse`, shapeOf(operator), n)
      return { data: { kind: 'operator', operator }, oracle: null }
    }
    case 'user':
      if (typeof given.solve === 'function') return { data: null, oracle: given }
      throw new ExtremaError('ERR_ORACLE', `${name}.solve: expected a function, got ${describe(given.solve)}`)
  }
}

/** The relaxation parameter, in (0, 2). */
export function checkOmega(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value === 'number' && value > 0 && value < 2) return value
  throw new ExtremaError('ERR_OPTION', `${name}: expected a number in (0, 2), got ${describe(value)}`)
}

function entries(name: string, matrix: CheckedOperator) {
  if (matrix.data !== null) return rowsOf('matrix', matrix.data)
  throw new ExtremaError('ERR_OPTION', `${name}: expected a matrix with entries, got one with matvec only`)
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

/** The preconditioner as functions. */
export function preconditionerSteps(
  given: CheckedPreconditioner,
  n: number,
  _kernels: Kernels,
  { monitor }: Run,
): { apply: Apply; half?: Apply; halfTranspose?: Apply } | null {
  if (given === null) return null
  if (given.data !== null) return portablePreconditioner(given.data, monitor)
  const { oracle } = given
  const solve = oracleApply('preconditioner', (r) => oracle.solve(r), n)
  return {
    *apply(r, z): Step<void> {
      yield* solve(r, z)
    },
  }
}
