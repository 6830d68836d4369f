import { type RowBlocksData, type SketchKind, sketchKinds } from '../backend/constrained.js'
import { kernels } from '../backend/index.js'
import type { Control, Kernels } from '../backend/kernels.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import { ExtremaError } from '../core/errors.js'
import { describe, nonNegative, oneOf, positive, type SolverOptions, whole } from '../core/options.js'

export type { SketchKind }

export interface SketchOptions {
  /**
   * What a sketch S is. `'kaczmarz'`: one row, S = e_i. `'gaussian'`: a normal vector. Blocks of `blockSize` columns:
   * `'gaussian-block'`; `'count-sketch'`, one ±1 in every row of S; `'rows'`, so many rows. `'blocks'`: one of `blocks`. Default
   * `'kaczmarz'`.
   */
  sketch?: SketchKind
  /**
   * With `sketch: 'blocks'`: the sets of rows that are drawn together, of Γ the variables' and then the constraints'. Rows that
   * touch each other belong together, and the sets should overlap: subdomains of a differential equation, say. Every row must
   * be in one of them. They are factored sparsely, once for every Γ that differs from the one before.
   */
  blocks?: ArrayLike<number>[]
  /** Columns of a block sketch. Default: a quarter of the rows, at most 64. */
  blockSize?: number
  /** Kaczmarz and `'rows'`: draw all rows alike (as in the paper), or by their squared norms. Default `'uniform'`. */
  sampling?: 'uniform' | 'norm'
  /** Whole number in [0, 2^53): of the sketches. Default 0. */
  seed?: number
}

export interface CheckedSketch {
  sketch: SketchKind
  blockSize: number | undefined
  byNorm: boolean
  key: Uint32Array
  blocks: RowBlocksData | null
}

export const sketchNames = ['sketch', 'blocks', 'blockSize', 'sampling', 'seed'] as const

export function checkSketch(options: SketchOptions): CheckedSketch {
  const { blockSize, seed = 0 } = options
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ExtremaError('ERR_OPTION', `seed: expected a whole number in [0, 2^53), got ${describe(seed)}`)
  }
  const sketch = oneOf('sketch', options.sketch, sketchKinds, 'kaczmarz')
  if ((sketch === 'blocks') !== (options.blocks !== undefined)) {
    const expected = sketch === 'blocks' ? 'sets of rows' : "none without sketch: 'blocks'"
    throw new ExtremaError('ERR_OPTION', `blocks: expected ${expected}, got ${describe(options.blocks)}`)
  }
  const sampling = oneOf('sampling', options.sampling, ['uniform', 'norm'], 'uniform')
  if (sketch === 'blocks' && sampling === 'norm') {
    throw new ExtremaError('ERR_OPTION', "sampling: expected 'uniform' for sketch: 'blocks', got 'norm'")
  }
  return {
    sketch,
    blocks: options.blocks === undefined ? null : gatherBlocks(options.blocks),
    blockSize: blockSize === undefined ? undefined : whole('blockSize', blockSize, 1, 1),
    byNorm: sampling === 'norm',
    key: Uint32Array.of(seed % 2 ** 32, Math.floor(seed / 2 ** 32)),
  }
}

function gatherBlocks(blocks: ArrayLike<number>[]): RowBlocksData {
  if (!Array.isArray(blocks) || blocks.length === 0) {
    throw new ExtremaError('ERR_OPTION', `blocks: expected sets of rows, got ${describe(blocks)}`)
  }
  const offsets = new Int32Array(blocks.length + 1)
  const rows: number[] = []
  blocks.forEach((block, p) => {
    const length = block?.length
    if (!(length > 0)) throw new ExtremaError('ERR_OPTION', `blocks[${p}]: expected rows, got ${describe(block)}`)
    for (let i = 0; i < length; i++) {
      const row = block[i]
      if (Number.isInteger(row) && row >= 0 && row < 2 ** 31) rows.push(row)
      else throw new ExtremaError('ERR_OPTION', `blocks[${p}][${i}]: expected a row's number, got ${describe(row)}`)
    }
    offsets[p + 1] = rows.length
  })
  return { offsets, rows: Int32Array.from(rows) }
}

