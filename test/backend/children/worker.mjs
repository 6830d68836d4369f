// `--import tsx` reaches the main thread only: a worker registers it itself, then runs the script it was given.
import { workerData } from 'node:worker_threads'
import { register as registerCommonJs } from 'tsx/cjs/api'
import { register } from 'tsx/esm/api'

registerCommonJs()
register()
await import(workerData.script)
