import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import type { Generator } from '../random/index.js'
import { kernelsFor } from './backend.js'
import { checkFloat } from './broadcast.js'
import { abs, add, exp, minimum, mul, neg, softplus, square, sub } from './elementwise.js'
import { checkIndices, type Indices, oneHot } from './gather.js'
import type { Primitive } from './primitive.js'
import { checkAxis, mean, sum } from './reduce.js'
import { reshape, transpose } from './shape.js'
import { blank, checkTensor, sameShape, shapeText, sizeOf, Tensor } from './tensor.js'
import { apply, concrete } from './trace.js'

function rowsOf(x: Tensor): [rows: number, columns: number] {
  return [sizeOf(x.shape.slice(0, -1)), x.shape[x.rank - 1]]
}

/** Over the last axis. `logarithm`: the logarithm of the shares. */
const softmaxPrimitive: Primitive<boolean> = {
  name: 'softmax',
  evaluate([x], logarithm) {
    const out = blank(x.dtype, x.shape)
    const [rows, columns] = rowsOf(x)
    if (x.size > 0) kernelsFor(x.dtype, x.size).softmax(out.data, x.data, rows, columns, logarithm)
    return out
  },
  jvp(_inputs, [v], y, logarithm) {
    if (v === undefined) return undefined
    if (logarithm) return sub(v, total(mul(exp(y), v)))
    return mul(y, sub(v, total(mul(y, v))))
  },
  vjp(g, _inputs, y, logarithm) {
    return [logarithm ? sub(g, mul(exp(y), total(g))) : mul(y, sub(g, total(mul(g, y))))]
  },
  fusedVjp(g, [x], y, logarithm) {
    const out = blank(x.dtype, x.shape)
    const [rows, columns] = rowsOf(x)
    if (x.size > 0) kernelsFor(x.dtype, x.size).softmaxVjp(out.data, g.data, y.data, rows, columns, logarithm)
    return [out]
  },
}

function total(x: Tensor): Tensor {
  return sum(x, -1, { keepDims: true })
}

function alongLast(name: string, x: Tensor, axis: number, f: (x: Tensor) => Tensor): Tensor {
  checkFloat(name, x)
  const along = checkAxis(name, axis, x.rank)
  if (along === x.rank - 1) return f(x)
  const order = x.shape.map((_, a) => a)
  order[along] = x.rank - 1
  order[x.rank - 1] = along
  return transpose(f(transpose(x, order)), order)
}

/** exp x / Σ exp x along an axis, default the last, without overflow. */
export function softmax(x: Tensor, axis = -1): Tensor {
  return alongLast('softmax', x, axis, (last) => apply(softmaxPrimitive, [last], false))
}

/** x - log Σ exp x along an axis, default the last. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return alongLast('logSoftmax', x, axis, (last) => apply(softmaxPrimitive, [last], true))
}

/** The loss of each row, for whole-numbered classes. */
const crossEntropyPrimitive: Primitive<Tensor> = {
  name: 'crossEntropy',
  evaluate([x], labels) {
    const [rows, columns] = rowsOf(x)
    const out = blank(x.dtype, x.shape.slice(0, -1))
    const classes = labels.data as Int32Array
    if (x.size > 0) kernelsFor(x.dtype, x.size).crossEntropy(out.data, x.data, classes, rows, columns)
    return out
  },
  jvp: ([x], [v], _out, labels) => (v === undefined ? undefined : sum(mul(v, excess(x, labels)), -1)),
  vjp: (g, [x], _out, labels) => [mul(reshape(g, [...g.shape, 1]), excess(x, labels))],
  fusedVjp(g, [x], _out, labels) {
    const [rows, columns] = rowsOf(x)
    const out = blank(x.dtype, x.shape)
    const classes = labels.data as Int32Array
    const kernels = kernelsFor(x.dtype, x.size)
    if (x.size > 0) kernels.crossEntropyVjp(out.data, g.data, x.data, classes, rows, columns)
    return [out]
  },
}

/** softmax(x) - one hot label: the derivative of the loss. */
function excess(x: Tensor, labels: Tensor): Tensor {
  return sub(softmax(x), oneHot(labels, x.shape[x.rank - 1], { dtype: x.dtype }))
}

