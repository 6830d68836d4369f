import { oneOf } from '../core/options.js'
import type { Prepared } from './iterative.js'
import { diagonalOf } from './rows.js'

export interface NullspaceOptions {
  /**
   * `'constant'`: A maps the constant vectors (of the cells of a masked stencil, or the rows that are not zero) to zero,
   * as a Neumann problem does. b is projected on what A reaches, x has mean zero. Default `'none'`.
   */
  nullspace?: 'none' | 'constant'
}

const choices = ['none', 'constant'] as const

/** Takes the null space out of b and x, once and for all. */
export function checkNullspace(prepared: Prepared, given: NullspaceOptions['nullspace']): Prepared {
  if (oneOf('nullspace', given, choices, 'none') === 'none') return prepared
  const { matrix, b, x } = prepared
  const nullVector = new Float64Array(x.length).fill(1)
  if (matrix.data !== null) {
    const diagonal = diagonalOf(matrix.data)
    for (let i = 0; i < diagonal.length; i++) if (diagonal[i] === 0) nullVector[i] = 0
  }
  let count = 0
  for (const value of nullVector) count += value
  const size = Math.sqrt(Math.max(1, count))
  for (let i = 0; i < nullVector.length; i++) nullVector[i] /= size
  for (const vector of [b, x]) {
    let inner = 0
    for (let i = 0; i < vector.length; i++) inner += nullVector[i] * vector[i]
    for (let i = 0; i < vector.length; i++) vector[i] -= inner * nullVector[i]
  }
  prepared.nullVector = nullVector
  return prepared
}
