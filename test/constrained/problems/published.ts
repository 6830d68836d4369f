import type { EqualityConstrainedProblem } from '../../../lib/constrained/index.js'
import { boggsTolle } from './boggs-tolle.js'
import { cutest } from './cutest.js'
import { hockSchittkowski } from './hock-schittkowski.js'
import { Jet } from './jet.js'

/** An equality-constrained problem with a published optimum. */
export interface Published {
  name: string
  x0: number[]
  objective(x: Jet[]): Jet
  constraints(x: Jet[]): Jet[]
  optimum: number
  /** Values of other local optima that the source has. */
  others?: number[]
  /** KKT residual that it takes for |f - f*| <= 1e-4, where 1e-4 is not enough. */
  tolerance?: number
}

export const published: Published[] = [...hockSchittkowski, ...boggsTolle, ...cutest]

/** The oracles of a published problem, from its formulas; λ₀ = 0. */
export function oraclesOf({ x0, objective, constraints }: Published): EqualityConstrainedProblem {
  const m = constraints(Jet.variables(x0)).length
  return {
    x0,
    multipliers0: new Float64Array(m),
    value: (x) => objective(Jet.variables(x)).value,
    gradient: (x) => objective(Jet.variables(x)).gradient,
    constraints: (x) => constraints(Jet.variables(x)).map((c) => c.value),
    jacobian: (x) => constraints(Jet.variables(x)).map((c) => c.gradient),
    hessian: (x, multipliers) => {
      const variables = Jet.variables(x)
      const total = objective(variables).hessian.slice()
      constraints(variables).forEach((c, j) => {
        c.hessian.forEach((value, k) => {
          total[k] += multipliers[j] * value
        })
      })
      return { data: total, shape: [x.length, x.length] }
    },
  }
}
