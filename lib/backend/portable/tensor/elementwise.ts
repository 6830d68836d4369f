import {
  type BinaryOp,
  binaryOps,
  type CompareOp,
  compareOps,
  type DerivativeOp,
  derivativeOps,
  type Plan,
  type TensorData,
  type UnaryOp,
  unaryOps,
} from '../../tensor.js'
import { exp } from '../math.js'
import {
  erf,
  erfc,
  gelu,
  geluDerivative,
  inverseMills,
  lgamma,
  logNdtr,
  polygamma,
  sigmoid,
  softplus,
} from './special.js'
import { walkPairs } from './strided.js'

// One loop per function: a call of a function that changes would cost more than most of these.

export function unary(op: number, out: TensorData, x: TensorData, parameter: number): void {
  unaryLoop(unaryOps[op], out, x, parameter, x.length)
}

function unaryLoop(op: UnaryOp, out: TensorData, x: TensorData, p: number, n: number): void {
  switch (op) {
    case 'neg':
      for (let i = 0; i < n; i++) out[i] = -x[i]
      return
    case 'exp':
      for (let i = 0; i < n; i++) out[i] = exp(x[i])
      return
    case 'log':
      for (let i = 0; i < n; i++) out[i] = Math.log(x[i])
      return
    case 'log1p':
      for (let i = 0; i < n; i++) out[i] = Math.log1p(x[i])
      return
    case 'expm1':
      for (let i = 0; i < n; i++) out[i] = Math.expm1(x[i])
      return
    case 'sqrt':
      for (let i = 0; i < n; i++) out[i] = Math.sqrt(x[i])
      return
    case 'rsqrt':
      for (let i = 0; i < n; i++) out[i] = 1 / Math.sqrt(x[i])
      return
    case 'reciprocal':
      for (let i = 0; i < n; i++) out[i] = 1 / x[i]
      return
    case 'square':
      for (let i = 0; i < n; i++) out[i] = x[i] * x[i]
      return
    case 'abs':
      for (let i = 0; i < n; i++) out[i] = Math.abs(x[i])
      return
    case 'sign':
      for (let i = 0; i < n; i++) out[i] = Math.sign(x[i])
      return
    case 'floor':
      for (let i = 0; i < n; i++) out[i] = Math.floor(x[i])
      return
    case 'sin':
      for (let i = 0; i < n; i++) out[i] = Math.sin(x[i])
      return
    case 'cos':
      for (let i = 0; i < n; i++) out[i] = Math.cos(x[i])
      return
    case 'tanh':
      for (let i = 0; i < n; i++) out[i] = Math.tanh(x[i])
      return
    case 'sigmoid':
      for (let i = 0; i < n; i++) out[i] = sigmoid(x[i])
      return
    case 'softplus':
      for (let i = 0; i < n; i++) out[i] = softplus(x[i])
      return
    case 'erf':
      for (let i = 0; i < n; i++) out[i] = erf(x[i])
      return
    case 'erfc':
      for (let i = 0; i < n; i++) out[i] = erfc(x[i])
      return
    case 'inverseMills':
      for (let i = 0; i < n; i++) out[i] = inverseMills(x[i])
      return
    case 'logNdtr':
      for (let i = 0; i < n; i++) out[i] = logNdtr(x[i])
      return
    case 'lgamma':
      for (let i = 0; i < n; i++) out[i] = lgamma(x[i])
      return
    case 'polygamma':
      for (let i = 0; i < n; i++) out[i] = polygamma(p, x[i])
      return
    case 'power':
      for (let i = 0; i < n; i++) out[i] = x[i] ** p
      return
    case 'relu':
      for (let i = 0; i < n; i++) out[i] = x[i] < 0 ? 0 : x[i]
      return
    case 'leakyRelu':
      for (let i = 0; i < n; i++) out[i] = x[i] < 0 ? p * x[i] : x[i]
      return
    case 'gelu':
      for (let i = 0; i < n; i++) out[i] = gelu(x[i])
      return
    case 'silu':
      for (let i = 0; i < n; i++) out[i] = x[i] * sigmoid(x[i])
      return
  }
}

