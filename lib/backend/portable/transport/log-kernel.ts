import { ExtremaError } from '../../../core/errors.js'
import type { CostAxis } from '../../transport-barycenter.js'
import { exp } from '../math.js'
import { segmentLength, type Watch, type Work } from '../work.js'

// Twin of native/transport/log-kernel.cc.

/** Fibres, the lines of an array along an axis, that are handled together. */
const mostFibres = 16
/** Below, a sum has lost digits to underflow. */
const leastSum = 1e-280

interface Axis {
  n: number
  /** Row i of the costs begins at cost[costStart + i * costStep], that of the kernel at kernel[kernelStart + …]. */
  cost: Float64Array
  costStart: number
  costStep: number
  least: number
  kernel: Float64Array
}

interface Asymmetry {
  row: number
  column: number
}

/**
 * Products with the kernel exp(-C / epsilon) of a cost that is a sum over the axes of an array, from logarithms to
 * logarithms: out_i = log sum_j exp(x_j - C_ij / epsilon), axis by axis. Along an axis, the numbers of a line are taken
 * relative to their largest, multiplied by the kernel of the axis, and the logarithm is taken again; where the product
 * underflows, the sum is formed from its exponents.
 */
export class LogKernel {
  readonly size: number
  /** Sum over the axes of the range of the costs. */
  range = 0
  /** An entry that differs from its mirror. */
  asymmetry: Asymmetry | null = null
  private inverse = 0
  private transposed: Axis | null = null
  private readonly x: Float64Array
  private readonly v: Float64Array
  private readonly z: Float64Array
  private readonly top = new Float64Array(mostFibres)

  private constructor(
    private readonly axes: Axis[],
    private readonly monitor: Watch,
  ) {
    this.size = axes.reduce((product, { n }) => product * n, 1)
    const longest = axes.reduce((most, { n }) => Math.max(most, n), 0)
    this.x = new Float64Array(mostFibres * longest)
    this.v = new Float64Array(mostFibres * longest)
    this.z = new Float64Array(mostFibres * longest)
  }

  static *open(given: CostAxis[], monitor: Watch): Work<LogKernel> {
    const axes = given.map(({ n, cost, grid }): Axis => {
      const [costStart, costStep] = grid ? [n - 1, -1] : [0, n]
      return { n, cost, costStart, costStep, least: 0, kernel: new Float64Array(cost.length) }
    })
    const kernel = new LogKernel(axes, monitor)
    for (const axis of axes) yield* kernel.inspect(axis)
    return kernel
  }

