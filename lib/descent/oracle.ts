// biome-ignore-all lint/correctness/useYield: the methods of a model are generators, whether or not this one waits.
import type { DescentRules } from '../backend/descent.js'
import type { Control } from '../backend/kernels.js'
import type { Flow } from '../backend/portable/descent/flow.js'
import type { Graph, Model, SparseBlock } from '../backend/portable/descent/model.js'
import { Monitor } from '../backend/portable/driver.js'
import { type FloatArray, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, whole } from '../core/options.js'
import type { SeparableTerms } from './problem.js'

/** f by functions of your own; each may return a promise. x is only lent: copy it to keep it. */
export interface OracleProblem extends SeparableTerms {
  /** Number of coordinates. */
  n: number
  /** f(x) */
  value(x: Float64Array): number | Promise<number>
  /** ∇f(x) */
  gradient(x: Float64Array): VectorLike | Promise<VectorLike>
  /** L_i >= ∂²f/∂x_i² everywhere; without them `update` is 'lipschitz-approximation' (the default then), 'newton' or 'two-metric'. */
  lipschitz?: VectorLike
  /** The block of ∇²f(x), row-major, for 'newton', 'two-metric' and 'gsn'. */
  hessian?(x: Float64Array, block: Int32Array): VectorLike | Promise<VectorLike>
}

const names: ReadonlySet<string> = new Set(['n', 'value', 'gradient', 'lipschitz', 'hessian', 'l1', 'lower', 'upper'])

export const isOracle = (problem: object): problem is OracleProblem => !('loss' in problem) && 'value' in problem

export function checkOracle(problem: OracleProblem): void {
  checkNames('problem', problem, names)
  whole('n', problem.n, -1, 1)
  for (const name of ['value', 'gradient'] as const) {
    if (typeof problem[name] === 'function') continue
    throw new ExtremaError('ERR_ORACLE', `${name}: expected a function of x, got ${describe(problem[name])}`)
  }
  if (problem.hessian !== undefined && typeof problem.hessian !== 'function') {
    throw new ExtremaError(
      'ERR_ORACLE',
      `hessian: expected a function of x and block, got ${describe(problem.hessian)}`,
    )
  }
}

/** Refuses rules that ask what the oracles cannot tell. */
export function checkOracleRules({ lipschitz, hessian }: OracleProblem, rules: DescentRules): void {
  const refuse = (name: string, expected: string, came: string): never => {
    throw new ExtremaError('ERR_OPTION', `${name}: expected ${expected}, got '${came}'`)
  }
  const { partition, selection, update } = rules
  if (rules.rowSums || partition.endsWith('row-sums')) refuse('diagonal', "'lipschitz' with oracles", 'row-sums')
  if (['red-black', 'colouring', 'combs', 'forests'].includes(partition)) {
    refuse('partition', 'one without a graph with oracles', partition)
  }
  if (selection.endsWith('-tree') || selection === 'iht' || (selection === 'gsn' && partition === 'variable')) {
    refuse('selection', 'one without a whole Hessian with oracles', selection)
  }
  if (update === 'message-passing' || update === 'exact') refuse('update', "'newton' with oracles", update)
  if ((update === 'newton' || update === 'two-metric' || selection === 'gsn') && hessian === undefined) {
    refuse('update', "'lipschitz-approximation' without the oracle hessian", update)
  }
  if (lipschitz === undefined && (update === 'gradient' || update === 'matrix' || selection === 'gsq')) {
    refuse('update', "'lipschitz-approximation' without lipschitz", update)
  }
}

/** The model of an {@link OracleProblem}: its bound is H_b = diag(size · L_i) ⪰ ∇²_bb f. */
export class OracleModel implements Model {
  readonly n: number
  readonly quadratic = false
  readonly name = 'value'
  readonly tracks = true
  readonly semidefinite = false
  readonly lipschitz: Float64Array
  readonly gradient: Float64Array
  private current = 0
  private next = 0
  private readonly trialPoint: Float64Array

  constructor(
    private readonly problem: OracleProblem,
    private readonly x: Float64Array,
  ) {
    const { n } = problem
    this.n = n
    this.gradient = new Float64Array(n)
    this.trialPoint = new Float64Array(n)
    this.lipschitz = new Float64Array(n).fill(1)
    if (problem.lipschitz === undefined) return
    const given = toFloat64('lipschitz', problem.lipschitz)
    if (given.length !== n) {
      throw new ExtremaError('ERR_SHAPE', `lipschitz: expected ${n} numbers, got ${given.length}`)
    }
    for (let i = 0; i < n; i++) {
      if (given[i] >= 0 && given[i] < Number.POSITIVE_INFINITY) continue
      throw new ExtremaError('ERR_NOT_POSITIVE', `lipschitz[${i}]: expected a finite number >= 0, got ${given[i]}`)
    }
    this.lipschitz.set(given)
  }

