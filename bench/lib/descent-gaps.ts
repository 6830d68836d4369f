import {
  type BlockCoordinateDescentOptions,
  blockCoordinateDescent,
  type DescentProblem,
} from '../../lib/descent/index.js'

export interface Gaps {
  /** (f − best) / (start − best) after as many iterations as asked. */
  ratios: number[]
  elapsed: number
  meanSize: number
}

/** How far a rule comes in so many iterations. A solve that ended early stays where it was. */
export async function gaps(
  problem: DescentProblem,
  options: BlockCoordinateDescentOptions,
  start: number,
  best: number,
  at: number[],
): Promise<Gaps> {
  const solution = await blockCoordinateDescent(problem, {
    ...options,
    history: true,
    tolerance: 0,
    maxIterations: at[at.length - 1],
    backend: 'native',
  })
  const { values, sizes } = solution.history!
  const value = (k: number) => values[Math.min(k, values.length) - 1]
  const meanSize = sizes.reduce((sum, size) => sum + size, 0) / sizes.length
  return { ratios: at.map((k) => (value(k) - best) / (start - best)), elapsed: solution.elapsed, meanSize }
}
