import { type Csr, checkBuffer } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { kernelsFor } from './backend.js'
import { checkSameDType } from './broadcast.js'
import { mul, sumOf } from './elementwise.js'
import { gather } from './gather.js'
import type { Primitive } from './primitive.js'
import { sum } from './reduce.js'
import { blank, shapeText, type Tensor } from './tensor.js'
import { apply } from './trace.js'

/** Where the entries of a sparse matrix are: CSR without its numbers. */
export type SparsePattern = Pick<Csr, 'shape' | 'indptr' | 'indices'>

interface Product {
  pattern: SparsePattern
  transpose: boolean
}

/** A x or Aᵀ x, with A given by its entries. */
const productPrimitive: Primitive<Product> = {
  name: 'csrMatmul',
  evaluate([data, x], { pattern, transpose }) {
    const [rows, columns] = checkPattern(pattern, data)
    const { indptr, indices } = pattern
    const out = blank(x.dtype, [transpose ? columns : rows, ...x.shape.slice(1)])
    const width = x.rank === 1 ? 1 : x.shape[1]
    const kernels = kernelsFor(x.dtype, Math.max(data.size, out.size))
    kernels.csrProduct(out.data, data.data, x.data, indptr, indices, rows, columns, width, transpose)
    return out
  },
  jvp([data, x], [u, v], _out, params) {
    const first = u === undefined ? undefined : apply(productPrimitive, [u, x], params)
    const second = v === undefined ? undefined : apply(productPrimitive, [data, v], params)
    return sumOf(first, second)
  },
  vjp(g, [data, x], _out, { pattern, transpose }, needs) {
    const ofRows = transpose ? x : g
    const ofColumns = transpose ? g : x
    return [
      needs[0] ? sampled(ofRows, ofColumns, pattern) : undefined,
      needs[1] ? apply(productPrimitive, [data, g], { pattern, transpose: !transpose }) : undefined,
    ]
  },
}

/** a_i · b_j for each entry (i, j) of the pattern. */
function sampled(a: Tensor, b: Tensor, { indptr, indices }: SparsePattern): Tensor {
  const rows = new Int32Array(indices.length)
  for (let i = 0; i + 1 < indptr.length; i++) rows.fill(i, indptr[i], indptr[i + 1])
  const products = mul(gather(a, rows), gather(b, indices))
  return products.rank === 1 ? products : sum(products, 1)
}

/**
 * A x for a sparse matrix of that pattern with entries `data`, and a vector or a matrix x; Aᵀ x with `transpose`. Both
 * the entries and x are differentiated.
 */
export function csrMatmul(pattern: SparsePattern, data: Tensor, x: Tensor, { transpose = false } = {}): Tensor {
  checkSameDType('csrMatmul', data, x)
  const own = readPattern(pattern)
  const inner = own.shape[transpose ? 0 : 1]
  if ((x.rank !== 1 && x.rank !== 2) || x.shape[0] !== inner || data.rank !== 1 || data.size !== own.indices.length) {
    const expected = `${own.indices.length} entries and ${inner} rows`
    const came = `${shapeText(data.shape)} and ${shapeText(x.shape)}`
    throw new ExtremaError('ERR_SHAPE', `csrMatmul: expected ${expected}, got ${came}`)
  }
  return apply(productPrimitive, [data, x], { pattern: own, transpose })
}

/** A copy of the references, so that the pattern keeps its arrays; what is in them is checked before every product. */
function readPattern({ shape, indptr, indices }: SparsePattern): SparsePattern {
  const [rows, columns] = shape
  if (![rows, columns].every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new ExtremaError('ERR_SHAPE', `pattern: expected whole numbers >= 0 as shape, got ${describe(shape)}`)
  }
  for (const [name, array] of Object.entries({ indptr, indices })) {
    if (!(array instanceof Int32Array)) {
      throw new ExtremaError('ERR_DTYPE', `pattern: expected an Int32Array as ${name}, got ${describe(array)}`)
    }
    checkBuffer(name, array)
  }
  return { shape: [rows, columns], indptr, indices }
}

/** Before every product: kernels trust the indices. */
function checkPattern({ shape, indptr, indices }: SparsePattern, data: Tensor): readonly [number, number] {
  const [rows, columns] = shape
  let right = indptr.length === rows + 1 && indptr[0] === 0 && indptr[rows] === indices.length
  right &&= indices.length === data.size
  for (let i = 0; i < rows && right; i++) right = indptr[i] <= indptr[i + 1]
  for (let p = 0; p < indices.length && right; p++) right = indices[p] >= 0 && indices[p] < columns
  if (!right) {
    const came = `${indptr.length} offsets and ${indices.length} indices`
    throw new ExtremaError(
      'ERR_SHAPE',
      `pattern: expected CSR offsets and columns of a ${rows}×${columns} matrix, got ${came}`,
    )
  }
  return shape
}
