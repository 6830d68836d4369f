/** Ends in the middle of solves, in the way it is told. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sinkhorn, sinkhornBatch, sinkhornNewtonSparse } from '../../../lib/transport/index.js'
import { asProblem, randomDense } from '../../helpers/transport.js'

const [way, backend] = process.argv.slice(2) as [string, 'native' | 'portable']
const endless = { epsilon: 1e-6, tolerance: 1e-15, maxIterations: 2 ** 31 - 1, backend }
const large = asProblem(randomDense(1500, 1400, 351))
const small = asProblem(randomDense(100, 100, 352))

const runs = [
  sinkhorn(large, endless),
  sinkhorn(small, { ...endless, onProgress: () => {} }),
  sinkhornBatch([small, large, small], endless),
  sinkhornNewtonSparse(large, endless),
]
for (const run of runs) run.catch(() => {})

await sleep(60)
console.log('leaving')
if (way === 'exit') process.exit(7)
if (way === 'throw') throw new Error('on purpose')
if (way === 'signal') process.kill(process.pid, 'SIGTERM')
