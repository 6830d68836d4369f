import { ExtremaError } from '../core/errors.js'
import { checkNames, describe } from '../core/options.js'
import { broadcastShapes, checkFloat, checkSameDType } from './broadcast.js'
import { add, cast, greater, mul, notEqual, where } from './elementwise.js'
import { softmax } from './losses.js'
import { matmul } from './matmul.js'
import { checkTensor, shapeText, Tensor } from './tensor.js'

export interface AttentionOptions {
  /**
   * Of a shape that broadcasts to [..., queries, keys]: int32, where 0 forbids, or of the dtype of the queries, to be added
   * to the scores, where -∞ forbids. Default: all is allowed.
   */
  mask?: Tensor
  /** Query i sees the keys up to i + keys - queries: the last one sees all. Default false. */
  causal?: boolean
  /** Of the products of queries and keys. Default 1 / √width. */
  scale?: number
}

const names: ReadonlySet<string> = new Set(['mask', 'causal', 'scale'])

/** Below all scores. */
const forbidden = { float64: -Number.MAX_VALUE, float32: -(2 - 2 ** -23) * 2 ** 127 }

/**
 * softmax(scale Q Kᵀ) V for queries [..., queries, width], keys [..., keys, width] and values [..., keys, any width] (A.
 * Vaswani et al., "Attention is all you need", 2017, equation 1). The leading axes broadcast: heads are one of
 * them. A query that may see no key gets zeros.
 *
 * @throws ExtremaError `ERR_SHAPE`, `ERR_DTYPE`, `ERR_OPTION`
 */
export function attention(queries: Tensor, keys: Tensor, values: Tensor, options: AttentionOptions = {}): Tensor {
  checkNames('attention', options, names)
  checkFloat('attention', queries)
  checkSameDType('attention', queries, keys)
  checkSameDType('attention', queries, values)
  const [q, k, v] = [queries.shape, keys.shape, values.shape]
  const fits = q.length >= 2 && k.length >= 2 && v.length >= 2 && q.at(-1) === k.at(-1) && k.at(-2) === v.at(-2)
  if (!fits) {
    const expected = 'queries [..., n, width], keys [..., m, width] and values [..., m, any]'
    const came = `${shapeText(q)}, ${shapeText(k)} and ${shapeText(v)}`
    throw new ExtremaError('ERR_SHAPE', `attention: expected ${expected}, got ${came}`)
  }
  const { scale = 1 / Math.sqrt(Math.max(1, q[q.length - 1])), causal = false } = options
  if (typeof scale !== 'number' || !Number.isFinite(scale)) {
    throw new ExtremaError('ERR_OPTION', `attention.scale: expected a finite number, got ${describe(scale)}`)
  }
  const scores = matmul(mul(queries, scale), keys, { transposeB: true })
  const [biased, allowed] = masked(scores, options.mask, causal)
  if (allowed === undefined) return matmul(softmax(biased), values)
  const shares = softmax(where(allowed, biased, forbidden[queries.dtype as 'float64' | 'float32']))
  // Where all is forbidden the softmax is even.
  return matmul(mul(shares, cast(allowed, queries.dtype)), values)
}

/** The scores with what is added to them, and which of them count. */
function masked(scores: Tensor, mask: Tensor | undefined, causal: boolean): [biased: Tensor, allowed?: Tensor] {
  const past = causal ? pastOf(scores) : undefined
  if (mask === undefined) return [scores, past]
  if (checkTensor('attention', mask).dtype !== 'int32') checkSameDType('attention', scores, mask)
  const common = broadcastShapes('attention', mask.shape, scores.shape)
  if (common.length !== scores.rank || common.some((length, axis) => length !== scores.shape[axis])) {
    const expected = `a mask that broadcasts to the scores ${shapeText(scores.shape)}`
    throw new ExtremaError('ERR_SHAPE', `attention: expected ${expected}, got ${shapeText(mask.shape)}`)
  }
  let allowed: Tensor | undefined
  if (mask.dtype === 'int32') allowed = notEqual(mask, 0)
  else if (mask.data.includes(Number.NEGATIVE_INFINITY)) allowed = greater(mask, Number.NEGATIVE_INFINITY)
  if (allowed !== undefined && past !== undefined) allowed = mul(allowed, past)
  return [mask.dtype === 'int32' ? scores : add(scores, mask), allowed ?? past]
}

/** [queries, keys] of ones up to a diagonal. */
function pastOf({ shape, rank }: Tensor): Tensor {
  const [n, m] = [shape[rank - 2], shape[rank - 1]]
  const seen = new Int32Array(n * m)
  for (let i = 0; i < n; i++) seen.fill(1, i * m, i * m + Math.min(m, Math.max(0, i + 1 + m - n)))
  return new Tensor(seen, [n, m], 'int32')
}
