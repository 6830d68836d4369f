import type { FactorKernels } from './tensor-factor.js'
import type { SpectralKernels } from './tensor-spectral.js'

/** Memory of a tensor: dense, row-major. */
export type TensorData = Float64Array | Float32Array | Int32Array

/** In the order of the native enumeration. */
export const unaryOps = [
  ...([
    'neg',
    'exp',
    'log',
    'log1p',
    'expm1',
    'sqrt',
    'rsqrt',
    'reciprocal',
    'square',
    'abs',
    'sign',
    'floor',
  ] as const),
  ...(['sin', 'cos', 'tanh', 'sigmoid', 'softplus', 'erf', 'erfc', 'logNdtr', 'lgamma', 'polygamma', 'power'] as const),
  ...(['relu', 'leakyRelu', 'gelu', 'silu', 'inverseMills'] as const),
]
export type UnaryOp = (typeof unaryOps)[number]

/** Functions whose derivative has a kernel of its own. In the order of the native enumeration. */
export const derivativeOps = ['tanh', 'sigmoid', 'softplus', 'relu', 'leakyRelu', 'gelu', 'silu'] as const
export type DerivativeOp = (typeof derivativeOps)[number]

/** In the order of the native enumeration. */
export const binaryOps = ['add', 'sub', 'mul', 'div', 'pow', 'minimum', 'maximum'] as const
export type BinaryOp = (typeof binaryOps)[number]

/** In the order of the native enumeration. */
export const compareOps = ['equal', 'notEqual', 'less', 'lessEqual', 'greater', 'greaterEqual'] as const
export type CompareOp = (typeof compareOps)[number]

/** In the order of the native enumeration. */
export const reduceOps = ['sum', 'max', 'min', 'logSumExp', 'norm'] as const
export type ReduceOp = (typeof reduceOps)[number]

/** In the order of the native enumeration. */
export const convolutionOps = ['conv', 'convTranspose', 'convWeight'] as const
export type ConvolutionOp = (typeof convolutionOps)[number]

/**
 * A window that moves over up to three axes: `[batch, groups, channels, filters, input…, output…, kernel…, stride…,
 * padding…, dilation…]`, channels and filters of one group, then three lengths of each, those of the outermost axis first
 * (1, padding 0, for axes that are not there). `padding` is what lies before the first entry. Output place o sees with
 * tap k the input place o stride - padding + k dilation.
 */
export type Geometry = Int32Array

/**
 * Where the entries of an operand lie: `[rank, offset, sizes…, strides…]`, and for two operands a second run of strides.
 * Kernels read it during the call only, so callers may use one array for all plans. Neighbouring axes that can be walked
 * as one have been joined.
 */
export type Plan = Int32Array

/**
 * The kernels of tensors: plain synchronous functions over typed arrays, without monitor and job, because a call must
 * cost less than a microsecond. All arrays of a call have the same type unless it says otherwise. `out` may hold anything
 * before: every entry is written. It never overlaps an input, but may be the same array in elementwise kernels.
 * Sums of float32 numbers are kept in float64, in an order that depends on the sizes alone.
 */
export interface TensorKernels extends FactorKernels, SpectralKernels {
  /** out_i = f(x_i); `parameter` is the exponent, the order or the slope, where there is one. */
  unary(op: number, out: TensorData, x: TensorData, parameter: number): void
  /** out_i = g_i f'(x_i), with y = f(x). */
  derivative(op: number, out: TensorData, g: TensorData, x: TensorData, y: TensorData, parameter: number): void
  /** out_i = f(x_i, y_i); without a plan all three have the same shape. */
  binary(op: number, out: TensorData, x: TensorData, y: TensorData, plan: Plan | null): void
  /** 1 where the comparison holds, otherwise 0. */
  compare(op: number, out: Int32Array, x: TensorData, y: TensorData, plan: Plan | null): void
  /** out_i = condition_i ? x_i : y_i, all of one shape. */
  where(out: TensorData, condition: Int32Array, x: TensorData, y: TensorData): void
  /** out_i = x at the plan's places: broadcasts, transposes, slices, reversals. */
  read(out: TensorData, x: TensorData, plan: Plan): void
  /** out at the plan's places = x_i; other entries of `out` stay. */
  write(out: TensorData, x: TensorData, plan: Plan): void
  /** Over the middle axis of outer × length × inner. */
  reduce(op: number, out: TensorData, x: TensorData, outer: number, length: number, inner: number): void
  /** out = op(A) op(B) for `batch` pairs of matrices, `strideA` and `strideB` numbers apart (0: the same one). */
  matmul(
    out: TensorData,
    a: TensorData,
    b: TensorData,
    batch: number,
    m: number,
    n: number,
    k: number,
    transposeA: boolean,
    transposeB: boolean,
    strideA: number,
    strideB: number,
  ): void

