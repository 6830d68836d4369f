import { conjugateGradient, type Preconditioner, type PreparedOperator } from '../../lib/linear/index.js'
import type { Cell } from './table.js'
import { median } from './timing.js'

export const tolerance = 1e-8

export interface Measured {
  seconds: number
  iterations: number
  row: Cell[]
}

/** Conjugate gradients for A x = 1, after a few iterations to warm up. */
export async function measure(
  name: string,
  matrix: PreparedOperator,
  repetitions: number,
  preconditioner?: Preconditioner,
): Promise<Measured> {
  const b = new Float64Array(matrix.shape[0]).fill(1)
  const problem = { matrix, b, ...(preconditioner === undefined ? {} : { preconditioner }) }
  const times: number[] = []
  let solution = await conjugateGradient(problem, { tolerance, maxIterations: 50 })
  for (let k = 0; k < repetitions; k++) {
    solution = await conjugateGradient(problem, { tolerance })
    times.push(solution.elapsed)
  }
  const { status, iterations, residual } = solution
  if (status !== 'converged') throw new Error(`${name}: ${status}`)
  return { seconds: median(times) / 1000, iterations, row: [b.length, name, iterations, median(times), residual] }
}

export const columns = ['unknowns', 'method', 'iterations', 'milliseconds', 'residual']
