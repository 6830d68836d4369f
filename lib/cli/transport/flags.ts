import type { CostName } from '../epsilon.js'
import type { SolverFlags } from '../solver.js'

/** The options of `extrema transport`. */
export interface TransportFlags extends SolverFlags {
  cost?: CostName
  costMatrix?: string
  columns?: string[]
  weights?: string
  sourceWeights?: string
  targetWeights?: string
  normalize?: boolean
  certificate?: boolean
  out?: string
  threshold?: number
  plot?: string
  json?: boolean
}
