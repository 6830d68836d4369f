/** A worker that solves what its data says, and tells its parent. */
import { parentPort, workerData } from 'node:worker_threads'
import { backend, sinkhorn, sinkhornBatch, sinkhornSync, type TransportSolution } from '../../../lib/index.js'
import { asProblem, randomDense } from '../../helpers/transport.js'

export interface Task {
  backend: 'native' | 'portable'
  what: 'solve' | 'endless' | 'exit' | 'throw' | 'leave'
}

const { backend: chosen, what } = workerData as Task
const problem = asProblem(randomDense(30, 40, 341))
const options = { epsilon: 0.1, backend: chosen }
const endless = { epsilon: 1e-5, tolerance: 1e-15, maxIterations: 2 ** 31 - 1, backend: chosen, onProgress: () => {} }

const plain = (solution: TransportSolution) => ({ ...solution.potentials, value: solution.value })

async function main(): Promise<void> {
  if (what === 'solve') {
    const [inBatch] = await sinkhornBatch([problem], options)
    const solutions = [sinkhornSync(problem, options), await sinkhorn(problem, options), inBatch]
    parentPort!.postMessage({ loaded: backend().name, solutions: solutions.map(plain) })
    return
  }
  const large = asProblem(randomDense(400, 500, 342))
  for (let k = 0; k < 4; k++) sinkhorn(k % 2 === 0 ? problem : large, endless).catch(() => {})
  sinkhornBatch([problem, large, problem], endless).catch(() => {})
  parentPort!.postMessage('started')
  if (what === 'exit') setTimeout(() => process.exit(3), 5)
  if (what === 'throw') {
    setTimeout(() => {
      throw new Error('on purpose')
    }, 5)
  }
}

main()
