import { type Csr, checkFinite, type MatrixLike, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe } from '../core/options.js'
import { asymmetry, type SystemMatrix, toSystem } from './matrix.js'
import { fromOracle, type Steps } from './steps.js'

type Maybe<T> = T | Promise<T>

/** min f(x) subject to c(x) = 0, x of length n, c of length m <= n. Every oracle may return a promise. */
export interface EqualityConstrainedProblem {
  /** Where to begin; its length is n. */
  x0: VectorLike
  /** The multipliers to begin with, of length m. Default: ones. */
  multipliers0?: VectorLike
  /** f(x) */
  value(x: Float64Array): Maybe<number>
  /** ∇f(x) */
  gradient(x: Float64Array): Maybe<VectorLike>
  /** c(x) */
  constraints(x: Float64Array): Maybe<VectorLike>
  /** G(x) = ∂c, m × n, dense or CSR. */
  jacobian(x: Float64Array): Maybe<MatrixLike | Csr>
  /** ∇²f(x) + Σ_j λ_j ∇²c_j(x), n × n and symmetric, dense or CSR. Either this or `hvp`. */
  hessian?(x: Float64Array, multipliers: Float64Array): Maybe<MatrixLike | Csr>
  /** That Hessian times v. Sketches read rows of it, so it is formed from n products in every iteration. */
  hvp?(x: Float64Array, multipliers: Float64Array, v: Float64Array): Maybe<VectorLike>
}

export interface Evaluations {
  value: number
  gradient: number
  constraints: number
  jacobian: number
  hessian: number
  hvp: number
}

/** f, ∇f, c and G at a point. */
export interface Point {
  x: Float64Array
  f: number
  g: Float64Array
  c: Float64Array
  jacobian: SystemMatrix
}

const names = new Set(['x0', 'multipliers0', 'value', 'gradient', 'constraints', 'jacobian', 'hessian', 'hvp'])
const required = ['value', 'gradient', 'constraints', 'jacobian'] as const

export function checkProblem(problem: EqualityConstrainedProblem): void {
  if (typeof problem !== 'object' || problem === null) {
    const form = '{ x0, value, gradient, constraints, jacobian, hessian }'
    throw new ExtremaError('ERR_SHAPE', `problem: expected ${form}, got ${describe(problem)}`)
  }
  checkNames('problem', problem, names)
  for (const name of required) refuseUnlessFunction(name, problem[name])
  const { hessian, hvp } = problem
  if ((hessian === undefined) === (hvp === undefined)) {
    const came = hessian === undefined ? 'neither' : 'both'
    throw new ExtremaError('ERR_OPTION', `problem: expected either hessian or hvp, got ${came}`)
  }
  if (hessian !== undefined) refuseUnlessFunction('hessian', hessian)
  else refuseUnlessFunction('hvp', hvp)
  const x0 = checkFinite('x0', toFloat64('x0', problem.x0))
  if (x0.length === 0) throw new ExtremaError('ERR_SHAPE', 'x0: expected at least one number, got none')
  if (problem.multipliers0 !== undefined) checkFinite('multipliers0', toFloat64('multipliers0', problem.multipliers0))
}

function refuseUnlessFunction(name: string, value: unknown): void {
  if (typeof value === 'function') return
  throw new ExtremaError('ERR_OPTION', `${name}: expected a function, got ${describe(value)}`)
}

/** The oracles, counted and checked: what is not finite or of the wrong shape is an `ERR_ORACLE`. */
export class Oracles {
  readonly evaluations: Evaluations = { value: 0, gradient: 0, constraints: 0, jacobian: 0, hessian: 0, hvp: 0 }
  readonly n: number
  /** Known from the first constraints on. */
  m = -1

  constructor(private readonly problem: EqualityConstrainedProblem) {
    this.n = problem.x0.length
  }

  *point(x: Float64Array): Steps<Point> {
    const f = yield* this.value(x)
    const c = yield* this.constraints(x)
    const g = yield* this.vector('gradient', this.n, () => this.problem.gradient(x.slice()))
    this.evaluations.jacobian++
    const given = yield* fromOracle('jacobian', () => this.problem.jacobian(x.slice()))
    const jacobian = this.matrix('jacobian', given, this.m)
    return { x, f, g, c, jacobian }
  }

