import type { BackendName } from '../backend/index.js'
import type { Control, SolveSettings } from '../backend/kernels.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import { checkFinite, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, flag, nonNegative, oneOf, positive, type SolverOptions, whole } from '../core/options.js'

/** What both entropic solvers take. */
export interface EntropicOptions extends SolverOptions {
  /**
   * Strength of the entropic term, in units of the cost: min <C,P> + epsilon sum P (log P - 1). The smaller, the nearer
   * to unregularised transport and the harder to reach. POT calls it `reg`; the Sinkhorn-Newton-Sparse paper's eta is
   * 1 / epsilon.
   */
  epsilon: number
  /** Stop when (|P1 - a|_1 + |Pᵀ1 - b|_1) / sum(a) <= tolerance. Default 1e-9. */
  tolerance?: number
  /**
   * Numbers in which the n × m cost data and kernel entries are held. `'float32'` halves the memory and nearly doubles
   * the speed; expect marginal errors down to about 1e-6 only. Portable kernels halve the memory but not the time. Default
   * `'float64'`.
   */
  precision?: 'float64' | 'float32'
  /** Potentials to start from, as in `solution.potentials`. */
  warmStart?: { f: VectorLike; g: VectorLike }
  /** Keep the marginal error of every iteration (the first million) in `solution.history`. Default false. */
  history?: boolean
  /** Bound unregularised transport by the rounded plan and the transformed potentials; four more passes. Default true. */
  certificate?: boolean
}

export interface SinkhornOptions extends EntropicOptions {
  /**
   * `'anderson'` (default): each iteration starts from the combination of the last five whose change of g is least, as
   * long as the dual value does not fall behind that of plain steps. `'none'`: Sinkhorn's iteration as it is.
   */
  acceleration?: 'anderson' | 'none'
  /**
   * Points with a metric other than `'cosine'`: start from the solution of coarser clouds, the means of cells of 8, 64, …
   * points. Not with `warmStart`, nor for 500 points or fewer. Default true from 4000 points of at most 3 coordinates on.
   */
  multiscale?: boolean
  /**
   * Points with up to 11 coordinates: pairs of blocks of 32 points whose entries are all negligible are left out of the
   * sweeps, so that no sum lacks more than a 1e-12th of itself. Default true for more than 500 points.
   */
  truncation?: boolean
}

export interface SinkhornNewtonSparseOptions extends EntropicOptions {
  /** `'adaptive'` (default), or `'paper'`: the algorithm as printed. */
  variant?: 'adaptive' | 'paper'
  /** N1 of the paper: Sinkhorn iterations before the first Newton step. Default 20. Only with `variant: 'paper'`. */
  sinkhornIterations?: number
  /** lambda of the paper: fraction of the (n + m)² Hessian that is kept. Default 2/n. Only with `variant: 'paper'`. */
  sparsity?: number
}

const entropicNames = [
  'epsilon',
  'tolerance',
  'maxIterations',
  ...runNames,
  'precision',
  'warmStart',
  'history',
  'certificate',
]
export const sinkhornNames: ReadonlySet<string> = new Set([
  ...entropicNames,
  'acceleration',
  'multiscale',
  'truncation',
])
export const newtonNames: ReadonlySet<string> = new Set([...entropicNames, 'variant', 'sinkhornIterations', 'sparsity'])

export interface CheckedOptions {
  settings: SolveSettings
  backend: BackendName | undefined
  control: Control
  history: boolean
  /** `sinkhorn` between points: from coarse to fine. Undefined: where it helps. */
  multiscale: boolean | undefined
  /** `sinkhorn` between points: leave out what is negligible. Undefined: where it helps. */
  truncation: boolean | undefined
  warmStart: { f: VectorLike; g: VectorLike } | undefined
}

const precisions = ['float64', 'float32'] as const
const accelerations = ['anderson', 'none'] as const
const variants = ['adaptive', 'paper'] as const

export function checkOptions(
  options: SinkhornOptions & SinkhornNewtonSparseOptions,
  names: ReadonlySet<string>,
  defaultIterations: number,
): CheckedOptions {
  const { control, backend, threads } = checkRunOptions(options, names, '{ epsilon, … }')
  const paper = oneOf('variant', options.variant, variants, 'adaptive') === 'paper'
  for (const name of ['sinkhornIterations', 'sparsity'] as const) {
    if (paper || options[name] === undefined) continue
    throw new ExtremaError('ERR_OPTION', `${name}: expected with variant: 'paper' only, got ${describe(options[name])}`)
  }
  return {
    settings: {
      epsilon: positive('epsilon', options.epsilon),
      tolerance: nonNegative('tolerance', options.tolerance, 1e-9),
      maxIterations: whole('maxIterations', options.maxIterations, defaultIterations, 1),
      threads,
      float32: oneOf('precision', options.precision, precisions, 'float64') === 'float32',
      certificate: flag('certificate', options.certificate, true),
      paper,
      sinkhornIterations: whole('sinkhornIterations', options.sinkhornIterations, 20, 0),
      anderson: oneOf('acceleration', options.acceleration, accelerations, 'anderson') === 'anderson',
      sparsity: options.sparsity === undefined ? 0 : fraction('sparsity', options.sparsity),
    },
    backend,
    control,
    history: flag('history', options.history, false),
    multiscale: options.multiscale === undefined ? undefined : flag('multiscale', options.multiscale, true),
    truncation: options.truncation === undefined ? undefined : flag('truncation', options.truncation, true),
    warmStart: checkStart(options.warmStart),
  }
}

const startNames: ReadonlySet<string> = new Set(['f', 'g'])

export function checkStart(start: EntropicOptions['warmStart']): CheckedOptions['warmStart'] {
  if (start === undefined) return undefined
  if (typeof start !== 'object' || start === null) {
    throw new ExtremaError('ERR_OPTION', `warmStart: expected { f, g }, got ${describe(start)}`)
  }
  checkNames('warmStart', start, startNames)
  return start
}

function fraction(name: string, value: number): number {
  if (positive(name, value) <= 1) return value
  throw new ExtremaError('ERR_OPTION', `${name}: expected a fraction in (0, 1], got ${value}`)
}

/** Start potentials of the nodes with weight: the caller's, or zeros. */
export function startPotential(
  name: 'f' | 'g',
  warmStart: CheckedOptions['warmStart'],
  length: number,
  kept: Int32Array | null,
): Float64Array {
  if (warmStart === undefined) return new Float64Array(kept?.length ?? length)
  const given = toFloat64(`warmStart.${name}`, warmStart[name])
  if (given.length !== length) {
    throw new ExtremaError('ERR_SHAPE', `warmStart.${name}: expected ${length} numbers, got ${given.length}`)
  }
  checkFinite(`warmStart.${name}`, given)
  return kept === null ? given.slice() : Float64Array.from(kept, (i) => given[i])
}
