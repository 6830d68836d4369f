import type { Work } from '../work.js'
import type { Context } from './context.js'
import type { Dual, DualPoint } from './dual.js'
import { KernelSweep } from './kernel-sweep.js'
import { PlanPass, planPass } from './plan-pass.js'
import type { NewtonSystem, PlanOperator } from './schur.js'

/** S = P, the whole plan: from memory where it was stored, else formed anew by each product. */
export class DenseOperator implements PlanOperator {
  readonly rowsEliminated = true
  readonly eliminated: number
  readonly kept: number
  readonly pivot: Float64Array

  constructor(
    private readonly context: Context,
    private readonly dual: Pick<Dual, 'epsilon' | 'store'> & { point: Pick<DualPoint, 'f' | 'g'> },
    system: NewtonSystem,
  ) {
    this.eliminated = context.problem.n
    this.kept = context.problem.m
    this.pivot = system.diagonalA
  }

  *normal(q: Float64Array, w: Float64Array): Work<void> {
    const { context, dual, pivot, eliminated, kept } = this
    const v = q.subarray(0, kept)
    const out = w.subarray(0, kept)
    if (dual.store !== null) {
      const sweep = new KernelSweep(dual.store, pivot, new Float64Array(eliminated), v, out)
      sweep.normal = true
      yield* sweep.run(context.monitor)
      return
    }
    const pass = this.pass()
    pass.scaling = 'normal'
    pass.a = pivot
    pass.columnWeight = v
    pass.columnSum = out
    yield* planPass(context.cost, pass, context.monitor)
  }

  *forward(q: Float64Array, p: Float64Array): Work<void> {
    const pass = this.pass()
    pass.columnWeight = q
    pass.rowSum = p
    yield* planPass(this.context.cost, pass, this.context.monitor)
  }

  *backward(p: Float64Array, w: Float64Array): Work<void> {
    const pass = this.pass()
    pass.scaling = 'given'
    pass.scale = p
    pass.columnSum = w
    yield* planPass(this.context.cost, pass, this.context.monitor)
  }

  private pass(): PlanPass {
    this.context.report.passes++
    return new PlanPass(this.dual.epsilon, this.dual.point.f, this.dual.point.g)
  }
}
