import { portableRandomKernels } from '../../random/kernels.js'
import type { Watch, Work } from '../../work.js'

const rankTolerance = 1e-12 // of the largest
// Cholesky QR, twice, is as good as Householder's method up to this condition of the Gram matrix.
const leastPivot = 1e-11
const dependentNorm = 1e-13

export function dot(x: Float64Array, y: Float64Array, xFrom: number, yFrom: number, count: number): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum += x[xFrom + i] * y[yFrom + i]
  return sum
}

/** Eigenvalues, descending, and eigenvectors, in rows, of a symmetric n × n matrix: Jacobi's rotations. */
export function* symmetricEigen(
  matrix: Float64Array,
  n: number,
  watch: Watch,
): Work<{ values: Float64Array; vectors: Float64Array }> {
  const a = matrix.slice()
  const v = new Float64Array(n * n)
  for (let i = 0; i < n; i++) v[i * n + i] = 1
  const norm = Math.sqrt(dot(a, a, 0, 0, n * n))
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p * n + q] * a[p * n + q]
    if (Math.sqrt(off) <= 1e-16 * norm) break
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const between = a[p * n + q]
        if (Math.abs(between) <= 1e-18 * norm) continue
        const theta = (a[q * n + q] - a[p * n + p]) / (2 * between)
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
        const c = 1 / Math.sqrt(t * t + 1)
        const s = t * c
        // Rows and columns p and q; the matrix is kept whole so that rows are contiguous.
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[p * n + k], a[q * n + k]]
          a[p * n + k] = c * x - s * y
          a[q * n + k] = s * x + c * y
          const [f, g] = [v[p * n + k], v[q * n + k]]
          v[p * n + k] = c * f - s * g
          v[q * n + k] = s * f + c * g
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[k * n + p], a[k * n + q]]
          a[k * n + p] = c * x - s * y
          a[k * n + q] = s * x + c * y
        }
      }
      if (watch.due()) yield
    }
  }
  const order = Array.from({ length: n }, (_, k) => k).sort((i, j) => a[j * n + j] - a[i * n + i])
  const vectors = new Float64Array(n * n)
  order.forEach((from, to) => {
    vectors.set(v.subarray(from * n, (from + 1) * n), to * n)
  })
  return { values: Float64Array.from(order, (k) => a[k * n + k]), vectors }
}

/**
 * The least-squares solution of least norm of a x = c, for `count` <= rank rows of a, `pitch` numbers apart, by
 * elimination with pivoting. Returns the numerical rank.
 */
export function minimumNorm(
  a: Float64Array,
  count: number,
  pitch: number,
  rank: number,
  c: Float64Array,
  x: Float64Array,
): number {
  const columns = new Float64Array(rank * count)
  for (let l = 0; l < rank; l++) for (let i = 0; i < count; i++) columns[l * count + i] = a[i * pitch + l]
  const r = new Float64Array(count * rank)
  const unit = new Float64Array(count)
  const rest = c.slice(0, count)
  const sides = new Float64Array(count)
  x.fill(0, 0, rank)
  let largest = 0
  let found = 0
  for (; found < count; found++) {
    let best = 0
    let most = -1
    for (let l = 0; l < rank; l++) {
      const norm = Math.sqrt(dot(columns, columns, l * count, l * count, count))
      if (norm > most) {
        most = norm
        best = l
      }
    }
    if (found === 0) largest = most
    if (!(most > rankTolerance * largest)) break
    for (let i = 0; i < count; i++) unit[i] = columns[best * count + i] / most
    for (let l = 0; l < rank; l++) {
      for (let pass = 0; pass < 2; pass++) {
        const part = dot(unit, columns, 0, l * count, count)
        r[found * rank + l] += part
        for (let i = 0; i < count; i++) columns[l * count + i] -= part * unit[i]
      }
      if (l === best) columns.fill(0, l * count, (l + 1) * count)
    }
    const part = dot(unit, rest, 0, 0, count)
    sides[found] = part
    for (let i = 0; i < count; i++) rest[i] -= part * unit[i]
  }
  // R x = sides with least norm: x in the span of R's rows, made orthonormal one after the other.
  for (let i = 0; i < found; i++) {
    const row = i * rank
    for (let pass = 0; pass < 2; pass++) {
      for (let q = 0; q < i; q++) {
        const part = dot(r, r, q * rank, row, rank)
        sides[i] -= part * sides[q]
        for (let l = 0; l < rank; l++) r[row + l] -= part * r[q * rank + l]
      }
    }
    const norm = Math.sqrt(dot(r, r, row, row, rank))
    sides[i] /= norm
    for (let l = 0; l < rank; l++) r[row + l] /= norm
  }
  for (let i = 0; i < found; i++) for (let l = 0; l < rank; l++) x[l] += sides[i] * r[i * rank + l]
  return found
}

