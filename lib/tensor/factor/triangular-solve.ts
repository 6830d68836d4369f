import { ExtremaError } from '../../core/errors.js'
import { kernelsFor } from '../backend.js'
import { neg, sub } from '../elementwise.js'
import { matmul } from '../matmul.js'
import type { Primitive } from '../primitive.js'
import { sumTo } from '../reduce.js'
import { blank, type Tensor } from '../tensor.js'
import { apply } from '../trace.js'
import { asGiven, checkSystem, layoutOf, placeText, triangleOf } from './matrices.js'

export interface TriangularSolveOptions {
  /** Whether A is the lower triangle of the matrix, or the upper one. Default true. */
  lower?: boolean
  /** Solve Aᵀ X = B. Default false. */
  transpose?: boolean
  /** Take the diagonal for ones, whatever it is. Default false. */
  unitDiagonal?: boolean
}

type Kind = Required<TriangularSolveOptions>

const solvePrimitive: Primitive<Kind> = {
  name: 'triangularSolve',
  evaluate([a, b], { lower, transpose, unitDiagonal }) {
    const { batch, count, strideA, strideB } = layoutOf(a, b)
    const [n, columns] = b.shape.slice(-2)
    const out = blank(a.dtype, [...batch, n, columns])
    if (out.size === 0) return out
    const kernels = kernelsFor(a.dtype, Math.max(a.size, out.size))
    const place = kernels.triangularSolve(
      ...([out.data, a.data, b.data, count, n, columns] as const),
      ...([lower, transpose, unitDiagonal, strideA, strideB] as const),
    )
    if (place < 0) return out
    const came = placeText(place, a)
    throw new ExtremaError('ERR_SINGULAR', `triangularSolve: expected a diagonal without zeros, got one in ${came}`)
  },
  jvp([a], [u, v], x, kind) {
    if (u === undefined) return v === undefined ? undefined : solved(a, v, kind)
    const moved = matmul(partOf(u, kind), x, { transposeA: kind.transpose })
    return solved(a, v === undefined ? neg(moved) : sub(v, moved), kind)
  },
  vjp(g, [a, b], x, kind, needs) {
    const right = solved(a, g, { ...kind, transpose: !kind.transpose })
    const left = (): Tensor =>
      kind.transpose ? matmul(x, right, { transposeB: true }) : matmul(right, x, { transposeB: true })
    return [
      needs[0] ? neg(partOf(sumTo(left(), a.shape), kind)) : undefined,
      needs[1] ? sumTo(right, b.shape) : undefined,
    ]
  },
}

function solved(a: Tensor, b: Tensor, kind: Kind): Tensor {
  return apply(solvePrimitive, [a, b], kind)
}

/** The entries that count. */
function partOf(x: Tensor, { lower, unitDiagonal }: Kind): Tensor {
  if (unitDiagonal) return triangleOf(x, lower ? 'strictlyLower' : 'strictlyUpper')
  return triangleOf(x, lower ? 'lower' : 'upper')
}

/**
 * X with A X = B, where A is a triangle of the matrix, whose other entries are not read; in batches, which broadcast. A
 * vector b counts as one column.
 *
 * @throws ExtremaError `ERR_SINGULAR` for a zero on the diagonal, `ERR_SHAPE` where the sizes do not fit, `ERR_DTYPE` for
 *   int32 and different dtypes
 */
export function triangularSolve(a: Tensor, b: Tensor, options: TriangularSolveOptions = {}): Tensor {
  const { lower = true, transpose = false, unitDiagonal = false } = options
  const system = checkSystem('triangularSolve', a, b)
  return asGiven(solved(system.a, system.b, { lower, transpose, unitDiagonal }), system.vector)
}
