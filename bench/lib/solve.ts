import type { TransportSolution } from '../../lib/transport/index.js'
import { medianOf, milliseconds } from './timing.js'

export interface Timed {
  solution: TransportSolution
  seconds: number
}

/** The median time of `repetitions` solves after a warm-up, or with 0 of a single one. */
export async function timedSolve(repetitions: number, solve: () => Promise<TransportSolution>): Promise<Timed> {
  let solution!: TransportSolution
  const measure = () =>
    milliseconds(async () => {
      solution = await solve()
    })
  const time = repetitions === 0 ? await measure() : await medianOf(repetitions, measure)
  return { solution, seconds: time / 1000 }
}
