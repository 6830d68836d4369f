import loadHighs, { type Highs } from 'highs'
import { type RouteSolution, syntheticTrace } from '../../lib/moe/index.js'

const loading = (loadHighs as unknown as () => Promise<Highs>)()

/** The optimum of a linear program in HiGHS's own words. */
export async function solveProgram(text: string): Promise<number> {
  const highs = await loading
  const solution = highs.solve(text)
  if (solution.Status !== 'Optimal') throw new Error(`HiGHS: ${solution.Status}`)
  return solution.ObjectiveValue
}

/** A number with its sign, as a term of a program. */
export function signed(value: number): string {
  return `${value < 0 ? '-' : '+'} ${Math.abs(value)}`
}

export interface Scores {
  data: Float64Array
  shape: [number, number]
}

/** One layer of a synthetic trace. */
export function traceScores(tokens: number, experts: number, seed: number): Scores {
  const { scores } = syntheticTrace({ tokens, experts, seed })
  return { data: scores.data, shape: [tokens, experts] }
}

/** The experts of each token. */
export function listsOf({ routing }: RouteSolution): number[][] {
  return Array.from({ length: routing.shape[0] }, (_, t) =>
    Array.from(routing.indices.subarray(routing.indptr[t], routing.indptr[t + 1])),
  )
}
