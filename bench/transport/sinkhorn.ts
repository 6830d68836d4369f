import { sinkhornNewtonSparse } from '../../lib/transport/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { memoryGrowth } from '../lib/memory.js'
import { ourIterations, streamRead } from '../lib/ours.js'
import { type Pot, potIterations } from '../lib/pot.js'
import { betweenPoints, moved, randomAssignment, uniformClouds, uniformPoints } from '../lib/problems.js'
import type { Cell, Table } from '../lib/table.js'
import { atLeast, atMost, type Target } from '../lib/target.js'
import { inTurns, medianOf, perIteration } from '../lib/timing.js'

export const description =
  'Dense Sinkhorn: time per iteration against a streaming read of the kernel matrix and against POT, and memory.'

/** Iterations of the longer of two runs whose difference is timed, and of POT's log-domain form. */
function lengths(n: number): { few: number; many: number; manyLog: number; repetitions: number } {
  if (n >= 4000) return { few: 10, many: 60, manyLog: 20, repetitions: 3 }
  if (n >= 2000) return { few: 10, many: 110, manyLog: 20, repetitions: 5 }
  return { few: 10, many: 210, manyLog: 40, repetitions: 7 }
}

export async function run(context: Context): Promise<Report> {
  const sizes = context.quick ? [500, 1000] : [500, 1000, 2000, 4000]
  const pot = await context.pot()
  const plain = await plainTable(context, pot, sizes)
  const stabilised = await stabilisedTable(context, pot, sizes)
  const portable = await portableTable(context)
  const memory = memoryTable(context, sizes)
  return {
    tables: [plain.table, stabilised.table, portable.table, memory.table],
    targets: [...plain.targets, ...stabilised.targets, ...portable.targets, ...memory.targets],
  }
}

interface Part {
  table: Table
  targets: Target[]
}

async function plainTable({ quick, threads, log }: Context, pot: Pot, sizes: number[]): Promise<Part> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const n of sizes) {
    const problem = uniformClouds(n, 100)
    const matrix32 = Float32Array.from(problem.cost.data)
    const { few, many, repetitions } = lengths(n)
    for (const epsilon of [1e-2, 1e-3]) {
      log(`n = ${n}, epsilon = ${epsilon}`)
      const ours = (precision: 'float64' | 'float32') =>
        perIteration(few, many, (iterations) => ourIterations(problem, { epsilon, precision, threads }, iterations))
      const time = await inTurns(quick ? 2 : repetitions, {
        float64: () => ours('float64'),
        read64: () => streamRead(problem.cost.data, n, n, threads),
        float32: () => ours('float32'),
        read32: () => streamRead(matrix32, n, n, threads),
        pot: () =>
          perIteration(few, many, (iterations) => potIterations(pot, problem, 'sinkhorn', epsilon, iterations)),
      })
      const { float64, read64, float32, read32 } = time
      rows.push([
        n,
        epsilon,
        float64,
        read64,
        float64 / read64,
        float32,
        read32,
        float32 / read32,
        float64 / float32,
        time.pot,
        time.pot / float64,
      ])
      if (n === 4000) {
        const where = `n = m = 4000, epsilon/max(C) = ${epsilon}`
        targets.push(
          atMost(`float64 iteration / streaming read, ${where}`, float64 / read64, 1.3, '×'),
          atLeast(`speed against POT's sinkhorn per iteration, ${where}`, time.pot / float64, 2, '×'),
          atLeast(`float32 against float64, ${where}`, float64 / float32, 1.8, '×'),
        )
      }
    }
  }
  const table: Table = {
    title: 'Plain Sinkhorn, milliseconds per iteration',
    note:
      'Squared Euclidean cost between two clouds uniform in [0, 1]², divided by its maximum; uniform weights. ' +
      '(t(many iterations) − t(few)) / (many − few), so without set-up; POT with its check every 10 iterations. ' +
      '"read" is a plain sum over a matrix of the same size on the same threads.',
    columns: [
      'n = m',
      'ε / max C',
      'float64',
      'read',
      'ratio',
      'float32',
      'read (float32)',
      'ratio (float32)',
      'float64 / float32',
      'POT sinkhorn',
      'POT / float64',
    ],
    rows,
  }
  return { table, targets }
}

/**
 * The target cloud lies beside the source: the scalings span exp(range of the potentials / epsilon), about exp(500) at
 * 1e-3 and exp(5000) at 1e-4, so a kernel matrix can be used only with its scalings absorbed.
 */