/** min xᵀ G x / 2 - h·x with x_i >= 0 from `free` on, by active sets from the start x. */
export function nonNegativeQuadratic(g: Float64Array, h: Float64Array, n: number, free: number, x: Float64Array): void {
  const factor = new Float64Array(n * n)
  const z = new Float64Array(n)
  const w = new Float64Array(n)
  const passive = new Uint8Array(n)
  let scale = 0
  for (let i = 0; i < n; i++) {
    passive[i] = i < free || x[i] > 0 ? 1 : 0
    if (passive[i] === 0) x[i] = 0
    scale = Math.max(scale, Math.abs(h[i]))
  }
  const solvePassive = () => {
    const order: number[] = []
    for (let i = 0; i < n; i++) if (passive[i] === 1) order.push(i)
    const size = order.length
    for (let p = 0; p < size; p++) {
      for (let q = 0; q <= p; q++) {
        const sum = g[order[p] * n + order[q]] - dot(factor, factor, p * n, q * n, q)
        if (q < p) factor[p * n + q] = sum / factor[q * n + q]
        else factor[p * n + p] = Math.sqrt(Math.max(sum, 1e-13 * g[order[p] * n + order[p]] + 1e-300))
      }
    }
    z.fill(0)
    for (let p = 0; p < size; p++) w[p] = (h[order[p]] - dot(factor, w, p * n, 0, p)) / factor[p * n + p]
    for (let p = size - 1; p >= 0; p--) {
      let sum = w[p]
      for (let l = p + 1; l < size; l++) sum -= factor[l * n + p] * w[l]
      w[p] = sum / factor[p * n + p]
      z[order[p]] = w[p]
    }
  }
  for (let round = 0; round < 3 * n + 10; round++) {
    for (let inner = 0; inner <= n; inner++) {
      solvePassive()
      let step = 1
      for (let i = free; i < n; i++) {
        if (passive[i] === 1 && z[i] <= 0) step = Math.min(step, x[i] <= 0 ? 0 : x[i] / (x[i] - z[i]))
      }
      if (step >= 1) break
      for (let i = 0; i < n; i++) x[i] += step * (z[i] - x[i])
      for (let i = free; i < n; i++) {
        if (passive[i] === 0 || x[i] > 1e-15 * Math.abs(z[i]) || z[i] > 0) continue
        passive[i] = 0
        x[i] = 0
      }
    }
    for (let i = 0; i < n; i++) x[i] = passive[i] === 1 ? (i < free ? z[i] : Math.max(0, z[i])) : 0
    let best = n
    let most = 1e-13 * scale
    for (let i = free; i < n; i++) {
      if (passive[i] === 1) continue
      const slope = h[i] - dot(g, x, i * n, 0, n)
      if (slope > most) {
        most = slope
        best = i
      }
    }
    if (best === n) return
    passive[best] = 1
  }
}

/** Sweeps over the coordinates instead, until none moves by more than `tolerance` of the largest. Returns how many. */
export function coordinateSweeps(
  g: Float64Array,
  h: Float64Array,
  n: number,
  free: number,
  tolerance: number,
  most: number,
  x: Float64Array,
): number {
  for (let i = free; i < n; i++) x[i] = Math.max(0, x[i])
  for (let sweep = 1; ; sweep++) {
    let moved = 0
    let largest = 0
    for (let i = 0; i < n; i++) {
      const own = g[i * n + i]
      if (!(own > 0)) continue
      let next = x[i] + (h[i] - dot(g, x, i * n, 0, n)) / own
      if (i >= free) next = Math.max(0, next)
      moved = Math.max(moved, Math.abs(next - x[i]))
      largest = Math.max(largest, Math.abs(next))
      x[i] = next
    }
    if (moved <= tolerance * largest || sweep >= most) return sweep
  }
}

/** Householder's triangularization of `count` rows in place; columns from `rank` on are turned along. */
export function triangularize(a: Float64Array, count: number, pitch: number, rank: number): void {
  const w = new Float64Array(pitch)
  for (let j = 0; j < rank && j < count; j++) {
    const pivot = j * pitch + j
    let squares = 0
    for (let i = j; i < count; i++) squares += a[i * pitch + j] * a[i * pitch + j]
    const first = a[pivot]
    if (squares === first * first) continue
    const alpha = first > 0 ? -Math.sqrt(squares) : Math.sqrt(squares)
    const beta = 1 / (squares - alpha * first)
    a[pivot] = first - alpha
    w.fill(0)
    for (let i = j; i < count; i++) {
      const factor = a[i * pitch + j]
      for (let c = j; c < pitch; c++) w[c] += factor * a[i * pitch + c]
    }
    for (let i = j; i < count; i++) {
      const factor = beta * a[i * pitch + j]
      for (let c = j; c < pitch; c++) a[i * pitch + c] -= factor * w[c]
      a[i * pitch + j] = 0
    }
    a[pivot] = alpha
  }
}

/** A tall matrix: `count` rows, `width` columns from `offset` on, in rows of `pitch`. */
export interface Tall {
  data: Float64Array
  count: number
  pitch: number
  offset: number
  width: number
}

