import { type EqualityConstrainedOptions, minimizeEqualityConstrained } from '../../lib/constrained/index.js'
import { oraclesOf, type Published, published } from '../../test/constrained/problems/published.js'
import type { Context, Report } from '../lib/benchmark.js'
import type { Cell } from '../lib/table.js'
import { atLeast } from '../lib/target.js'

export const description =
  'AdaSketch-Newton on published problems: all solved to their optimum, by theoretical and by practical accuracy.'

interface Outcome {
  cells: Cell[]
  solved: boolean
  sketches: number
}

/** An error of the solve is an outcome as well: the problem stands as unsolved. */
async function outcome(problem: Published, options: EqualityConstrainedOptions): Promise<Outcome> {
  const limits = {
    backend: 'native' as const,
    maxSketches: 1e6,
    maxIterations: 300,
    tolerance: problem.tolerance ?? 1e-4,
  }
  try {
    const solution = await minimizeEqualityConstrained(oraclesOf(problem), { ...limits, ...options })
    const { status, reason, iterations, sketches, value } = solution
    const optima = [problem.optimum, ...(problem.others ?? [])]
    const errors = optima.map((optimum) => Math.abs(value - optimum))
    const error = Math.min(...errors)
    // A hundredth more: optima are published to nine digits.
    const solved = status === 'converged' && error <= 1.01e-4
    const which = solved ? (errors[0] === error ? 'solved' : 'solved, other optimum') : `unsolved (${reason ?? status})`
    return { cells: [which, iterations, sketches, error], solved, sketches }
  } catch (error) {
    return { cells: [`unsolved (${(error as { code?: string }).code})`, null, null, null], solved: false, sketches: 0 }
  }
}

export async function run({ log, quick }: Context): Promise<Report> {
  const tables: Report['tables'] = []
  const targets: Report['targets'] = []
  const chosen = quick ? published.filter((_, k) => k % 4 === 0) : published
  for (const scaling of ['auto', 'equilibrate'] as const) {
    const rows: Cell[][] = []
    let [logs, both, solved] = [0, 0, 0]
    for (const problem of chosen) {
      log(`${problem.name}, scaling ${scaling}`)
      const theoretical = await outcome(problem, { scaling })
      const practical = await outcome(problem, { scaling, accuracy: 'practical' })
      let ratio: number | null = null
      if (theoretical.solved && practical.solved) {
        solved++
        // Without sketches there is no ratio.
        if (practical.sketches > 0) {
          ratio = theoretical.sketches / practical.sketches
          logs += Math.log(ratio)
          both++
        }
      }
      rows.push([problem.name, ...theoretical.cells, ...practical.cells, ratio])
    }
    tables.push({
      title: `Published problems, Kaczmarz sketches, scaling '${scaling}'`,
      note: 'From the published start and λ₀ = 0, KKT residual 1e-4 (1e-6 where multipliers are large); errors are |f - f*|.',
      columns: [
        ...['problem', 'theoretical', 'iterations', 'sketches', 'error'],
        ...['practical', 'iterations', 'sketches', 'error', 'fewer by'],
      ],
      rows,
    })
    targets.push(
      atLeast(`problems solved both ways, scaling '${scaling}'`, solved, chosen.length),
      atLeast(
        `fewer sketches by practical accuracy, geometric mean, scaling '${scaling}'`,
        Math.exp(logs / both),
        5,
        '×',
      ),
    )
  }
  return { tables, targets }
}
