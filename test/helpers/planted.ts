import { random, randomNormal } from './random.js'

/** A matrix of low rank with known singular values, and random entries of it. */
export interface Planted {
  m: number
  n: number
  left: number[][]
  right: number[][]
  values: number[]
  at(i: number, j: number): number
  problem: { shape: [number, number]; rows: Int32Array; columns: Int32Array; values: Float64Array }
}

/** `count` orthonormal vectors of length n. */
function orthonormal(count: number, n: number, next: () => number): number[][] {
  const vectors: number[][] = []
  while (vectors.length < count) {
    let vector = Array.from({ length: n }, next)
    for (let pass = 0; pass < 2; pass++) {
      for (const other of vectors) {
        const part = other.reduce((sum, x, i) => sum + x * vector[i], 0)
        vector = vector.map((x, i) => x - part * other[i])
      }
    }
    const norm = Math.hypot(...vector)
    vectors.push(vector.map((x) => x / norm))
  }
  return vectors
}

export function planted(
  m: number,
  n: number,
  { values, share = 1, noise = 0, seed = 1 }: { values: number[]; share?: number; noise?: number; seed?: number },
): Planted {
  const normal = randomNormal(seed)
  const uniform = random(seed + 1)
  const left = orthonormal(values.length, m, normal)
  const right = orthonormal(values.length, n, normal)
  const scale = Math.sqrt(m * n)
  const at = (i: number, j: number) =>
    values.reduce((sum, value, k) => sum + scale * value * left[k][i] * right[k][j], 0)
  const entries: [number, number, number][] = []
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) if (uniform() < share) entries.push([i, j, at(i, j) + noise * normal()])
  }
  const problem: Planted['problem'] = {
    shape: [m, n],
    rows: Int32Array.from(entries, ([i]) => i),
    columns: Int32Array.from(entries, ([, j]) => j),
    values: Float64Array.from(entries, ([, , x]) => x),
  }
  return { m, n, left, right, values, at, problem }
}

/** |X - M| / |M| over all entries. */
export function relativeError(
  { m, n, at }: Pick<Planted, 'm' | 'n' | 'at'>,
  predict: (rows: number[], columns: number[]) => Float64Array,
): number {
  let error = 0
  let size = 0
  for (let i = 0; i < m; i++) {
    const row = predict(
      new Array(n).fill(i),
      Array.from({ length: n }, (_, j) => j),
    )
    for (let j = 0; j < n; j++) {
      error += (row[j] - at(i, j)) ** 2
      size += at(i, j) ** 2
    }
  }
  return Math.sqrt(error / size)
}
