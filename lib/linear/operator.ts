import type { OperatorData } from '../backend/linear-sparse.js'
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
import { checkNames, describe } from '../core/options.js'
import { type Csc, checkCompressed, checkShape } from './csr.js'
import { readStencil, type Stencil } from './stencil.js'

/** A linear map by its products. An oracle may return a promise, in the asynchronous form of a solver. */
export interface LinearOperator {
  /** [rows, columns] */
  shape: readonly [number, number]
  /** A x, `rows` numbers. x has `columns` numbers and is overwritten after the call: copy what you keep. */
  matvec(x: Float64Array): VectorLike | PromiseLike<VectorLike>
  /** Aᵀ y, `columns` numbers; only some solvers ask for it. */
  rmatvec?(y: Float64Array): VectorLike | PromiseLike<VectorLike>
}

/** diag(diagonal) + scale Gᵀ G with the m × n matrix `factor` G. */
export interface LowRankPlusDiagonal {
  kind: 'low-rank'
  factor: MatrixLike
  /** n numbers, or one for all. Default 0. */
  diagonal?: number | VectorLike
  /** Default 1. */
  scale?: number
}

/** left ⊗ right: it maps x, as a row-major matrix X, to left X rightᵀ. */
export interface Kronecker {
  kind: 'kronecker'
  left: BuiltInOperator
  right: BuiltInOperator
}

/** [[A, B], [C, D]]; null is a block of zeros, whose shape follows from the others. */
export interface Block {
  kind: 'block'
  blocks: readonly [
    readonly [BuiltInOperator | null, BuiltInOperator | null],
    readonly [BuiltInOperator | null, BuiltInOperator | null],
  ]
}

/** The transpose of another operator. */
export interface Transposed {
  kind: 'transposed'
  of: BuiltInOperator
}

/** Operators that are plain data, which kernels apply by themselves. */
export type BuiltInOperator =
  | MatrixLike
  | Csr
  | Csc
  | Stencil
  | LowRankPlusDiagonal
  | Kronecker
  | Block
  | Transposed
  | PreparedOperator

export type OperatorLike = BuiltInOperator | LinearOperator

/** An operator after its checks: data, or the caller's functions. */
export type CheckedOperator = { rows: number; columns: number } & (
  | { data: OperatorData; oracle: null }
  | { data: null; oracle: LinearOperator }
)

// Both module formats have their class.
const brand = Symbol.for('extrema.linear.prepared')
const counted = Symbol.for('extrema.linear.counted')

/** The product at which kernels are told that an operator is used often: memory is arranged for it then. */
const manyProducts = 3

/**
 * An operator that has been checked, once for any number of calls. Its numbers are borrowed, not copied, where they were
 * contiguous typed arrays; its indices are copied.
 */
export class PreparedOperator {
  readonly shape: readonly [number, number]
  /** @internal */
  readonly [brand]: OperatorData
  #products = 0

  constructor(matrix: BuiltInOperator) {
    const data = builtIn('matrix', matrix)
    this[brand] = data
    this.shape = shapeOf(data)
  }

  /** @internal Counts a product; true once. */
  [counted](): boolean {
    return ++this.#products === manyProducts
  }
}

/** Whether a product is the one that shows that the operator is used often. */
export function isOften(matrix: BuiltInOperator): boolean {
  return typeof matrix === 'object' && matrix !== null && counted in matrix && matrix[counted]()
}

/** Checks an operator once, for use in many calls. */
export function prepare(matrix: BuiltInOperator): PreparedOperator {
  return new PreparedOperator(matrix)
}

export function checkOperator(name: string, value: OperatorLike): CheckedOperator {
  if (typeof value === 'object' && value !== null && typeof (value as LinearOperator).matvec === 'function') {
    const oracle = value as LinearOperator
    const [rows, columns] = checkShape(name, oracle.shape)
    if (oracle.rmatvec !== undefined && typeof oracle.rmatvec !== 'function') {
      throw new ExtremaError('ERR_ORACLE', `${name}.rmatvec: expected a function, got ${describe(oracle.rmatvec)}`)
    }
    return { rows, columns, data: null, oracle }
  }
  const data = builtIn(name, value as BuiltInOperator)
  const [rows, columns] = shapeOf(data)
  return { rows, columns, data, oracle: null }
}

