import type { Csr } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, flag, oneOf, positive, whole } from '../core/options.js'
import {
  add,
  cast,
  fromData,
  gather,
  glorot,
  he,
  type Layer,
  type LayerContext,
  matmul,
  mean,
  mul,
  relu,
  reshape,
  softmax,
  sum,
  Tensor,
  takeAlongAxis,
  tensor,
  where,
  zeros,
} from '../tensor/index.js'
import { router } from './router.js'
import { choicesOf, type Dispatch, dispatchOf } from './trainable/dispatch.js'

export interface MoeLayerOptions {
  /** Numbers of a token. */
  width: number
  /** Hidden units of an expert. */
  hidden: number
  experts: number
  /** Experts per token. Default 2. */
  k?: number
  /** What comes out for a token. Default: `width`. */
  outputs?: number
  /**
   * The weights of a token's experts: with `true` (default) the softmax of their own logits, as `prune` takes it; with `false` their
   * part of the softmax of all.
   */
  normalize?: boolean
  /**
   * `'bias'`: while training, move biases on the scores, by which experts are chosen but not weighed, against the error of the
   * load: see `router`. They are the layer's state. Default `'none'`.
   */
  balance?: 'none' | 'bias'
  /** How far a bias moves in a step. Default 1e-3. */
  step?: number
}

export interface MoeParams {
  /** width × experts */
  router: Tensor
  /** Of all experts: experts × inputs × hidden and so on. */
  w1: Tensor
  b1: Tensor
  w2: Tensor
  b2: Tensor
}

export interface MoeRun {
  context?: LayerContext
  /** Use this routing of the tokens, such as `route` gives, instead of the router's own choice. */
  routing?: Csr
  /** Choose among these experts only. */
  keep?: ArrayLike<number>
}

export interface MoeOutput {
  value: Tensor
  /** tokens × experts, of the router. */
  logits: Tensor
  /** Their softmax. */
  probabilities: Tensor
  /** tokens × k, best first; -1 where a token has fewer. */
  choices: Int32Array
  /** Tokens of each expert. */
  load: Int32Array
  /**
   * experts Σ_e (part of the choices that are e) (mean probability of e): 1 when all are alike (W. Fedus, B. Zoph, N. Shazeer 2021,
   * arXiv 2101.03961, equation 4). To be added to a loss; the choices are constants in it.
   */
  balanceLoss: Tensor
}

export interface MoeLayer extends Layer<MoeParams> {
  /** As `apply`, on tokens × width, with all that happened. */
  forward(params: MoeParams, tokens: Tensor, run?: MoeRun): MoeOutput
  /** The outputs of each expert for every token: experts × tokens × outputs. */
  all(params: MoeParams, tokens: Tensor): Tensor
  readonly experts: number
  readonly k: number
}

const names: ReadonlySet<string> = new Set([
  ...['width', 'hidden', 'experts', 'k', 'outputs', 'normalize', 'balance', 'step'],
])

/** Below all probabilities, whatever their biases. */
const never = -1e9

/**
 * A mixture of experts that can be trained: a linear router chooses the k experts of greatest probability for each token, and
 * their outputs, of two dense layers with a ReLU between, are added with the router's weights. Each expert sees its own tokens
 * only, in batched products with room for the fullest one.
 */
