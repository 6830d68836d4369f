import { Worker } from 'node:worker_threads'

const children = new URL('../backend/children/', import.meta.url)

/** A worker thread that runs a script of test/backend/children; the script finds `task` in `workerData`. */
export function startWorker(name: string, task: object): Worker {
  return new Worker(new URL('worker.cjs', children), {
    execArgv: [], // no `--import tsx`, which costs a thread more and does not reach a worker
    workerData: { ...task, script: new URL(`${name}.ts`, children).href },
  })
}
