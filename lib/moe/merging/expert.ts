import { type MatrixLike, type NdArray, shapeText, toFloat64, type VectorLike } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe } from '../../core/options.js'
import { readFinite } from '../quantize.js'

/** A two-layer expert: y = w2 (act(w1 x + b1) [× (gate x)]) + b2. */
export interface MlpExpert {
  /** hidden × inputs */
  w1: MatrixLike
  /** hidden. Default: zeros. */
  b1?: VectorLike
  /** hidden × inputs: of gated units (SwiGLU and the like). */
  gate?: MatrixLike
  /** outputs × hidden */
  w2: MatrixLike
  /** outputs. Default: zeros. */
  b2?: VectorLike
}

/** The same as typed arrays, as it is returned. */
export interface MergedExpert {
  w1: NdArray
  b1: Float64Array
  gate?: NdArray
  w2: NdArray
  b2: Float64Array
}

/** After the checks. */
export interface CheckedExpert {
  inputs: number
  hidden: number
  outputs: number
  w1: Float64Array
  b1: Float64Array
  gate: Float64Array | undefined
  w2: Float64Array
  b2: Float64Array
}

const names: ReadonlySet<string> = new Set(['w1', 'b1', 'gate', 'w2', 'b2'])

export function readExperts(given: readonly MlpExpert[]): CheckedExpert[] {
  if (!Array.isArray(given) || given.length === 0) {
    const came = Array.isArray(given) ? 'none' : describe(given)
    throw new ExtremaError('ERR_SHAPE', `experts: expected at least one of { w1, b1, w2, b2 }, got ${came}`)
  }
  const list = given.map((expert, e) => readExpert(expert, `experts[${e}]`))
  const [{ inputs, hidden, outputs, gate }] = list
  list.forEach((other, e) => {
    const isAlike = other.inputs === inputs && other.hidden === hidden && other.outputs === outputs
    if (isAlike && (other.gate === undefined) === (gate === undefined)) return
    const shape = ({ inputs, hidden, outputs, gate }: CheckedExpert) =>
      `${inputs} → ${hidden}${gate === undefined ? '' : ' (gated)'} → ${outputs}`
    throw new ExtremaError(
      'ERR_SHAPE',
      `experts[${e}]: expected the shape of the first, ${shape(list[0])}, got ${shape(other)}`,
    )
  })
  return list
}

function readExpert(expert: MlpExpert, name: string): CheckedExpert {
  if (typeof expert !== 'object' || expert === null) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected { w1, b1, w2, b2 }, got ${describe(expert)}`)
  }
  checkNames(name, expert, names)
  const w1 = readFinite(`${name}.w1`, expert.w1)
  const w2 = readFinite(`${name}.w2`, expert.w2)
  const gate = expert.gate === undefined ? undefined : readFinite(`${name}.gate`, expert.gate)
  const [hidden, inputs, outputs] = [w1.rows, w1.columns, w2.rows]
  if (w2.columns !== hidden) {
    const came = shapeText(w2.rows, w2.columns)
    throw new ExtremaError('ERR_SHAPE', `${name}.w2: expected ${hidden} columns, one for each row of w1, got ${came}`)
  }
  if (gate !== undefined && (gate.rows !== hidden || gate.columns !== inputs)) {
    const [wanted, came] = [shapeText(hidden, inputs), shapeText(gate.rows, gate.columns)]
    throw new ExtremaError('ERR_SHAPE', `${name}.gate: expected ${wanted} numbers as w1 has, got ${came}`)
  }
  const b1 = readBias(`${name}.b1`, expert.b1, hidden)
  const b2 = readBias(`${name}.b2`, expert.b2, outputs)
  return { inputs, hidden, outputs, w1: w1.data, b1, gate: gate?.data, w2: w2.data, b2 }
}

function readBias(name: string, given: VectorLike | undefined, length: number): Float64Array {
  if (given === undefined) return new Float64Array(length)
  const bias = toFloat64(name, given)
  if (bias.length !== length) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${length} numbers, got ${bias.length}`)
  }
  const bad = bias.findIndex((value) => !Number.isFinite(value))
  if (bad < 0) return bias
  throw new ExtremaError('ERR_NOT_FINITE', `${name}[${bad}]: expected a finite number, got ${bias[bad]}`)
}

