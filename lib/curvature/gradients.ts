import type { GradientRows } from '../backend/curvature.js'
import type { Step } from '../backend/portable/linear/step.js'
import { copyIfSmall, type FloatArray, type MatrixLike, shapeText, toDenseMatrix } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, whole } from '../core/options.js'

/** Gradients that do not fit into memory: they are asked for some rows at a time, several times. */
export interface GradientPages {
  /** [m, d] */
  shape: readonly [number, number]
  /** The rows from `from` up to, not including, `to`; always of the same dtype. */
  rows(from: number, to: number): MatrixLike | PromiseLike<MatrixLike>
}

/** Gradients by pages; those in memory are one page. */
export interface PageSource {
  m: number
  d: number
  /** Whether all is one page that stays in memory. */
  isResident: boolean
  /** Bytes in memory: 0 for pages. */
  bytes: number
  pages: number
  /** Rows of a page: [from, to). */
  range(page: number): [number, number]
  read(page: number): Step<FloatArray>
  /** Nothing more will be read. */
  release(): void
}

const pageNames: ReadonlySet<string> = new Set(['shape', 'rows'])
const pageBytes = 2 ** 26

export function readGradients(given: MatrixLike | GradientPages, pageSize: number | undefined): PageSource {
  if (typeof given === 'object' && given !== null && typeof (given as GradientPages).rows === 'function') {
    return new Paged(given as GradientPages, pageSize)
  }
  if (pageSize !== undefined) {
    throw new ExtremaError('ERR_OPTION', 'pageSize: expected gradients as { shape, rows }, got a matrix in memory')
  }
  const { data, rows: m, columns: d } = toDenseMatrix('gradients', given as MatrixLike)
  checkSize(m, d)
  return resident(copyIfSmall(data), m, d)
}

/** Gradients in memory, checked. */
export function resident(data: FloatArray, m: number, d: number): PageSource {
  let kept: FloatArray | null = data
  return {
    m,
    d,
    isResident: true,
    bytes: data.byteLength,
    pages: 1,
    range: () => [0, m],
    // biome-ignore lint/correctness/useYield: nothing to wait for
    *read() {
      if (kept === null) throw new ExtremaError('ERR_INTERNAL', 'gradients: expected them in memory, got none')
      return kept
    },
    release() {
      kept = null
    },
  }
}

function checkSize(m: number, d: number): void {
  if (m === 0 || d === 0) {
    throw new ExtremaError('ERR_SHAPE', `gradients: expected at least one row of numbers, got ${shapeText(m, d)}`)
  }
}

class Paged implements PageSource {
  readonly m: number
  readonly d: number
  readonly isResident = false
  readonly bytes = 0
  readonly pages: number
  private readonly pageSize: number
  private dtype: string | undefined

  constructor(
    private readonly source: GradientPages,
    pageSize: number | undefined,
  ) {
    checkNames('gradients', source, pageNames)
    const shape = source.shape as ArrayLike<number> | undefined
    const isShape = shape?.length === 2 && [shape[0], shape[1]].every((n) => Number.isSafeInteger(n) && n >= 0)
    if (!isShape) {
      throw new ExtremaError('ERR_SHAPE', `gradients.shape: expected two whole numbers, got ${describe(shape)}`)
    }
    this.m = shape[0]
    this.d = shape[1]
    checkSize(this.m, this.d)
    const fitting = Math.min(this.m, Math.max(1, Math.floor(pageBytes / (8 * this.d))))
    this.pageSize = Math.min(this.m, whole('pageSize', pageSize, fitting, 1))
    this.pages = Math.ceil(this.m / this.pageSize)
  }

  range(page: number): [number, number] {
    return [page * this.pageSize, Math.min(this.m, (page + 1) * this.pageSize)]
  }

  *read(page: number): Step<FloatArray> {
    const [from, to] = this.range(page)
    let answer: unknown = this.source.rows(from, to)
    if (typeof (answer as PromiseLike<unknown> | null)?.then === 'function')
      answer = yield answer as PromiseLike<unknown>
    const { data, rows, columns } = toDenseMatrix('gradients.rows', answer as MatrixLike)
    if (rows !== to - from || columns !== this.d) {
      throw new ExtremaError(
        'ERR_ORACLE',
        `gradients.rows: expected ${shapeText(to - from, this.d)} numbers, got ${shapeText(rows, columns)}`,
      )
    }
    const dtype = data instanceof Float32Array ? 'float32' : 'float64'
    this.dtype ??= dtype
    if (dtype !== this.dtype) {
      throw new ExtremaError('ERR_DTYPE', `gradients.rows: expected ${this.dtype} as before, got ${dtype}`)
    }
    return data
  }

  release(): void {}
}

/** The rows of a page, or of several, as kernels take them. */
export function gradientRows(g: FloatArray | null, m: number, d: number, block: number): GradientRows {
  return { g, m, d, block }
}
