/** Calls ten thousand times and prints by how many bytes the process and its heap grew after the first part of them. */
import { setImmediate as turn } from 'node:timers/promises'
import {
  pointCloud,
  sinkhorn,
  sinkhornBatch,
  sinkhornNewtonSparse,
  sinkhornSync,
  type TransportProblem,
} from '../../../lib/transport/index.js'
import { asProblem, randomDense } from '../../helpers/transport.js'

const backend = process.argv[2] as 'native' | 'portable'
const collect = (globalThis as { gc?: () => void }).gc!

const dense = randomDense(60, 50, 361)
const problems: TransportProblem[] = [
  asProblem(dense),
  { cost: pointCloud([[0], [1], [2]], [[1], [3]]) },
  { ...asProblem(dense), a: [0, ...Array.from({ length: 59 }, () => 1 / 59)] },
]
const options = { epsilon: 0.3, tolerance: 1e-6, backend }

/** Of every kind: solved, refused, aborted, failed in the callback, in a batch. */
async function call(k: number): Promise<void> {
  const problem = problems[k % problems.length]
  const signal = new AbortController()
  switch (k % 40) {
    case 0:
      await sinkhorn({ cost: [[Number.NaN]] }, options).catch(() => {})
      break
    case 1: {
      const running = sinkhorn(problem, { ...options, epsilon: 1e-4, tolerance: 0, signal: signal.signal })
      signal.abort()
      await running.catch(() => {})
      break
    }
    case 2:
      await sinkhornBatch([problem, problem], options)
      break
    case 3:
      sinkhornSync(problem, options).plan()
      break
    case 4:
      await sinkhornNewtonSparse(problem, options)
      break
    case 5: {
      const solution = await sinkhorn(problem, {
        ...options,
        history: true,
        signal: signal.signal,
        onProgress: () => {},
      })
      solution.sparsePlan(1e-6)
      break
    }
    default:
      await Promise.all([sinkhorn(problem, options), sinkhorn(problem, options)])
  }
}

async function settledSize(): Promise<{ rss: number; heap: number }> {
  for (let k = 0; k < 3; k++) {
    collect()
    await turn()
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  return { rss, heap: heapUsed + external + arrayBuffers }
}

let before = { rss: 0, heap: 0 }
for (let k = 0; k < 10_000; k++) {
  await call(k)
  if (k === 3000) before = await settledSize()
}
const { rss, heap } = await settledSize()
console.log(JSON.stringify({ rss: rss - before.rss, heap: heap - before.heap }))
