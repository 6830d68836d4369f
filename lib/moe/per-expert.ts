import { type MatrixLike, shapeText, toDenseMatrix, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { nonNegativeVector } from './checks.js'

/** Numbers > 0 (or >= 0) for all experts of all layers, from one for each expert or for each of each layer; default 1. */
export function perExpert(
  name: string,
  given: VectorLike | MatrixLike | undefined,
  { layers, experts }: { layers: number; experts: number },
  allowZero = false,
): Float64Array {
  const out = new Float64Array(layers * experts)
  if (given === undefined) return out.fill(1)
  const isVector = ArrayBuffer.isView(given) || (Array.isArray(given) && typeof given[0] === 'number')
  if (isVector) {
    const list = nonNegativeVector(name, given as VectorLike, 'number')
    if (list.length !== experts) {
      throw new ExtremaError(
        'ERR_SHAPE',
        `${name}: expected ${experts} numbers, one for each expert, got ${list.length}`,
      )
    }
    for (let l = 0; l < layers; l++) out.set(list, l * experts)
  } else {
    const { data, rows, columns } = toDenseMatrix(name, given as MatrixLike)
    if (rows !== layers || columns !== experts) {
      const wanted = shapeText(layers, experts)
      throw new ExtremaError('ERR_SHAPE', `${name}: expected ${wanted} numbers, got ${shapeText(rows, columns)}`)
    }
    out.set(nonNegativeVector(name, data, 'number', columns))
  }
  const zero = allowZero ? -1 : out.indexOf(0)
  if (zero >= 0) {
    const where = isVector ? `${name}[${zero % experts}]` : `${name}[${Math.floor(zero / experts)}][${zero % experts}]`
    throw new ExtremaError('ERR_NOT_POSITIVE', `${where}: expected a finite number > 0, got 0`)
  }
  return out
}
