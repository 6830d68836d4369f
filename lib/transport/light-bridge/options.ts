import type { BackendName } from '../../backend/index.js'
import type { Control } from '../../backend/kernels.js'
import { checkRunOptions, runNames } from '../../backend/options.js'
import type { BridgeShape } from '../../backend/transport-light-bridge.js'
import { ExtremaError } from '../../core/errors.js'
import { describe, nonNegative, oneOf, positive, type SolverOptions, whole } from '../../core/options.js'
import { type Generator, generator } from '../../random/index.js'

export interface LightBridgeOptions extends SolverOptions {
  /**
   * Variance of the Wiener prior over the time from 0 to 1, in squared units of the data: the entropic plan for the cost
   * ½|x0 - x1|² with this epsilon. (A plan for |x0 - x1|² with `sinkhorn` has 2 epsilon.)
   */
  epsilon: number
  /** Most iterations. Default 10,000 with Adam, 300 with L-BFGS. */
  maxIterations?: number
  /**
   * Stop when the largest derivative of the loss by log-weights, means in units of sqrt(epsilon) and log-scales is <=
   * tolerance. Default 1e-5, which Adam's noise hardly ever lets it reach.
   */
  tolerance?: number
  /** Components K of the mixture. Default 50. More than there are different target points are reduced to these. */
  components?: number
  /** Matrices S_k: diagonal (default), or of any form at O(D) times the cost. */
  covariance?: 'diagonal' | 'full'
  /**
   * `'likelihood'` (default) minimises the divergence from the true plan; `'matching'` regresses the drift along Brownian
   * bridges between pairs (LightSB-M), with Adam only.
   */
  objective?: 'likelihood' | 'matching'
  /**
   * Pairs for `'matching'`: `'independent'` (default), or `'rows'` when row i of source and row i of target are a pair,
   * such as from a plan of a minibatch. Samplers always give rows.
   */
  pairing?: 'independent' | 'rows'
  /**
   * `'adam'` on minibatches, `'lbfgs'` on all of up to 20,000 points, or `'auto'` (default): L-BFGS where n K D <= 2e7.
   * Samplers and matching take Adam.
   */
  optimizer?: 'auto' | 'adam' | 'lbfgs'
  /**
   * `'adaptive'` (default): the learning rate decays to zero over `maxIterations` along a cosine, and the start is near
   * the identity. `'paper'`: the rate stays, and the start are target points with S_k = I and equal weights.
   */
  variant?: 'adaptive' | 'paper'
  /**
   * Adam's, in units of the standardised data. Default 0.01, over sqrt(D) with `covariance: 'full'`, as the entries of a
   * row of S_k add up; with `variant: 'paper'` by epsilon over the variance of the data: 1e-3 at 0.1, 3e-3 at 1, 6e-2 at 10, and in between on a line in logarithms.
   */
  learningRate?: number
  /** Points of a minibatch on each side. Default 128. */
  batchSize?: number
  /** Start of S_k, times the identity. Default: the part of the target's variance left about the nearest start; paper 1. */
  initialScale?: number
  /** Where means start: random target points (default), or points far from each other. */
  initialization?: 'samples' | 'kmeans++'
  /** Of all randomness. Default 0. */
  seed?: number | bigint
}

const names: ReadonlySet<string> = new Set([
  'epsilon',
  'maxIterations',
  'tolerance',
  'components',
  'covariance',
  'objective',
  'pairing',
  'optimizer',
  'learningRate',
  'variant',
  'batchSize',
  'initialScale',
  'initialization',
  'seed',
  ...runNames,
])

export interface CheckedOptions {
  epsilon: number
  maxIterations: number | undefined
  tolerance: number
  components: number
  full: boolean
  matching: boolean
  pairedRows: boolean
  optimizer: 'auto' | 'adam' | 'lbfgs'
  learningRate: number | undefined
  variant: 'adaptive' | 'paper'
  batchSize: number
  initialScale: number | undefined
  initialization: 'samples' | 'kmeans++'
  random: Generator
  threads: number
  backend: BackendName | undefined
  control: Control
}

export function checkOptions(options: LightBridgeOptions): CheckedOptions {
  const { control, backend, threads } = checkRunOptions(options, names, '{ epsilon, … }')
  const matching = oneOf('objective', options.objective, ['likelihood', 'matching'], 'likelihood') === 'matching'
  const optimizer = oneOf('optimizer', options.optimizer, ['auto', 'adam', 'lbfgs'], 'auto')
  if (matching && optimizer === 'lbfgs') {
    throw new ExtremaError('ERR_OPTION', "optimizer: expected 'adam' for objective 'matching', got 'lbfgs'")
  }
  if (!matching && options.pairing !== undefined) {
    const came = describe(options.pairing)
    throw new ExtremaError('ERR_OPTION', `pairing: expected with objective 'matching' only, got ${came}`)
  }
  return {
    epsilon: positive('epsilon', options.epsilon),
    maxIterations:
      options.maxIterations === undefined ? undefined : whole('maxIterations', options.maxIterations, 1, 1),
    tolerance: nonNegative('tolerance', options.tolerance, 1e-5),
    components: whole('components', options.components, 50, 1, 100_000),
    full: oneOf('covariance', options.covariance, ['diagonal', 'full'], 'diagonal') === 'full',
    matching,
    pairedRows: oneOf('pairing', options.pairing, ['independent', 'rows'], 'independent') === 'rows',
    optimizer,
    learningRate: options.learningRate === undefined ? undefined : positive('learningRate', options.learningRate),
    variant: oneOf('variant', options.variant, ['adaptive', 'paper'], 'adaptive'),
    batchSize: whole('batchSize', options.batchSize, 128, 1, 1_000_000),
    initialScale: options.initialScale === undefined ? undefined : positive('initialScale', options.initialScale),
    initialization: oneOf('initialization', options.initialization, ['samples', 'kmeans++'], 'samples'),
    random: generator(options.seed ?? 0),
    threads,
    backend,
    control,
  }
}

export function adaptiveLearningRate({ full, dimension }: BridgeShape): number {
  return full ? 0.01 / Math.sqrt(dimension) : 0.01
}

/** The paper's learning rates, by log10 of epsilon over the variance of the data. */
const paperRates = [
  [-1, 1e-3],
  [0, 3e-3],
  [1, 6e-2],
] as const

export function paperLearningRate(epsilon: number): number {
  const at = Math.min(1, Math.max(-1, Math.log10(epsilon)))
  const [low, high] = at < 0 ? [paperRates[0], paperRates[1]] : [paperRates[1], paperRates[2]]
  return low[1] * (high[1] / low[1]) ** (at - low[0])
}
