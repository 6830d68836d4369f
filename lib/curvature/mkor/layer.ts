import { type BackendName, kernels } from '../../backend/index.js'
import { type FloatArray, type MatrixLike, toDenseMatrix, toVector, type VectorLike } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, flag, oneOf } from '../../core/options.js'
import { type FactorSettings, InverseFactor } from './factor.js'

/** A dense layer y = Wx + b among the parameters, named by the paths of its leaves (`hidden.weight`, `[0]`). */
export interface DenseLayer {
  weight: string
  /** Folded in as a last input that is 1. */
  bias?: string
  /**
   * `'inputs-first'`: the weight is inputs × outputs, as in y = matmul(x, W) of `extrema/tensor`. `'outputs-first'`: outputs × inputs, as in
   * PyTorch. Default `'inputs-first'`.
   */
  layout?: 'inputs-first' | 'outputs-first'
  /** The base optimizer gets this layer's gradient unchanged; the authors do that with the output layer. Default false. */
  firstOrder?: boolean
}

/**
 * What a layer saw in a batch: means over the samples, one vector or, for rank r, the r rows of a matrix. See
 * `denseStatistics` and `convolutionStatistics`.
 */
export interface LayerStatistics {
  /** Mean input, without the 1 of the bias. */
  input: VectorLike | MatrixLike
  /** Mean over samples of the gradient of a sample's own loss by the layer's output. */
  outputGradient: VectorLike | MatrixLike
}

const layerNames: ReadonlySet<string> = new Set(['weight', 'bias', 'layout', 'firstOrder'])
const statisticsNames: ReadonlySet<string> = new Set(['input', 'outputGradient'])

export interface CheckedLayer {
  weight: string
  bias: string | null
  inputsFirst: boolean
  firstOrder: boolean
}

export function checkLayers(layers: readonly DenseLayer[]): CheckedLayer[] {
  if (!Array.isArray(layers)) {
    throw new ExtremaError('ERR_OPTION', `layers: expected an array, got ${describe(layers)}`)
  }
  const taken = new Set<string>()
  return layers.map((layer: DenseLayer, k) => {
    const name = `layers[${k}]`
    if (typeof layer !== 'object' || layer === null) {
      throw new ExtremaError('ERR_OPTION', `${name}: expected { weight, … }, got ${describe(layer)}`)
    }
    checkNames(name, layer, layerNames)
    for (const [part, path] of Object.entries({ weight: layer.weight, bias: layer.bias })) {
      if (part === 'bias' && path === undefined) continue
      if (typeof path !== 'string' || taken.has(path)) {
        const expected = 'the path of a leaf that no other layer has'
        throw new ExtremaError('ERR_OPTION', `${name}.${part}: expected ${expected}, got ${describe(path)}`)
      }
      taken.add(path)
    }
    const layouts = ['inputs-first', 'outputs-first'] as const
    return {
      weight: layer.weight,
      bias: layer.bias ?? null,
      inputsFirst: oneOf(`${name}.layout`, layer.layout, layouts, 'inputs-first') === 'inputs-first',
      firstOrder: flag(`${name}.firstOrder`, layer.firstOrder, false),
    }
  })
}

/** Statistics as they were given, by vectors. */
export interface Means {
  inputs: FloatArray[]
  outputs: FloatArray[]
  isFinite: boolean
}

export function readMeans(name: string, given: LayerStatistics | null | undefined): Means {
  if (typeof given !== 'object' || given === null) {
    throw new ExtremaError('ERR_ORACLE', `${name}: expected { input, outputGradient }, got ${describe(given)}`)
  }
  checkNames(name, given, statisticsNames)
  const inputs = vectors(`${name}.input`, given.input)
  const outputs = vectors(`${name}.outputGradient`, given.outputGradient)
  if (inputs.length !== outputs.length) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}: expected as many vectors of inputs as of gradients, got ${inputs.length} and ${outputs.length}`,
    )
  }
  const areFinite = [...inputs, ...outputs].every((vector) => vector.every(Number.isFinite))
  return { inputs, outputs, isFinite: areFinite }
}

function vectors(name: string, given: VectorLike | MatrixLike): FloatArray[] {
  const isMatrix =
    typeof given === 'object' &&
    given !== null &&
    !ArrayBuffer.isView(given) &&
    ('shape' in given || typeof (given as ArrayLike<unknown>)[0] === 'object')
  if (!isMatrix) return [toVector(name, given as VectorLike)]
  const { data, rows, columns } = toDenseMatrix(name, given as MatrixLike)
  if (rows === 0) throw new ExtremaError('ERR_SHAPE', `${name}: expected at least one vector, got none`)
  return Array.from({ length: rows }, (_, r) => data.subarray(r * columns, (r + 1) * columns))
}

/** The factors of a layer and what they do to its gradient. */
export class LayerFactors {
  readonly left: InverseFactor
  readonly right: InverseFactor

  constructor(
    readonly outputs: number,
    /** With the 1 of a bias. */
    readonly inputs: number,
    private readonly hasBias: boolean,
    settings: FactorSettings,
    private readonly clip: number,
  ) {
    this.left = new InverseFactor(outputs, settings)
    this.right = new InverseFactor(inputs, settings)
  }

  get bytes(): number {
    return this.left.bytes + this.right.bytes
  }

  /** Takes the means in, and names the factors that had to be begun anew. */
  refresh({ inputs, outputs }: Means): string[] {
    const begun = new Set<string>()
    inputs.forEach((input, r) => {
      const a = new Float64Array(this.inputs)
      for (let j = 0; j < input.length; j++) a[j] = this.clipped(input[j])
      if (this.hasBias) a[input.length] = 1
      if (!this.left.refresh(Float64Array.from(outputs[r], (value) => this.clipped(value)))) begun.add('outputs')
      if (!this.right.refresh(a)) begun.add('inputs')
    })
    return [...begun]
  }

  private clipped(value: number): number {
    return Math.max(-this.clip, Math.min(this.clip, value))
  }

  /**
   * R⁻¹ M L⁻¹ for the gradient M, inputs × outputs, at the norm of M; null where rounding leaves no direction of descent.
   */
  precondition(gradient: Float64Array, backend: BackendName | undefined): Float64Array | null {
    const { inputs: rows, outputs: columns } = this
    let square = 0
    for (const value of gradient) square += value * value
    const norm = Math.sqrt(square)
    if (norm === 0) return gradient
    const { matmul } = kernels(backend).tensor
    const right = this.right.entries()
    const make = () =>
      right instanceof Float64Array ? new Float64Array(gradient.length) : new Float32Array(gradient.length)
    // Of norm 1, so that no scale of the loss leaves float32.
    const unit: FloatArray = make()
    for (let i = 0; i < unit.length; i++) unit[i] = gradient[i] / norm
    const half: FloatArray = make()
    matmul(half, right, unit, 1, rows, columns, rows, false, false, 0, 0)
    matmul(unit, half, this.left.entries(), 1, rows, columns, columns, false, false, 0, 0)
    let length = 0
    let slope = 0
    for (let i = 0; i < unit.length; i++) {
      length += unit[i] * unit[i]
      slope += unit[i] * gradient[i]
    }
    if (!(slope > 0 && length > 0 && length < Number.POSITIVE_INFINITY)) return null
    const scale = norm / Math.sqrt(length)
    const out = new Float64Array(unit.length)
    for (let i = 0; i < out.length; i++) out[i] = unit[i] * scale
    return out
  }
}
