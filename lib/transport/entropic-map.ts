import { kernels } from '../backend/index.js'
import { checkRunOptions, runNames } from '../backend/options.js'
import type { ProjectionJob } from '../backend/transport-barycenter.js'
import { copyIfSmall, type MatrixLike, type NdArray, shapeText, toDenseMatrix, toFloat64 } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, positive, type SolverOptions } from '../core/options.js'
import { checkPoints, checkProblem, type TransportProblem } from './problem.js'
import type { TransportSolution } from './solution.js'

export type MapOptions = Pick<SolverOptions, 'threads' | 'signal' | 'onProgress' | 'backend'>

export interface EntropicMap {
  /** Where each of the given points (n × d) goes. Progress counts the points. */
  map(points: MatrixLike, options?: MapOptions): Promise<NdArray>
  /** `map` on the calling thread. */
  mapSync(points: MatrixLike, options?: MapOptions): NdArray
}

const names: ReadonlySet<string> = new Set(runNames.filter((name) => name !== 'timeLimit'))

/**
 * The map of an entropic solution between point clouds, at any point, also outside the clouds:
 *   T(x) = sum_j w_j(x) y_j,   w_j(x) proportional to exp((g_j - c(x, y_j)) / epsilon).
 * At a source it is the barycentric projection of its row of the plan. O(m d) per point; nothing of size n × m is stored.
 * (The weights b_j of the formula in the literature are inside the g_j of our solutions.)
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_OPTION`, `ERR_BUFFER`; the reason of
 * `signal` when aborted.
 *
 * Source: Pooladian, Niles-Weed 2021 (arXiv 2109.12004), equation (1).
 */
export function entropicMap(
  solution: Pick<TransportSolution, 'potentials' | 'epsilon'>,
  problem: TransportProblem,
): EntropicMap {
  if (typeof solution !== 'object' || solution === null) {
    throw new ExtremaError('ERR_SHAPE', `solution: expected an entropic solution, got ${describe(solution)}`)
  }
  const epsilon = positive('solution.epsilon', solution.epsilon)
  const { full } = checkProblem(problem, true)
  if (full.metric === 'dense' || full.y === null) {
    throw new ExtremaError('ERR_SHAPE', 'problem.cost: expected a pointCloud, got a matrix, which has no points to map')
  }
  const { metric, m, d, b } = full
  const y = full.y.slice()
  const g = toFloat64('solution.potentials.g', solution.potentials?.g).slice()
  if (g.length !== m) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `solution.potentials.g: expected ${m} numbers to match the targets, got ${g.length}`,
    )
  }
  for (let j = 0; j < m; j++) {
    if (!Number.isFinite(g[j])) {
      throw new ExtremaError('ERR_NOT_FINITE', `solution.potentials.g[${j}]: expected a finite number, got ${g[j]}`)
    }
    if (b[j] === 0) g[j] = Number.NEGATIVE_INFINITY
  }

  const prepare = (points: MatrixLike, options: MapOptions) => {
    const { control, backend, threads } = checkRunOptions(options, names)
    control.signal?.throwIfAborted()
    const { data, rows, columns } = toDenseMatrix('points', points)
    if (rows === 0 || columns !== d) {
      throw new ExtremaError(
        'ERR_SHAPE',
        `points: expected n×${d} points to match the targets, got ${shapeText(rows, columns)}`,
      )
    }
    checkPoints('points', data, d, metric)
    const job: ProjectionJob = {
      cost: { n: rows, m, metric, x: copyIfSmall(data), y, d },
      epsilon,
      g,
      values: y instanceof Float64Array ? y : Float64Array.from(y),
      columns: d,
      threads,
      out: new Float64Array(rows * d),
    }
    return { job, control, kernel: kernels(backend).transport.projection }
  }
  const finish = ({ cost, out }: ProjectionJob): NdArray => {
    const bad = out.findIndex((value) => !Number.isFinite(value))
    if (bad < 0) return { data: out, shape: [cost.n, d] }
    throw new ExtremaError(
      'ERR_NOT_FINITE',
      `points[${Math.floor(bad / d)}]: expected a finite cost to some target, got a distance that overflows`,
    )
  }
  return {
    async map(points, options = {}) {
      const { job, control, kernel } = prepare(points, options)
      await kernel.run(job, control)
      return finish(job)
    },
    mapSync(points, options = {}) {
      const { job, control, kernel } = prepare(points, options)
      kernel.runSync(job, control)
      return finish(job)
    },
  }
}
