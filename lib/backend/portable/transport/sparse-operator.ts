import type { CsrParts } from '../../kernels.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import type { NewtonSystem, PlanOperator } from './schur.js'

/** S by its kept entries. The longer side is eliminated. */
export class SparseOperator implements PlanOperator {
  readonly rowsEliminated: boolean
  readonly eliminated: number
  readonly kept: number
  readonly pivot: Float64Array
  private readonly blocks: number[]

  private constructor(
    n: number,
    m: number,
    system: NewtonSystem,
    /** By the eliminated side. */
    private readonly lines: CsrParts,
    private readonly monitor: Watch,
  ) {
    this.rowsEliminated = n >= m
    this.eliminated = Math.max(n, m)
    this.kept = Math.min(n, m)
    this.pivot = this.rowsEliminated ? system.diagonalA : system.diagonalB
    this.blocks = lineBlocks(lines.indptr)
  }

  static *of(rows: CsrParts, n: number, m: number, system: NewtonSystem, monitor: Watch): Work<SparseOperator> {
    const lines = n >= m ? rows : yield* transpose(rows, m, monitor)
    return new SparseOperator(n, m, system, lines, monitor)
  }

  *normal(q: Float64Array, w: Float64Array): Work<void> {
    const { lines, blocks, pivot, monitor } = this
    w.fill(0, 0, this.kept)
    for (let k = 0; k + 1 < blocks.length; k++) {
      normalLines(lines, blocks[k], blocks[k + 1], q, pivot, w)
      if (monitor.due()) yield
    }
  }

  *forward(q: Float64Array, p: Float64Array): Work<void> {
    const { lines, blocks, monitor } = this
    for (let k = 0; k + 1 < blocks.length; k++) {
      forwardLines(lines, blocks[k], blocks[k + 1], q, p)
      if (monitor.due()) yield
    }
  }

  *backward(p: Float64Array, w: Float64Array): Work<void> {
    const { lines, blocks, monitor } = this
    w.fill(0, 0, this.kept)
    for (let k = 0; k + 1 < blocks.length; k++) {
      backwardLines(lines, blocks[k], blocks[k + 1], p, w)
      if (monitor.due()) yield
    }
  }

  *normalDiagonal(diagonal: Float64Array): Work<void> {
    const { lines, blocks, pivot, monitor } = this
    for (let k = 0; k + 1 < blocks.length; k++) {
      squareLines(lines, blocks[k], blocks[k + 1], pivot, diagonal)
      if (monitor.due()) yield
    }
  }
}

/** Where to cut the lines so that each block holds at most a segment's worth of entries, or is one line. */
export function lineBlocks(indptr: Int32Array): number[] {
  const blocks = [0]
  let first = 0
  for (let i = 1; i + 1 < indptr.length; i++) {
    if (indptr[i + 1] - indptr[first] <= segmentLength && i - first < segmentLength) continue
    blocks.push(i)
    first = i
  }
  blocks.push(indptr.length - 1)
  return blocks
}

function* transpose({ indptr, indices, data }: CsrParts, columns: number, monitor: Watch): Work<CsrParts> {
  const out = {
    indptr: new Int32Array(columns + 1),
    indices: new Int32Array(indices.length),
    data: new Float64Array(data.length),
  }
  const next = new Int32Array(columns)
  for (let k = 0; k < indices.length; k++) {
    next[indices[k]]++
    if (k % segmentLength === 0 && monitor.due()) yield
  }
  for (let j = 0, start = 0; j < columns; j++) {
    out.indptr[j + 1] = start + next[j]
    next[j] = start
    start = out.indptr[j + 1]
  }
  for (let i = 0; i + 1 < indptr.length; i++) {
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      const place = next[indices[k]]++
      out.indices[place] = i
      out.data[place] = data[k]
      if (k % segmentLength === 0 && monitor.due()) yield
    }
  }
  return out
}

// Lines i <= line < end of S.

function normalLines(
  { indptr, indices, data }: CsrParts,
  i: number,
  end: number,
  q: Float64Array,
  pivot: Float64Array,
  w: Float64Array,
): void {
  for (; i < end; i++) {
    const start = indptr[i]
    const stop = indptr[i + 1]
    const t = lineProduct(indices, data, start, stop, q) / pivot[i]
    for (let k = start; k < stop; k++) w[indices[k]] += t * data[k]
  }
}

function forwardLines(
  { indptr, indices, data }: CsrParts,
  i: number,
  end: number,
  q: Float64Array,
  p: Float64Array,
): void {
  for (; i < end; i++) p[i] = lineProduct(indices, data, indptr[i], indptr[i + 1], q)
}

/** Four partial sums, so that the additions overlap. */
function lineProduct(indices: Int32Array, data: Float64Array, start: number, stop: number, q: Float64Array): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let k = start
  for (; k + 4 <= stop; k += 4) {
    s0 += data[k] * q[indices[k]]
    s1 += data[k + 1] * q[indices[k + 1]]
    s2 += data[k + 2] * q[indices[k + 2]]
    s3 += data[k + 3] * q[indices[k + 3]]
  }
  for (; k < stop; k++) s0 += data[k] * q[indices[k]]
  return s0 + s1 + (s2 + s3)
}

function backwardLines(
  { indptr, indices, data }: CsrParts,
  i: number,
  end: number,
  p: Float64Array,
  w: Float64Array,
): void {
  for (; i < end; i++) {
    const t = p[i]
    for (let k = indptr[i]; k < indptr[i + 1]; k++) w[indices[k]] += t * data[k]
  }
}

function squareLines(
  { indptr, indices, data }: CsrParts,
  i: number,
  end: number,
  pivot: Float64Array,
  diagonal: Float64Array,
): void {
  for (; i < end; i++) {
    for (let k = indptr[i]; k < indptr[i + 1]; k++) diagonal[indices[k]] += (data[k] * data[k]) / pivot[i]
  }
}
