/** Trains and saves every checkpoint in one file, until it kills itself in the middle of the third saving. */
import { save, train } from '../../../lib/tensor/index.js'
import { momentum } from '../../helpers/momentum.js'
import { trainingProblem } from '../../helpers/training-problem.js'

const [file, turns] = process.argv.slice(2)
let saved = 0
await train(trainingProblem(), {
  optimizer: momentum(0.1),
  epochs: 6,
  onCheckpoint: async (checkpoint) => {
    if (++saved < 3) {
      await save(file, checkpoint)
      return
    }
    save(file, checkpoint).catch(() => {})
    for (let k = 0; k < Number(turns); k++) await new Promise((resolve) => setImmediate(resolve))
    process.kill(process.pid, 'SIGKILL')
  },
})
