import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { type EqualityConstrainedOptions, minimizeEqualityConstrained } from '../../lib/constrained/index.js'
import {
  constrainedLogistic,
  type Labelled,
  standardized,
  syntheticLabels,
} from '../../test/constrained/problems/logistic.js'
import type { Context, Report } from '../lib/benchmark.js'
import { principalComponents } from '../lib/principal-components.js'
import type { Cell } from '../lib/table.js'
import { atLeast } from '../lib/target.js'

export const description =
  'AdaSketch-Newton on logistic regression with ten linear constraints and a sphere: breast cancer, MNIST, synthetic data.'

const tolerance = 1e-4
const breastCancerScript = fileURLToPath(new URL('../peer/breast_cancer.py', import.meta.url))

function breastCancer(): Labelled {
  const python = process.env.EXTREMA_BENCH_PYTHON ?? '/usr/bin/python3'
  const { x, labels } = JSON.parse(execFileSync(python, [breastCancerScript], { encoding: 'utf8' })) as {
    x: number[]
    labels: number[]
  }
  return standardized({ x: Float64Array.from(x), labels: Float64Array.from(labels, (label) => 2 * label - 1) })
}

/** Threes against eights on their first 60 principal components. */
function threesAndEights(): Labelled {
  const side = 784
  const [threes, eights] = [3, 8].map((digit) => {
    const file = createRequire(import.meta.url).resolve(`mnist/src/digits/${digit}.json`)
    return (JSON.parse(readFileSync(file, 'utf8')) as { data: number[] }).data
  })
  const data = Float64Array.from([...threes, ...eights])
  const count = data.length / side
  const rows = { data, shape: [count, side] }
  const x = principalComponents(rows, 60, 10)(rows).data
  return { x, labels: Float64Array.from({ length: count }, (_, i) => (i * side < threes.length ? 1 : -1)) }
}

const contenders: [string, EqualityConstrainedOptions][] = [
  ['exact (L D Lᵀ)', { linearSolver: 'exact' }],
  ['MINRES', { linearSolver: 'minres', accuracy: 'practical' }],
  ['Kaczmarz', {}],
  ['Kaczmarz, practical', { accuracy: 'practical' }],
  ['Kaczmarz, practical, equilibrated', { accuracy: 'practical', scaling: 'equilibrate' }],
  ['rows, practical', { accuracy: 'practical', sketch: 'rows' }],
]

export async function run({ quick, log }: Context): Promise<Report> {
  const data: [string, () => Labelled][] = [
    ['breast cancer, 569 × 30', breastCancer],
    ['MNIST, 3 against 8, 60 components', threesAndEights],
    ['synthetic, 2,000 × 100', () => syntheticLabels(2000, 100)],
  ]
  const rows: Cell[][] = []
  let solved = 0
  for (const [name, load] of quick ? data.slice(0, 1) : data) {
    const problem = constrainedLogistic(load())
    let optimum = Number.NaN
    for (const [directions, options] of contenders) {
      log(`${name}, ${directions}`)
      const limits = { tolerance, maxSketches: 1e7, timeLimit: quick ? 3000 : 10_000, backend: 'native' as const }
      const solution = await minimizeEqualityConstrained(problem, { ...limits, ...options })
      const { status, iterations, residual, sketches, rows: read, flops, value, elapsed } = solution
      if (options.linearSolver === 'exact') optimum = value
      if (status === 'converged' && Math.abs(value - optimum) <= tolerance) solved++
      rows.push([name, directions, status, iterations, residual, sketches, read, flops, value, elapsed / 1000])
    }
  }
  return {
    tables: [
      {
        title: 'Constrained logistic regression, 11 constraints, KKT residual 1e-4',
        columns: [
          ...['data', 'directions', 'status', 'iterations', 'residual', 'sketches', 'rows read', 'flops', 'value'],
          'seconds',
        ],
        rows,
      },
    ],
    targets: [atLeast("runs that reach the exact variant's value within 1e-4", solved, rows.length)],
  }
}
