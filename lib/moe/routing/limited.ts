import type { Control } from '../../backend/kernels.js'

/** What a stage may take, as options of another solver. */
export function limited({ timeLimit, signal, onProgress }: Control) {
  return {
    timeLimit: timeLimit === Number.POSITIVE_INFINITY ? undefined : Math.max(1e-3, timeLimit),
    signal,
    onProgress,
  }
}
