/** Never loads the addon itself: it comes and goes with each worker. Prints how they ended. */
import { once } from 'node:events'
import { startWorker } from '../../helpers/workers.js'

const ended: string[] = []
for (const what of ['solve', 'endless', 'solve'] as const) {
  const worker = startWorker('solving-worker', { backend: process.argv[2], what })
  const exit = once(worker, 'exit')
  await once(worker, 'message')
  if (what === 'endless') await worker.terminate()
  ended.push(`${what === 'endless' ? 'terminated' : 'solved'}, exit ${(await exit)[0]}`)
}
console.log(JSON.stringify(ended))
