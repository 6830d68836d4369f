export type { Csr, FloatArray, MatrixLike, NdArray, NdArrayLike, VectorLike } from './arrays.js'
export { type ErrorCode, ExtremaError } from './errors.js'
export type { Progress, SolverOptions } from './options.js'
export type { Solution, Status } from './solution.js'
