import { expect } from 'chai'
import type { CsrParts } from '../../lib/backend/kernels.js'
import { type CostRows, openCost } from '../../lib/backend/portable/transport/cost.js'
import { costRange } from '../../lib/backend/portable/transport/cost-range.js'
import { KernelSweep } from '../../lib/backend/portable/transport/kernel-sweep.js'
import { largestEntries } from '../../lib/backend/portable/transport/largest-entries.js'
import { PlanPass, planPass } from '../../lib/backend/portable/transport/plan-pass.js'
import { PointCloudRows } from '../../lib/backend/portable/transport/point-cloud.js'
import { SparseOperator } from '../../lib/backend/portable/transport/sparse-operator.js'
import { ThresholdPass, thresholdPass } from '../../lib/backend/portable/transport/threshold-pass.js'
import { columnTransform, rowTransform } from '../../lib/backend/portable/transport/transform-pass.js'
import type { Watch, Work } from '../../lib/backend/portable/work.js'
import { counting, finish } from '../helpers/clock.js'
import { fill, random } from '../helpers/random.js'
import { uniform } from '../helpers/transport.js'

function costOf(n: number, m: number, d: number) {
  const next = random(6)
  if (d === 0) return { n, m, d, metric: 'dense', x: fill(n * m, next), y: null } as const
  return { n, m, d, metric: 'sqeuclidean', x: fill(n * d, next), y: fill(m * d, next) } as const
}

/** Every row full, by rows. */
function fullCsr(n: number, m: number): CsrParts {
  return {
    indptr: Int32Array.from({ length: n + 1 }, (_, i) => i * m),
    indices: Int32Array.from({ length: n * m }, (_, k) => k % m),
    data: fill(n * m, random(7)),
  }
}

describe('portable transport passes look at the clock every few thousand entries', () => {
  type Part = (rows: CostRows, watch: Watch) => Work<unknown>
  const planOf = (rows: CostRows, change: (pass: PlanPass) => void): PlanPass => {
    const pass = new PlanPass(0.1, new Float64Array(rows.n), new Float64Array(rows.m))
    change(pass)
    return pass
  }
  const parts: Record<string, Part> = {
    'range of the costs': costRange,
    'row sums': (rows, watch) =>
      planPass(
        rows,
        planOf(rows, (pass) => {
          pass.rowSum = new Float64Array(rows.n)
        }),
        watch,
      ),
    'the plan in float32': (rows, watch) =>
      planPass(
        rows,
        planOf(rows, (pass) => {
          pass.store = new Float32Array(rows.n * rows.m)
        }),
        watch,
      ),
    'row minima': (rows, watch) => rowTransform(rows, new Float64Array(rows.m), new Float64Array(rows.n), watch),
    'column minima': (rows, watch) => columnTransform(rows, new Float64Array(rows.n), new Float64Array(rows.m), watch),
    'entries above a threshold': (rows, watch) =>
      thresholdPass(rows, new ThresholdPass(0.1, new Float64Array(rows.n), new Float64Array(rows.m), -1), watch),
    'sweep in float64': ({ n, m }, watch) => sweepOf(new Float64Array(n * m).fill(1), n, m).run(watch),
    'sweep in float32': ({ n, m }, watch) => sweepOf(new Float32Array(n * m).fill(1), n, m).run(watch),
    'largest entries': ({ n, m }, watch) => largestEntries(fill(n * m, random(8)), n, m, n + m, watch),
    'transposition and products of a sparse matrix': function* ({ n, m }, watch) {
      const system = { diagonalA: uniform(n), diagonalB: uniform(m), x: uniform(n), y: uniform(m) }
      const matrix = yield* SparseOperator.of(fullCsr(n, m), n, m, system, watch)
      const longer = Math.max(n, m)
      yield* matrix.normal(new Float64Array(longer), new Float64Array(longer))
    },
  }
  const sweepOf = (kernel: Float64Array | Float32Array, n: number, m: number) =>
    new KernelSweep(kernel, uniform(n), new Float64Array(n), uniform(m), new Float64Array(m))

  const shapes = [
    [1, 100_000, 0],
    [100_000, 1, 0],
    [30_000, 3, 0],
    [320, 320, 0],
    [1, 50_000, 2],
    [50_000, 1, 2],
    [2, 30_000, 20],
  ]
  for (const [name, part] of Object.entries(parts)) {
    it(name, () => {
      for (const [n, m, d] of shapes) {
        const rows = finish(openCost(costOf(n, m, d), counting().watch))
        if (rows instanceof PointCloudRows && name === 'range of the costs') continue // known from the start
        const { watch, looks } = counting()
        finish(part(rows, watch))
        expect(looks(), `${n}×${m}`).to.be.at.least(Math.floor((n * m) / 16384))
      }
    })
  }

  it('copies of points', () => {
    for (const [n, m, d] of shapes.filter(([, , d]) => d > 0)) {
      const { watch, looks } = counting()
      finish(openCost(costOf(n, m, d), watch))
      expect(looks(), `${n}×${m}`).to.be.at.least(Math.floor((3 * (n + m) * d) / 8192))
    }
  })
})
