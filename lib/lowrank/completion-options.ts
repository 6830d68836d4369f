import {
  type CompletionSettings,
  type CompletionSketch,
  type CompletionSolver,
  completionSketches,
  completionSolvers,
  type EntriesData,
} from '../backend/completion.js'
import type { BackendName } from '../backend/index.js'
import type { Control } from '../backend/kernels.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import type { VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, flag, nonNegative, oneOf, positive, type SolverOptions, whole } from '../core/options.js'
import { generator } from '../random/index.js'
import { checkTriplets } from './completion-problem.js'

export interface CompletionOptions extends SolverOptions {
  /** k, the number of columns of the factors; at most the lesser dimension of the matrix. */
  rank: number
  /** lambda of the ridge lambda (|U|² + |V|² + |biases|²). Default 0. */
  regularization?: number
  /**
   * How the regressions of a half step are solved. `'exact'`: normal equations, O(observations k²), the default up to rank
   * 10. `'inexact'`: a few warm-started steps of conjugate gradients, O(observations k), the default above. `'sketched'`: to
   * any accuracy by iteration on A R⁻¹ with R from a random sketch. `'gradient'`: the same by plain gradient steps, as the
   * paper analyses it; it falls back to conjugate gradients where it diverges.
   */
  solver?: CompletionSolver
  /** The iteration of `solver: 'sketched'`. Default `'cg'`. */
  iteration?: 'cg' | 'heavy-ball'
  /**
   * The sketch of `'sketched'` and `'gradient'`: `'sparse-sign'` with eight nonzeros a column (default), `'count-sketch'` with
   * one, `'gaussian'`, or `'srht'`, a subsampled randomized Hadamard transform.
   */
  sketch?: CompletionSketch
  /**
   * Its rows. Default 4 times the rank, 8 times for `'heavy-ball'`, 16 times for `'gradient'`, which diverges up to about 12
   * times.
   */
  sketchRows?: number
  /** Independent sketches per regression, of whose solutions the coordinate-wise median counts. Default 1. */
  repeats?: number
  /**
   * Tolerance of the regressions: the preconditioned gradient over the norm of the targets. Default: the error-tolerant
   * schedule min(0.1, training residual / 10, change / 10). Not for `'exact'`.
   */
  innerTolerance?: number
  /** Most steps of a regression. Default 3 for `'inexact'`, 100 for `'sketched'` and `'gradient'`. Not for `'exact'`. */
  innerIterations?: number
  /**
   * `'single'`: the sums over the observations of a row or column are taken in float32, those of the whole in float64. Quicker,
   * and good for all data with noise; `tolerance` and errors below about 1e-5 are out of reach. Not for `'sketched'` and
   * `'gradient'`. Default `'double'`.
   */
  precision?: 'double' | 'single'
  /** Adds a mean and a bias for every row and column. Default false. */
  biases?: boolean
  /** U, V >= 0. Solvers `'exact'` (active sets) and `'inexact'` (sweeps over the coordinates). Default false. */
  nonNegative?: boolean
  /**
   * alpha of implicit feedback: values are counts r >= 0, and all m n entries are fitted, to 1 where r > 0 with the
   * confidence 1 + alpha r and to 0 elsewhere with confidence 1 (Hu, Koren, Volinsky 2008).
   */
  confidence?: number
  /** `'svd'`: the leading singular vectors of the observed matrix (default); `'random'`: normal numbers. */
  initialization?: 'svd' | 'random'
  /** mu: entries of the singular vectors above 2 mu sqrt(k / m) are clipped. Default: no clipping. */
  incoherence?: number
  /**
   * False: every half step takes a part of its own of the observations, 1 / (2 maxIterations + 1) of them, as the paper's
   * analysis has it. Default true: all take all.
   */
  reuse?: boolean
  /** Held-out entries, or a share in (0, 1) of the observations to hold out, drawn by `seed`. */
  validation?: { rows: ArrayLike<number>; columns: ArrayLike<number>; values: VectorLike } | number
  /** Stop after so many iterations without a lower held-out error; the best factors are returned. Default 5. */
  patience?: number
  /** Of the start, the sketches, and all other random choices. Default 0. */
  seed?: number | bigint
}

const names: ReadonlySet<string> = new Set([
  ...['rank', 'regularization', 'solver', 'iteration', 'sketch', 'sketchRows', 'repeats', 'innerTolerance'],
  ...['innerIterations', 'biases', 'nonNegative', 'confidence', 'initialization', 'incoherence', 'reuse'],
  ...['precision', 'validation', 'patience', 'seed', 'tolerance', 'maxIterations', ...runNames],
])

/** Above this rank conjugate gradients are the quicker: measured, see docs/lowrank.md. */
const exactRank = 10

export interface CheckedOptions {
  settings: CompletionSettings
  held: EntriesData | null
  /** Share of the observations to hold out, or 0. */
  share: number
  seed: number | bigint
  control: Control
  backend: BackendName | undefined
}

