import { type DescentData, losses } from '../backend/descent.js'
import { type Csr, checkFinite, type MatrixLike, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, nonNegative, oneOf, whole } from '../core/options.js'
import { checkMatrix } from './matrix.js'

/** What every problem may have besides its smooth part: Σ l1_i |x_i| and bounds. A number stands for all coordinates. */
export interface SeparableTerms {
  /** Weights >= 0 of |x_i|. Default 0. */
  l1?: number | VectorLike
  /** Least x_i; 0 for a non-negative problem. Default -Infinity. */
  lower?: number | VectorLike
  /** Greatest x_i. Default Infinity. */
  upper?: number | VectorLike
}

interface Ridge {
  /** Adds ½ l2 |x|². Default 0. */
  l2?: number
}

/** ½ |A x - b|² */
export interface LeastSquaresProblem extends SeparableTerms, Ridge {
  loss: 'least-squares'
  /** m × n */
  A: MatrixLike | Csr
  /** m */
  b: VectorLike
}

/** Σ_r log(1 + exp(-labels_r a_rᵀ x)) */
export interface LogisticProblem extends SeparableTerms, Ridge {
  loss: 'logistic'
  /** m × n */
  A: MatrixLike | Csr
  /** m times 1 or -1. */
  labels: VectorLike
}

/** Σ_r log Σ_c exp(a_rᵀ x_c) - a_rᵀ x_{labels_r}; x is features × classes, row-major. */
export interface SoftmaxProblem extends SeparableTerms, Ridge {
  loss: 'softmax'
  /** m × features */
  A: MatrixLike | Csr
  /** m whole numbers in [0, classes). */
  labels: ArrayLike<number>
  /** Default: the largest label plus one. */
  classes?: number
}

/** ½ xᵀA x - bᵀx */
export interface QuadraticProblem extends SeparableTerms, Ridge {
  loss: 'quadratic'
  /** n × n, symmetric and positive semidefinite. */
  A: MatrixLike | Csr
  b: VectorLike
}

export type TemplateProblem = LeastSquaresProblem | LogisticProblem | SoftmaxProblem | QuadraticProblem

const termNames = ['l1', 'lower', 'upper']
const names: Record<TemplateProblem['loss'], ReadonlySet<string>> = {
  'least-squares': new Set(['loss', 'A', 'b', 'l2', ...termNames]),
  logistic: new Set(['loss', 'A', 'labels', 'l2', ...termNames]),
  softmax: new Set(['loss', 'A', 'labels', 'classes', 'l2', ...termNames]),
  quadratic: new Set(['loss', 'A', 'b', 'l2', ...termNames]),
}

export function checkTemplate(problem: TemplateProblem): DescentData {
  const loss = oneOf('loss', problem.loss ?? null, losses, 'least-squares')
  checkNames('problem', problem, names[loss])
  const matrix = checkMatrix('A', problem.A)
  const target = targetOf(problem, matrix.rows)
  let classes = 1
  if (problem.loss === 'softmax') {
    const most = target.reduce((x, y) => Math.max(x, y), 0)
    classes = whole('classes', problem.classes, Math.max(2, most + 1), Math.max(2, most + 1))
  }
  if (problem.loss === 'quadratic' && matrix.rows !== matrix.columns) {
    throw new ExtremaError('ERR_SHAPE', `A: expected a square matrix, got ${matrix.rows}×${matrix.columns}`)
  }
  const n = matrix.columns * classes
  return { loss, matrix, classes, target, l2: nonNegative('l2', problem.l2, 0), ...checkTerms(problem, n) }
}

function targetOf(problem: TemplateProblem, rows: number): Float64Array {
  const name = 'b' in problem ? 'b' : 'labels'
  const target = toFloat64(name, 'b' in problem ? problem.b : (problem as LogisticProblem).labels)
  if (target.length !== rows) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}: expected ${rows} numbers, one for each row of A, got ${target.length}`,
    )
  }
  checkFinite(name, target)
  for (let r = 0; r < rows; r++) {
    if (problem.loss === 'logistic' && Math.abs(target[r]) !== 1) {
      throw new ExtremaError('ERR_SHAPE', `labels[${r}]: expected 1 or -1, got ${target[r]}`)
    }
    if (problem.loss === 'softmax' && !(Number.isInteger(target[r]) && target[r] >= 0)) {
      throw new ExtremaError('ERR_SHAPE', `labels[${r}]: expected a whole number >= 0, got ${target[r]}`)
    }
  }
  return target.slice()
}

export function checkTerms(
  { l1, lower, upper }: SeparableTerms,
  n: number,
): Pick<DescentData, 'l1' | 'lower' | 'upper'> {
  const terms = {
    l1: spread('l1', l1, 0, n),
    lower: spread('lower', lower, Number.NEGATIVE_INFINITY, n),
    upper: spread('upper', upper, Number.POSITIVE_INFINITY, n),
  }
  for (let i = 0; i < n; i++) {
    if (!(terms.l1[i] >= 0 && terms.l1[i] < Number.POSITIVE_INFINITY)) {
      throw new ExtremaError('ERR_OPTION', `l1[${i}]: expected a finite number >= 0, got ${terms.l1[i]}`)
    }
    if (
      !(terms.lower[i] <= terms.upper[i]) ||
      terms.lower[i] === Number.POSITIVE_INFINITY ||
      terms.upper[i] === Number.NEGATIVE_INFINITY
    ) {
      throw new ExtremaError(
        'ERR_INFEASIBLE',
        `lower[${i}]: expected a number at most upper[${i}] (${terms.upper[i]}), got ${terms.lower[i]}`,
      )
    }
  }
  return terms
}

function spread(name: string, value: number | VectorLike | undefined, fallback: number, n: number): Float64Array {
  if (value === undefined || typeof value === 'number') return new Float64Array(n).fill(value ?? fallback)
  if (typeof value !== 'object' || value === null) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a number or ${n} numbers, got ${describe(value)}`)
  }
  const vector = toFloat64(name, value)
  if (vector.length !== n) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${n} numbers, got ${vector.length}`)
  }
  return vector.slice()
}
