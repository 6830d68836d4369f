import type { FloatArray } from '../../core/arrays.js'
import { svdSync } from '../../linear/svd.js'
import { normPotential } from './norms.js'
import type { Potential } from './potential.js'

/** Singular values below this share of the largest are 0: their directions have no sign. */
const nullShare = 1e-12

/** The sum of the singular values of a rows × columns matrix; dK is its orthogonal factor U Vᵀ. */
export function nuclear(rows: number, columns: number): Potential {
  const matrix = (z: FloatArray) => ({ data: Float64Array.from(z), shape: [rows, columns] })
  const singularValues = (z: FloatArray) => svdSync(matrix(z), { vectors: false }).s
  return normPotential(
    (z) => singularValues(z).reduce((sum, s) => sum + s, 0),
    (z, out) => {
      const { s, u, vt } = svdSync(matrix(z))
      const rank = s.findLastIndex((value) => value > nullShare * s[0]) + 1
      const count = s.length
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          let sum = 0
          for (let k = 0; k < rank; k++) sum += u!.data[i * count + k] * vt!.data[k * columns + j]
          out[i * columns + j] = sum
        }
      }
    },
    (y) => singularValues(y)[0],
  )
}
