import type { CsrData, PreconditionerData } from '../../linear-sparse.js'
import { portableOperator } from './operators.js'
import { Split } from './split.js'
import { stencilSweeps } from './stencil-sweeps.js'
import { type Apply, type Step, segment, type Watch } from './step.js'
import { axpy, dot } from './vectors.js'

export interface PortablePreconditioner {
  /** z = M⁻¹ r; z is not r. */
  apply: Apply
  /** Of M = RᵀR: z = R⁻¹ r and z = R⁻ᵀ r, in place where z is r. */
  half?: Apply
  halfTranspose?: Apply
}

export function portablePreconditioner(data: PreconditionerData, monitor: Watch): PortablePreconditioner {
  switch (data.kind) {
    case 'jacobi':
      return {
        *apply(r, z) {
          for (let i = 0; i < r.length; i++) z[i] = data.inverse[i] * r[i]
          if (monitor.due()) yield
        },
      }
    case 'ssor': {
      const { omega } = data
      const split = new Split(data.matrix, true, monitor)
      const factor = omega * (2 - omega)
      return {
        *apply(r, z) {
          yield* split.forward(r, omega, z)
          for (let i = 0; i < z.length; i++) z[i] *= factor
          yield* split.backward(z, omega, z)
        },
      }
    }
    case 'triangular':
      return { apply: (r, z) => triangular(data.lower, r, z, monitor) }
    case 'upper': {
      const { n, r: factor } = data
      const half: Apply = (r, z) => solveUpper(n, factor, r, z, monitor)
      const halfTranspose: Apply = (r, z) => solveUpperTransposed(n, factor, r, z, monitor)
      return {
        *apply(r, z) {
          yield* halfTranspose(r, z)
          yield* half(z, z)
        },
        half,
        halfTranspose,
      }
    }
    case 'deflation':
      return deflation(data, data.inner === null ? null : portablePreconditioner(data.inner, monitor).apply, monitor)
    case 'stencil':
      return { apply: (r, z) => stencilSweeps(data, r, z, monitor) }
    case 'operator':
      return { apply: portableOperator(data.operator, monitor).apply }
  }
}

type Deflation = Extract<PreconditionerData, { kind: 'deflation' }>

/** With any M inside. */
export function deflation(data: Omit<Deflation, 'inner'>, inner: Apply | null, monitor: Watch): PortablePreconditioner {
  const { n, k, vectors, images, cholesky } = data
  const coarse = new Float64Array(k)
  const row = (of: Float64Array, j: number) => of.subarray(j * n, (j + 1) * n)
  return {
    *apply(r, z) {
      if (inner === null) z.set(r)
      else yield* inner(r, z)
      // W E⁻¹ (Wᵀ r - (AW)ᵀ M⁻¹ r)
      for (let j = 0; j < k; j++) coarse[j] = dot(row(vectors, j), r) - dot(row(images, j), z)
      solveCholesky(cholesky, coarse)
      for (let j = 0; j < k; j++) axpy(coarse[j], row(vectors, j), z)
      if (monitor.due()) yield
    },
  }
}

function* triangular(lower: CsrData, r: Float64Array, z: Float64Array, monitor: Watch): Step<void> {
  const { rows, indptr, indices, data } = lower
  for (let i = 0; i < rows; i++) {
    const end = indptr[i + 1] - 1
    let sum = r[i]
    for (let k = indptr[i]; k < end; k++) sum -= data[k] * z[indices[k]]
    z[i] = sum / data[end]
    if (i % segment === 0 && monitor.due()) yield
  }
  for (let i = rows - 1; i >= 0; i--) {
    const end = indptr[i + 1] - 1
    const value = z[i] / data[end]
    z[i] = value
    for (let k = indptr[i]; k < end; k++) z[indices[k]] -= data[k] * value
    if (i % segment === 0 && monitor.due()) yield
  }
}

function* solveUpper(n: number, upper: Float64Array, r: Float64Array, z: Float64Array, monitor: Watch): Step<void> {
  for (let i = n - 1; i >= 0; i--) {
    let sum = r[i]
    for (let j = i + 1; j < n; j++) sum -= upper[i * n + j] * z[j]
    z[i] = sum / upper[i * n + i]
    if (i % 64 === 0 && monitor.due()) yield
  }
}

function* solveUpperTransposed(
  n: number,
  upper: Float64Array,
  r: Float64Array,
  z: Float64Array,
  monitor: Watch,
): Step<void> {
  if (z !== r) z.set(r)
  for (let i = 0; i < n; i++) {
    z[i] /= upper[i * n + i]
    for (let j = i + 1; j < n; j++) z[j] -= upper[i * n + j] * z[i]
    if (i % 64 === 0 && monitor.due()) yield
  }
}

/** x <- (C Cᵀ)⁻¹ x, C lower triangular. */
export function solveCholesky(c: Float64Array, x: Float64Array): void {
  const k = x.length
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < i; j++) x[i] -= c[i * k + j] * x[j]
    x[i] /= c[i * k + i]
  }
  for (let i = k - 1; i >= 0; i--) {
    for (let j = i + 1; j < k; j++) x[i] -= c[j * k + i] * x[j]
    x[i] /= c[i * k + i]
  }
}