/** Refuses blocks that do not cover a matrix of so many rows, or leave it. */
export function checkBlocks({ blocks }: CheckedSketch, rows: number): void {
  if (blocks === null) return
  const isMet = new Uint8Array(rows)
  for (const row of blocks.rows) {
    if (row >= rows) throw new ExtremaError('ERR_OPTION', `blocks: expected rows below ${rows}, got ${row}`)
    isMet[row] = 1
  }
  const missing = isMet.indexOf(0)
  if (missing < 0) return
  throw new ExtremaError('ERR_OPTION', `blocks: expected every row in one of them, got none with row ${missing}`)
}

export function blockSizeFor({ sketch, blockSize }: CheckedSketch, rows: number): number {
  if (sketch === 'kaczmarz' || sketch === 'gaussian' || sketch === 'blocks') return 1
  return Math.min(rows, blockSize ?? Math.max(1, Math.min(64, Math.ceil(rows / 4))))
}

/** One outer iteration, as `history` and `onIteration` tell it. */
export interface IterationRecord {
  iteration: number
  /** f at the iterate that the step starts from, like the next five. */
  value: number
  /** ‖(∇_x L, c)‖ */
  residual: number
  /** ‖c‖ */
  infeasibility: number
  /** L_η */
  merit: number
  /** λ_min(GGᵀ) */
  jacobianEigenvalue: number
  /** Whether B had to be ∇²_x L + (ξ_B + ‖∇²_x L‖_F) I. */
  modified: boolean
  /** Ψ, the bound of ‖Γ⁻¹‖ in the stopping rule. */
  psi: number
  /** The penalties η₁, η₂ and the accuracy δ that the direction was accepted with. */
  eta1: number
  eta2: number
  delta: number
  /** Times that penalties and accuracy were changed for the direction. */
  adaptations: number
  /** Whether Γ was equilibrated for the direction. */
  equilibrated: boolean
  /** Sketches, rows of Γ read, and operations for the direction. */
  sketches: number
  rows: number
  flops: number
  /** ‖Γz + ∇L‖ / ‖∇L‖ */
  relativeResidual: number
  /** ∇L_η · z */
  slope: number
  /** The step length accepted, 0 if none was. */
  step: number
}

export interface EqualityConstrainedOptions extends SolverOptions, SketchOptions {
  /** The one method so far, and the default. */
  method?: 'ada-sketch-newton'
  /** Of the KKT residual ‖(∇_x L, c)‖. Default 1e-4. */
  tolerance?: number
  /** Outer iterations. Default 10,000. */
  maxIterations?: number
  /** Sketches for one direction. Default 100,000. */
  maxSketches?: number
  /**
   * When sketching stops. `'theoretical'`: ‖Γ‖_F Ψ ‖r‖ <= θ δ ‖∇L‖, the paper's rule, which is nearly exact. `'practical'`: as soon
   * as the direction descends by step 5 with ‖r‖ <= 0.1 θ ‖∇L‖. Default `'theoretical'`.
   */
  accuracy?: 'theoretical' | 'practical'
  /** θ in (0, 1]: a constant gives linear convergence; `'residual'`, min(1, ‖∇L‖), superlinear. Default 1. */
  forcing?: number | 'residual'
  /**
   * `'equilibrate'`: sketch Γ with its columns scaled so that the entries of all rows and columns of length one are about as
   * large. `'none'`: as it is, as in the paper. `'auto'`, the default: as it is, until `maxSketches` do not give a direction
   * that descends; that one and all after it are equilibrated.
   */
  scaling?: 'auto' | 'none' | 'equilibrate'
  /** How directions are found: by sketching, exactly by L D Lᵀ, or by MINRES to the same accuracy. Default `'sketch'`. */
  linearSolver?: 'sketch' | 'exact' | 'minres'
  /**
   * Whether B is positive on the kernel of G: decided by the inertia of Γ, or assumed. Default `'inertia'`.
   */
  curvature?: 'inertia' | 'assume'
  /** η₁, η₂ and δ to begin with. Defaults 1, 0.1, 0.1. */
  eta1?: number
  eta2?: number
  delta?: number
  /** Armijo's β in (0, 1/2). Default 0.1. */
  beta?: number
  /** ν > 1, by which penalties and accuracy are changed. Default 1.5. */
  nu?: number
  /** ξ_B > 0. Default 0.1. */
  xiB?: number
  /** Told every outer iteration as it is done. */
  onIteration?: (record: IterationRecord) => void
}

