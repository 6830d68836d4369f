import { mfac } from '../../lib/curvature/index.js'
import { cholesky, conjugateGradient, prepare } from '../../lib/linear/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { gradientMatrix } from '../lib/gradients.js'
import { logSlope } from '../lib/slope.js'
import type { Cell } from '../lib/table.js'
import { atMost } from '../lib/target.js'
import { medianOf, milliseconds } from '../lib/timing.js'

export const description =
  'M-FAC: how set-up and products grow with m and d, and where conjugate gradients and a dense factorization stand.'

export async function run({ quick, threads, log }: Context): Promise<Report> {
  const repetitions = quick ? 2 : 5
  const time = async (m: number, d: number): Promise<[number, number]> => {
    log(`m = ${m}, d = ${d}`)
    const gradients = gradientMatrix(m, d)
    const x = Float64Array.from({ length: d }, (_, j) => Math.sin(j))
    const setup = await medianOf(repetitions, () => milliseconds(() => mfac({ gradients }, { threads })))
    const inverse = await mfac({ gradients }, { threads })
    return [setup, await medianOf(3 * repetitions, () => milliseconds(() => inverse.ihvp(x)))]
  }
  const counts = quick ? [16, 32, 64] : [16, 32, 64, 128, 256]
  const sizes = quick ? [1e4, 3e4, 1e5] : [1e4, 3e4, 1e5, 3e5, 1e6]
  const byCount: [number, number][] = []
  for (const m of counts) byCount.push(await time(m, quick ? 2e4 : 1e5))
  const bySize: [number, number][] = []
  for (const d of sizes) bySize.push(await time(64, d))
  const [setupSlope, productSlope] = [0, 1].map((k) =>
    logSlope(
      counts,
      byCount.map((times) => times[k]),
    ),
  )
  const [, sizeSlope] = [0, 1].map((k) =>
    logSlope(
      sizes,
      bySize.map((times) => times[k]),
    ),
  )

  const [m, damping, d] = [64, 1e-2, quick ? 500 : 2000]
  const others: Cell[][] = []
  for (const n of [d, ...(quick ? [] : [4000, 100_000])]) {
    log(`others at d = ${n}`)
    const { data } = gradientMatrix(m, n)
    const gradients = { data: Float64Array.from(data), shape: [m, n] as [number, number] }
    const b = Float64Array.from({ length: n }, (_, j) => Math.sin(j))
    const matrix = prepare({ kind: 'low-rank', factor: gradients, diagonal: damping, scale: 1 / m })
    const options = { tolerance: 1e-10, maxIterations: 10 * m, threads }
    let iterations = 0
    const iterative = await medianOf(3, () =>
      milliseconds(async () => {
        ;({ iterations } = await conjugateGradient({ matrix, b }, options))
      }),
    )
    let dense: number | null = null
    if (n <= 4000) {
      const f = new Float64Array(n * n)
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = i === j ? damping : 0
          for (let k = 0; k < m; k++) sum += (data[k * n + i] * data[k * n + j]) / m
          f[i * n + j] = sum
          f[j * n + i] = sum
        }
      }
      dense = await milliseconds(() => cholesky({ data: f, shape: [n, n] }, { threads }))
    }
    const setup = await medianOf(3, () => milliseconds(() => mfac({ gradients }, { damping, threads })))
    const inverse = await mfac({ gradients }, { damping, threads })
    const product = await medianOf(5, () => milliseconds(() => inverse.ihvp(b)))
    others.push([n, setup, product, iterative, iterations, setup / Math.max(1e-9, iterative - product), dense])
  }
  return {
    tables: [
      {
        title: `d = ${quick ? '20,000' : '100,000'}, milliseconds`,
        columns: ['m', 'set-up', 'F⁻¹x'],
        rows: counts.map((count, k) => [count, ...byCount[k]]),
      },
      {
        title: 'm = 64, milliseconds',
        columns: ['d', 'set-up', 'F⁻¹x'],
        rows: sizes.map((size, k) => [size, ...bySize[k]]),
      },
      {
        title: 'm = 64, λ = 0.01, float64, milliseconds',
        note: 'Conjugate gradients on the operator, to 1e-10; from so many right-hand sides on M-FAC is the faster. The dense factorization is without the forming of F.',
        columns: ['d', 'set-up', 'F⁻¹x', 'conjugate gradients', 'iterations', 'break-even', 'dense Cholesky'],
        rows: others,
      },
    ],
    targets: [
      atMost('set-up in m: |slope − 2|', Math.abs(setupSlope - 2), 0.25),
      atMost('product in m: |slope − 1|', Math.abs(productSlope - 1), 0.2),
      atMost('product in d: |slope − 1|', Math.abs(sizeSlope - 1), 0.1),
    ],
  }
}
