import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, oneOf, positive, type SolverOptions, whole } from '../core/options.js'
import { type BackendName, backend } from './index.js'
import type { Control } from './kernels.js'

/** The options of every solver that say how it runs, checked. */
export interface RunOptions {
  control: Control
  backend: BackendName | undefined
  threads: number
}

const backends = ['native', 'portable'] as const

/** Names of the options that `checkRunOptions` reads. */
export const runNames = ['timeLimit', 'threads', 'signal', 'onProgress', 'backend'] as const

/** Refuses what is no options object or has names outside `known`, and reads those of every solver. */
export function checkRunOptions(options: SolverOptions, known: ReadonlySet<string>, form = '{ … }'): RunOptions {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected ${form}, got ${describe(options)}`)
  }
  checkNames('options', options, known)
  const { signal, onProgress } = options
  // By what it does: a signal may come from another realm.
  if (signal !== undefined && (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function')) {
    throw new ExtremaError('ERR_OPTION', `signal: expected an AbortSignal, got ${describe(signal)}`)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new ExtremaError('ERR_OPTION', `onProgress: expected a function, got ${describe(onProgress)}`)
  }
  const timeLimit =
    options.timeLimit === undefined ? Number.POSITIVE_INFINITY : positive('timeLimit', options.timeLimit)
  return {
    control: { signal, onProgress, timeLimit },
    backend: options.backend === undefined ? undefined : oneOf('backend', options.backend, backends, 'native'),
    threads: options.threads === undefined ? backend().threads : whole('threads', options.threads, 1, 1, 64),
  }
}
