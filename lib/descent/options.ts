import {
  type DescentRules,
  type PartitionCode,
  partitions,
  type Selection,
  selections,
  type Update,
  updates,
} from '../backend/descent.js'
import { checkRunOptions, type RunOptions, runNames } from '../backend/options.js'
import { checkFinite, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, flag, nonNegative, oneOf, type SolverOptions, whole } from '../core/options.js'

export type Partition = Exclude<PartitionCode, 'given'>

export interface BlockCoordinateDescentOptions extends SolverOptions {
  /**
   * How coordinates are cut into blocks. `'variable'` (default): any `blockSize` of them. Fixed: `'order'` (consecutive),
   * `'sort'` (by decreasing L_i, then cut), `'average'` (the largest with the smallest), the same by Σ_j |H_ij|
   * (`'sort-row-sums'`, `'average-row-sums'`), or blocks of your own. By the graph of the Hessian: `'red-black'` and
   * `'colouring'` (no edge within a block), `'forests'` and, on a `lattice`, `'combs'` (no cycle within a block).
   */
  partition?: Partition | ArrayLike<number>[]
  /**
   * Which block comes next. `'random'`, `'cyclic'`, `'permutation'` (shuffled each epoch), `'lipschitz'` (∝ L). Greedy: `'gs'`
   * (Gauss-Southwell: largest gradient), `'gsl'` (by L of block or coordinate), `'gsd'` (by a diagonal bound, default),
   * `'gsq'` (best quadratic model, fixed blocks), `'iht'` (the same for variable blocks, by hard thresholding), `'gsn'` (with
   * the current Hessian), `'mi'` (the most decrease by trying all blocks). Maximal forests: `'gs-tree'`, `'gsl-tree'`,
   * `'random-tree'`. With L1 terms or bounds the scores are the model decreases of the proximal steps.
   */
  selection?: Selection
  /**
   * What is done to the block. `'gradient'`, `'lipschitz-approximation'` (L by doubling), `'matrix'` (a bound of the
   * Hessian), `'newton'` (back-tracking), `'exact'` (quadratics), `'two-metric'` (Newton on the free coordinates), and
   * `'message-passing'` (blocks that are forests, at linear cost). Default: `'two-metric'` with L1 terms or bounds, else
   * `'matrix'`.
   */
  update?: Update
  /** Coordinates of a block, τ. Default 5, the paper's. */
  blockSize?: number
  /**
   * Sweep over a working set: the coordinates that no term holds at 0 or at a bound, and as many more, at least 100 together, of
   * those that would move furthest; chosen again, from the whole gradient, when its sweeps come to rest. Far faster where x
   * is sparse, with `'cyclic'`, `'permutation'` or `'random'` blocks. Default false.
   */
  workingSet?: boolean
  /** D_i of `'gsd'`: `'lipschitz'` (τ L_i, default) or `'row-sums'` (Σ_j |H_ij|). */
  diagonal?: 'lipschitz' | 'row-sums'
  /** Weight of |d|³ / 6 in the model of `'gsn'` on fixed blocks. Default 0. */
  cubic?: number
  /** Rows and columns of the lattice of `'combs'`; their product is the number of coordinates. */
  lattice?: [number, number]
  /** Start. Default 0, moved into the bounds. */
  x0?: VectorLike
  /** Record value and block of every iteration. Default false. */
  history?: boolean
  /** Whole number in [0, 2^53) for the random rules. Default 0. */
  seed?: number
}

const names: ReadonlySet<string> = new Set([
  ...['partition', 'selection', 'update', 'blockSize', 'diagonal', 'cubic', 'lattice', 'x0', 'history', 'seed'],
  ...['workingSet', 'tolerance', 'maxIterations'],
  ...runNames,
])

export interface CheckedOptions {
  run: RunOptions
  rules: DescentRules
  x: Float64Array
  history: boolean
}

const trees: ReadonlySet<string> = new Set(['gs-tree', 'gsl-tree', 'random-tree'])
const sweeps: ReadonlySet<string> = new Set(['cyclic', 'permutation', 'random'])
const graphPartitions: ReadonlySet<string> = new Set(['red-black', 'colouring', 'combs', 'forests'])
/** All blocks of that many are tried by 'mi'. */
const mostTried = 200_000

/** A thousand passes, and at least 100,000 blocks: the paper's experiments stop at 500. */
const defaultIterations = (n: number, blockSize: number) =>
  Math.min(2 ** 31 - 1, Math.max(100_000, 1000 * Math.ceil(n / blockSize)))

const needsGraph = ({ partition, selection, update }: DescentRules): boolean =>
  graphPartitions.has(partition) || trees.has(selection) || update === 'message-passing'

