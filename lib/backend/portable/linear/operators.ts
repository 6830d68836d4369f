import type { CsrData, OperatorData, StencilData } from '../../linear-sparse.js'
import { type Apply, type Step, segment, type Watch } from './step.js'
import { axpy } from './vectors.js'

/** What an operator does, with the scratch memory it takes. */
export interface PortableOperator {
  rows: number
  columns: number
  apply: Apply
  applyTranspose: Apply
}

export function portableOperator(data: OperatorData, monitor: Watch): PortableOperator {
  switch (data.kind) {
    case 'csr':
      return {
        rows: data.rows,
        columns: data.columns,
        apply: (x, out) => multiplyCsr(data, x, out, monitor),
        applyTranspose: (x, out) => scatterCsr(data, x, out, monitor),
      }
    case 'transposed': {
      const { rows, columns, apply, applyTranspose } = portableOperator(data.of, monitor)
      return { rows: columns, columns: rows, apply: applyTranspose, applyTranspose: apply }
    }
    case 'dense':
      return dense(data.rows, data.columns, data.data, monitor)
    case 'constant-stencil':
    case 'stencil': {
      const n = data.grid.reduce((cells, length) => cells * length, 1)
      const apply: Apply = (x, out) => stencil(data, x, out, monitor)
      return { rows: n, columns: n, apply, applyTranspose: apply }
    }
    case 'low-rank': {
      const { n, m, diagonal, scale } = data
      const factor = dense(m, n, data.factor, monitor)
      const inner = new Float64Array(m)
      const apply: Apply = function* (x, out) {
        yield* factor.apply(x, inner)
        yield* factor.applyTranspose(inner, out)
        for (let i = 0; i < n; i++) out[i] = diagonal[i] * x[i] + scale * out[i]
      }
      return { rows: n, columns: n, apply, applyTranspose: apply }
    }
    case 'kronecker':
      return kronecker(portableOperator(data.left, monitor), portableOperator(data.right, monitor))
    case 'block':
      return block(
        data.rows,
        data.columns,
        data.blocks.map((part) => (part === null ? null : portableOperator(part, monitor))),
      )
  }
}

function* multiplyCsr(
  { rows, indptr, indices, data }: CsrData,
  x: Float64Array,
  out: Float64Array,
  monitor: Watch,
): Step<void> {
  let next = segment
  for (let i = 0; i < rows; i++) {
    const end = indptr[i + 1]
    let sum = 0
    for (let k = indptr[i]; k < end; k++) sum += data[k] * x[indices[k]]
    out[i] = sum
    if (end + i < next) continue
    next = end + i + segment
    if (monitor.due()) yield
  }
}

function* scatterCsr(
  { rows, indptr, indices, data }: CsrData,
  x: Float64Array,
  out: Float64Array,
  monitor: Watch,
): Step<void> {
  out.fill(0)
  let next = segment
  for (let i = 0; i < rows; i++) {
    const end = indptr[i + 1]
    for (let k = indptr[i]; k < end; k++) out[indices[k]] += data[k] * x[i]
    if (end + i < next) continue
    next = end + i + segment
    if (monitor.due()) yield
  }
}

function dense(rows: number, columns: number, data: Float64Array, monitor: Watch): PortableOperator {
  const every = Math.ceil(segment / columns)
  return {
    rows,
    columns,
    *apply(x, out) {
      for (let i = 0; i < rows; i++) {
        let sum = 0
        for (let j = 0, k = i * columns; j < columns; j++, k++) sum += data[k] * x[j]
        out[i] = sum
        if (i % every === 0 && monitor.due()) yield
      }
    },
    *applyTranspose(x, out) {
      out.fill(0)
      for (let i = 0; i < rows; i++) {
        const factor = x[i]
        for (let j = 0, k = i * columns; j < columns; j++, k++) out[j] += factor * data[k]
        if (i % every === 0 && monitor.due()) yield
      }
    },
  }
}

