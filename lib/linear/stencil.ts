import type { StencilData } from '../backend/linear-sparse.js'
import { checkFinite, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, oneOf, whole } from '../core/options.js'

/**
 * A u = shift u - div(coefficient grad u) on a grid of two or three axes with unit spacing, the last axis running fastest:
 * the 5-point or 7-point stencil with (A u)_i = shift_i u_i + sum over neighbours j of k_ij (u_i - u_j), k_ij the mean of
 * the two cells' coefficients.
 */
export interface Stencil {
  kind: 'stencil'
  /** Cells along each axis: [height, width] or [depth, height, width]. */
  grid: readonly number[]
  /** One for all cells, or one for each. Default 1. */
  coefficient?: number | VectorLike
  /** One for all cells, or one for each. Default 0. */
  shift?: number | VectorLike
  /**
   * Beyond the grid u is 0 (`'dirichlet'`, default), or as at the border (`'neumann'`; without a shift A is then
   * singular: pass `nullspace: 'constant'`).
   */
  boundary?: 'dirichlet' | 'neumann'
  /** A cell whose entry is 0 is no unknown: its row and column are zero, and its neighbours meet the boundary there. */
  mask?: ArrayLike<number>
}

const names: ReadonlySet<string> = new Set(['kind', 'grid', 'coefficient', 'shift', 'boundary', 'mask'])
const boundaries = ['dirichlet', 'neumann'] as const

export function readStencil(name: string, value: Stencil): StencilData {
  checkNames(name, value, names)
  const grid = readGrid(name, value.grid)
  const n = grid.reduce((cells, length) => cells * length, 1)
  const coefficient = perCell(`${name}.coefficient`, value.coefficient, 1, n)
  const shift = perCell(`${name}.shift`, value.shift, 0, n)
  const boundary = oneOf(`${name}.boundary`, value.boundary, boundaries, 'dirichlet')
  const { mask } = value
  if (mask !== undefined && (typeof mask !== 'object' || mask === null || mask.length !== n)) {
    const came = typeof mask === 'object' && mask !== null ? `${mask.length}` : describe(mask)
    throw new ExtremaError('ERR_SHAPE', `${name}.mask: expected ${n} entries, got ${came}`)
  }
  if (typeof coefficient === 'number' && typeof shift === 'number' && boundary === 'dirichlet' && mask === undefined) {
    const center = shift + 2 * grid.length * coefficient
    return { kind: 'constant-stencil', grid, center, couplings: grid.map(() => coefficient) }
  }
  const own = (i: number) => (typeof coefficient === 'number' ? coefficient : coefficient[i])
  const isCell = (i: number) => mask === undefined || mask[i] !== 0
  const center = new Float64Array(n)
  for (let i = 0; i < n; i++) if (isCell(i)) center[i] = typeof shift === 'number' ? shift : shift[i]
  const couplings = grid.map(() => new Float64Array(n))
  let stride = n
  grid.forEach((length, axis) => {
    stride /= length
    for (let i = 0; i < n; i++) {
      if (!isCell(i)) continue
      const at = Math.floor(i / stride) % length
      const before = at > 0 && isCell(i - stride)
      const after = at + 1 < length && isCell(i + stride)
      if (after) couplings[axis][i] = (own(i) + own(i + stride)) / 2
      center[i] += before ? couplings[axis][i - stride] : boundary === 'dirichlet' ? own(i) : 0
      center[i] += after ? couplings[axis][i] : boundary === 'dirichlet' ? own(i) : 0
    }
  })
  return { kind: 'stencil', grid, center, couplings }
}

function readGrid(name: string, grid: unknown): number[] {
  const list = typeof grid === 'object' && grid !== null ? Array.from(grid as ArrayLike<unknown>) : []
  if (list.length !== 2 && list.length !== 3) {
    const came = list.length > 0 ? `[${list}]` : describe(grid)
    throw new ExtremaError('ERR_SHAPE', `${name}.grid: expected two or three lengths, got ${came}`)
  }
  const lengths = list.map((length, k) => whole(`${name}.grid[${k}]`, length ?? null, 1, 1, 2 ** 30))
  const n = lengths.reduce((cells, length) => cells * length, 1)
  if (n <= 2 ** 31 - 2) return lengths
  throw new ExtremaError('ERR_SHAPE', `${name}.grid: expected fewer than 2³¹ cells, got ${n}`)
}

function perCell(name: string, value: number | VectorLike | undefined, fallback: number, n: number) {
  if (value === undefined) return fallback
  if (typeof value === 'number') {
    checkFinite(name, Float64Array.of(value))
    return value
  }
  const cells = toFloat64(name, value)
  if (cells.length !== n) throw new ExtremaError('ERR_SHAPE', `${name}: expected ${n} numbers, got ${cells.length}`)
  return checkFinite(name, cells)
}
