import type { TensorData } from '../../tensor.js'
import { exp } from '../math.js'

function greatest(x: TensorData, start: number, columns: number): number {
  let most = Number.NEGATIVE_INFINITY
  for (let j = 0; j < columns; j++) most = Math.max(most, x[start + j])
  return most
}

function expSum(x: TensorData, start: number, columns: number, most: number): number {
  let sum = 0
  for (let j = 0; j < columns; j++) sum += exp(x[start + j] - most)
  return sum
}

export function softmax(out: TensorData, x: TensorData, rows: number, columns: number, logarithm: boolean): void {
  for (let i = 0; i < rows; i++) {
    const start = i * columns
    const most = greatest(x, start, columns)
    const sum = expSum(x, start, columns, most)
    const shift = Math.log(sum)
    for (let j = start; j < start + columns; j++) out[j] = logarithm ? x[j] - most - shift : exp(x[j] - most) / sum
  }
}

export function softmaxVjp(
  out: TensorData,
  g: TensorData,
  y: TensorData,
  rows: number,
  columns: number,
  logarithm: boolean,
): void {
  for (let i = 0; i < rows; i++) {
    const start = i * columns
    let sum = 0
    for (let j = start; j < start + columns; j++) sum += logarithm ? g[j] : g[j] * y[j]
    for (let j = start; j < start + columns; j++) out[j] = logarithm ? g[j] - exp(y[j]) * sum : y[j] * (g[j] - sum)
  }
}

export function crossEntropy(out: TensorData, x: TensorData, labels: Int32Array, rows: number, columns: number): void {
  for (let i = 0; i < rows; i++) {
    const start = i * columns
    const most = greatest(x, start, columns)
    out[i] = most - x[start + labels[i]] + Math.log(expSum(x, start, columns, most))
  }
}

export function crossEntropyVjp(
  out: TensorData,
  g: TensorData,
  x: TensorData,
  labels: Int32Array,
  rows: number,
  columns: number,
): void {
  for (let i = 0; i < rows; i++) {
    const start = i * columns
    // Not by the loss: beside a large x at the label it has no digits left for the others.
    const most = greatest(x, start, columns)
    const scale = g[i] / expSum(x, start, columns, most)
    for (let j = start; j < start + columns; j++) out[j] = scale * exp(x[j] - most)
    out[start + labels[i]] -= g[i]
  }
}