  private *inspect(axis: Axis): Work<void> {
    const { n, cost, costStep } = axis
    let least = Number.POSITIVE_INFINITY
    let most = Number.NEGATIVE_INFINITY
    const rows = costStep === -1 ? 1 : n
    const columns = cost.length / rows
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const value = cost[i * columns + j]
        if (value < least) least = value
        if (value > most) most = value
        if (!Number.isFinite(value)) {
          throw new ExtremaError('ERR_NOT_FINITE', `cost[${i}][${j}]: expected a finite number, got ${value}`)
        }
        if (rows > 1 && value !== cost[j * n + i]) this.asymmetry ??= { row: i, column: j }
      }
      if (this.monitor.due()) yield
    }
    axis.least = least
    this.range += most - least
    if (this.asymmetry === null) return
    const mirrored = new Float64Array(n * n)
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) mirrored[j * n + i] = cost[i * n + j]
      if (this.monitor.due()) yield
    }
    this.transposed = { ...axis, cost: mirrored, kernel: new Float64Array(n * n) }
  }

  /** Forms the kernels of the axes. */
  *prepare(epsilon: number): Work<void> {
    this.inverse = 1 / epsilon
    for (const { cost, kernel, least } of this.transposed === null ? this.axes : [...this.axes, this.transposed]) {
      for (let start = 0; start < kernel.length; start += segmentLength) {
        const end = Math.min(start + segmentLength, kernel.length)
        for (let k = start; k < end; k++) kernel[k] = exp((least - cost[k]) * this.inverse)
        if (this.monitor.due()) yield
      }
    }
  }

  /** Each of `arrays` arrays of `size` logarithms, one behind the other, in place. `transposed`: the sum is over i. */
  *apply(data: Float64Array, arrays: number, transposed: boolean): Work<void> {
    if (transposed && this.transposed !== null) {
      yield* this.applyAxis(this.transposed, data, arrays, 1)
      return
    }
    let outer = arrays
    let inner = this.size
    for (const axis of this.axes) {
      inner /= axis.n
      yield* this.applyAxis(axis, data, outer, inner)
      outer *= axis.n
    }
  }

  private *applyAxis(axis: Axis, data: Float64Array, outer: number, inner: number): Work<void> {
    const { n } = axis
    // Fibres that share a tile lie side by side: along the later axes, or where there are none, one behind the other.
    const across = inner === 1 ? outer : inner
    const blocks = inner === 1 ? 1 : outer
    const [fibreStep, entryStep] = inner === 1 ? [n, 1] : [1, inner]
    for (let block = 0; block < blocks; block++) {
      for (let first = 0; first < across; first += mostFibres) {
        const fibres = Math.min(mostFibres, across - first)
        const start = block * n * inner + first * fibreStep
        this.load(n, data, start, fibres, fibreStep, entryStep)
        if (this.monitor.due()) yield
        const rows = Math.max(4, 4 * Math.floor(segmentLength / (n * fibres)))
        for (let i = 0; i < n; i += rows) {
          this.multiply(axis, fibres, i, Math.min(i + rows, n))
          if (this.monitor.due()) yield
        }
        const { z } = this
        for (let f = 0; f < fibres; f++) {
          for (let j = 0; j < n; j++) data[start + f * fibreStep + j * entryStep] = z[f * n + j]
        }
      }
    }
  }

  private load(
    n: number,
    data: Float64Array,
    start: number,
    fibres: number,
    fibreStep: number,
    entryStep: number,
  ): void {
    const { x, v, top } = this
    for (let f = 0; f < fibres; f++) {
      let most = Number.NEGATIVE_INFINITY
      for (let j = 0; j < n; j++) {
        const value = data[start + f * fibreStep + j * entryStep]
        x[f * n + j] = value
        if (value > most) most = value
      }
      top[f] = most
      const shift = most === Number.NEGATIVE_INFINITY ? 0 : most
      for (let j = f * n; j < (f + 1) * n; j++) v[j] = exp(x[j] - shift)
    }
  }

  /** Rows begin … end of the products of all fibres, as logarithms. */
  private multiply(axis: Axis, fibres: number, begin: number, end: number): void {
    const { n, kernel, costStart, costStep, least } = axis
    const { v, z, top } = this
    let i = begin
    for (; i + 4 <= end; i += 4) {
      let f = 0
      for (; f + 2 <= fibres; f += 2) fourByTwo(kernel, costStart + i * costStep, costStep, v, f * n, n, z, f * n + i)
      for (; f < fibres; f++) fourRows(kernel, costStart + i * costStep, costStep, v, f * n, n, z, f * n + i)
    }
    for (; i < end; i++) {
      for (let f = 0; f < fibres; f++) z[f * n + i] = oneRow(kernel, costStart + i * costStep, v, f * n, n)
    }
    for (let f = 0; f < fibres; f++) {
      if (top[f] === Number.NEGATIVE_INFINITY) {
        z.fill(top[f], f * n + begin, f * n + end)
        continue
      }
      const shift = top[f] - least * this.inverse
      for (let row = begin; row < end; row++) {
        const sum = z[f * n + row]
        z[f * n + row] = sum >= leastSum ? Math.log(sum) + shift : this.logSum(axis, f, row)
      }
    }
  }

  /** log sum_j exp(x_j - c_j / epsilon), relative to the largest exponent. */
  private logSum({ n, cost, costStart, costStep }: Axis, fibre: number, i: number): number {
    const { x, inverse } = this
    const row = costStart + i * costStep
    let most = Number.NEGATIVE_INFINITY
    for (let j = 0; j < n; j++) {
      const exponent = x[fibre * n + j] - cost[row + j] * inverse
      if (exponent > most) most = exponent
    }
    let sum = 0
    for (let j = 0; j < n; j++) sum += exp(x[fibre * n + j] - cost[row + j] * inverse - most)
    return most + Math.log(sum)
  }
}

// z_(i + r) = sum_j k_rj v_j for rows r that lie `step` apart; the second fibre lies n further on in v and z.

function oneRow(k: Float64Array, row: number, v: Float64Array, at: number, n: number): number {
  let sum = 0
  for (let j = 0; j < n; j++) sum += k[row + j] * v[at + j]
  return sum
}

function fourRows(
  k: Float64Array,
  row: number,
  step: number,
  v: Float64Array,
  at: number,
  n: number,
  z: Float64Array,
  out: number,
): void {
  const row1 = row + step
  const row2 = row1 + step
  const row3 = row2 + step
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  for (let j = 0; j < n; j++) {
    const x = v[at + j]
    s0 += k[row + j] * x
    s1 += k[row1 + j] * x
    s2 += k[row2 + j] * x
    s3 += k[row3 + j] * x
  }
  z[out] = s0
  z[out + 1] = s1
  z[out + 2] = s2
  z[out + 3] = s3
}

function fourByTwo(
  k: Float64Array,
  row: number,
  step: number,
  v: Float64Array,
  at: number,
  n: number,
  z: Float64Array,
  out: number,
): void {
  const row1 = row + step
  const row2 = row1 + step
  const row3 = row2 + step
  const next = at + n
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let t0 = 0
  let t1 = 0
  let t2 = 0
  let t3 = 0
  for (let j = 0; j < n; j++) {
    const x = v[at + j]
    const y = v[next + j]
    const k0 = k[row + j]
    const k1 = k[row1 + j]
    const k2 = k[row2 + j]
    const k3 = k[row3 + j]
    s0 += k0 * x
    t0 += k0 * y
    s1 += k1 * x
    t1 += k1 * y
    s2 += k2 * x
    t2 += k2 * y
    s3 += k3 * x
    t3 += k3 * y
  }
  z[out] = s0
  z[out + 1] = s1
  z[out + 2] = s2
  z[out + 3] = s3
  z[out + n] = t0
  z[out + n + 1] = t1
  z[out + n + 2] = t2
  z[out + n + 3] = t3
}
