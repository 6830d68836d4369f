import { type EigenJob, factorField } from '../../linear-dense.js'
import type { Watch, Work } from '../work.js'
import {
  checkSymmetric,
  invariantError,
  probe,
  relativeDifference,
  scanMatrix,
  signOf,
  timesVector,
  transposedTimesVector,
  unitOf,
} from './matrix.js'
import { symmetricEigen as eigenpairs } from './tridiagonal-eigen.js'

export function* symmetricEigen(job: EigenJob, monitor: Watch): Work<void> {
  const { n, a, values, vectors, report } = job
  const { largest, rowSum } = yield* scanMatrix('matrix', a, n, n, monitor)
  yield* checkSymmetric('matrix', a, n, largest, monitor)
  const found = yield* eigenpairs(a, n, monitor)
  values.set(found.values)
  if (vectors === null) {
    report[factorField.residual] = largest === 0 ? 0 : yield* invariantError(a, values, unitOf(largest), monitor)
    return
  }
  for (let k = 0; k < n; k++) {
    const sign = signOf(found.vectors, k * n, n)
    for (let i = 0; i < n; i++) vectors[i * n + k] = sign * found.vectors[k * n + i]
  }
  const z = probe(n)
  const inner = yield* transposedTimesVector(vectors, n, n, z, monitor)
  for (let k = 0; k < n; k++) inner[k] *= values[k]
  const factors = yield* timesVector(vectors, n, n, inner, monitor)
  report[factorField.residual] = relativeDifference(factors, yield* timesVector(a, n, n, z, monitor), rowSum)
}
