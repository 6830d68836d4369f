/** Nothing but a solve keeps this process alive; after it, nothing does. */
import { sinkhorn } from '../../../lib/transport/index.js'
import { asProblem, randomDense } from '../../helpers/transport.js'

const backend = process.argv[2] as 'native' | 'portable'
const options = { epsilon: 1e-6, tolerance: 1e-15, maxIterations: 2 ** 31 - 1, timeLimit: 300, backend }
sinkhorn(asProblem(randomDense(100, 100, 353)), options).then(({ status }) => console.log(status))
