import { ExtremaError } from '../../../core/errors.js'
import { iterativeField as field, type IterativeSettings } from '../../linear-sparse.js'
import type { Apply, Step, Watch } from './step.js'
import { dot } from './vectors.js'

/** In the order of `statuses` in lib/core/solution.ts. */
export const ended = { converged: 0, iterationLimit: 1, timeLimit: 2, stalled: 3 } as const

/** A system on the way to its solution. Apply functions are those of operators, or of a caller's oracles. */
export interface System {
  n: number
  rows: number
  apply: Apply
  applyTranspose?: Apply
  precondition: Apply | null
  /** Of a preconditioner M = RᵀR: R⁻¹ and R⁻ᵀ. */
  half?: Apply
  halfTranspose?: Apply
  b: Float64Array
  x: Float64Array
  nullVector: Float64Array | null
  settings: IterativeSettings
  history: Float64Array | null
  report: Float64Array
}

/** What every iteration does between its steps: keeps the history, and says when to stop. */
export class Course {
  iterations = 0
  residual = 0
  matvecs = 0

  constructor(
    private readonly system: Pick<System, 'settings' | 'history' | 'report'>,
    private readonly monitor: Watch,
  ) {}

  record(residual: number): void {
    const { history } = this.system
    if (history !== null && this.iterations < history.length) history[this.iterations] = residual
    this.residual = residual
    this.monitor.progress(this.iterations, residual)
  }

  /** x = 0 is the solution where b is zero: that ends it. */
  endsAtZero(size: number, x: Float64Array): boolean {
    if (size !== 0) return false
    x.fill(0)
    this.record(0)
    this.end(ended.converged)
    return true
  }

  /** Throws ERR_NOT_POSITIVE if two random vectors show that A is not symmetric, where that is to be checked. */
  *checkSymmetry(apply: Apply, n: number): Step<void> {
    if (!this.system.settings.checkSymmetry) return
    yield* probeSymmetry(apply, n)
    this.matvecs += 2
  }

  /** undefined if another iteration may start. */
  limit(): number | undefined {
    if (this.iterations >= this.system.settings.maxIterations) return ended.iterationLimit
    return this.monitor.expired() ? ended.timeLimit : undefined
  }

  end(how: number): void {
    const { report, history } = this.system
    report[field.ended] = how
    report[field.iterations] = this.iterations
    report[field.residual] = this.residual
    report[field.historyLength] = Math.min(this.iterations + 1, history?.length ?? 0)
    report[field.matvecs] = this.matvecs
  }

  /** The end without convergence at a residual that may be one all the same. */
  endBy(limit: number): void {
    this.end(this.residual <= this.system.settings.tolerance ? ended.converged : limit)
  }
}

/** A fixed number in [-1, 1) for each place, the same as in native/linear/iterative.cc. */
function scattered(place: number): number {
  let x = place | 0
  x ^= x >>> 16
  x = Math.imul(x, 0x7feb352d)
  x ^= x >>> 15
  x = Math.imul(x, 0x846ca68b)
  x ^= x >>> 16
  return (x >>> 0) / 2147483648 - 1
}

/** Far above rounding errors, far below what a mistake would leave. */
const asymmetry = 1e-10

function* probeSymmetry(apply: Apply, n: number): Step<void> {
  const u = Float64Array.from({ length: n }, (_, i) => scattered(2 * i + 1))
  const v = Float64Array.from({ length: n }, (_, i) => scattered(2 * i + 2))
  const w = new Float64Array(n)
  yield* apply(u, w)
  const one = dot(v, w)
  const size = Math.sqrt(dot(u, u) * dot(w, w))
  yield* apply(v, w)
  if (Math.abs(one - dot(u, w)) <= asymmetry * size) return
  checkRange(size)
  throw new ExtremaError(
    'ERR_NOT_POSITIVE',
    'matrix: expected a symmetric one, got one that two random vectors show is not',
  )
}

export function checkRange(value: number): void {
  if (Number.isFinite(value)) return
  throw new ExtremaError('ERR_NOT_FINITE', 'matrix: expected products within the range of float64, got an overflow')
}
