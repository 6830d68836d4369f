import { convolutionOps, type Geometry, type TensorData } from '../../tensor.js'

interface Sizes {
  batch: number
  groups: number
  channels: number
  filters: number
  /** Of one channel or filter. */
  input: number
  output: number
  taps: number
}

function sizesOf(geometry: Geometry): Sizes {
  const [batch, groups, channels, filters] = geometry
  const volume = (start: number): number => geometry[start] * geometry[start + 1] * geometry[start + 2]
  return { batch, groups, channels, filters, input: volume(4), output: volume(7), taps: volume(10) }
}

/** For each tap, the rows of output places that see the input: [output place, input place, length] of each. */
export function rowsOfTaps(geometry: Geometry): number[][] {
  const of = (start: number): Int32Array => geometry.subarray(start, start + 3)
  const [input, output, kernel, stride, padding, dilation] = [4, 7, 10, 13, 16, 19].map(of)
  /** The outputs of an axis that see the input with tap k, and the input place that output 0 would see. */
  const seen = (axis: number, k: number): [from: number, to: number, shift: number] => {
    const shift = k * dilation[axis] - padding[axis]
    const from = Math.max(0, Math.ceil(-shift / stride[axis]))
    const to = Math.min(output[axis], Math.ceil((input[axis] - shift) / stride[axis]))
    return [from, to, shift]
  }
  const taps: number[][] = []
  for (let kz = 0; kz < kernel[0]; kz++) {
    for (let ky = 0; ky < kernel[1]; ky++) {
      for (let kx = 0; kx < kernel[2]; kx++) {
        const rows: number[] = []
        const [z0, z1, dz] = seen(0, kz)
        const [y0, y1, dy] = seen(1, ky)
        const [x0, x1, dx] = seen(2, kx)
        for (let z = z0; z < z1 && x0 < x1; z++) {
          for (let y = y0; y < y1; y++) {
            const line = (z * stride[0] + dz) * input[1] + y * stride[1] + dy
            rows.push((z * output[1] + y) * output[2] + x0, line * input[2] + x0 * stride[2] + dx, x1 - x0)
          }
        }
        taps.push(rows)
      }
    }
  }
  return taps
}

/** Without patches: tap by tap, in float64. */
export function convolution(
  op: number,
  out: TensorData,
  a: TensorData,
  b: TensorData,
  geometry: Geometry,
  _workspace: TensorData,
): void {
  const sizes = sizesOf(geometry)
  const rows = rowsOfTaps(geometry)
  const step = geometry[15]
  const name = convolutionOps[op]
  if (name === 'conv') forward(out, a, b, sizes, rows, step)
  else if (name === 'convTranspose') transposed(out, a, b, sizes, rows, step)
  else weights(out, a, b, sizes, rows, step)
}

function forward(y: TensorData, x: TensorData, w: TensorData, s: Sizes, rows: number[][], step: number): void {
  const sums = new Float64Array(s.output)
  for (let item = 0; item < s.batch; item++) {
    for (let filter = 0; filter < s.groups * s.filters; filter++) {
      sums.fill(0)
      const first = Math.floor(filter / s.filters) * s.channels
      for (let c = 0; c < s.channels; c++) {
        const from = (item * s.groups * s.channels + first + c) * s.input
        for (let tap = 0; tap < s.taps; tap++) {
          const weight = w[(filter * s.channels + c) * s.taps + tap]
          const runs = rows[tap]
          for (let r = 0; r < runs.length; r += 3) {
            const end = runs[r] + runs[r + 2]
            for (let o = runs[r], i = from + runs[r + 1]; o < end; o++, i += step) sums[o] += weight * x[i]
          }
        }
      }
      y.set(sums, (item * s.groups * s.filters + filter) * s.output)
    }
  }
}

function transposed(x: TensorData, y: TensorData, w: TensorData, s: Sizes, rows: number[][], step: number): void {
  const sums = new Float64Array(s.input)
  for (let item = 0; item < s.batch; item++) {
    for (let channel = 0; channel < s.groups * s.channels; channel++) {
      sums.fill(0)
      const first = Math.floor(channel / s.channels) * s.filters
      for (let f = first; f < first + s.filters; f++) {
        const from = (item * s.groups * s.filters + f) * s.output
        for (let tap = 0; tap < s.taps; tap++) {
          const weight = w[(f * s.channels + (channel % s.channels)) * s.taps + tap]
          const runs = rows[tap]
          for (let r = 0; r < runs.length; r += 3) {
            const end = runs[r] + runs[r + 2]
            for (let o = runs[r], i = runs[r + 1]; o < end; o++, i += step) sums[i] += weight * y[from + o]
          }
        }
      }
      x.set(sums, (item * s.groups * s.channels + channel) * s.input)
    }
  }
}

function weights(w: TensorData, x: TensorData, y: TensorData, s: Sizes, rows: number[][], step: number): void {
  for (let filter = 0; filter < s.groups * s.filters; filter++) {
    const first = Math.floor(filter / s.filters) * s.channels
    for (let c = 0; c < s.channels; c++) {
      for (let tap = 0; tap < s.taps; tap++) {
        const runs = rows[tap]
        let sum = 0
        for (let item = 0; item < s.batch; item++) {
          const to = (item * s.groups * s.filters + filter) * s.output
          const from = (item * s.groups * s.channels + first + c) * s.input
          for (let r = 0; r < runs.length; r += 3) {
            const end = to + runs[r] + runs[r + 2]
            for (let o = to + runs[r], i = from + runs[r + 1]; o < end; o++, i += step) sum += y[o] * x[i]
          }
        }
        w[(filter * s.channels + c) * s.taps + tap] = sum
      }
    }
  }
}

export function maxPool(out: TensorData, places: Int32Array, x: TensorData, geometry: Geometry): void {
  const { batch, channels, input, output } = sizesOf(geometry)
  const rows = rowsOfTaps(geometry)
  const step = geometry[15]
  places.fill(-1)
  for (let plane = 0; plane < batch * channels; plane++) {
    const [to, from] = [plane * output, plane * input]
    for (const runs of rows) {
      for (let r = 0; r < runs.length; r += 3) {
        const end = to + runs[r] + runs[r + 2]
        for (let o = to + runs[r], i = from + runs[r + 1]; o < end; o++, i += step) {
          const value = x[i]
          if (places[o] >= 0 && !(value > out[o]) && !(Number.isNaN(value) && !Number.isNaN(out[o]))) continue
          out[o] = value
          places[o] = i
        }
      }
    }
  }
}
