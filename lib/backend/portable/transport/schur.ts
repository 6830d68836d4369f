import type { Watch, Work } from '../work.js'

/**
 * The Newton system of the entropic dual, times epsilon. S is the plan or its large entries, the diagonals are those of
 * the whole plan (a and b, plus a shift), so that the matrix is diagonally dominant:
 *
 *     [ D_a   S  ] [p]   [x]
 *     [ S^T  D_b ] [q] = [y]
 */
export interface NewtonSystem {
  /** n */
  diagonalA: Float64Array
  /** m */
  diagonalB: Float64Array
  x: Float64Array
  y: Float64Array
}

/** The products with S that eliminating one of the two blocks of unknowns takes. */
export interface PlanOperator {
  /** p is eliminated, q iterated on; else the other way round. */
  readonly rowsEliminated: boolean
  /** Sizes of the two blocks. */
  readonly eliminated: number
  readonly kept: number
  /** Diagonal of the eliminated block, D. */
  readonly pivot: Float64Array
  /** w = S^T D^-1 S q */
  normal(q: Float64Array, w: Float64Array): Work<void>
  /** p = S q */
  forward(q: Float64Array, p: Float64Array): Work<void>
  /** w = S^T p */
  backward(p: Float64Array, w: Float64Array): Work<void>
  /** The diagonal of S^T D^-1 S, where it is worth the work. */
  normalDiagonal?(diagonal: Float64Array): Work<void>
}

/**
 * Conjugate gradients on the Schur complement (D_b - S^T D_a^-1 S) q = y - S^T D_a^-1 x, preconditioned by its diagonal;
 * then p = D_a^-1 (x - S q).
 */
export class SchurSolver {
  private readonly residual: Float64Array
  private readonly preconditioned: Float64Array
  private readonly search: Float64Array
  private readonly product: Float64Array
  private readonly diagonal: Float64Array
  private readonly pivotRight: Float64Array

  constructor(n: number, m: number) {
    const longer = Math.max(n, m)
    this.residual = new Float64Array(longer)
    this.preconditioned = new Float64Array(longer)
    this.search = new Float64Array(longer)
    this.product = new Float64Array(longer)
    this.diagonal = new Float64Array(longer)
    this.pivotRight = new Float64Array(longer)
  }

  /** Until the residual's L1 norm is at most `target`. Returns the number of iterations. */
  *solve(
    plan: PlanOperator,
    system: NewtonSystem,
    target: number,
    most: number,
    p: Float64Array,
    q: Float64Array,
    monitor: Watch,
  ): Work<number> {
    const { kept, eliminated, rowsEliminated, pivot } = plan
    const { pivotRight } = this
    const diagonal = rowsEliminated ? system.diagonalB : system.diagonalA
    const right = rowsEliminated ? system.y : system.x
    const rightEliminated = rowsEliminated ? system.x : system.y
    const solution = rowsEliminated ? q : p
    const substituted = rowsEliminated ? p : q
    const r = this.residual
    const z = this.preconditioned
    const s = this.search
    const w = this.product
    const jacobi = this.diagonal

    jacobi.fill(0)
    if (plan.normalDiagonal !== undefined) yield* plan.normalDiagonal(jacobi)
    for (let j = 0; j < kept; j++) jacobi[j] = Math.max(diagonal[j] - jacobi[j], 1e-14 * diagonal[j])
    for (let i = 0; i < eliminated; i++) pivotRight[i] = rightEliminated[i] / pivot[i]
    yield* plan.backward(pivotRight, r)
    for (let j = 0; j < kept; j++) r[j] = right[j] - r[j]
    solution.fill(0, 0, kept)
    s.fill(0, 0, kept)
    let rzBefore = 1
    let iteration = 0
    for (; iteration < most; iteration++) {
      if (monitor.expired() || !(size(r, kept) > target)) break
      for (let j = 0; j < kept; j++) z[j] = r[j] / jacobi[j]
      const rz = innerProduct(r, z, kept)
      const beta = iteration === 0 ? 0 : rz / rzBefore
      rzBefore = rz
      for (let j = 0; j < kept; j++) s[j] = z[j] + beta * s[j]
      yield* plan.normal(s, w)
      for (let j = 0; j < kept; j++) w[j] = diagonal[j] * s[j] - w[j]
      const curvature = innerProduct(s, w, kept)
      if (!(curvature > 0)) break // rounding: no more is to be had
      const alpha = rz / curvature
      for (let j = 0; j < kept; j++) {
        solution[j] += alpha * s[j]
        r[j] -= alpha * w[j]
      }
      if (monitor.due()) yield
    }
    yield* plan.forward(solution, substituted)
    for (let i = 0; i < eliminated; i++) substituted[i] = (rightEliminated[i] - substituted[i]) / pivot[i]
    return iteration
  }
}

// Four partial sums, so that the additions overlap.

/** |x|_1 */
function size(x: Float64Array, count: number): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let k = 0
  for (; k + 4 <= count; k += 4) {
    s0 += Math.abs(x[k])
    s1 += Math.abs(x[k + 1])
    s2 += Math.abs(x[k + 2])
    s3 += Math.abs(x[k + 3])
  }
  for (; k < count; k++) s0 += Math.abs(x[k])
  return s0 + s1 + (s2 + s3)
}

/** x·y */
function innerProduct(x: Float64Array, y: Float64Array, count: number): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let k = 0
  for (; k + 4 <= count; k += 4) {
    s0 += x[k] * y[k]
    s1 += x[k + 1] * y[k + 1]
    s2 += x[k + 2] * y[k + 2]
    s3 += x[k + 3] * y[k + 3]
  }
  for (; k < count; k++) s0 += x[k] * y[k]
  return s0 + s1 + (s2 + s3)
}
