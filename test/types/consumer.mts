// Compiled, never run: what a user's ES module may and may not write against the published types.
import { categorical, createStudy, real } from 'extrema/bayes'
import { ExtremaError } from 'extrema/core'
import { pointCloud, sinkhorn, sinkhornNewtonSparse, sinkhornSync, type TransportSolution } from 'extrema/transport'

export async function solve(signal: AbortSignal): Promise<Float64Array> {
  const cost = { data: new Float64Array(6), shape: [2, 3] as const }
  const solution: TransportSolution = await sinkhorn(
    { cost, a: [0.5, 0.5], b: new Float32Array(3) },
    {
      epsilon: 0.1,
      tolerance: 1e-9,
      maxIterations: 100,
      precision: 'float32',
      threads: 2,
      signal,
      backend: 'portable',
    },
  )
  const status: 'converged' | 'iteration-limit' | 'time-limit' | 'stalled' = solution.status
  const backend: 'native' | 'portable' = solution.backend
  const { f, g }: { f: Float64Array; g: Float64Array } = solution.potentials
  await sinkhornNewtonSparse(
    { cost: pointCloud([[0, 1]], [[1, 0]], { cost: 'cosine' }) },
    { epsilon: 1, variant: 'paper' },
  )
  sinkhornSync({ cost: [[0, 1]] }, { epsilon: 1, warmStart: { f, g } })

  // @ts-expect-error epsilon has no default
  await sinkhorn({ cost }, {})
  // @ts-expect-error a misspelt option
  await sinkhorn({ cost }, { epsilon: 1, tolerence: 1e-3 })
  // @ts-expect-error an unknown cost
  pointCloud([[0]], [[1]], { cost: 'chebyshev' })
  // @ts-expect-error the status is a word of the list
  if (solution.status === 'done') throw new Error(status + backend)
  return solution.apply(new Float64Array(3))
}

export const code = (error: unknown): string | undefined => (error instanceof ExtremaError ? error.code : undefined)

export async function tune(): Promise<'sgd' | 'adam' | undefined> {
  const study = await createStudy({ space: { rate: real(0, 1), optimizer: categorical(['sgd', 'adam']) } })
  await study.optimize(({ rate }) => rate, { trials: 3 })
  // @ts-expect-error no such parameter
  await study.optimize(({ momentum }) => momentum, { trials: 3 })
  return study.best?.params.optimizer
}
