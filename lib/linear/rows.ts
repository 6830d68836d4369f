import type { CsrData, OperatorData, StencilData } from '../backend/linear-sparse.js'
import type { Clock, Step } from '../backend/portable/linear/step.js'
import { ExtremaError } from '../core/errors.js'
import { flipSteps } from './csr.js'

/** The rows of an operator, for methods that work on entries. */
export function* rowsOf(name: string, operator: OperatorData, watch: Clock): Step<CsrData> {
  switch (operator.kind) {
    case 'csr':
      return operator
    case 'transposed':
      return yield* flipSteps(yield* rowsOf(name, operator.of, watch), watch)
    case 'dense':
      return yield* denseRows(operator, watch)
    case 'constant-stencil':
    case 'stencil':
      return yield* stencilRows(operator, watch)
    default:
      throw new ExtremaError('ERR_OPTION', `${name}: expected ${withEntries}, got a '${operator.kind}' operator`)
  }
}

const withEntries = 'entries (CSR, CSC, dense or a stencil)'

/** That {@link rowsOf} will find entries, without looking at them. */
export function checkHasEntries(name: string, operator: OperatorData): OperatorData {
  let inner = operator
  while (inner.kind === 'transposed') inner = inner.of
  if (inner.kind !== 'low-rank' && inner.kind !== 'kronecker' && inner.kind !== 'block') return operator
  throw new ExtremaError('ERR_OPTION', `${name}: expected ${withEntries}, got a '${inner.kind}' operator`)
}

function* denseRows(
  { rows, columns, data }: { rows: number; columns: number; data: Float64Array },
  watch: Clock,
): Step<CsrData> {
  const indptr = Int32Array.from({ length: rows + 1 }, (_, i) => i * columns)
  const indices = new Int32Array(rows * columns)
  const line = Int32Array.from({ length: columns }, (_, j) => j)
  for (let i = 0; i < rows; i++) {
    indices.set(line, i * columns)
    if (watch.due()) yield
  }
  return { rows, columns, indptr, indices, data }
}

function* stencilRows({ grid, center, couplings }: StencilData, watch: Clock): Step<CsrData> {
  const n = grid.reduce((cells, length) => cells * length, 1)
  const strides = grid.map((_, axis) => grid.slice(axis + 1).reduce((cells, length) => cells * length, 1))
  const at = (of: number | Float64Array, i: number) => (typeof of === 'number' ? of : of[i])
  const indptr = new Int32Array(n + 1)
  const indices = new Int32Array(n * (2 * grid.length + 1))
  const data = new Float64Array(indices.length)
  let count = 0
  const push = (j: number, value: number) => {
    indices[count] = j
    data[count++] = value
  }
  for (let i = 0; i < n; i++) {
    for (let axis = 0; axis < grid.length; axis++) {
      const s = strides[axis]
      if (Math.floor(i / s) % grid[axis] > 0) push(i - s, -at(couplings[axis], i - s))
    }
    push(i, at(center, i))
    for (let axis = grid.length - 1; axis >= 0; axis--) {
      const s = strides[axis]
      if ((Math.floor(i / s) % grid[axis]) + 1 < grid[axis]) push(i + s, -at(couplings[axis], i))
    }
    indptr[i + 1] = count
    if (i % 4096 === 4095 && watch.due()) yield
  }
  return { rows: n, columns: n, indptr, indices: indices.subarray(0, count), data: data.subarray(0, count) }
}

/** The diagonal of an operator. */
export function diagonalOf(operator: OperatorData): Float64Array {
  switch (operator.kind) {
    case 'csr': {
      const { rows, columns, indptr, indices, data } = operator
      const out = new Float64Array(Math.min(rows, columns))
      for (let i = 0; i < out.length; i++) {
        for (let k = indptr[i]; k < indptr[i + 1]; k++) if (indices[k] === i) out[i] = data[k]
      }
      return out
    }
    case 'transposed':
      return diagonalOf(operator.of)
    case 'dense': {
      const { rows, columns, data } = operator
      return Float64Array.from({ length: Math.min(rows, columns) }, (_, i) => data[i * (columns + 1)])
    }
    case 'constant-stencil':
      return new Float64Array(operator.grid.reduce((cells, length) => cells * length, 1)).fill(operator.center)
    case 'stencil':
      return operator.center
    case 'low-rank': {
      const { n, m, diagonal, scale, factor } = operator
      const out = diagonal.slice()
      for (let k = 0; k < m; k++) for (let i = 0; i < n; i++) out[i] += scale * factor[k * n + i] ** 2
      return out
    }
    case 'kronecker': {
      const [left, right] = [diagonalOf(operator.left), diagonalOf(operator.right)]
      const out = new Float64Array(left.length * right.length)
      for (let k = 0; k < out.length; k++) out[k] = left[Math.floor(k / right.length)] * right[k % right.length]
      return out
    }
    case 'block': {
      const [first, , , last] = operator.blocks
      const out = new Float64Array(operator.rows[0] + operator.rows[1])
      if (first !== null) out.set(diagonalOf(first))
      if (last !== null) out.set(diagonalOf(last), operator.rows[0])
      return out
    }
  }
}
