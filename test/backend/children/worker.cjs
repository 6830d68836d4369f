// `--import tsx` reaches the main thread only: a worker registers it itself, then runs the script it was given.
const { fileURLToPath } = require('node:url')
const { workerData } = require('node:worker_threads')
const { register } = require('tsx/cjs/api')

register()
require(fileURLToPath(workerData.script))