export interface CheckedOptions extends CheckedSketch {
  control: Control
  kernels: Kernels
  threads: number
  tolerance: number
  maxIterations: number
  maxSketches: number
  practical: boolean
  forcing: number | 'residual'
  scaling: 'auto' | 'none' | 'equilibrate'
  linearSolver: 'sketch' | 'exact' | 'minres'
  curvature: 'inertia' | 'assume'
  eta1: number
  eta2: number
  delta: number
  beta: number
  nu: number
  xiB: number
  onIteration: ((record: IterationRecord) => void) | undefined
}

const names: ReadonlySet<string> = new Set([
  ...['method', 'tolerance', 'maxIterations', 'maxSketches', 'accuracy', 'forcing', 'linearSolver', 'curvature'],
  ...['scaling', 'eta1', 'eta2', 'delta', 'beta', 'nu', 'xiB', 'onIteration'],
  ...sketchNames,
  ...runNames,
])

export function checkOptions(options: EqualityConstrainedOptions): CheckedOptions {
  const { control, backend, threads } = checkRunOptions(options, names, '{ method, tolerance, … }')
  oneOf('method', options.method, ['ada-sketch-newton'], 'ada-sketch-newton')
  const within = (name: string, value: number, low: number, high: number): number => {
    if (value > low && value < high) return value
    throw new ExtremaError('ERR_OPTION', `${name}: expected a number between ${low} and ${high}, got ${value}`)
  }
  const { forcing = 1, onIteration } = options
  if (forcing !== 'residual' && !(typeof forcing === 'number' && forcing > 0 && forcing <= 1)) {
    const expected = "a number in (0, 1] or 'residual'"
    throw new ExtremaError('ERR_OPTION', `forcing: expected ${expected}, got ${describe(forcing)}`)
  }
  if (onIteration !== undefined && typeof onIteration !== 'function') {
    throw new ExtremaError('ERR_OPTION', `onIteration: expected a function, got ${describe(onIteration)}`)
  }
  const sketch = checkSketch(options)
  const linearSolver = oneOf('linearSolver', options.linearSolver, ['sketch', 'exact', 'minres'], 'sketch')
  const scaling = oneOf('scaling', options.scaling, ['auto', 'none', 'equilibrate'], 'auto')
  if (linearSolver !== 'sketch' && (scaling === 'equilibrate' || sketch.blocks !== null)) {
    const given = scaling === 'equilibrate' ? "scaling: expected 'none'" : 'blocks: expected none'
    const came = scaling === 'equilibrate' ? "'equilibrate'" : describe(options.blocks)
    throw new ExtremaError('ERR_OPTION', `${given} for linearSolver: '${linearSolver}', got ${came}`)
  }
  return {
    ...sketch,
    control,
    kernels: kernels(backend),
    threads,
    tolerance: nonNegative('tolerance', options.tolerance, 1e-4),
    maxIterations: whole('maxIterations', options.maxIterations, 10_000, 0),
    maxSketches: whole('maxSketches', options.maxSketches, 100_000, 1, 2 ** 52),
    practical: oneOf('accuracy', options.accuracy, ['theoretical', 'practical'], 'theoretical') === 'practical',
    forcing,
    scaling,
    linearSolver,
    curvature: oneOf('curvature', options.curvature, ['inertia', 'assume'], 'inertia'),
    eta1: positive('eta1', options.eta1, 1),
    eta2: positive('eta2', options.eta2, 0.1),
    delta: positive('delta', options.delta, 0.1),
    beta: within('beta', positive('beta', options.beta, 0.1), 0, 0.5),
    nu: within('nu', positive('nu', options.nu, 1.5), 1, 1000),
    xiB: positive('xiB', options.xiB, 0.1),
    onIteration,
  }
}
