import type { Context } from './context.js'

/** The first epsilon is the range of the costs over this. */
const startDivisor = 20
/** About what epsilon is divided by from stage to stage. */
const stageFactor = 2
/** Costs further above the least than this many epsilon count as forbidden. */
const widestRange = 1e9

/** The epsilons of a continuation, from a part of the range of the costs down to the problem's own. */
export class Continuation {
  /** Of the costs. */
  readonly range: number
  /** Stage. */
  readonly last: number
  private readonly epsilon: number
  private readonly ratio: number

  constructor({ settings, range }: Context) {
    const { epsilon } = settings
    this.epsilon = epsilon
    this.range = Math.min(range.most - range.least, widestRange * epsilon)
    const first = Math.max(this.range / startDivisor, epsilon)
    const halvings = Math.round(Math.log(first / epsilon) / Math.log(stageFactor))
    this.last = first > epsilon ? Math.max(halvings, 1) : halvings
    this.ratio = this.last === 0 ? 1 : (epsilon / first) ** (1 / this.last)
  }

  epsilonOf(stage: number): number {
    return stage === this.last ? this.epsilon : this.epsilon * this.ratio ** (stage - this.last)
  }
}
