import { ExtremaError } from './errors.js'
import { describe, oneOf, positive, type SolverOptions } from './options.js'

/** The options that every solver takes, checked. */
export interface CheckedControl {
  backend: 'native' | 'portable' | undefined
  signal: AbortSignal | undefined
  onProgress: SolverOptions['onProgress']
  timeLimit: number
}

const backends = ['native', 'portable'] as const

/** The names of what {@link checkControl} reads. */
export const controlNames: readonly string[] = ['timeLimit', 'signal', 'onProgress', 'backend']

export function checkControl(options: SolverOptions): CheckedControl {
  const { signal, onProgress, backend, timeLimit } = options
  // By what it does: a signal may come from another realm.
  if (signal !== undefined && (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function')) {
    throw new ExtremaError('ERR_OPTION', `signal: expected an AbortSignal, got ${describe(signal)}`)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new ExtremaError('ERR_OPTION', `onProgress: expected a function, got ${describe(onProgress)}`)
  }
  return {
    backend: backend === undefined ? undefined : oneOf('backend', backend, backends, 'native'),
    signal,
    onProgress,
    timeLimit: timeLimit === undefined ? Number.POSITIVE_INFINITY : positive('timeLimit', timeLimit),
  }
}

/** Refuses options that are no object, before anything is read from them. */
export function checkOptionsObject(options: unknown, example: string): void {
  if (typeof options === 'object' && options !== null) return
  throw new ExtremaError('ERR_OPTION', `options: expected ${example}, got ${describe(options)}`)
}
