// Evaluates a study until it has so many trials: worker.ts <storage> <trials> [pause in ms]. Writes each number and value
// that `tell` has resolved for, so that the parent knows what was promised when it kills this process.
import { writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { createStudy } from '../../../lib/bayes/index.js'
import { objective, space } from './problem.js'

const [storage, trials, pause = '0'] = process.argv.slice(2)
const study = await createStudy({ space, storage, seed: 7 })
writeSync(1, 'ready\n')
for (;;) {
  const trial = (await study.adopt()) ?? (await study.ask())
  if (trial.number >= Number(trials)) {
    await study.tell(trial, { cancelled: true })
    break
  }
  const value = objective(trial.params)
  if (pause !== '0') await delay(Number(pause) * ((trial.number * 0.618) % 1))
  await trial.report(1, value + 1)
  await study.tell(trial, value)
  writeSync(1, `${JSON.stringify([trial.number, value])}\n`)
}
await study.close()