export function moeLayer(options: MoeLayerOptions): MoeLayer {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { width, hidden, experts, … }, got ${describe(options)}`)
  }
  checkNames('options', options, names)
  const width = whole('width', options.width ?? null, 0, 1)
  const hidden = whole('hidden', options.hidden ?? null, 0, 1)
  const experts = whole('experts', options.experts ?? null, 0, 1)
  const k = whole('k', options.k, Math.min(2, experts), 1, experts)
  const outputs = whole('outputs', options.outputs, width, 1)
  const normalize = flag('normalize', options.normalize, true)
  const balances = oneOf('balance', options.balance, ['none', 'bias'] as const, 'none') === 'bias'
  const step = positive('step', options.step, 1e-3)

  const choose = (probabilities: Tensor, { context, keep }: MoeRun): Int32Array => {
    const bias = biasOf(context, experts)
    const ours = router({ experts, k: keep === undefined ? k : Math.min(k, keep.length), step, bias: bias?.data })
    const kept = keep === undefined ? undefined : checkKeep(keep, experts)
    const isKept = (e: number): boolean => kept?.has(e) ?? true
    for (let e = 0; e < experts; e++) if (!isKept(e)) ours.bias[e] = never
    const scores = Float64Array.from(probabilities.data)
    const { choices } = ours.route({ data: scores, shape: [probabilities.shape[0], experts] })
    if (balances && context?.training && bias !== undefined) {
      const load = new Float64Array(experts)
      for (const e of choices) load[e]++
      // Experts that are left out keep their bias, and count neither way in the mean.
      for (let e = 0; e < experts; e++) if (!isKept(e)) load[e] = choices.length / (kept?.size ?? experts)
      ours.update(load)
      const moved = Float64Array.from(ours.bias, (value, e) => (isKept(e) ? value : bias.data[e]))
      Object.assign(context.state as object, { bias: tensor(moved, { dtype: bias.dtype }) })
    }
    return choices
  }

  const layer: MoeLayer = {
    experts,
    k,
    init(random, { dtype = 'float64' } = {}) {
      const first = { in: width, out: hidden }
      const second = { in: hidden, out: outputs }
      return {
        router: glorot()(random, [width, experts], { in: width, out: experts }, dtype),
        w1: he()(random, [experts, width, hidden], first, dtype),
        b1: zeros([experts, 1, hidden], { dtype }),
        w2: glorot()(random, [experts, hidden, outputs], second, dtype),
        b2: zeros([experts, 1, outputs], { dtype }),
      }
    },
    state: ({ dtype = 'float64' } = {}) => (balances ? { bias: zeros([experts], { dtype }) } : []),
    apply(params, x, context) {
      const rows = x.size / x.shape[x.rank - 1]
      const { value } = layer.forward(params, reshape(x, [rows, width]), { context })
      return reshape(value, [...x.shape.slice(0, -1), outputs])
    },
    forward(params, x, run = {}) {
      checkTokens(x, width)
      const tokens = x.shape[0]
      const logits = matmul(x, params.router)
      const probabilities = softmax(logits)
      const chosen = run.routing === undefined ? choose(probabilities, run) : choicesOf(run.routing, tokens, experts)
      const dispatch = dispatchOf(chosen, tokens, experts)
      const weights = weightsOf(logits, probabilities, dispatch, normalize)
      return {
        value: combined(expertOutputs(params, gathered(x, dispatch, experts)), weights, dispatch),
        logits,
        probabilities,
        choices: chosen,
        load: dispatch.load,
        balanceLoss: balanceLossOf(probabilities, dispatch.load),
      }
    },
    all(params, x) {
      checkTokens(x, width)
      return expertOutputs(params, x)
    },
  }
  return layer
}

function checkTokens(x: Tensor, width: number): void {
  if (x instanceof Tensor && x.rank === 2 && x.shape[1] === width && x.shape[0] > 0) return
  const came = x instanceof Tensor ? `[${x.shape.join(', ')}]` : describe(x)
  throw new ExtremaError('ERR_SHAPE', `tokens: expected at least one token of ${width} numbers, got ${came}`)
}

function biasOf(context: LayerContext | undefined, experts: number): Tensor | undefined {
  const bias = (context?.state as { bias?: unknown } | undefined)?.bias
  if (bias === undefined) return undefined
  if (bias instanceof Tensor && bias.size === experts && bias.dtype !== 'int32') return bias
  throw new ExtremaError('ERR_SHAPE', `state: expected a bias for each of ${experts} experts, got ${describe(bias)}`)
}

function checkKeep(keep: ArrayLike<number>, experts: number): ReadonlySet<number> {
  const kept = new Set(Array.from(keep))
  const right = kept.size > 0 && kept.size === keep.length
  if (right && [...kept].every((e) => Number.isInteger(e) && e >= 0 && e < experts)) return kept
  throw new ExtremaError('ERR_OPTION', `keep: expected different experts below ${experts}, got [${[...kept]}]`)
}

/** Experts × capacity × width. */
function gathered(x: Tensor, { rows, capacity }: Dispatch, experts: number): Tensor {
  return reshape(gather(x, rows), [experts, capacity, x.shape[1]])
}

/** Of rows that are the same for all experts, or each one's own. */
function expertOutputs({ w1, b1, w2, b2 }: MoeParams, x: Tensor): Tensor {
  return add(matmul(relu(add(matmul(x, w1), b1)), w2), b2)
}

/** tokens × k × 1; 0 where there is no choice. */
function weightsOf(logits: Tensor, probabilities: Tensor, dispatch: Dispatch, normalize: boolean): Tensor {
  const shape = [dispatch.tokens, dispatch.k]
  const taken = fromData(dispatch.taken, shape)
  const choices = fromData(dispatch.choices, shape)
  const weights = normalize
    ? softmax(where(taken, takeAlongAxis(logits, choices), never))
    : takeAlongAxis(probabilities, choices)
  return reshape(mul(weights, cast(taken, logits.dtype)), [...shape, 1])
}

/** The weighted sums of what experts × capacity × outputs have for each token. */
function combined(outputs: Tensor, weights: Tensor, { tokens, k, places }: Dispatch): Tensor {
  const width = outputs.shape[2]
  const rows = gather(reshape(outputs, [outputs.shape[0] * outputs.shape[1], width]), places)
  return sum(mul(reshape(rows, [tokens, k, width]), weights), 1)
}

function balanceLossOf(probabilities: Tensor, load: Int32Array): Tensor {
  const total = load.reduce((all, n) => all + n, 0)
  const experts = load.length
  const factors = Float64Array.from(load, (n) => (n * experts) / Math.max(1, total))
  return sum(mul(mean(probabilities, 0), tensor(factors, { dtype: probabilities.dtype })))
}
