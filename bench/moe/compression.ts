import { allocateBits, prune, quantizationErrors } from '../../lib/moe/index.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { spread } from '../lib/spread.js'
import type { Cell } from '../lib/table.js'
import { atMost, type Target } from '../lib/target.js'

export const description =
  'Compression of experts: what is lost by pruning on a synthetic calibration layer, and by bit widths for heavy-tailed weights.'

/** Experts of three kinds with noise, of different popularity: 512 tokens, 16 experts, 32 outputs. */
function calibrationLayer(seed: number) {
  const rng = generator(seed)
  const [tokens, experts, dimension] = [512, 16, 32]
  const popularity = rng.normal(experts)
  const logits = rng.normal(tokens * experts).map((x, i) => x + popularity[i % experts])
  const kinds = Array.from({ length: 3 }, () => rng.normal(tokens * dimension))
  const outputs = Array.from({ length: experts }, (_, e) => {
    const noise = rng.normal(tokens * dimension)
    return { data: kinds[e % 3].map((x, i) => x + 0.5 * noise[i]), shape: [tokens, dimension] }
  })
  return { logits: { data: logits, shape: [tokens, experts] }, outputs, k: 2 }
}

/** Relative errors of 16 matrices 64 × 64 of Student's t with four degrees, at 1 to 4 bits. */
function heavyTailed(seed: number) {
  const rng = generator(seed)
  const entries = 64 * 64
  const matrices = Array.from({ length: 16 }, () => {
    const [z, c] = [rng.normal(entries), rng.normal(4 * entries)]
    const data = z.map(
      (x, i) => x / Math.sqrt((c[4 * i] ** 2 + c[4 * i + 1] ** 2 + c[4 * i + 2] ** 2 + c[4 * i + 3] ** 2) / 4),
    )
    return { data, shape: [64, 64] }
  })
  const { data, shape } = quantizationErrors(matrices)
  const norms = matrices.map((matrix) => matrix.data.reduce((sum, w) => sum + w * w, 0))
  const frequency = Float64Array.from(rng.permutation(16), (rank) => 1 / (1 + rank))
  return { errors: { data: data.map((error, i) => error / norms[i >> 2]), shape }, frequency }
}

export async function run({ quick, log }: Context): Promise<Report> {
  const states = quick ? 2 : 10
  const targets: Target[] = []
  /** Largest of the ratios, state by state; rounding aside. */
  const worst = (few: number[], many: number[]) => Math.max(...few.map((value, k) => value / many[k] - 1e-9))
  const pruning: Cell[][] = []
  for (const keep of [12, 8]) {
    const lost: Record<string, number[]> = {}
    for (const method of ['random', 'frequency', 'greedy', 'swap', 'enumerate'] as const) {
      log(`keep ${keep}, ${method}`)
      const values: number[] = []
      const times: number[] = []
      for (let seed = 0; seed < states; seed++) {
        const solution = await prune(calibrationLayer(seed), { keep, method, seed })
        values.push(solution.relative)
        times.push(solution.elapsed)
      }
      pruning.push([keep, method, spread(values), spread(times)])
      lost[method] = values
    }
    targets.push(
      atMost(
        `loss of all subsets over that of greedy, keep ${keep}, worst of ${states}`,
        worst(lost.enumerate, lost.greedy),
        1,
        '×',
      ),
      atMost(
        `loss of greedy over that of frequency, keep ${keep}, worst of ${states}`,
        worst(lost.greedy, lost.frequency),
        1,
        '×',
      ),
      atMost(
        `loss of frequency over that of random, keep ${keep}, worst of ${states}`,
        worst(lost.frequency, lost.random),
        1,
        '×',
      ),
    )
  }
  const bits: Cell[][] = []
  for (const averageBits of [2, 3]) {
    const errs: Record<string, number[]> = {}
    for (const method of ['uniform', 'greedy', 'exact'] as const) {
      log(`${averageBits} bits, ${method}`)
      const values: number[] = []
      const bounds: number[] = []
      for (let seed = 0; seed < states; seed++) {
        const { errors, frequency } = heavyTailed(seed)
        const solution = await allocateBits(errors, { averageBits, frequency, method })
        values.push(solution.value)
        bounds.push(solution.lagrangianBound)
      }
      bits.push([averageBits, method, spread(values), spread(bounds)])
      errs[method] = values
      if (method !== 'exact') continue
      targets.push(
        atMost(
          `error of the exact widths over the bound, ${averageBits} bits, worst of ${states}`,
          worst(values, bounds),
          1.05,
          '×',
        ),
      )
    }
    for (const rival of ['uniform', 'greedy']) {
      const name = `error of the exact widths over ${rival} ones, ${averageBits} bits, worst of ${states}`
      targets.push(atMost(name, worst(errs.exact, errs[rival]), 1, '×'))
    }
  }
  return {
    tables: [
      {
        title: 'Pruning of 16 experts: relative change of the outputs, median and range over the states',
        note: 'A synthetic calibration layer: 512 tokens, 32 outputs, experts of three kinds with noise.',
        columns: ['kept', 'method', '|Y - Y_S| / |Y|', 'ms'],
        rows: pruning,
      },
      {
        title: 'Bits of 16 experts 64 × 64 with t(4) weights, used after Zipf: weighted relative squared error',
        columns: ['bits on average', 'method', 'error', 'Lagrangian bound'],
        rows: bits,
      },
    ],
    targets,
  }
}
