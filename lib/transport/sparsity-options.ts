import type { BackendName } from '../backend/index.js'
import type { Control } from '../backend/kernels.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import { continuations, type SparsitySettings, sparsityMethods } from '../backend/transport-sparsity.js'
import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, nonNegative, oneOf, positive, type SolverOptions, whole } from '../core/options.js'
import { generator } from '../random/index.js'
import { checkStart } from './options.js'

export interface QuadraticOptions extends SolverOptions {
  /**
   * Strength of the regulariser (gamma/2) sum P², in units of the cost per mass. Default: the range of the finite costs over
   * the total mass, that is the paper's 1 for costs scaled to [0, 1] and weights that add up to one. POT calls it `reg`.
   */
  gamma?: number
  /**
   * Which lines of the plan have their exact mass (in the semi-dual), and with `maxNonzeros` few entries: `'columns'`
   * (default), one for each target, or `'rows'`, one for each source.
   */
  axis?: 'columns' | 'rows'
  /**
   * `'semidual'` (default) has the potentials of the other axis as variables; `'dual'` has all of them, converges several
   * times slower and leaves errors in both marginals.
   */
  formulation?: 'semidual' | 'dual'
  /**
   * `'lbfgs'` (default); `'adam'`, a fixed number of supergradient steps for use in outer loops; `'stochastic'`, steps of
   * 1/sqrt(t) on lines that are drawn at random, in the semi-dual.
   */
  method?: 'lbfgs' | 'adam' | 'stochastic'
  /** First step in ranges of the cost. Adam: largest change of a potential, default 0.01. Stochastic: default 1. */
  learningRate?: number
  /** Lines that are drawn for a step, with `method: 'stochastic'`. Default 16. */
  batchSize?: number
  /** Of the lines drawn, with `method: 'stochastic'`. Default 0. */
  seed?: number | bigint
  /** Stop when (|P1 - a|_1 + |Pᵀ1 - b|_1) / sum(a) <= tolerance. Default 1e-9. */
  tolerance?: number
  /** Most iterations, with a continuation of each stage. Default 500; 10,000 with `method: 'stochastic'`. */
  maxIterations?: number
  /** Potentials to start from, as in `solution.potentials`. */
  warmStart?: { f: VectorLike; g: VectorLike }
  /**
   * What is done to a plan that misses its marginals. `'none'` (default). `'round'`: rows and columns are scaled down to
   * what they may have and the rest is spread (Altschuler, Weed, Rigollet 2017): exact marginals, but the rest goes anywhere,
   * however few entries were asked for. `'flow'`: unless converged, the plan of least <C,P> among those with exact marginals
   * on the entries of the plan and those that are tied with them; `repaired` tells whether there is one with as few entries
   * as asked for.
   */
  repair?: 'none' | 'round' | 'flow'
}

export interface SparsityOptions extends QuadraticOptions {
  /** k: most entries of a column of the plan (of a row, with `axis: 'rows'`). */
  maxNonzeros: number
  /**
   * `'quadratic'` (default), or `'entropy'`: gamma sum P (log P - 1) on the k entries, with gamma (required then) in units of
   * the cost. The entropy form is not from the paper.
   */
  regularizer?: 'quadratic' | 'entropy'
  /**
   * How the maximum of the dual is found, which has kinks where entries tie for the k-th place. `'smoothing'` (default for
   * the quadratic regulariser): its relaxation by the k-support norm, from the quadratic plan on with less and less
   * smoothing. `'halving'` (default for the entropy): the problem itself with n, n/2, n/4, … k entries. `'none'`: the problem
   * at once. For `method: 'lbfgs'` only.
   */
  continuation?: 'smoothing' | 'halving' | 'none'
}

const quadraticNames = [
  ...['gamma', 'axis', 'formulation', 'method', 'learningRate', 'batchSize', 'seed', 'tolerance', 'maxIterations'],
  ...runNames,
  ...['warmStart', 'repair'],
]
const names = {
  quadratic: new Set(quadraticNames),
  sparse: new Set([...quadraticNames, 'maxNonzeros', 'regularizer', 'continuation']),
}

const axes = ['columns', 'rows'] as const
const formulations = ['semidual', 'dual'] as const
const repairs = ['none', 'round', 'flow'] as const
const regularizers = ['quadratic', 'entropy'] as const

export interface CheckedSparsity {
  /** But for `maxNonzeros`, which the size of the problem bounds. */
  settings: SparsitySettings
  backend: BackendName | undefined
  control: Control
  warmStart: ReturnType<typeof checkStart>
  repair: (typeof repairs)[number]
}

export function checkSparsity(options: Partial<SparsityOptions>, kind: keyof typeof names): CheckedSparsity {
  const form = kind === 'sparse' ? '{ maxNonzeros, … }' : '{ gamma, … }'
  const { control, backend, threads } = checkRunOptions(options, names[kind], form)
  const method = oneOf('method', options.method, sparsityMethods, 'lbfgs')
  const dual = oneOf('formulation', options.formulation, formulations, 'semidual') === 'dual'
  const entropy = oneOf('regularizer', options.regularizer, regularizers, 'quadratic') === 'entropy'
  const stochastic = method === 'stochastic'
  belongs('learningRate', options, method !== 'lbfgs', "with method: 'adam' or 'stochastic' only")
  belongs('batchSize', options, stochastic, "with method: 'stochastic' only")
  belongs('seed', options, stochastic, "with method: 'stochastic' only")
  belongs('continuation', options, method === 'lbfgs', "with method: 'lbfgs' only")
  const continuation = oneOf('continuation', options.continuation, continuations, entropy ? 'halving' : 'smoothing')
  if (stochastic && dual) {
    throw new ExtremaError('ERR_OPTION', "formulation: expected 'semidual' with method: 'stochastic', got 'dual'")
  }
  if (entropy && continuation === 'smoothing') {
    const expected = "'halving' or 'none' with regularizer: 'entropy'"
    throw new ExtremaError('ERR_OPTION', `continuation: expected ${expected}, got 'smoothing'`)
  }
  return {
    settings: {
      byRows: oneOf('axis', options.axis, axes, 'columns') === 'rows',
      maxNonzeros: 0,
      gamma: checkGamma(options.gamma, entropy),
      entropy,
      dual,
      method,
      continuation,
      tolerance: nonNegative('tolerance', options.tolerance, 1e-9),
      maxIterations: whole('maxIterations', options.maxIterations, stochastic ? 10_000 : 500, 1),
      learningRate: positive('learningRate', options.learningRate, stochastic ? 1 : 0.01),
      batchSize: whole('batchSize', options.batchSize, 16, 1),
      seed: Uint32Array.from(generator(options.seed === undefined ? 0 : options.seed).state().key),
      threads,
    },
    backend,
    control,
    warmStart: checkStart(options.warmStart),
    repair: oneOf('repair', options.repair, repairs, 'none'),
  }
}

/** 0 stands for the default. */
function checkGamma(gamma: unknown, entropy: boolean): number {
  if (gamma === 0) {
    const expected = 'a finite number > 0 (without a regulariser it is exact transport: emd)'
    throw new ExtremaError('ERR_NOT_POSITIVE', `gamma: expected ${expected}, got 0`)
  }
  return gamma === undefined && !entropy ? 0 : positive('gamma', gamma)
}

function belongs(
  name: 'learningRate' | 'batchSize' | 'seed' | 'continuation',
  options: Partial<SparsityOptions>,
  fits: boolean,
  to: string,
): void {
  if (fits || options[name] === undefined) return
  throw new ExtremaError('ERR_OPTION', `${name}: expected ${to}, got ${describe(options[name])}`)
}