  *hessian(x: Float64Array, multipliers: Float64Array): Steps<SystemMatrix> {
    const { problem, n } = this
    let hessian: SystemMatrix
    if (problem.hessian !== undefined) {
      this.evaluations.hessian++
      const given = yield* fromOracle('hessian', () => problem.hessian!(x.slice(), multipliers.slice()))
      hessian = this.matrix('hessian', given, n)
    } else {
      hessian = yield* this.fromProducts(x, multipliers)
    }
    const name = problem.hessian === undefined ? 'hvp' : 'hessian'
    const scale = hessian.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const off = asymmetry(hessian)
    if (off > 1e-8 * scale) {
      throw new ExtremaError('ERR_ORACLE', `${name}: expected a symmetric matrix, got entries that differ by ${off}`)
    }
    return hessian
  }

  /** Column by column; kept sparse, and every column is a row as well. */
  private *fromProducts(x: Float64Array, multipliers: Float64Array): Steps<SystemMatrix> {
    const { n, problem } = this
    const indptr = new Int32Array(n + 1)
    const columns: Int32Array[] = []
    const values: Float64Array[] = []
    for (let i = 0; i < n; i++) {
      const v = new Float64Array(n)
      v[i] = 1
      const column = yield* this.vector('hvp', n, () => problem.hvp!(x.slice(), multipliers.slice(), v))
      const places = Int32Array.from(column.keys()).filter((j) => column[j] !== 0)
      columns.push(places)
      values.push(Float64Array.from(places, (j) => column[j]))
      indptr[i + 1] = indptr[i] + places.length
    }
    const indices = new Int32Array(indptr[n])
    const data = new Float64Array(indptr[n])
    for (let i = 0; i < n; i++) {
      indices.set(columns[i], indptr[i])
      data.set(values[i], indptr[i])
    }
    return { rows: n, columns: n, data, indptr, indices }
  }

  private *value(x: Float64Array): Steps<number> {
    this.evaluations.value++
    const value = yield* fromOracle('value', () => this.problem.value(x.slice()))
    if (typeof value === 'number' && Number.isFinite(value)) return value
    throw notFinite('value', typeof value === 'number' ? String(value) : describe(value), typeof value === 'number')
  }

  private *constraints(x: Float64Array): Steps<Float64Array> {
    const c = yield* this.vector('constraints', this.m, () => this.problem.constraints(x.slice()))
    if (this.m < 0) {
      this.m = c.length
      if (c.length === 0 || c.length > this.n) {
        const expected = `from 1 to n = ${this.n} constraints`
        throw new ExtremaError('ERR_SHAPE', `constraints: expected ${expected}, got ${c.length}`)
      }
    }
    return c
  }

  private *vector(name: 'gradient' | 'constraints' | 'hvp', length: number, call: () => unknown): Steps<Float64Array> {
    this.evaluations[name]++
    const given = yield* fromOracle(name, call)
    const vector = asOracle(name, () => Float64Array.from(toFloat64(name, given as VectorLike)))
    if (length >= 0 && vector.length !== length) {
      throw new ExtremaError('ERR_ORACLE', `${name}: expected ${length} numbers, got ${vector.length}`)
    }
    for (const value of vector) if (!Number.isFinite(value)) throw notFinite(name, String(value), true)
    return vector
  }

  private matrix(name: string, given: unknown, rows: number): SystemMatrix {
    const matrix = asOracle(name, () => toSystem(name, given as MatrixLike, 'ERR_NOT_FINITE', rows, this.n))
    return matrix
  }
}

/** What an oracle of a trial point far out may do: return what is not finite. */
export class NotFinite extends ExtremaError {}

function notFinite(name: string, came: string, isNumber: boolean): ExtremaError {
  const message = `${name}: expected ${name === 'value' ? 'a finite number' : 'finite numbers'}, got ${came}`
  return isNumber ? new NotFinite('ERR_ORACLE', message) : new ExtremaError('ERR_ORACLE', message)
}

/** The same checks as for arguments, with the code of oracles. */
function asOracle<T>(name: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof ExtremaError)) throw error
    if (error.code === 'ERR_NOT_FINITE') throw new NotFinite('ERR_ORACLE', error.message)
    const message = error.message.startsWith(name) ? error.message : `${name}: ${error.message}`
    throw new ExtremaError('ERR_ORACLE', message)
  }
}