function refuse(name: string, expected: string, came: unknown): never {
  throw new ExtremaError('ERR_OPTION', `${name}: expected ${expected}, got ${describe(came)}`)
}

/** `rank` is checked against the shape later: see {@link checkRank}. */
export function checkOptions(options: CompletionOptions): CheckedOptions {
  const { control, backend, threads } = checkRunOptions(options, names, '{ rank, … }')
  if (options.rank === undefined) refuse('rank', 'a whole number >= 1', undefined)
  const rank = whole('rank', options.rank, 1, 1)
  const nonNegativeFactors = flag('nonNegative', options.nonNegative, false)
  const fallback = nonNegativeFactors || rank <= exactRank ? 'exact' : 'inexact'
  const solver = oneOf('solver', options.solver, completionSolvers, fallback)
  const sketching = solver === 'sketched' || solver === 'gradient'
  if (nonNegativeFactors && sketching) refuse('solver', "'exact' or 'inexact' with nonNegative", solver)
  const single = oneOf('precision', options.precision, ['double', 'single'] as const, 'double') === 'single'
  if (single && sketching) refuse('precision', "'double' with solver 'sketched' or 'gradient'", 'single')
  for (const name of ['sketch', 'sketchRows', 'repeats'] as const) {
    if (!sketching && options[name] !== undefined) {
      refuse(name, `solver 'sketched' or 'gradient' beside it`, solver)
    }
  }
  if (solver !== 'sketched' && options.iteration !== undefined) {
    refuse('iteration', `solver 'sketched' beside it`, solver)
  }
  for (const name of ['innerTolerance', 'innerIterations'] as const) {
    if (solver === 'exact' && options[name] !== undefined) refuse(name, 'an iterative solver beside it', solver)
  }
  const biases = flag('biases', options.biases, false)
  const confidence = options.confidence === undefined ? 0 : positive('confidence', options.confidence)
  if (biases && confidence > 0) refuse('biases', 'false with confidence', true)
  const iteration = oneOf('iteration', options.iteration, ['cg', 'heavy-ball'] as const, 'cg')
  const unknowns = rank + (biases ? 1 : 0)
  const rowsPerUnknown = solver === 'gradient' ? 16 : iteration === 'heavy-ball' ? 8 : 4
  const seed = options.seed ?? 0
  const random = generator(seed)
  const { held, share } = checkValidation(options.validation)
  if (options.patience !== undefined && held === null && share === 0)
    refuse('patience', 'validation beside it', options.patience)
  return {
    control,
    backend,
    held,
    share,
    seed,
    settings: {
      rank,
      regularization: nonNegative('regularization', options.regularization, 0),
      confidence,
      incoherence: options.incoherence === undefined ? 0 : positive('incoherence', options.incoherence),
      tolerance: nonNegative('tolerance', options.tolerance, 1e-6),
      innerTolerance:
        options.innerTolerance === undefined ? -1 : nonNegative('innerTolerance', options.innerTolerance, 0),
      maxIterations: whole('maxIterations', options.maxIterations, 40, 1, 100_000),
      innerIterations: whole('innerIterations', options.innerIterations, sketching ? 100 : 3, 1, 100_000),
      sketchRows: whole('sketchRows', options.sketchRows, rowsPerUnknown * unknowns, unknowns, 32767 * 8),
      repeats: whole('repeats', options.repeats, 1, 1, 1000),
      patience: whole('patience', options.patience, 5, 1),
      biases,
      nonNegative: nonNegativeFactors,
      reuse: flag('reuse', options.reuse, true),
      spectral: oneOf('initialization', options.initialization, ['svd', 'random'] as const, 'svd') === 'svd',
      single,
      solver,
      inner: solver === 'gradient' ? 'gradient' : iteration,
      sketch: oneOf('sketch', options.sketch, completionSketches, 'sparse-sign'),
      threads,
      key: Uint32Array.of(random.integer(0, 2 ** 32), random.integer(0, 2 ** 32)),
    },
  }
}

function checkValidation(validation: CompletionOptions['validation']): { held: EntriesData | null; share: number } {
  if (validation === undefined) return { held: null, share: 0 }
  if (typeof validation === 'number') {
    if (validation > 0 && validation < 1) return { held: null, share: validation }
    refuse('validation', '{ rows, columns, values } or a share in (0, 1)', validation)
  }
  if (typeof validation !== 'object' || validation === null) {
    refuse('validation', '{ rows, columns, values } or a share in (0, 1)', validation)
  }
  const held = checkTriplets('validation.', validation)
  if (held.count === 0) throw new ExtremaError('ERR_SHAPE', 'validation.values: expected at least one entry, got none')
  return { held, share: 0 }
}

export function checkRank(rank: number, m: number, n: number): void {
  whole('rank', rank, 1, 1, Math.min(m, n))
}
