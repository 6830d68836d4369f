/** In the order of `statuses` in lib/core/solution.ts. */
export const ended = { converged: 0, iterationLimit: 1, timeLimit: 2, stalled: 3 } as const