  private *number(x: Float64Array): Flow<number> {
    const value = yield* awaited(this.problem.value(x))
    if (typeof value === 'number' && !Number.isNaN(value)) return value
    throw new ExtremaError('ERR_ORACLE', `value: expected a number, got ${describe(value)}`)
  }

  private *numbers(name: string, given: unknown, length: number): Flow<FloatArray> {
    const value = toFloat64(name, (yield* awaited(given)) as VectorLike)
    if (value.length !== length) {
      throw new ExtremaError('ERR_ORACLE', `${name}: expected ${length} numbers, got ${value.length}`)
    }
    for (let i = 0; i < length; i++) {
      if (Number.isFinite(value[i])) continue
      throw new ExtremaError('ERR_ORACLE', `${name}[${i}]: expected a finite number, got ${value[i]}`)
    }
    return value
  }

  *refresh(): Flow<number> {
    this.current = yield* this.number(this.x)
    if (!Number.isFinite(this.current)) {
      throw new ExtremaError('ERR_ORACLE', `value: expected a finite number at the start, got ${this.current}`)
    }
    this.gradient.set(yield* this.numbers('gradient', this.problem.gradient(this.x), this.n))
    return this.current
  }

  *gradientScale(): Flow<number> {
    return this.gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0)
  }

  *blockGradient(block: Int32Array, size: number, out: Float64Array): Flow<void> {
    for (let a = 0; a < size; a++) out[a] = this.gradient[block[a]]
  }

  *bound(block: Int32Array, size: number, out: Float64Array): Flow<void> {
    out.fill(0, 0, size * size)
    for (let a = 0; a < size; a++) out[a * size + a] = size * this.lipschitz[block[a]]
  }

  *hessian(block: Int32Array, size: number, out: Float64Array): Flow<void> {
    const { problem, x } = this
    out.set(yield* this.numbers('hessian', problem.hessian!(x, block.slice(0, size)), size * size))
  }

  *trial(block: Int32Array, size: number, _g: Float64Array, d: Float64Array): Flow<number> {
    this.trialPoint.set(this.x)
    for (let a = 0; a < size; a++) this.trialPoint[block[a]] += d[a]
    this.next = yield* this.number(this.trialPoint)
    return this.next - this.current
  }

  *accept(): Flow<void> {
    this.current = this.next
    this.gradient.set(yield* this.numbers('gradient', this.problem.gradient(this.x), this.n))
  }

  // checkOracleRules refuses the rules that ask for the rest.
  sparseBlock(_block: Int32Array, _size: number, _place: Int32Array, _current: boolean, _out: SparseBlock): Flow<void> {
    throw new ExtremaError('ERR_INTERNAL', 'sparseBlock: expected a template, got oracles')
  }
  product(): Flow<void> {
    throw new ExtremaError('ERR_INTERNAL', 'product: expected a template, got oracles')
  }
  rowSums(): Flow<Float64Array> {
    throw new ExtremaError('ERR_INTERNAL', 'rowSums: expected a template, got oracles')
  }
  graph(): Flow<Graph> {
    throw new ExtremaError('ERR_INTERNAL', 'graph: expected a template, got oracles')
  }
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value

/** What an oracle returned, once it is there. */
export function* awaited(value: unknown): Flow<unknown> {
  return isPromise(value) ? yield value : value
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Runs to the end, waiting for oracles and giving the event loop its turns. */
export async function follow(steps: (watch: Monitor) => Flow<void>, control: Control): Promise<void> {
  const monitor = new Monitor(control, false)
  const flow = steps(monitor)
  let next: IteratorResult<unknown, void> = flow.next()
  while (!next.done) {
    let goOn: () => IteratorResult<unknown, void>
    try {
      const answer = await (isPromise(next.value) ? next.value : turn())
      goOn = () => flow.next(answer)
    } catch (error) {
      goOn = () => flow.throw(error)
    }
    if (control.signal?.aborted) break
    monitor.newSlice()
    next = goOn()
  }
  if (control.signal?.aborted) throw control.signal.reason
}

/** The same here and now: no oracle may take its time. */
export function followSync(steps: (watch: Monitor) => Flow<void>, control: Control): void {
  const flow = steps(new Monitor(control, true))
  for (;;) {
    const { done, value } = flow.next()
    if (done) return
    if (!isPromise(value)) continue
    // Nobody awaits it: its failure must not end the process.
    Promise.resolve(value).catch(() => {})
    throw new ExtremaError('ERR_ORACLE', 'oracles: expected values in the Sync form, got a promise')
  }
}
