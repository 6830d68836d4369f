import type { TensorData } from '../../tensor.js'

export function argReduce(
  largest: boolean,
  out: Int32Array,
  x: TensorData,
  outer: number,
  length: number,
  inner: number,
): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const start = o * length * inner + i
      let best = 0
      let value = x[start]
      for (let k = 1; k < length; k++) {
        const entry = x[start + k * inner]
        const better = largest ? entry > value : entry < value
        if (!better && !(Number.isNaN(entry) && !Number.isNaN(value))) continue
        best = k
        value = entry
      }
      out[o * inner + i] = best
    }
  }
}

export function cumsum(
  out: TensorData,
  x: TensorData,
  outer: number,
  length: number,
  inner: number,
  reverse: boolean,
): void {
  const step = reverse ? -inner : inner
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let at = o * length * inner + i + (reverse ? (length - 1) * inner : 0)
      let sum = 0
      for (let k = 0; k < length; k++, at += step) {
        sum += x[at]
        out[at] = sum
      }
    }
  }
}

export function gather(
  out: TensorData,
  x: TensorData,
  indices: Int32Array,
  outer: number,
  length: number,
  inner: number,
): void {
  const count = indices.length
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < count; i++) {
      const from = (o * length + indices[i]) * inner
      const to = (o * count + i) * inner
      for (let k = 0; k < inner; k++) out[to + k] = x[from + k]
    }
  }
}

export function scatterAdd(
  out: TensorData,
  x: TensorData,
  indices: Int32Array,
  outer: number,
  length: number,
  inner: number,
): void {
  const count = indices.length
  out.fill(0)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < count; i++) {
      const to = (o * length + indices[i]) * inner
      const from = (o * count + i) * inner
      for (let k = 0; k < inner; k++) out[to + k] += x[from + k]
    }
  }
}
