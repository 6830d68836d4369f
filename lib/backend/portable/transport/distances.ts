// Distances of one point x to the points y_start … y_(start + count - 1), into out[0 … count). The coordinates of x are
// at x[i + k], those of y by coordinates at yT[k * m + j]; d is even. A pair of coordinates goes first and sets what the
// others, four at a time, add to.

export type Distances = (
  x: Float64Array,
  i: number,
  d: number,
  yT: Float64Array,
  m: number,
  start: number,
  count: number,
  out: Float64Array,
) => void

/** |x - y|² */
export const sqeuclidean: Distances = (x, i, d, yT, m, start, count, out) => {
  let k = d & 2
  if (k === 0) {
    out.fill(0, 0, count)
  } else {
    const x0 = x[i]
    const x1 = x[i + 1]
    const y1 = start + m
    for (let j = 0; j < count; j++) {
      const s0 = x0 - yT[start + j]
      const s1 = x1 - yT[y1 + j]
      out[j] = s0 * s0 + s1 * s1
    }
  }
  for (; k < d; k += 4) {
    const x0 = x[i + k]
    const x1 = x[i + k + 1]
    const x2 = x[i + k + 2]
    const x3 = x[i + k + 3]
    const y0 = k * m + start
    const y1 = y0 + m
    const y2 = y1 + m
    const y3 = y2 + m
    for (let j = 0; j < count; j++) {
      const s0 = x0 - yT[y0 + j]
      const s1 = x1 - yT[y1 + j]
      const s2 = x2 - yT[y2 + j]
      const s3 = x3 - yT[y3 + j]
      out[j] += s0 * s0 + s1 * s1 + (s2 * s2 + s3 * s3)
    }
  }
}

/** |x - y| */
export const euclidean: Distances = (x, i, d, yT, m, start, count, out) => {
  sqeuclidean(x, i, d, yT, m, start, count, out)
  for (let j = 0; j < count; j++) out[j] = Math.sqrt(out[j])
}

/** max(0, 1 - x·y) for points of length one. */
export const cosine: Distances = (x, i, d, yT, m, start, count, out) => {
  let k = d & 2
  if (k === 0) {
    out.fill(1, 0, count)
  } else {
    const x0 = x[i]
    const x1 = x[i + 1]
    const y1 = start + m
    for (let j = 0; j < count; j++) {
      out[j] = 1 - (x0 * yT[start + j] + x1 * yT[y1 + j])
    }
  }
  for (; k < d; k += 4) {
    const x0 = x[i + k]
    const x1 = x[i + k + 1]
    const x2 = x[i + k + 2]
    const x3 = x[i + k + 3]
    const y0 = k * m + start
    const y1 = y0 + m
    const y2 = y1 + m
    const y3 = y2 + m
    for (let j = 0; j < count; j++) {
      out[j] -= x0 * yT[y0 + j] + x1 * yT[y1 + j] + (x2 * yT[y2 + j] + x3 * yT[y3 + j])
    }
  }
  for (let j = 0; j < count; j++) if (out[j] < 0) out[j] = 0
}

/** sum |x_k - y_k| */
export const cityblock: Distances = (x, i, d, yT, m, start, count, out) => {
  let k = d & 2
  if (k === 0) {
    out.fill(0, 0, count)
  } else {
    const x0 = x[i]
    const x1 = x[i + 1]
    const y1 = start + m
    for (let j = 0; j < count; j++) {
      out[j] = Math.abs(x0 - yT[start + j]) + Math.abs(x1 - yT[y1 + j])
    }
  }
  for (; k < d; k += 4) {
    const x0 = x[i + k]
    const x1 = x[i + k + 1]
    const x2 = x[i + k + 2]
    const x3 = x[i + k + 3]
    const y0 = k * m + start
    const y1 = y0 + m
    const y2 = y1 + m
    const y3 = y2 + m
    for (let j = 0; j < count; j++) {
      const s01 = Math.abs(x0 - yT[y0 + j]) + Math.abs(x1 - yT[y1 + j])
      const s23 = Math.abs(x2 - yT[y2 + j]) + Math.abs(x3 - yT[y3 + j])
      out[j] += s01 + s23
    }
  }
}
