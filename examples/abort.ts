// Control: watch a long solve, and stop it. The event loop stays free all the while.
//   npx tsx examples/abort.ts
import { generator } from 'extrema/random'
import { pointCloud, sinkhorn } from 'extrema/transport'

const random = generator(3)
const points = () => ({ data: random.uniform(2 * 1000), shape: [1000, 2] })
const controller = new AbortController()
let reports = 0

try {
  await sinkhorn(
    { cost: pointCloud(points(), points()) },
    {
      epsilon: 1e-6, // far too little for this method
      tolerance: 1e-12,
      maxIterations: 1e9,
      signal: controller.signal,
      onProgress: () => {
        if (++reports === 3) controller.abort()
      },
    },
  )
} catch (error) {
  console.log(`stopped after ${reports} reports: ${(error as Error).name}`)
}

// Or set a limit, and take what there is by then.
const solution = await sinkhorn({ cost: pointCloud(points(), points()) }, { epsilon: 1e-6, timeLimit: 100 })
console.log(`${solution.status}: marginal error ${solution.marginalError < 1 ? 'below' : 'above'} 1`)
