export { releaseArena } from './arena.js'
export { withBackend } from './backend.js'
export { checkpoint } from './checkpoint.js'
export { type CustomRules, customVjp } from './custom-vjp.js'
export { squaredDistances } from './distances.js'
export { einsum } from './einsum.js'
export * from './elementwise.js'
export * from './factor/index.js'
export { embedding, gather, type Indices, oneHot, scatterAdd, takeAlongAxis } from './gather.js'
export { ggnvp } from './ggnvp.js'
export { grad, type ScalarFunction, type Vjp, type VjpOptions, valueAndGrad, vjp } from './grad.js'
export { type GradCheck, type GradCheckOptions, gradCheck } from './grad-check.js'
export { hvp } from './hvp.js'
export * from './index-ops.js'
export { hessian, type Jacobian, jacfwd, jacrev } from './jacobian.js'
export { type Jvp, jvp } from './jvp.js'
export { type Linearized, linearize } from './linearize.js'
export * from './losses.js'
export * from './matmul.js'
export * from './order.js'
export { perSampleGrad } from './per-sample/per-sample-grad.js'
export type { MaybeZero, MultiPrimitive, Primitive } from './primitive.js'
export {
  type Axes,
  broadcastTo,
  logSumExp,
  max,
  mean,
  min,
  norm,
  prod,
  type ReduceOptions,
  standardDeviation,
  sum,
  type VarianceOptions,
  variance,
} from './reduce.js'
export * from './shape.js'
export { csrMatmul, type SparsePattern } from './sparse.js'
export * from './spectral/index.js'
export {
  arange,
  type DType,
  eye,
  fromData,
  full,
  type Nested,
  ones,
  onesLike,
  type Shape,
  Tensor,
  type TensorData,
  type TensorLike,
  type TensorOptions,
  tensor,
  zeros,
  zerosLike,
} from './tensor.js'
export { apply, applyMany, concrete } from './trace.js'
export { mapTree, type Tree } from './tree.js'
export { withArena } from './with-arena.js'