/** Its width × width Gram matrix. */
export function* gramOf({ data, count, pitch, offset, width }: Tall, watch: Watch): Work<Float64Array> {
  const gram = new Float64Array(width * width)
  for (let i = 0; i < count; i++) {
    const row = i * pitch + offset
    for (let p = 0; p < width; p++) {
      const x = data[row + p]
      for (let q = p; q < width; q++) gram[p * width + q] += x * data[row + q]
    }
    if (i % 64 === 0 && watch.due()) yield
  }
  for (let p = 0; p < width; p++) for (let q = 0; q < p; q++) gram[p * width + q] = gram[q * width + p]
  return gram
}

/** x <- x B, B width × width row-major. */
export function* timesSquare({ data, count, pitch, offset, width }: Tall, b: Float64Array, watch: Watch): Work<void> {
  const out = new Float64Array(width)
  for (let i = 0; i < count; i++) {
    const row = i * pitch + offset
    out.fill(0)
    for (let l = 0; l < width; l++) {
      const x = data[row + l]
      for (let c = 0; c < width; c++) out[c] += x * b[l * width + c]
    }
    data.set(out, row)
    if (i % 64 === 0 && watch.due()) yield
  }
}

/** Upper Cholesky factor in place; the strict lower part becomes zero. */
function cholesky(g: Float64Array, n: number): boolean {
  for (let j = 0; j < n; j++) {
    const diagonal = g[j * n + j]
    let pivot = diagonal
    for (let i = 0; i < j; i++) pivot -= g[i * n + j] * g[i * n + j]
    if (!(pivot > leastPivot * diagonal)) return false
    const root = Math.sqrt(pivot)
    for (let c = j + 1; c < n; c++) {
      let sum = g[j * n + c]
      for (let i = 0; i < j; i++) sum -= g[i * n + j] * g[i * n + c]
      g[j * n + c] = sum / root
    }
    g[j * n + j] = root
    g.fill(0, j * n, j * n + j)
  }
  return true
}

function* divideByUpper({ data, count, pitch, offset, width }: Tall, r: Float64Array, watch: Watch): Work<void> {
  for (let i = 0; i < count; i++) {
    const row = i * pitch + offset
    for (let j = 0; j < width; j++) {
      const x = data[row + j] / r[j * width + j]
      data[row + j] = x
      for (let c = j + 1; c < width; c++) data[row + c] -= x * r[j * width + c]
    }
    if (i % 64 === 0 && watch.due()) yield
  }
}

/** Gram and Schmidt's method, every column twice, for what Cholesky's cannot do. */
function* gramSchmidt(
  { data, count: n, pitch, offset, width: k }: Tall,
  missing: 'refill' | 'zero',
  key: Uint32Array,
  watch: Watch,
): Work<Float64Array> {
  const columns = new Float64Array(n * k)
  for (let i = 0; i < n; i++) for (let c = 0; c < k; c++) columns[c * n + i] = data[i * pitch + offset + c]
  const r = new Float64Array(k * k)
  const norm = (c: number) => Math.sqrt(dot(columns, columns, c * n, c * n, n))
  let largest = 0
  for (let c = 0; c < k; c++) largest = Math.max(largest, norm(c))
  for (let c = 0; c < k; c++) {
    const before = norm(c)
    const clear = (keep: boolean) => {
      for (let pass = 0; pass < 2; pass++) {
        for (let q = 0; q < c; q++) {
          const part = dot(columns, columns, q * n, c * n, n)
          for (let i = 0; i < n; i++) columns[c * n + i] -= part * columns[q * n + i]
          if (keep) r[q * k + c] += part
        }
      }
      return norm(c)
    }
    let size = clear(true)
    if (watch.due()) yield
    if (size > dependentNorm * before && size > dependentNorm * largest) {
      r[c * k + c] = size
    } else if (missing === 'zero' || c >= n) {
      columns.fill(0, c * n, (c + 1) * n)
      continue
    } else {
      portableRandomKernels.fillNormal(key, Uint32Array.of(0, 0, c, 0x7ffffffe), columns.subarray(c * n, (c + 1) * n))
      size = clear(false)
    }
    for (let i = 0; i < n; i++) columns[c * n + i] /= size
  }
  for (let i = 0; i < n; i++) for (let c = 0; c < k; c++) data[i * pitch + offset + c] = columns[c * n + i]
  return r
}

/**
 * x = Q R: x becomes Q, orthonormal; returns R (upper). Columns that depend on others are filled with random ones or
 * zeros; their part in R is what there was of them.
 */
export function* orthonormalize(
  x: Tall,
  missing: 'refill' | 'zero',
  key: Uint32Array,
  watch: Watch,
): Work<Float64Array> {
  const k = x.width
  const first = yield* gramOf(x, watch)
  if (x.count < k || !cholesky(first, k)) return yield* gramSchmidt(x, missing, key, watch)
  yield* divideByUpper(x, first, watch)
  const second = yield* gramOf(x, watch)
  cholesky(second, k)
  yield* divideByUpper(x, second, watch)
  const r = new Float64Array(k * k)
  for (let i = 0; i < k; i++) {
    for (let j = i; j < k; j++) for (let l = i; l <= j; l++) r[i * k + j] += second[i * k + l] * first[l * k + j]
  }
  return r
}

export function transposed(matrix: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out[j * n + i] = matrix[i * n + j]
  return out
}