function* stencil(data: StencilData, x: Float64Array, out: Float64Array, monitor: Watch): Step<void> {
  const { grid } = data
  const n = out.length
  if (data.kind === 'stencil') for (let i = 0; i < n; i++) out[i] = data.center[i] * x[i]
  else for (let i = 0; i < n; i++) out[i] = data.center * x[i]
  let stride = n
  for (let axis = 0; axis < grid.length; axis++) {
    const span = stride
    stride /= grid[axis]
    // Cells i with a next one along the axis at i + stride.
    for (let first = 0; first < n; first += span) {
      const end = first + span - stride
      if (data.kind === 'stencil') {
        const coupling = data.couplings[axis]
        for (let i = first; i < end; i++) {
          out[i] -= coupling[i] * x[i + stride]
          out[i + stride] -= coupling[i] * x[i]
        }
      } else {
        const coupling = data.couplings[axis]
        for (let i = first; i < end; i++) {
          out[i] -= coupling * x[i + stride]
          out[i + stride] -= coupling * x[i]
        }
      }
      if ((first / span) % 64 === 0 && monitor.due()) yield
    }
  }
}

/** (L ⊗ R) x is L X Rᵀ of x as a row-major matrix X. */
function kronecker(left: PortableOperator, right: PortableOperator): PortableOperator {
  const inner = new Float64Array(Math.max(left.columns * right.rows, left.rows * right.columns))
  const from = new Float64Array(Math.max(left.rows, left.columns))
  const to = new Float64Array(from.length)
  function* both(x: Float64Array, out: Float64Array, transpose: boolean): Step<void> {
    const [height, lines] = transpose ? [left.columns, left.rows] : [left.rows, left.columns]
    const [width, length] = transpose ? [right.columns, right.rows] : [right.rows, right.columns]
    for (let i = 0; i < lines; i++) {
      const [source, target] = [x.subarray(i * length, (i + 1) * length), inner.subarray(i * width, (i + 1) * width)]
      yield* transpose ? right.applyTranspose(source, target) : right.apply(source, target)
    }
    const [column, image] = [from.subarray(0, lines), to.subarray(0, height)]
    for (let j = 0; j < width; j++) {
      for (let i = 0; i < lines; i++) column[i] = inner[i * width + j]
      yield* transpose ? left.applyTranspose(column, image) : left.apply(column, image)
      for (let i = 0; i < height; i++) out[i * width + j] = image[i]
    }
  }
  return {
    rows: left.rows * right.rows,
    columns: left.columns * right.columns,
    apply: (x, out) => both(x, out, false),
    applyTranspose: (x, out) => both(x, out, true),
  }
}

function block(
  rows: readonly [number, number],
  columns: readonly [number, number],
  blocks: (PortableOperator | null)[],
): PortableOperator {
  const scratch = new Float64Array(Math.max(...rows, ...columns))
  function* all(x: Float64Array, out: Float64Array, transpose: boolean): Step<void> {
    const [to, from] = transpose ? [columns, rows] : [rows, columns]
    for (let p = 0; p < 2; p++) {
      const target = out.subarray(p === 0 ? 0 : to[0], p === 0 ? to[0] : to[0] + to[1])
      target.fill(0)
      for (let q = 0; q < 2; q++) {
        const part = blocks[transpose ? 2 * q + p : 2 * p + q]
        if (part === null) continue
        const source = x.subarray(q === 0 ? 0 : from[0], q === 0 ? from[0] : from[0] + from[1])
        const image = scratch.subarray(0, to[p])
        yield* transpose ? part.applyTranspose(source, image) : part.apply(source, image)
        axpy(1, image, target)
      }
    }
  }
  return {
    rows: rows[0] + rows[1],
    columns: columns[0] + columns[1],
    apply: (x, out) => all(x, out, false),
    applyTranspose: (x, out) => all(x, out, true),
  }
}
