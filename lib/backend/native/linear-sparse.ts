import type {
  AnalyzeJob,
  CsrData,
  FactorData,
  FactorizeJob,
  FactorSolveJob,
  IncompleteCholeskyJob,
  IterativeJob,
  IterativeSettings,
  MultiplyJob,
  OperatorData,
  PreconditionerData,
  SparseKernels,
  StationaryJob,
} from '../linear-sparse.js'
import { type Exports, nativeKernel, type Runtime } from './runtime.js'

/** Plain data as native/binding/linear-sparse.cc reads it: numbers, and the arrays that they speak of. */
class Encoder {
  private readonly numbers: number[] = []
  private readonly arrays: (Float64Array | Int32Array | null)[] = []

  /** Empty arrays go as null: an array that is empty at the end has lost its buffer. */
  private array(array: Float64Array | Int32Array): void {
    this.arrays.push(array.length === 0 ? null : array)
  }

  csr({ rows, columns, indptr, indices, data }: CsrData): this {
    this.numbers.push(rows, columns)
    this.array(indptr)
    this.array(indices)
    this.array(data)
    return this
  }

  operator(operator: OperatorData | null): this {
    if (operator === null) {
      this.numbers.push(0)
      return this
    }
    switch (operator.kind) {
      case 'csr':
        this.numbers.push(1)
        this.csr(operator)
        break
      case 'transposed':
        this.numbers.push(2)
        this.operator(operator.of)
        break
      case 'dense':
        this.numbers.push(3, operator.rows, operator.columns)
        this.array(operator.data)
        break
      case 'constant-stencil':
        this.numbers.push(4, operator.grid.length, ...operator.grid, operator.center, ...operator.couplings)
        break
      case 'stencil':
        this.numbers.push(5, operator.grid.length, ...operator.grid)
        this.array(operator.center)
        for (const coupling of operator.couplings) this.array(coupling)
        break
      case 'low-rank':
        this.numbers.push(6, operator.n, operator.m, operator.scale)
        this.array(operator.diagonal)
        this.array(operator.factor)
        break
      case 'kronecker':
        this.numbers.push(7)
        this.operator(operator.left).operator(operator.right)
        break
      case 'block':
        this.numbers.push(8, ...operator.rows, ...operator.columns)
        for (const block of operator.blocks) this.operator(block)
        break
    }
    return this
  }

  preconditioner(preconditioner: PreconditionerData | null): this {
    if (preconditioner === null) {
      this.numbers.push(0)
      return this
    }
    switch (preconditioner.kind) {
      case 'jacobi':
        this.numbers.push(1, preconditioner.inverse.length)
        this.array(preconditioner.inverse)
        break
      case 'ssor':
        this.numbers.push(2, preconditioner.omega)
        this.csr(preconditioner.matrix)
        break
      case 'triangular':
        this.numbers.push(3)
        this.csr(preconditioner.lower)
        break
      case 'upper':
        this.numbers.push(4, preconditioner.n)
        this.array(preconditioner.r)
        break
      case 'deflation':
        this.numbers.push(5, preconditioner.n, preconditioner.k)
        this.array(preconditioner.vectors)
        this.array(preconditioner.images)
        this.array(preconditioner.cholesky)
        this.preconditioner(preconditioner.inner)
        break
      case 'operator':
        this.numbers.push(6)
        this.operator(preconditioner.operator)
        break
      case 'stencil': {
        const { stencil, omega, scale, inverse } = preconditioner
        this.numbers.push(stencil.kind === 'stencil' ? 8 : 7, stencil.grid.length, ...stencil.grid)
        if (stencil.kind === 'stencil') for (const coupling of stencil.couplings) this.array(coupling)
        else this.numbers.push(...stencil.couplings)
        this.numbers.push(omega, scale)
        this.array(inverse)
        break
      }
    }
    return this
  }

  finish(): [Float64Array, (Float64Array | Int32Array | null)[]] {
    return [Float64Array.from(this.numbers), this.arrays]
  }
}

function parameters(settings: IterativeSettings): Float64Array {
  const { tolerance, maxIterations, threads, omega, restart, damp, checkSymmetry } = settings
  return Float64Array.of(tolerance, maxIterations, threads, omega, restart, damp, checkSymmetry ? 1 : 0)
}

function iterative(job: IterativeJob): readonly unknown[] {
  const encoded = new Encoder().operator(job.operator).preconditioner(job.preconditioner).finish()
  return [...encoded, parameters(job.settings), job.b, job.x, job.nullVector, job.history, job.report]
}

const stationaryMethods = ['jacobi', 'sor', 'ssor'] as const

function stationary(job: StationaryJob): readonly unknown[] {
  const encoded = new Encoder().csr(job.matrix).finish()
  const method = stationaryMethods.indexOf(job.method)
  return [...encoded, parameters(job.settings), method, job.b, job.x, job.history, job.report]
}

const checks = [false, 'vector', 'matrix'] as const

function multiply({ operator, transpose, count, x, out, threads, check, often }: MultiplyJob): readonly unknown[] {
  const numbers = Float64Array.of(transpose ? 1 : 0, count, threads, checks.indexOf(check), often === true ? 1 : 0)
  return [...new Encoder().operator(operator).finish(), numbers, x, out]
}

/** Without the entries where there are none yet, or no room: empty arrays go as null. */
export function factorArrays({ order, parent, indptr, indices, data, diagonal }: FactorData): readonly unknown[] {
  return [order, parent, indptr, ...[indices, data, diagonal].map((array) => (array.length === 0 ? null : array))]
}

function analyze({ matrix, natural, factor }: AnalyzeJob): readonly unknown[] {
  return [...new Encoder().csr(matrix).finish(), natural, ...factorArrays(factor)]
}

function factorize({ matrix, positive, factor }: FactorizeJob): readonly unknown[] {
  return [...new Encoder().csr(matrix).finish(), positive, ...factorArrays(factor)]
}

function solveFactor({ factor, b, x }: FactorSolveJob): readonly unknown[] {
  return [...factorArrays(factor), b, x]
}

function incompleteCholesky({ matrix, lower, shift }: IncompleteCholeskyJob): readonly unknown[] {
  return [...new Encoder().csr(matrix).csr(lower).finish(), lower.data, shift]
}

export function nativeSparse(runtime: Runtime, room: Exports): SparseKernels {
  return {
    multiply: nativeKernel(runtime, room.multiply, multiply),
    conjugateGradient: nativeKernel(runtime, room.conjugateGradient, iterative),
    minres: nativeKernel(runtime, room.minres, iterative),
    gmres: nativeKernel(runtime, room.gmres, iterative),
    bicgstab: nativeKernel(runtime, room.bicgstab, iterative),
    lsqr: nativeKernel(runtime, room.lsqr, iterative),
    analyzeCholesky: nativeKernel(runtime, room.analyzeCholesky, analyze),
    factorizeCholesky: nativeKernel(runtime, room.factorizeCholesky, factorize),
    solveCholesky: nativeKernel(runtime, room.solveCholesky, solveFactor),
    incompleteCholesky: nativeKernel(runtime, room.incompleteCholesky, incompleteCholesky),
    stationary: nativeKernel(runtime, room.stationary, stationary),
  }
}