export function derivative(op: number, out: TensorData, g: TensorData, x: TensorData, y: TensorData, p: number): void {
  derivativeLoop(derivativeOps[op], out, g, x, y, p, x.length)
}

function derivativeLoop(
  op: DerivativeOp,
  out: TensorData,
  g: TensorData,
  x: TensorData,
  y: TensorData,
  p: number,
  n: number,
): void {
  switch (op) {
    case 'tanh':
      for (let i = 0; i < n; i++) out[i] = g[i] * (1 - y[i] * y[i])
      return
    case 'sigmoid':
      for (let i = 0; i < n; i++) out[i] = g[i] * y[i] * (1 - y[i])
      return
    case 'softplus':
      for (let i = 0; i < n; i++) out[i] = g[i] * sigmoid(x[i])
      return
    case 'relu':
      for (let i = 0; i < n; i++) out[i] = x[i] > 0 ? g[i] : 0
      return
    case 'leakyRelu':
      for (let i = 0; i < n; i++) out[i] = x[i] > 0 ? g[i] : p * g[i]
      return
    case 'gelu':
      for (let i = 0; i < n; i++) out[i] = g[i] * geluDerivative(x[i])
      return
    case 'silu':
      for (let i = 0; i < n; i++) {
        const s = sigmoid(x[i])
        out[i] = g[i] * s * (1 + x[i] * (1 - s))
      }
      return
  }
}

export function binary(op: number, out: TensorData, x: TensorData, y: TensorData, plan: Plan | null): void {
  const name = binaryOps[op]
  if (plan === null) binaryLoop(name, out, 0, x, 0, 1, y, 0, 1, out.length)
  else walkPairs(plan, out.length, (o, i, si, j, sj, n) => binaryLoop(name, out, o, x, i, si, y, j, sj, n))
}

function binaryLoop(
  op: BinaryOp,
  out: TensorData,
  o: number,
  x: TensorData,
  i: number,
  si: number,
  y: TensorData,
  j: number,
  sj: number,
  n: number,
): void {
  switch (op) {
    case 'add':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] + y[j + k * sj]
      return
    case 'sub':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] - y[j + k * sj]
      return
    case 'mul':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] * y[j + k * sj]
      return
    case 'div':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] / y[j + k * sj]
      return
    case 'pow':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] ** y[j + k * sj]
      return
    case 'minimum':
      for (let k = 0; k < n; k++) out[o + k] = Math.min(x[i + k * si], y[j + k * sj])
      return
    case 'maximum':
      for (let k = 0; k < n; k++) out[o + k] = Math.max(x[i + k * si], y[j + k * sj])
      return
  }
}

export function compare(op: number, out: Int32Array, x: TensorData, y: TensorData, plan: Plan | null): void {
  const name = compareOps[op]
  if (plan === null) compareLoop(name, out, 0, x, 0, 1, y, 0, 1, out.length)
  else walkPairs(plan, out.length, (o, i, si, j, sj, n) => compareLoop(name, out, o, x, i, si, y, j, sj, n))
}

function compareLoop(
  op: CompareOp,
  out: Int32Array,
  o: number,
  x: TensorData,
  i: number,
  si: number,
  y: TensorData,
  j: number,
  sj: number,
  n: number,
): void {
  switch (op) {
    case 'equal':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] === y[j + k * sj] ? 1 : 0
      return
    case 'notEqual':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] !== y[j + k * sj] ? 1 : 0
      return
    case 'less':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] < y[j + k * sj] ? 1 : 0
      return
    case 'lessEqual':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] <= y[j + k * sj] ? 1 : 0
      return
    case 'greater':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] > y[j + k * sj] ? 1 : 0
      return
    case 'greaterEqual':
      for (let k = 0; k < n; k++) out[o + k] = x[i + k * si] >= y[j + k * sj] ? 1 : 0
      return
  }
}

export function where(out: TensorData, condition: Int32Array, x: TensorData, y: TensorData): void {
  for (let i = 0; i < out.length; i++) out[i] = condition[i] !== 0 ? x[i] : y[i]
}
