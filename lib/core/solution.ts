/** How a solver ended. Only `'converged'` promises `residual <= tolerance`. */
export type Status = 'converged' | 'iteration-limit' | 'time-limit' | 'stalled'

/** Kernels report a status as its index here. */
export const statuses: readonly Status[] = ['converged', 'iteration-limit', 'time-limit', 'stalled']

/** What every solution carries. */
export interface Solution {
  status: Status
  iterations: number
  /** The value that `tolerance` bounds; the solver says what it measures. */
  residual: number
  /** Milliseconds spent in the solver. */
  elapsed: number
  backend: 'native' | 'portable'
}
