import type { MatrixData } from '../backend/linear-dense.js'
import { type Csr, checkBuffer, type MatrixLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { checkCompressed } from './csr.js'
import { denseMatrix } from './direct.js'

/** A dense matrix, or compressed sparse rows. */
export type MatrixOrCsr = MatrixLike | Csr

/** Not empty; entries of dense matrices are checked by the kernels. */
export function matrixData(name: string, given: MatrixOrCsr): MatrixData {
  if (typeof given !== 'object' || given === null) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a matrix, got ${describe(given)}`)
  }
  if (!('indptr' in given)) {
    const { data, rows, columns } = denseMatrix(name, given)
    return { rows, columns, dense: data, indptr: null, indices: null, values: null }
  }
  if ((given as { format?: unknown }).format === 'csc') {
    throw new ExtremaError('ERR_SHAPE', `${name}.format: expected compressed rows, got 'csc'; transpose it first`)
  }
  const { rows, columns, indptr, indices, data } = checkCompressed(name, given)
  const isEmpty = indices.length === 0
  return {
    rows,
    columns,
    dense: null,
    indptr,
    indices: isEmpty ? new Int32Array(1) : indices,
    values: isEmpty ? new Float64Array(1) : data,
  }
}

/** After a run off the event loop: the caller's memory must still be there. */
export function checkStill(name: string, { dense, values }: MatrixData): void {
  checkBuffer(name, (dense ?? values) as Float64Array)
}
