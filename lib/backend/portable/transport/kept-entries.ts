import type { CsrParts } from '../../kernels.js'
import type { Work } from '../work.js'
import type { Context } from './context.js'
import type { DualPoint } from './dual.js'
import { ThresholdPass, thresholdPass } from './threshold-pass.js'

const largestTheta = 0.1
const smallestTheta = 1e-12
/** More kept entries than this make a sparse matrix no cheaper… */
const keptFraction = 0.1
/** …unless they are few; */
const keptPerLine = 64
/** and this is as much as memory should take. */
const mostKept = 2 ** 26
/** Of the mass, in the threshold of a row or column. */
const leastShare = 1e-20

/**
 * The large entries S of a plan, which stand for it in the Newton system: those with
 * P_ij >= theta min(rowSum_i / m, columnSum_j / n), so that no row and no column loses more than its theta-th part; theta
 * falls with the error of the plan.
 */
export class KeptEntries {
  entries: CsrParts | null = null
  private leastTheta = smallestTheta

  /** At the beginning of a stage. */
  reset(): void {
    this.leastTheta = smallestTheta
  }

  /** False if there are too many even for the largest theta. Compares exponents: no pass over the plan. */
  *select(
    { cost, monitor, problem }: Context,
    { f, g, rowSum, columnSum, error, mass }: DualPoint,
    epsilon: number,
  ): Work<boolean> {
    const { n, m } = problem
    // Sums may vanish: such rows have nothing worth keeping.
    const least = leastShare * mass
    const rowLog = rowSum.map((total) => Math.log(Math.max(total, least) / m))
    const columnLog = columnSum.map((total) => Math.log(Math.max(total, least) / n))
    for (let theta = Math.max(error, this.leastTheta); ; theta *= 100) {
      theta = Math.min(theta, largestTheta)
      const pass = new ThresholdPass(epsilon, f, g, Math.log(theta))
      pass.rowLog = rowLog
      pass.columnLog = columnLog
      pass.most = Math.min(Math.max(Math.floor(keptFraction * n * m), keptPerLine * (n + m)), mostKept)
      this.entries = yield* thresholdPass(cost, pass, monitor)
      if (this.entries !== null) return true
      if (theta === largestTheta) return false
      this.leastTheta = Math.min(100 * theta, largestTheta)
    }
  }
}
