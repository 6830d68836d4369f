// Up to four rows P_k = p[at + k m … at + (k + 1) m) at a time, which share the loads of what they meet. Once for float64
// and once for float32: one loop that meets both would be compiled for the general case.

/** sums_k += P_k v, for columns start <= j < end. */
export function multiplyRows(
  p: Float64Array,
  at: number,
  m: number,
  rows: number,
  v: Float64Array,
  start: number,
  end: number,
  sums: Float64Array,
): void {
  if (rows < 4) {
    for (let k = 0; k < rows; k++) {
      const row = at + k * m
      let r = 0
      for (let j = start; j < end; j++) r += p[row + j] * v[j]
      sums[k] += r
    }
    return
  }
  const at1 = at + m
  const at2 = at1 + m
  const at3 = at2 + m
  let r0 = 0
  let r1 = 0
  let r2 = 0
  let r3 = 0
  for (let j = start; j < end; j++) {
    const w = v[j]
    r0 += p[at + j] * w
    r1 += p[at1 + j] * w
    r2 += p[at2 + j] * w
    r3 += p[at3 + j] * w
  }
  sums[0] += r0
  sums[1] += r1
  sums[2] += r2
  sums[3] += r3
}

/** out += sum_k u_(i + k) P_k, for columns start <= j < end. */
export function addRows(
  p: Float64Array,
  at: number,
  m: number,
  rows: number,
  u: Float64Array,
  i: number,
  out: Float64Array,
  start: number,
  end: number,
): void {
  if (rows < 4) {
    for (let k = 0; k < rows; k++) {
      const row = at + k * m
      const scale = u[i + k]
      for (let j = start; j < end; j++) out[j] += scale * p[row + j]
    }
    return
  }
  const at1 = at + m
  const at2 = at1 + m
  const at3 = at2 + m
  const u0 = u[i]
  const u1 = u[i + 1]
  const u2 = u[i + 2]
  const u3 = u[i + 3]
  for (let j = start; j < end; j++) {
    out[j] += u0 * p[at + j] + u1 * p[at1 + j] + (u2 * p[at2 + j] + u3 * p[at3 + j])
  }
}

/** sums_k += P_k v, for columns start <= j < end. */
export function multiplyRows32(
  p: Float32Array,
  at: number,
  m: number,
  rows: number,
  v: Float64Array,
  start: number,
  end: number,
  sums: Float64Array,
): void {
  if (rows < 4) {
    for (let k = 0; k < rows; k++) {
      const row = at + k * m
      let r = 0
      for (let j = start; j < end; j++) r += p[row + j] * v[j]
      sums[k] += r
    }
    return
  }
  const at1 = at + m
  const at2 = at1 + m
  const at3 = at2 + m
  let r0 = 0
  let r1 = 0
  let r2 = 0
  let r3 = 0
  for (let j = start; j < end; j++) {
    const w = v[j]
    r0 += p[at + j] * w
    r1 += p[at1 + j] * w
    r2 += p[at2 + j] * w
    r3 += p[at3 + j] * w
  }
  sums[0] += r0
  sums[1] += r1
  sums[2] += r2
  sums[3] += r3
}

/** out += sum_k u_(i + k) P_k, for columns start <= j < end. */
export function addRows32(
  p: Float32Array,
  at: number,
  m: number,
  rows: number,
  u: Float64Array,
  i: number,
  out: Float64Array,
  start: number,
  end: number,
): void {
  if (rows < 4) {
    for (let k = 0; k < rows; k++) {
      const row = at + k * m
      const scale = u[i + k]
      for (let j = start; j < end; j++) out[j] += scale * p[row + j]
    }
    return
  }
  const at1 = at + m
  const at2 = at1 + m
  const at3 = at2 + m
  const u0 = u[i]
  const u1 = u[i + 1]
  const u2 = u[i + 2]
  const u3 = u[i + 3]
  for (let j = start; j < end; j++) {
    out[j] += u0 * p[at + j] + u1 * p[at1 + j] + (u2 * p[at2 + j] + u3 * p[at3 + j])
  }
}
