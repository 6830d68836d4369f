export { releaseArena } from './arena.js'
export { type AttentionOptions, attention } from './attention.js'
export { exponentialAverage, rankOneAverage, rankOneInverseAverage } from './averages.js'
export { withBackend } from './backend.js'
export { checkpoint } from './checkpoint.js'
export * from './conv.js'
export { type CustomRules, customVjp } from './custom-vjp.js'
export { squaredDistances } from './distances.js'
export { einsum } from './einsum.js'
export * from './elementwise.js'
export * from './factor/index.js'
export * from './files/index.js'
export { fromTensorFunction, type TensorOracles } from './from-tensor-function.js'
export { embedding, gather, type Indices, oneHot, scatterAdd, takeAlongAxis } from './gather.js'
export { ggnvp } from './ggnvp.js'
export { grad, type ScalarFunction, type Vjp, type VjpOptions, valueAndGrad, vjp } from './grad.js'
export { type GradCheck, type GradCheckOptions, gradCheck } from './grad-check.js'
export { clipByNorm, clipByValue } from './gradient-norm.js'
export { hvp } from './hvp.js'
export * from './index-ops.js'
export { hessian, type Jacobian, jacfwd, jacrev } from './jacobian.js'
export { type Jvp, jvp } from './jvp.js'
export type { OptimizerOptions, ParameterGroup } from './leaf-optimizer.js'
export { type Linearized, linearize } from './linearize.js'
export * from './losses.js'
export * from './matmul.js'
export * from './nets/index.js'
export * from './normalization.js'
export type { LeafInfo, Optimizer, OptimizerState, Schedule } from './optimizer.js'
export * from './order.js'
export { perSampleGrad } from './per-sample/per-sample-grad.js'
export * from './pool.js'
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
export { type UpsampleOptions, upsample } from './upsample.js'
export type { Padding, PerAxis } from './window.js'
export { withArena } from './with-arena.js'