/** The operator as data for kernels. */
export function builtIn(name: string, value: BuiltInOperator): OperatorData {
  if (typeof value !== 'object' || value === null) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a matrix or an operator, got ${describe(value)}`)
  }
  if (brand in value) return value[brand]
  if ('matvec' in value) {
    throw new ExtremaError('ERR_ORACLE', `${name}: expected an operator that is data, got one with matvec`)
  }
  if ('indptr' in value) {
    const csr: OperatorData = { kind: 'csr', ...checkCompressed(name, value) }
    return (value as Csc).format === 'csc' ? { kind: 'transposed', of: csr } : csr
  }
  if (!('kind' in value)) return readDense(name, value)
  switch (value.kind) {
    case 'stencil':
      return readStencil(name, value)
    case 'low-rank':
      return readLowRank(name, value)
    case 'kronecker':
      checkNames(name, value, kroneckerNames)
      return {
        kind: 'kronecker',
        left: builtIn(`${name}.left`, value.left),
        right: builtIn(`${name}.right`, value.right),
      }
    case 'block':
      return readBlock(name, value)
    case 'transposed':
      checkNames(name, value, transposedNames)
      return { kind: 'transposed', of: builtIn(`${name}.of`, value.of) }
  }
  throw new ExtremaError(
    'ERR_OPTION',
    `${name}.kind: expected one of 'stencil', 'low-rank', 'kronecker', 'block', 'transposed', got ${describe((value as { kind: unknown }).kind)}`,
  )
}

const kroneckerNames: ReadonlySet<string> = new Set(['kind', 'left', 'right'])
const transposedNames: ReadonlySet<string> = new Set(['kind', 'of'])
const lowRankNames: ReadonlySet<string> = new Set(['kind', 'factor', 'diagonal', 'scale'])
const blockNames: ReadonlySet<string> = new Set(['kind', 'blocks'])

function readDense(name: string, value: MatrixLike): OperatorData {
  const { data, rows, columns } = toDenseMatrix(name, value)
  if (rows === 0 || columns === 0) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a non-empty matrix, got ${shapeText(rows, columns)}`)
  }
  checkFinite(name, data, { columns })
  return { kind: 'dense', rows, columns, data: data instanceof Float64Array ? data : Float64Array.from(data) }
}

function readLowRank(name: string, value: LowRankPlusDiagonal): OperatorData {
  checkNames(name, value, lowRankNames)
  const factor = readDense(`${name}.factor`, value.factor)
  if (factor.kind !== 'dense') throw new ExtremaError('ERR_INTERNAL', 'factor: expected a dense matrix, got another')
  const { rows: m, columns: n, data } = factor
  const { diagonal = 0, scale = 1 } = value
  if (!Number.isFinite(scale)) {
    throw new ExtremaError('ERR_OPTION', `${name}.scale: expected a finite number, got ${describe(scale)}`)
  }
  const entries =
    typeof diagonal === 'number' ? new Float64Array(n).fill(diagonal) : toFloat64(`${name}.diagonal`, diagonal)
  if (entries.length !== n) {
    throw new ExtremaError('ERR_SHAPE', `${name}.diagonal: expected ${n} numbers, got ${entries.length}`)
  }
  checkFinite(`${name}.diagonal`, entries)
  return { kind: 'low-rank', n, m, diagonal: entries, scale, factor: data }
}

function readBlock(name: string, value: Block): OperatorData {
  checkNames(name, value, blockNames)
  const flat = Array.isArray(value.blocks) ? value.blocks.flat() : []
  if (flat.length !== 4 || value.blocks.length !== 2) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}.blocks: expected two rows of two blocks, got ${describe(value.blocks)}`,
    )
  }
  const blocks = flat.map((part, k) =>
    part === null ? null : builtIn(`${name}.blocks[${k >> 1}][${k % 2}]`, part as BuiltInOperator),
  )
  const shapes = blocks.map((part) => (part === null ? null : shapeOf(part)))
  const agree = (what: string, axis: 0 | 1, one: number, two: number) => {
    const [first, second] = [shapes[one], shapes[two]]
    if (first === null && second === null) {
      throw new ExtremaError('ERR_SHAPE', `${name}.blocks: expected a block in ${what}, got null twice`)
    }
    if (first !== null && second !== null && first[axis] !== second[axis]) {
      const came = `${shapeText(...first)} and ${shapeText(...second)}`
      throw new ExtremaError('ERR_SHAPE', `${name}.blocks: expected blocks that fit in ${what}, got ${came}`)
    }
    return (first ?? second)![axis]
  }
  return {
    kind: 'block',
    rows: [agree('row 0', 0, 0, 1), agree('row 1', 0, 2, 3)],
    columns: [agree('column 0', 1, 0, 2), agree('column 1', 1, 1, 3)],
    blocks,
  }
}

export function shapeOf(operator: OperatorData): [number, number] {
  switch (operator.kind) {
    case 'csr':
    case 'dense':
      return [operator.rows, operator.columns]
    case 'transposed': {
      const [rows, columns] = shapeOf(operator.of)
      return [columns, rows]
    }
    case 'constant-stencil':
    case 'stencil': {
      const n = operator.grid.reduce((cells, length) => cells * length, 1)
      return [n, n]
    }
    case 'low-rank':
      return [operator.n, operator.n]
    case 'kronecker': {
      const [left, right] = [shapeOf(operator.left), shapeOf(operator.right)]
      return [left[0] * right[0], left[1] * right[1]]
    }
    case 'block':
      return [operator.rows[0] + operator.rows[1], operator.columns[0] + operator.columns[1]]
  }
}
