import type { FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { kernelsFor, updateKernels } from './backend.js'
import { finiteNorm } from './gradient-norm.js'
import { leavesOf, refuseSharedMemory } from './parameters.js'
import { checkTensor, shapeText, type Tensor } from './tensor.js'

/** A decay rate in [0, 1]. */
function checkDecay(decay: unknown, least: number): number {
  if (typeof decay === 'number' && decay >= least && decay <= 1) return decay
  throw new ExtremaError('ERR_OPTION', `decay: expected a number from ${least} to 1, got ${describe(decay)}`)
}

/**
 * average ← decay average + (1 − decay) x, leaf by leaf, in place: running means of parameters and statistics.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_DTYPE` (trees that differ), `ERR_NOT_FINITE` (naming the entry of x; nothing is changed),
 * `ERR_BUFFER` (shared memory), `ERR_OPTION` (a decay outside [0, 1])
 */
export function exponentialAverage<P extends object>(average: P, x: P, decay: number): void {
  checkDecay(decay, 0)
  const names = ['average', 'x']
  const leaves = leavesOf(names, [average, x])
  refuseSharedMemory(names, leaves)
  finiteNorm('x', leaves, 1)
  for (const { data } of leaves) updateKernels(data[0].length).combine(data[0], data[0], data[1], decay, 1 - decay)
}

/**
 * A ← decay A + (1 − decay) v vᵀ in place, for a symmetric n × n matrix: the running mean of a Kronecker factor, from means v of
 * activations or gradients.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_DTYPE`, `ERR_NOT_FINITE` (in v), `ERR_BUFFER`, `ERR_OPTION` (a decay outside [0, 1])
 */
export function rankOneAverage(A: Tensor, v: Tensor, decay: number): void {
  checkDecay(decay, 0)
  const { matrix, vector } = checkPair('A', A, v)
  updateKernels(matrix.length).rankOne(matrix, vector, vector, decay, 1 - decay)
}

/**
 * The inverse X of a matrix that changes by {@link rankOneAverage}, in place, in O(n²):
 * X ← (X − (1 − γ) (X v)(X v)ᵀ / (γ + (1 − γ) vᵀX v)) / γ (Sherman and Morrison), γ the decay in (0, 1]. X must be symmetric positive definite,
 * and stays so.
 *
 * @throws {ExtremaError} as `rankOneAverage`, and `ERR_NOT_POSITIVE` if vᵀX v < 0
 *
 * Source: the factor update of Mozaffari et al., *MKOR*, arXiv 2306.01685, in its exact form.
 */
export function rankOneInverseAverage(X: Tensor, v: Tensor, decay: number): void {
  checkDecay(decay, Number.MIN_VALUE)
  const { matrix, vector } = checkPair('X', X, v)
  const n = vector.length
  const product = vector.slice()
  kernelsFor(X.dtype, matrix.length).matmul(product, matrix, vector, 1, n, 1, n, false, false, 0, 0)
  let form = 0
  for (let i = 0; i < n; i++) form += product[i] * vector[i]
  if (!(form >= 0)) {
    throw new ExtremaError('ERR_NOT_POSITIVE', `X: expected a positive definite matrix, got v'Xv = ${form}`)
  }
  const factor = -(1 - decay) / (decay * (decay + (1 - decay) * form))
  updateKernels(matrix.length).rankOne(matrix, product, product, 1 / decay, factor)
}

function checkPair(name: string, A: Tensor, v: Tensor): { matrix: FloatArray; vector: FloatArray } {
  const n = checkTensor('v', v).size
  if (v.rank !== 1 || checkTensor(name, A).rank !== 2 || A.shape[0] !== n || A.shape[1] !== n) {
    const came = `${shapeText(A.shape)} with v ${shapeText(v.shape)}`
    throw new ExtremaError('ERR_SHAPE', `${name}: expected [n, n] with v [n], got ${came}`)
  }
  const [matrix] = leavesOf([name], [A])
  const [vector] = leavesOf(['v'], [v])
  if (matrix.dtype !== vector.dtype) {
    throw new ExtremaError('ERR_DTYPE', `v: expected ${matrix.dtype} like ${name}, got ${vector.dtype}`)
  }
  refuseSharedMemory([name, 'v'], [{ ...matrix, data: [matrix.data[0], vector.data[0]] }])
  finiteNorm('v', [vector], 0)
  return { matrix: matrix.data[0], vector: vector.data[0] }
}