/** For a problem of n coordinates. */
export function checkOptions(
  options: BlockCoordinateDescentOptions,
  n: number,
  { composite, quadratic }: { composite: boolean; quadratic: boolean },
): CheckedOptions {
  const run = checkRunOptions(options, names, '{ partition, selection, update, … }')
  const given = checkBlocks(options.partition, n)
  const partition =
    given !== null
      ? 'given'
      : oneOf(
          'partition',
          options.partition,
          partitions.filter((name) => name !== 'given'),
          'variable',
        )
  const selection = oneOf('selection', options.selection, selections, 'gsd')
  const update = oneOf('update', options.update, updates, composite ? 'two-metric' : 'matrix')
  const blockSize = Math.min(n, whole('blockSize', options.blockSize, 5, 1))
  const rules: DescentRules = {
    partition,
    selection,
    update,
    blockSize,
    rowSums: oneOf('diagonal', options.diagonal, ['lipschitz', 'row-sums'] as const, 'lipschitz') === 'row-sums',
    cubic: nonNegative('cubic', options.cubic, 0),
    lattice: [0, 0],
    givenStart: given?.start ?? new Int32Array(0),
    givenIndices: given?.indices ?? new Int32Array(0),
    tolerance: nonNegative('tolerance', options.tolerance, 1e-6),
    maxIterations: whole('maxIterations', options.maxIterations, defaultIterations(n, blockSize), 0),
    workingSet: flag('workingSet', options.workingSet, false),
    threads: run.threads,
    seed: whole('seed', options.seed, 0, 0, Number.MAX_SAFE_INTEGER),
  }
  const variable = partition === 'variable'
  if (selection === 'gsq' && variable) refuse('selection', "'iht' with variable blocks ('gsq' is NP-hard there)", 'gsq')
  if (selection === 'iht' && !variable) refuse('selection', "'gsq' with fixed blocks", 'iht')
  if (selection === 'iht' && composite) refuse('selection', "'gsd' with L1 terms or bounds", 'iht')
  if (selection === 'gsn' && composite && variable) refuse('selection', 'fixed blocks with L1 terms or bounds', 'gsn')
  if (rules.cubic > 0 && (composite || variable))
    refuse('cubic', '0 with variable blocks, L1 terms or bounds', rules.cubic)
  if (trees.has(selection) && !variable) refuse('partition', `'variable' with '${selection}'`, partition)
  if (rules.workingSet && !composite) refuse('workingSet', 'false without L1 terms or bounds', true)
  if (rules.workingSet && !(variable && sweeps.has(selection))) {
    refuse('workingSet', "false but with variable blocks that are 'cyclic', 'permutation' or 'random'", true)
  }
  if (update === 'exact' && !quadratic) refuse('update', "'newton' for a loss that is not quadratic", 'exact')
  if (needsGraph(rules) && composite && ['matrix', 'newton', 'exact', 'message-passing'].includes(update)) {
    refuse('update', "'gradient', 'lipschitz-approximation' or 'two-metric' on forests with L1 terms or bounds", update)
  }
  if (needsGraph(rules) && rules.cubic > 0) refuse('cubic', '0 on forests', rules.cubic)
  if (selection === 'mi' && variable) {
    let count = 1
    for (let k = 1; k <= blockSize && count <= mostTried; k++) count = (count * (n - k + 1)) / k
    if (count > mostTried) refuse('selection', `another rule than 'mi' beyond ${mostTried} blocks to try`, 'mi')
  }
  if (partition === 'combs') rules.lattice = checkLattice(options.lattice, n)
  return { run, rules, x: start(options.x0, n), history: flag('history', options.history, false) }
}

function refuse(name: string, expected: string, came: unknown): never {
  throw new ExtremaError('ERR_OPTION', `${name}: expected ${expected}, got ${describe(came)}`)
}

function checkLattice(lattice: unknown, n: number): [number, number] {
  const list = Array.isArray(lattice) ? lattice : []
  const [rows, columns] = list
  if (
    list.length === 2 &&
    Number.isInteger(rows) &&
    Number.isInteger(columns) &&
    rows * columns === n &&
    columns >= 2
  ) {
    return [rows, columns]
  }
  throw new ExtremaError(
    'ERR_OPTION',
    `lattice: expected [rows, columns >= 2] with a product of ${n}, got ${Array.isArray(lattice) ? `[${list}]` : describe(lattice)}`,
  )
}

function checkBlocks(partition: unknown, n: number): { start: Int32Array; indices: Int32Array } | null {
  if (!Array.isArray(partition)) return null
  const seen = new Uint8Array(n)
  const start = new Int32Array(partition.length + 1)
  const indices = new Int32Array(n)
  let count = 0
  partition.forEach((block: ArrayLike<number>, b) => {
    if (typeof block !== 'object' || block === null || !Number.isInteger(block.length)) {
      throw new ExtremaError('ERR_SHAPE', `partition[${b}]: expected an array of coordinates, got ${describe(block)}`)
    }
    for (let a = 0; a < block.length; a++) {
      const i = block[a]
      if (!Number.isInteger(i) || i < 0 || i >= n || seen[i] === 1) {
        throw new ExtremaError(
          'ERR_SHAPE',
          `partition[${b}][${a}]: expected coordinates below ${n}, each once, got ${describe(i)}`,
        )
      }
      seen[i] = 1
      indices[count++] = i
    }
    start[b + 1] = count
  })
  if (count < n) {
    throw new ExtremaError('ERR_SHAPE', `partition: expected all ${n} coordinates, got ${count} of them`)
  }
  return { start, indices }
}

function start(x0: VectorLike | undefined, n: number): Float64Array {
  if (x0 === undefined) return new Float64Array(n)
  const x = toFloat64('x0', x0)
  if (x.length !== n) throw new ExtremaError('ERR_SHAPE', `x0: expected ${n} numbers, got ${x.length}`)
  return checkFinite('x0', x).slice()
}
