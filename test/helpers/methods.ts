import type { BackendName } from '../../lib/index.js'
import {
  type SinkhornNewtonSparseOptions,
  type SinkhornOptions,
  sinkhorn,
  sinkhornBatch,
  sinkhornNewtonSparse,
  sinkhornNewtonSparseBatch,
  sinkhornNewtonSparseSync,
  sinkhornSync,
  type TransportProblem,
  type TransportSolution,
} from '../../lib/transport/index.js'

type Options = SinkhornNewtonSparseOptions & SinkhornOptions

/** An entropic solver in its three forms, with the backend and variant filled in. */
export interface Method {
  name: string
  run(problem: TransportProblem, options: Options): Promise<TransportSolution>
  runSync(problem: TransportProblem, options: Options): TransportSolution
  runBatch(problems: readonly TransportProblem[], options: Options): Promise<TransportSolution[]>
}

type Forms = Omit<Method, 'name'>

const sinkhornForms: Forms = { run: sinkhorn, runSync: sinkhornSync, runBatch: sinkhornBatch }
const newtonForms: Forms = {
  run: sinkhornNewtonSparse,
  runSync: sinkhornNewtonSparseSync,
  runBatch: sinkhornNewtonSparseBatch,
}

function method(name: string, forms: Forms, preset: Partial<Options>): Method {
  return {
    name,
    run: (problem, options) => forms.run(problem, { ...preset, ...options }),
    runSync: (problem, options) => forms.runSync(problem, { ...preset, ...options }),
    runBatch: (problems, options) => forms.runBatch(problems, { ...preset, ...options }),
  }
}

export function sinkhornOn(backend: BackendName): Method {
  return method('sinkhorn', sinkhornForms, { backend })
}

/** The iteration as it is: its course does not hang on rounding. */
export function plainSinkhornOn(backend: BackendName): Method {
  return method('sinkhorn (plain)', sinkhornForms, { backend, acceleration: 'none' })
}

export function adaptiveOn(backend: BackendName): Method {
  return method('sinkhornNewtonSparse', newtonForms, { backend })
}

/** The paper's form with the whole Hessian kept: on small problems of any kind it should get there. */
export function paperOn(backend: BackendName): Method {
  return method('sinkhornNewtonSparse (paper)', newtonForms, { backend, variant: 'paper', sparsity: 1 })
}

/** All of them: whatever solves the same problem must return the same answer. */
export function methodsOn(backend: BackendName): Method[] {
  return [sinkhornOn(backend), adaptiveOn(backend), paperOn(backend)]
}
