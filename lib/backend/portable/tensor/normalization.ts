import type { TensorData } from '../../tensor.js'

export function channelSums(sums: Float64Array, x: TensorData, outer: number, channels: number, inner: number): void {
  sums.fill(0)
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      let sum = 0
      for (const end = i + inner; i < end; i++) sum += x[i]
      sums[c] += sum
    }
  }
}

export function moments(
  means: Float64Array,
  variances: Float64Array,
  x: TensorData,
  outer: number,
  channels: number,
  inner: number,
): void {
  channelSums(means, x, outer, channels, inner)
  for (let c = 0; c < channels; c++) means[c] /= outer * inner
  variances.fill(0)
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const mean = means[c]
      let sum = 0
      for (const end = i + inner; i < end; i++) sum += (x[i] - mean) * (x[i] - mean)
      variances[c] += sum
    }
  }
  for (let c = 0; c < channels; c++) variances[c] /= outer * inner
}

export function normalize(
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
): void {
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const r = 1 / Math.sqrt(variances[c] + epsilon)
      for (let k = 0; k < inner; k++, i++) {
        const j = byInner ? k : c
        out[i] = (x[i] - means[c]) * r * scale[j] + shift[j]
      }
    }
  }
}

/** With y the whitened x and u = g scale: r (u - mean u - y mean(y u)). */
export function normalizeVjp(
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
): void {
  const width = sums.length / 2
  const count = outer * inner
  const [plain, weighed] = [new Float64Array(channels), new Float64Array(channels)]
  sums.fill(0)
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const r = 1 / Math.sqrt(variances[c] + epsilon)
      for (let k = 0; k < inner; k++, i++) {
        const j = byInner ? k : c
        const y = (x[i] - means[c]) * r
        plain[c] += g[i] * scale[j]
        weighed[c] += g[i] * scale[j] * y
        sums[j] += g[i] * y
        sums[width + j] += g[i]
      }
    }
  }
  for (let o = 0, i = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const r = 1 / Math.sqrt(variances[c] + epsilon)
      for (let k = 0; k < inner; k++, i++) {
        const y = (x[i] - means[c]) * r
        out[i] = r * (g[i] * scale[byInner ? k : c] - plain[c] / count - (y * weighed[c]) / count)
      }
    }
  }
}
