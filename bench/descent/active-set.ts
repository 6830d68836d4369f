import { blockCoordinateDescent, type DescentProblem } from '../../lib/descent/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { regression, signs } from '../lib/descent-data.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'

export const description =
  'Active sets: iterations until the support is found, finite termination on quadratics, superlinear convergence on the logistic loss.'

/** Iterations to a gap of 1e-9, and the iteration that found the support, in an independent implementation on its own draw. */
const reference: Record<string, string> = {
  '5 gradient': '425, 160',
  '5 two-metric': '211, 93',
  '50 gradient': '> 600, 463',
  '50 two-metric': '19, 14',
  '100 gradient': '> 600',
  '100 two-metric': '10, 9',
}

async function termination(targets: Target[]): Promise<Table> {
  const { A, b } = regression(300, 600, 3, true)
  const problem: DescentProblem = { loss: 'least-squares', A, b, l1: 2000, lower: 0 }
  const exact = await blockCoordinateDescent(problem, { blockSize: 600, tolerance: 1e-14, maxIterations: 200 })
  const rows: Cell[][] = []
  const found = new Map<string, number>()
  for (const blockSize of [5, 50, 100]) {
    for (const update of ['gradient', 'two-metric', 'exact'] as const) {
      const solution = await blockCoordinateDescent(problem, {
        blockSize,
        update,
        tolerance: 0,
        maxIterations: 600,
        history: true,
        backend: 'native',
      })
      const { values } = solution.history!
      const gap = (k: number) => (values[k] - exact.value) / Math.abs(exact.value)
      const first = values.findIndex((_, k) => gap(k) <= 1e-9) + 1
      const final = Math.abs(gap(values.length - 1))
      const key = `${blockSize} ${update}`
      found.set(key, first === 0 ? 601 : first)
      rows.push([blockSize, update, first || null, solution.identified, reference[key] ?? null, solution.status, final])
      if (key !== '100 two-metric') continue
      targets.push(
        atMost('τ = 100, two-metric: iterations to a gap of 1e-9 (reference 10)', found.get(key)!, 20),
        atMost('the final gap there: finite termination', Math.max(final, 1e-18), 1e-13),
        atMost('the iteration that ends it, with the support found', solution.iterations, 60),
      )
    }
  }
  for (const size of [5, 50, 100]) {
    const ratio = found.get(`${size} gradient`)! / found.get(`${size} two-metric`)!
    targets.push(atLeast(`τ = ${size}: iterations of gradient / two-metric`, ratio, size === 5 ? 1.5 : 10, '×'))
  }
  return {
    title: `Data set A, 300 × 600, x ≥ 0, L1 2,000: support ${exact.support.length}`,
    note: 'Greedy variable blocks (gsd). "identified": the support did not change after. A budget of 600.',
    columns: ['τ', 'update', 'to a gap of 1e-9', 'identified', 'reference', 'status', 'final gap'],
    rows,
  }
}

async function superlinear(targets: Target[]): Promise<Table> {
  const { A, labels } = signs(300, 600, 4)
  const l1 = 40
  const problem: DescentProblem = { loss: 'logistic', A, labels, l1, l2: 1 }
  const exact = await blockCoordinateDescent(problem, { blockSize: 600, tolerance: 1e-15, maxIterations: 500 })
  const size = 4 * exact.support.length
  const rows: Cell[][] = []
  for (const update of ['gradient', 'two-metric', 'newton'] as const) {
    const solution = await blockCoordinateDescent(problem, {
      ...{ blockSize: size, update, tolerance: 1e-11, maxIterations: 2000, history: true, backend: 'native' },
    })
    const values = Array.from(solution.history!.values, (value) => (value - exact.value) / Math.abs(exact.value))
    // The gaps from the identification to rounding, and each as a part of the one before.
    const tail = values.slice(Math.max(0, solution.identified - 1)).filter((gap) => gap > 1e-13)
    const factors = tail.slice(1).map((gap, k) => gap / tail[k])
    const last = factors.at(-1) ?? null
    rows.push([update, solution.iterations, solution.identified, tail[0] ?? null, factors[0] ?? null, last])
    if (update !== 'two-metric') continue
    const orders = tail.slice(2).map((gap, k) => Math.log(gap / tail[k + 1]) / Math.log(tail[k + 1] / tail[k]))
    targets.push(
      atLeast('logistic, two-metric: order of the last steps above rounding', orders.at(-1) ?? Number.NaN, 1.5),
      atMost('logistic, two-metric: the last factor of the gap', last ?? Number.NaN, 0.01),
    )
  }
  return {
    title: `Data set B, 300 × 600, L1 ${l1}, l2 1, τ = ${size}: support ${exact.support.length}`,
    note: 'Greedy variable blocks (gsd) larger than the support. Factors: the gap after a step over the one before it, from the identification to 1e-13.',
    columns: ['update', 'iterations', 'identified', 'gap then', 'first factor', 'last factor'],
    rows,
  }
}

export async function run(_context: Context): Promise<Report> {
  const targets: Target[] = []
  return { tables: [await termination(targets), await superlinear(targets)], targets }
}
