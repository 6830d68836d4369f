import { symmetricEigen } from '../backend/portable/linear/tridiagonal-eigen.js'
import type { Clock, Work } from '../backend/portable/work.js'
import { checkFinite, type MatrixLike, shapeText, toDenseMatrix, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, type SolverOptions } from '../core/options.js'
import { congruence, matrixFunction, multiply, symmetrized, trace } from '../linear/dense.js'

// What the methods on normal distributions share: checked input, roots of covariances and the Bures distance.

/** A normal distribution. */
export interface Gaussian {
  /** d numbers. */
  mean: VectorLike
  /** d × d, symmetric and positive semidefinite. */
  covariance: MatrixLike
}

/** Nothing here has threads or a native form. */
export type GaussianOptions = Pick<SolverOptions, 'signal'>

export interface CheckedGaussian {
  name: string
  d: number
  mean: Float64Array
  covariance: Float64Array
}

const names: ReadonlySet<string> = new Set(['mean', 'covariance'])

/** A copy. That the covariance is positive semidefinite is left to {@link covarianceRoot}. */
export function readGaussian(name: string, given: Gaussian, dimension?: number): CheckedGaussian {
  if (typeof given !== 'object' || given === null) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected { mean, covariance }, got ${describe(given)}`)
  }
  checkNames(name, given, names)
  const mean = toFloat64(`${name}.mean`, given.mean).slice()
  const d = mean.length
  if (d === 0 || (dimension !== undefined && d !== dimension)) {
    throw new ExtremaError('ERR_SHAPE', `${name}.mean: expected ${dimension ?? 'at least one'} numbers, got ${d}`)
  }
  checkFinite(`${name}.mean`, mean)
  const { data, rows, columns } = toDenseMatrix(`${name}.covariance`, given.covariance)
  if (rows !== d || columns !== d) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}.covariance: expected ${shapeText(d, d)} numbers to match the mean, got ${shapeText(rows, columns)}`,
    )
  }
  const covariance = Float64Array.from(data)
  checkSymmetric(`${name}.covariance`, covariance, d)
  return { name, d, mean, covariance: symmetrized(covariance, d) }
}

function checkSymmetric(name: string, matrix: Float64Array, d: number): void {
  checkFinite(name, matrix, { columns: d })
  let scale = 0
  for (let k = 0; k < matrix.length; k++) {
    scale = Math.max(scale, Math.abs(matrix[k]))
  }
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < i; j++) {
      const [below, above] = [matrix[i * d + j], matrix[j * d + i]]
      if (Math.abs(below - above) <= 1e-8 * scale) continue
      throw new ExtremaError(
        'ERR_SHAPE',
        `${name}: expected a symmetric matrix, got ${below} at [${i}][${j}] and ${above} at [${j}][${i}]`,
      )
    }
  }
}

/** S with S² = A, and its pseudo-inverse. */
export interface CovarianceRoot {
  root: Float64Array
  inverse: Float64Array
  /** Smallest eigenvalue of A over the largest; 0 where A is singular to rounding. */
  condition: number
}

/** Throws unless the covariance is positive semidefinite, to rounding. */
export function* covarianceRoot(name: string, covariance: Float64Array, d: number, clock: Clock): Work<CovarianceRoot> {
  const eigen = yield* symmetricEigen(covariance, d, clock)
  const [least, most] = [eigen.values[0], eigen.values[d - 1]]
  if (least < -1e-10 * Math.max(most, 0) || most < 0) {
    throw new ExtremaError(
      'ERR_NOT_POSITIVE',
      `${name}: expected a positive semidefinite matrix, got the eigenvalue ${least}`,
    )
  }
  const negligible = d * Number.EPSILON * most
  return {
    root: yield* matrixFunction(eigen, (value) => Math.sqrt(Math.max(0, value)), clock),
    inverse: yield* matrixFunction(eigen, (value) => (value > negligible ? 1 / Math.sqrt(value) : 0), clock),
    condition: least > negligible ? least / most : 0,
  }
}

export interface BuresTransport {
  /** tr(A + B - 2 (S B S)^1/2) for S = A^1/2: the squared Bures distance of the covariances. */
  squared: number
  /** (S B S)^1/2 */
  middle: Float64Array
  /** T = S⁻¹ (S B S)^1/2 S⁻¹, symmetric, with T A T = B; the pseudo-inverse where A is singular. */
  map: Float64Array
  /** |middle² - S B S| / |S B S| */
  residual: number
}

export function* buresTransport(
  source: Float64Array,
  { root, inverse, condition }: CovarianceRoot,
  target: Float64Array,
  d: number,
  clock: Clock,
): Work<BuresTransport> {
  const product = yield* congruence(root, target, d, clock)
  const eigen = yield* symmetricEigen(product, d, clock)
  // The root of a rounding error would not be one.
  const negligible = d * Number.EPSILON * eigen.values[d - 1]
  const middle = yield* matrixFunction(eigen, (value) => (value > negligible ? Math.sqrt(value) : 0), clock)
  const map = yield* congruence(inverse, middle, d, clock)
  const traces = trace(source, d) + trace(target, d)
  let squared = Math.max(0, traces - 2 * trace(middle, d))
  if (squared < 1e-6 * traces && condition > 1e-4) {
    // Close covariances: the same as |(T - I) S|², where nothing cancels.
    const moved = yield* multiply(map, root, d, clock)
    squared = distance(moved, root) ** 2
  }
  const residual = relative(yield* multiply(middle, middle, d, clock), product)
  return { squared, middle, map, residual }
}

/** Frobenius norm of a - b. */
function distance(a: Float64Array, b: Float64Array): number {
  let squares = 0
  for (let k = 0; k < a.length; k++) squares += (a[k] - b[k]) ** 2
  return Math.sqrt(squares)
}

/** |a - b| / |b| in the Frobenius norm, 0 for equal ones. */
export function relative(a: Float64Array, b: Float64Array): number {
  const size = Math.sqrt(b.reduce((sum, value) => sum + value * value, 0))
  return size === 0 ? Math.sqrt(a.reduce((sum, value) => sum + value * value, 0)) : distance(a, b) / size
}

export function squaredDistance(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += (a[k] - b[k]) ** 2
  return sum
}
