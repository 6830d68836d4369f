import type { Kernel } from './kernels.js'

/** Sizes of a Gaussian mixture for Light Schrödinger Bridge. */
export interface BridgeShape {
  components: number
  dimension: number
  /** S_k of any form, otherwise diagonal. */
  full: boolean
  epsilon: number
}

/** v(x1) = sum_k alpha_k N(x1 | r_k, epsilon S_k) */
export interface BridgeMixture extends BridgeShape {
  /** log alpha_k, K */
  logWeights: Float64Array
  /** r_k, K × D */
  means: Float64Array
  /** The diagonals of S_k, K × D; full: K × D × D, the lower triangles L_k of S_k = L_k L_kᵀ. */
  scales: Float64Array
}

/**
 * Points in random order. Minibatches are windows onto them that go round and round: `rows` different points, the first
 * of them again behind the last one.
 */
export interface BridgeData {
  points: Float64Array
  rows: number
  /** The first so many are what the loss is measured on. */
  evaluated: number
}

export interface FitJob {
  shape: BridgeShape
  source: BridgeData
  target: BridgeData
  /** Least S_k. */
  floor: number
  method: 'adam' | 'lbfgs'
  /** `'matching'`: regress the drift, otherwise likelihood. Adam only. */
  matching: boolean
  learningRate: number
  /** Whether the learning rate decays to zero over `total` iterations. */
  cosine: boolean
  /** Rows of a minibatch on each side. */
  batch: number
  /** Number of the first iteration: Adam goes on where an earlier call ended. */
  first: number
  iterations: number
  /** Iterations of all calls. */
  total: number
  tolerance: number
  /** Iterations between two measurements of loss and residual. */
  checkEvery: number
  threads: number
  /** Key and counter of the draws of times and bridges for `matching`. */
  draws: Uint32Array
  /** Start and result: log alpha_k, r_k / sqrt(epsilon), log(S_k - floor) (full: L_k, log(L_ii - sqrt(floor)) on the diagonal). */
  theta: Float64Array
  /** Adam's two moments, zero at the start. */
  moments: Float64Array
  /** The loss of each iteration, as many as fit. */
  history: Float64Array
  /** status, iterations, residual, loss. Calls with `first` > 0 go on from the report of the call before. */
  report: Float64Array
}

/** In the order of the native enumeration. */
export const fitStatuses = ['converged', 'iteration-limit', 'time-limit', 'stalled', 'diverged'] as const

/** The loss at theta and its gradient, on all given points. */
export interface LossJob {
  shape: BridgeShape
  source: BridgeData
  target: BridgeData
  floor: number
  matching: boolean
  threads: number
  draws: Uint32Array
  theta: Float64Array
  gradient: Float64Array
  value: Float64Array
}

interface MixtureJob {
  mixture: BridgeMixture
  threads: number
  /** n × D points */
  x: Float64Array
}

/** Of n points: log c ('source') or log v ('target'), and the softmax of its terms. */
export interface EvaluateJob extends MixtureJob {
  side: 'source' | 'target'
  logSum: Float64Array
  /** n × K */
  weights: Float64Array | null
}

export interface DriftJob extends MixtureJob {
  t: number
  out: Float64Array
}

/** `count` draws from pi(x1 | x0) for each x0. Streams are key and counter, six words. */
export interface SampleJob extends MixtureJob {
  count: number
  picks: Uint32Array
  normals: Uint32Array
  out: Float64Array
}

/** Euler-Maruyama along the times of `grid`; the states where `keep` is 1 go to out (n × kept × D). */
export interface TrajectoriesJob extends MixtureJob {
  grid: Float64Array
  keep: Float64Array
  normals: Uint32Array
  out: Float64Array
}

export interface LightBridgeKernels {
  fit: Kernel<FitJob>
  loss: Kernel<LossJob>
  evaluate: Kernel<EvaluateJob>
  drift: Kernel<DriftJob>
  sample: Kernel<SampleJob>
  trajectories: Kernel<TrajectoriesJob>
}