export const activations = {
  relu: (x: number) => Math.max(0, x),
  silu: (x: number) => x / (1 + Math.exp(-x)),
  /** In the form with the hyperbolic tangent. */
  gelu: (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
} as const
export type Activation = keyof typeof activations

/** The outputs for rows of inputs: rows × outputs. */
export function forward(expert: CheckedExpert, x: Float64Array, activation: Activation): Float64Array {
  const { inputs, hidden, outputs, w1, b1, gate, w2, b2 } = expert
  const act = activations[activation]
  const rows = x.length / inputs
  const y = new Float64Array(rows * outputs)
  const unit = new Float64Array(hidden)
  for (let n = 0; n < rows; n++) {
    for (let h = 0; h < hidden; h++) {
      let sum = b1[h]
      let open = 0
      for (let i = 0; i < inputs; i++) {
        sum += w1[h * inputs + i] * x[n * inputs + i]
        if (gate !== undefined) open += gate[h * inputs + i] * x[n * inputs + i]
      }
      unit[h] = gate === undefined ? act(sum) : act(sum) * open
    }
    for (let o = 0; o < outputs; o++) {
      let sum = b2[o]
      for (let h = 0; h < hidden; h++) sum += w2[o * hidden + h] * unit[h]
      y[n * outputs + o] = sum
    }
  }
  return y
}

/** What makes a hidden unit: its rows of w1, b1 and gate and its column of w2; hidden × width. */
export function unitsOf({ inputs, hidden, outputs, w1, b1, gate, w2 }: CheckedExpert): Float64Array {
  const width = inputs * (gate === undefined ? 1 : 2) + 1 + outputs
  const units = new Float64Array(hidden * width)
  for (let h = 0; h < hidden; h++) {
    const row = units.subarray(h * width, (h + 1) * width)
    row.set(w1.subarray(h * inputs, (h + 1) * inputs))
    if (gate !== undefined) row.set(gate.subarray(h * inputs, (h + 1) * inputs), inputs)
    row[width - outputs - 1] = b1[h]
    for (let o = 0; o < outputs; o++) row[width - outputs + o] = w2[o * hidden + h]
  }
  return units
}

/** The mean of experts with weights that sum to 1; unit order[h] of each stands for unit h of the mean. */
export function average(experts: CheckedExpert[], weights: number[], orders: Int32Array[]): CheckedExpert {
  const [{ inputs, hidden, outputs, gate }] = experts
  const mean: CheckedExpert = {
    inputs,
    hidden,
    outputs,
    w1: new Float64Array(hidden * inputs),
    b1: new Float64Array(hidden),
    gate: gate === undefined ? undefined : new Float64Array(hidden * inputs),
    w2: new Float64Array(outputs * hidden),
    b2: new Float64Array(outputs),
  }
  experts.forEach((expert, m) => {
    const weight = weights[m]
    for (let h = 0; h < hidden; h++) {
      const from = orders[m][h]
      mean.b1[h] += weight * expert.b1[from]
      for (let i = 0; i < inputs; i++) {
        mean.w1[h * inputs + i] += weight * expert.w1[from * inputs + i]
        if (mean.gate !== undefined && expert.gate !== undefined) {
          mean.gate[h * inputs + i] += weight * expert.gate[from * inputs + i]
        }
      }
      for (let o = 0; o < outputs; o++) mean.w2[o * hidden + h] += weight * expert.w2[o * hidden + from]
    }
    for (let o = 0; o < outputs; o++) mean.b2[o] += weight * expert.b2[o]
  })
  return mean
}

export function toMerged({ inputs, hidden, outputs, w1, b1, gate, w2, b2 }: CheckedExpert): MergedExpert {
  return {
    w1: { data: w1, shape: [hidden, inputs] },
    b1,
    ...(gate !== undefined && { gate: { data: gate, shape: [hidden, inputs] } }),
    w2: { data: w2, shape: [outputs, hidden] },
    b2,
  }
}