async function stabilisedTable({ quick, threads, log }: Context, pot: Pot, sizes: number[]): Promise<Part> {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const n of sizes) {
    const easy = uniformClouds(n, 100)
    const source = uniformPoints(n, 2, 100)
    const hard = betweenPoints(source, moved(uniformPoints(n, 2, 101), 1))
    const { few, many, manyLog, repetitions } = lengths(n)
    for (const epsilon of [1e-3, 1e-4]) {
      log(`stabilised, n = ${n}, epsilon = ${epsilon}`)
      const time = await inTurns(quick ? 2 : repetitions, {
        plain: () => perIteration(few, many, (k) => ourIterations(easy, { epsilon: 1e-2, threads }, k)),
        // From the first iteration on: the log-domain start and all absorptions count.
        stabilised: () => perIteration(1, many, (k) => ourIterations(hard, { epsilon, threads }, k)),
      })
      const potLog = await medianOf(n >= 2000 ? 1 : 3, () =>
        perIteration(few, manyLog, (k) => potIterations(pot, hard, 'sinkhorn_log', epsilon, k)),
      )
      const { plain, stabilised } = time
      rows.push([n, epsilon, stabilised, plain, stabilised / plain, potLog, potLog / stabilised])
      if (n === sizes.at(-1)) {
        const where = `n = m = ${n}, epsilon/max(C) = ${epsilon}`
        targets.push(
          atMost(`stabilised / plain iteration, ${where}`, stabilised / plain, 1.3, '×'),
          atLeast(`stabilised against POT's sinkhorn_log, ${where}`, potLog / stabilised, 20, '×'),
        )
      }
    }
  }
  const table: Table = {
    title: 'Stabilised Sinkhorn, milliseconds per iteration',
    note:
      'As above, but the second cloud moved by (1, 1), so that a plain kernel matrix under- and overflows. All iterations ' +
      'after the first, absorptions included. "plain" is the plain iteration at ε / max C = 1e-2.',
    columns: ['n = m', 'ε / max C', 'stabilised', 'plain', 'ratio', 'POT sinkhorn_log', 'POT / stabilised'],
    rows,
  }
  return { table, targets }
}

async function portableTable({ quick, log }: Context): Promise<Part> {
  log('portable')
  const clouds = uniformClouds(1000, 100)
  const assignment = randomAssignment(500, 1)
  const iterate = (backend: 'native' | 'portable', precision: 'float64' | 'float32') =>
    perIteration(10, 210, (k) => ourIterations(clouds, { epsilon: 1e-2, precision, threads: 1, backend }, k))
  const newton = async (backend: 'native' | 'portable') => {
    const start = performance.now()
    await sinkhornNewtonSparse(assignment, { epsilon: 1 / 1200, threads: 1, backend })
    return performance.now() - start
  }
  const cases: [string, (backend: 'native' | 'portable') => Promise<number>][] = [
    ['Sinkhorn iteration, float64, n = m = 1000', (backend) => iterate(backend, 'float64')],
    ['Sinkhorn iteration, float32, n = m = 1000', (backend) => iterate(backend, 'float32')],
    ['Sinkhorn-Newton-Sparse, random assignment n = 500, eta = 1200, to 1e-9', newton],
  ]
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const [name, measure] of cases) {
    const { native, portable } = await inTurns(quick ? 2 : 5, {
      native: () => measure('native'),
      portable: () => measure('portable'),
    })
    rows.push([name, native, portable, portable / native])
    targets.push(atMost(`portable / native on one thread: ${name}`, portable / native, 15, '×'))
  }
  return {
    table: {
      title: 'Portable against native, one thread, milliseconds',
      columns: ['', 'native', 'portable', 'ratio'],
      rows,
    },
    targets,
  }
}

function memoryTable({ threads, log }: Context, sizes: number[]): Part {
  const rows: Cell[][] = []
  const targets: Target[] = []
  for (const n of sizes.slice(-2)) {
    for (const precision of ['float64', 'float32'] as const) {
      log(`memory, n = ${n}, ${precision}`)
      const growth = memoryGrowth({ cost: 'dense', n, dimension: 0, precision, iterations: 10, threads })
      const kernel = n * n * (precision === 'float64' ? 8 : 4)
      rows.push([n, precision, kernel / 2 ** 20, growth / 2 ** 20, growth / kernel])
      if (n === sizes.at(-1)) {
        targets.push(
          atMost(`memory over the input / kernel matrix, n = m = ${n}, ${precision}`, growth / kernel, 1.1, '×'),
        )
      }
    }
  }
  return {
    table: {
      title: 'Memory on top of the input, MiB',
      note: 'Peak of the resident memory of a fresh process during the solve, less what it held before.',
      columns: ['n = m', 'precision', 'kernel matrix', 'growth', 'ratio'],
      rows,
    },
    targets,
  }
}