  /** Place of the largest (or smallest) entry along the middle axis, the first of equal ones; NaN wins. */
  argReduce(largest: boolean, out: Int32Array, x: TensorData, outer: number, length: number, inner: number): void
  /** Running sums along the middle axis, from its end if `reverse`. */
  cumsum(out: TensorData, x: TensorData, outer: number, length: number, inner: number, reverse: boolean): void
  /** out[o, i, :] = x[o, indices[i], :] for x of outer × length × inner. */
  gather(out: TensorData, x: TensorData, indices: Int32Array, outer: number, length: number, inner: number): void
  /** out = 0, then out[o, indices[i], :] += x[o, i, :] in the order of i, for out of outer × length × inner. */
  scatterAdd(out: TensorData, x: TensorData, indices: Int32Array, outer: number, length: number, inner: number): void
  /** Of each row: exp(x - logSumExp x), or x - logSumExp x. */
  softmax(out: TensorData, x: TensorData, rows: number, columns: number, logarithm: boolean): void
  /** The cotangent of x for g, with y = softmax(x). */
  softmaxVjp(out: TensorData, g: TensorData, y: TensorData, rows: number, columns: number, logarithm: boolean): void
  /** out_i = logSumExp x_i - x_i,label. */
  crossEntropy(out: TensorData, x: TensorData, labels: Int32Array, rows: number, columns: number): void
  /** out_ij = g_i (softmax(x_i)_j - [j = label_i]). */
  crossEntropyVjp(
    out: TensorData,
    g: TensorData,
    x: TensorData,
    labels: Int32Array,
    rows: number,
    columns: number,
  ): void
  /** out_ij = ‖x_i - y_j‖² for n × d and m × d points. */
  squaredDistances(out: TensorData, x: TensorData, y: TensorData, n: number, m: number, d: number): void
  /** out = A x or Aᵀ x for a CSR matrix of rows × columns and x of `width` columns. */
  csrProduct(
    out: TensorData,
    data: TensorData,
    x: TensorData,
    indptr: Int32Array,
    indices: Int32Array,
    rows: number,
    columns: number,
    width: number,
    transpose: boolean,
  ): void
  /**
   * With x of batch × groups·channels × input, w of groups·filters × channels × kernel and y of batch × groups·filters ×
   * output, all for y = Σ w x over channels and taps: op 0 is y of (x, w), op 1 the cotangent of x for (that of y, w), op 2
   * that of w for (x, that of y). `workspace` bounds what is worked on at a time; it has room for channels · taps + filters
   * numbers at least.
   */
  convolution(
    op: number,
    out: TensorData,
    a: TensorData,
    b: TensorData,
    geometry: Geometry,
    workspace: TensorData,
  ): void
  /**
   * The largest entry of each window, for x of batch × channels × input, and where it lies in x: the first of equal ones;
   * NaN wins. No window may lie in the padding as a whole. `groups` and `filters` are 1.
   */
  maxPool(out: TensorData, places: Int32Array, x: TensorData, geometry: Geometry): void

  /** sums_c = Σ x over the outer and inner axes of outer × channels × inner. */
  channelSums(sums: Float64Array, x: TensorData, outer: number, channels: number, inner: number): void
  /** means_c and variances_c = Σ (x - means_c)² / (outer · inner). */
  moments(
    means: Float64Array,
    variances: Float64Array,
    x: TensorData,
    outer: number,
    channels: number,
    inner: number,
  ): void
  /**
   * out = (x - means_c) / √(variances_c + epsilon) scale + shift, where scale and shift go by the inner axis if `byInner`,
   * by the channels otherwise.
   */
  normalize(
    out: TensorData,
    x: TensorData,
    scale: TensorData,
    shift: TensorData,
    means: Float64Array,
    variances: Float64Array,
    outer: number,
    channels: number,
    inner: number,
    byInner: boolean,
    epsilon: number,
  ): void
  /**
   * The cotangent of x for g, with means and variances that depend on x as `moments` says, and those of scale and shift,
   * one behind the other, in `sums`. With `byInner`, outer is 1.
   */
  normalizeVjp(
    out: TensorData,
    sums: Float64Array,
    g: TensorData,
    x: TensorData,
    scale: TensorData,
    means: Float64Array,
    variances: Float64Array,
    outer: number,
    channels: number,
    inner: number,
    byInner: boolean,
    epsilon: number,
  ): void
}
