import type { TransportProblemData } from '../../kernels.js'
import type { Watch, Work } from '../work.js'
import { Anderson } from './anderson.js'
import { innerProduct, sum } from './sums.js'

// Twin of native/transport/sinkhorn-acceleration.cc.

/** Targets with less than this part of the mean weight are left to the plain iteration: extrapolated, they explode. */
const negligible = 1e-10
/** Where values agree to rounding, errors decide. */
const worse = 2
const longestWait = 2 ** 20
/** Extrapolations kept in a row that halve the number of plain steps after the next refusal. */
const streakLength = 16

/**
 * Anderson acceleration of Sinkhorn's iteration as a map of g to itself. With the f of its sweep, g has the semi-dual
 * value H(g) = a·f + b·g, and the sweep's own step to (f, g') the dual value D = a·f + b·g' <= H(g'). An extrapolated g
 * is kept if its H is at least the D of the step it replaced, so that values never fall below those of plain steps;
 * else that step is taken after all, and twice as many plain ones as the last time.
 */
export class SinkhornAcceleration {
  private readonly least: number
  private readonly anderson: Anderson
  private readonly x: Float64Array
  private readonly image: Float64Array
  private extrapolated = false
  private wait = 0
  private penalty = 1
  private streak = 0
  private value = 0
  private dual = 0
  private best = Number.POSITIVE_INFINITY
  private error = 0

  /** `unit`: the relative rounding error of potentials. */
  constructor(
    private readonly problem: TransportProblemData,
    private readonly unit: number,
    g: Float64Array,
  ) {
    this.least = (negligible * sum(problem.b)) / problem.m
    this.anderson = new Anderson(1, problem.m)
    this.x = g.slice()
    this.image = new Float64Array(problem.m)
  }

  /** The state after a sweep, and the column error of the g it began with: whether that g was worth keeping. */
  sound(f: Float64Array, g: Float64Array, error: number): boolean {
    const { problem, x } = this
    const { a, b } = problem
    const rows = innerProduct(a, f)
    const value = rows + innerProduct(b, x)
    let size = 0
    for (let i = 0; i < f.length; i++) size += Math.abs(a[i] * f[i])
    for (let j = 0; j < x.length; j++) size += Math.abs(b[j] * x[j])
    const noise = 64 * this.unit * size
    this.value = rows + innerProduct(b, g)
    this.error = error
    if (!this.extrapolated) return true
    const gain = value - this.dual
    return gain > noise || (gain >= -noise && error <= worse * this.best)
  }

  /** Puts the g to go on from in place of the sweep's. After a sweep that was not sound: that of the last plain step. */
  *advance(sound: boolean, g: Float64Array, monitor: Watch): Work<void> {
    const { anderson, x, image } = this
    if (!sound) {
      anderson.clear()
      this.wait = this.penalty
      this.penalty = Math.min(2 * this.penalty, longestWait)
      this.streak = 0
      g.set(image)
      this.keep(g)
      return
    }
    if (this.extrapolated && ++this.streak % streakLength === 0)
      this.penalty = Math.max(Math.floor(this.penalty / 2), 1)
    this.dual = this.value
    this.best = Math.min(this.best, this.error)
    if (this.wait > 0) {
      this.wait--
      this.keep(g)
      return
    }
    image.set(g)
    this.extrapolated = yield* anderson.advance(x, image, this.problem.b, this.least, monitor)
    g.set(x)
  }

  /** Goes on from g itself. */
  keep(g: Float64Array): void {
    this.x.set(g)
    this.extrapolated = false
  }
}
