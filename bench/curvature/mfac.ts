import { kernels } from '../../lib/backend/index.js'
import { mfac, mfacWindow } from '../../lib/curvature/index.js'
import { multiply } from '../../lib/linear/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { gradientMatrix } from '../lib/gradients.js'
import type { Cell } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { medianOf, milliseconds } from '../lib/timing.js'
import { askTorch } from '../lib/torch.js'

export const description =
  "M-FAC: set-up, products and steps of a window, against what reading the gradients takes, BLAS and the paper's dynamic algorithm in PyTorch."

interface Answer {
  setup: number
  step: number
  ihvp: number
  stream: number
  residual: number
}

const damping = 1e-5

/** GFLOP/s of products of square matrices in float64. */
async function peak(threads: number): Promise<number> {
  const n = 2048
  const a = { data: new Float64Array(n * n).fill(1), shape: [n, n] }
  return (2 * n ** 3) / (await medianOf(2, () => milliseconds(() => multiply(a, a, { threads })))) / 1e6
}

/** ‖F u - g‖ / ‖g‖, summed in double. */
function residual(
  { data, shape: [m, d] }: ReturnType<typeof gradientMatrix>,
  u: Float64Array,
  g: Float32Array,
): number {
  const image = u.map((value) => damping * value)
  for (let i = 0; i < m; i++) {
    const row = data.subarray(i * d, (i + 1) * d)
    let p = 0
    for (let j = 0; j < d; j++) p += row[j] * u[j]
    for (let j = 0; j < d; j++) image[j] += (p / m) * row[j]
  }
  let square = 0
  let size = 0
  for (let j = 0; j < d; j++) {
    square += (image[j] - g[j]) ** 2
    size += g[j] ** 2
  }
  return Math.sqrt(square / size)
}

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const repetitions = quick ? 2 : 5
  const rows: Cell[][] = []
  const targets: Target[] = []
  let gemm = await peak(threads)
  const cases = quick
    ? [[128, 20_000]]
    : [
        [128, 32_360],
        [512, 100_000],
        [512, 1_000_000],
      ]
  for (const [m, d] of cases) {
    log(`m = ${m}, d = ${d}`)
    const peer = askTorch<Answer>('torch_mfac.py', { m, d, damping, repetitions }, threads)
    const gradients = gradientMatrix(m, d)
    let inverse = await mfac({ gradients }, { damping, threads })
    const setup = await medianOf(d < 1e6 ? 3 : 1, () =>
      milliseconds(async () => {
        inverse = await mfac({ gradients }, { damping, threads })
      }),
    )
    const x = Float64Array.from(gradients.data.subarray(0, d))
    let u: Float64Array = x
    const product = await medianOf(repetitions, () =>
      milliseconds(async () => {
        u = await inverse.ihvp(x)
      }),
    )
    const own = residual(gradients, u, gradients.data.subarray(0, d))
    const window = mfacWindow({ capacity: m, dimension: d, damping, threads })
    // Full of numbers, for their time: pages that nobody wrote to take none to read.
    const kept = { capacity: m, dimension: d, damping, precision: 'float32', pushes: 0 } as const
    const gram = new Float64Array(m * m)
    const all = { g: gradients.data, m, d, block: d }
    const job = { rows: all, others: null, form: 'rows', order: m, row: 0, column: 0, out: gram, threads } as const
    kernels().curvature.gram.runSync(job, { timeLimit: Number.POSITIVE_INFINITY })
    window.restore({ ...kept, gradients: gradients.data, gram })
    const step = await medianOf(repetitions, () =>
      milliseconds(async () => {
        await window.push(x)
        await window.ihvpOfLast()
      }),
    )
    gemm = Math.max(gemm, await peak(threads))
    const flops = m * (m + 1) * d
    const rate = flops / setup / 1e6
    const reads = (2 * peer.stream * 1000) / product
    rows.push([
      m,
      d,
      setup,
      rate / gemm,
      (peer.setup * 1000) / setup,
      product,
      1 / reads,
      (peer.ihvp * 1000) / product,
      step,
      (peer.step * 1000) / step,
      own,
      peer.residual,
    ])
    if (!(own < 1e-6)) throw new Error(`F u differs from g by ${own}`)
    const name = `m = ${m}, d = ${d.toLocaleString('en-US')}`
    targets.push(atLeast(`${name}: a step against the paper's algorithm in PyTorch`, (peer.step * 1000) / step, 3, '×'))
    if (m < 512) continue
    targets.push(atLeast(`${name}: set-up over products in float64`, (100 * rate) / gemm, 70, ' %'))
    if (d >= 1e6 || quick)
      targets.push(atMost(`${name}: product over reading the gradients twice`, 1 / reads, 1.4, '×'))
  }
  return {
    tables: [
      {
        title: 'M-FAC, gradients in float32, milliseconds',
        note: `Products of 2048 × 2048 matrices in float64 run at ${Math.round(gemm)} GFLOP/s here; the set-up counts m (m + 1) d operations. "Reading" is PyTorch's sum of the matrix, twice. A step replaces a gradient and multiplies it by the inverse. |Fu - g| / |g| for a gradient g of the window: the recursion in float32 has no digits left.`,
        columns: [
          'm',
          'd',
          'set-up',
          'of products',
          'PyTorch / ours',
          'F⁻¹x',
          'over reading',
          'PyTorch / ours',
          'step',
          'PyTorch / ours',
          'residual',
          'PyTorch',
        ],
        rows,
      },
    ],
    targets,
  }
}
