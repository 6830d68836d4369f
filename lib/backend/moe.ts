import type { Kernel } from './kernels.js'

/**
 * Every token takes `k` different experts (at most k, if `partial`), expert e at most capacity[e] tokens, so that the sum
 * of the scores taken is greatest. The capacities, each at most `tokens`, sum to tokens × k or more unless `partial`.
 */
export interface RouteJob {
  tokens: number
  experts: number
  k: number
  partial: boolean
  /** tokens × experts, finite. */
  scores: Float64Array
  capacity: Int32Array
  /** Result: tokens × k experts, -1 for none. */
  choices: Int32Array
  /** Result, of `prices` also the start: prices >= 0 of the experts. */
  prices: Float64Array
  report: Float64Array
}

export interface PricesJob extends RouteJob {
  steps: 'coordinate' | 'subgradient'
  maxIterations: number
}

/** Indices into `RouteJob.report`, in the order of the native struct; `ended` is an index into `statuses`. */
export const routeField = { ended: 0, sweeps: 1, augmentations: 2, value: 3, bound: 4 } as const
export const routeReportLength = 5

export interface MoeKernels {
  /** Exact; out of time, `choices` may exceed the capacities. */
  route: Kernel<RouteJob>
  /** Prices by dual descent, and what tokens choose at them, which may exceed the capacities. */
  prices: Kernel<PricesJob>
}