export interface LossOptions {
  /** What becomes of the losses of the rows. Default 'mean'. */
  reduction?: 'mean' | 'sum' | 'none'
}

function reduced(losses: Tensor, { reduction = 'mean' }: LossOptions): Tensor {
  if (reduction === 'none') return losses
  return reduction === 'sum' ? sum(losses) : mean(losses)
}

/**
 * -log softmax(logits) at the right classes, which are the last axis of the logits: given as whole numbers (of the shape
 * of the logits without that axis), or as a tensor of probabilities of their shape.
 */
export function crossEntropy(logits: Tensor, targets: Indices, options: LossOptions = {}): Tensor {
  checkFloat('crossEntropy', logits)
  if (targets instanceof Tensor && targets.dtype !== 'int32') {
    checkSameShape('crossEntropy', logits, targets)
    return reduced(mul(-1, sum(mul(targets, logSoftmax(logits)), -1)), options)
  }
  if (logits.rank === 0) refuseShapes('crossEntropy', logits.shape, [])
  const labels = checkIndices('crossEntropy', targets, logits.shape[logits.rank - 1])
  if (!sameShape(labels.shape, logits.shape.slice(0, -1))) refuseShapes('crossEntropy', logits.shape, labels.shape)
  return reduced(apply(crossEntropyPrimitive, [logits], labels), options)
}

/**
 * -t log σ(x) - (1 - t) log(1 - σ(x)) for logits x and targets t in [0, 1] of one shape, averaged by default. Exact for large
 * logits of either sign.
 */
export function binaryCrossEntropy(logits: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  checkSameShape('binaryCrossEntropy', logits, targets)
  checkFloat('binaryCrossEntropy', logits)
  const wrong = concrete(targets).data.find((t) => !(t >= 0 && t <= 1))
  if (wrong !== undefined) {
    throw new ExtremaError('ERR_OPTION', `binaryCrossEntropy: expected targets in [0, 1], got ${wrong}`)
  }
  // Both terms are >= 0: nothing cancels.
  const losses = add(mul(targets, softplus(neg(logits))), mul(sub(1, targets), softplus(logits)))
  return reduced(losses, options)
}

function checkSameShape(name: string, x: Tensor, y: Tensor): void {
  if (!sameShape(checkTensor(name, x).shape, checkTensor(name, y).shape)) refuseShapes(name, x.shape, y.shape)
}

function refuseShapes(name: string, x: readonly number[], y: readonly number[]): never {
  const came = `${shapeText(x)} and ${shapeText(y)}`
  throw new ExtremaError('ERR_SHAPE', `${name}: expected targets for the shape of the predictions, got ${came}`)
}

/** The squared differences, averaged by default. */
export function mse(predictions: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  checkSameShape('mse', predictions, targets)
  return reduced(square(sub(predictions, targets)), options)
}

/** ½ r² for |r| <= delta, beyond it delta (|r| - ½ delta), averaged by default (P. J. Huber 1964). */
export function huber(
  predictions: Tensor,
  targets: Tensor,
  { delta = 1, ...options }: LossOptions & { delta?: number } = {},
): Tensor {
  checkSameShape('huber', predictions, targets)
  const size = abs(sub(predictions, targets))
  const near = minimum(size, delta)
  // Both terms are positive, and one is 0 or constant: nothing cancels.
  return reduced(add(mul(near, mul(0.5, near)), mul(delta, sub(size, near))), options)
}

/**
 * Each entry is 0 with probability `rate` and otherwise divided by 1 - rate. The same entries in every derivative: the
 * mask is drawn once, from the generator.
 */
export function dropout(x: Tensor, rate: number, random: Generator): Tensor {
  if (!(rate >= 0 && rate < 1)) {
    throw new ExtremaError('ERR_OPTION', `dropout: expected a rate in [0, 1), got ${describe(rate)}`)
  }
  checkTensor('dropout', x)
  if (rate === 0) return x
  const draws = random.uniform(x.size)
  const mask = blank(x.dtype, x.shape)
  const kept = 1 / (1 - rate)
  for (let i = 0; i < draws.length; i++) mask.data[i] = draws[i] < rate ? 0 : kept
  return mul(x, mask)
}
