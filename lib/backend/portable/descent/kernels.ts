import { ExtremaError } from '../../../core/errors.js'
import type { DescentJob, DescentKernels, ForestJob } from '../../descent.js'
import { portableKernel, type Steps } from '../driver.js'
import type { Flow, Watch } from './flow.js'
import { ForestSolver } from './forest.js'
import { SparseBlock } from './model.js'
import { checkSymmetric, graphOf, QuadraticModel } from './quadratic-model.js'
import { RowsModel } from './rows-model.js'
import { Descent, needsGradient } from './solve.js'
import { Terms } from './terms.js'

function* solve(job: DescentJob, watch: Watch): Flow<void> {
  const { problem, rules, x } = job
  const model =
    problem.loss === 'quadratic'
      ? new QuadraticModel(problem, x, watch)
      : new RowsModel(problem, x, needsGradient(rules), watch)
  yield* new Descent(model, new Terms(problem), rules, job, watch).run()
}

function* forest({ matrix, b, x, report }: ForestJob, watch: Watch): Flow<void> {
  const n = matrix.rows
  checkSymmetric(matrix)
  if (watch.due()) yield
  const graph = graphOf(matrix)
  const block = new SparseBlock(n, graph.indices.length)
  block.indptr.set(graph.indptr)
  const { dense, indptr, indices, data } = matrix
  let count = 0
  for (let i = 0; i < n; i++) {
    const add = (j: number, value: number) => {
      if (j === i) block.diagonal[i] = value
      else if (value !== 0) {
        block.indices[count] = j
        block.values[count++] = value
      }
    }
    if (dense !== null) for (let j = 0; j < n; j++) add(j, dense[i * n + j])
    else for (let k = indptr![i]; k < indptr![i + 1]; k++) add(indices![k], data![k])
  }
  if (watch.due()) yield
  const solver = new ForestSolver(n)
  const fault = solver.solve(block, n, b, x, false)
  if (fault === 'cycle') {
    throw new ExtremaError('ERR_SHAPE', `A: expected a forest, got a graph with a cycle through node ${solver.fault}`)
  }
  if (fault === 'pivot') {
    throw new ExtremaError(
      'ERR_NOT_POSITIVE',
      `A: expected a positive definite matrix, got a pivot at node ${solver.fault} that is not positive`,
    )
  }
  let worst = 0
  for (let i = 0; i < n; i++) {
    let rest = b[i] - block.diagonal[i] * x[i]
    for (let k = block.indptr[i]; k < block.indptr[i + 1]; k++) rest -= block.values[k] * x[block.indices[k]]
    worst = Math.max(worst, Math.abs(rest))
  }
  report[0] = solver.trees
  report[1] = worst
}

// Only oracles yield promises, and these problems have none.
export const portableDescent: DescentKernels = {
  solve: portableKernel((job: DescentJob, watch) => solve(job, watch) as Steps),
  forest: portableKernel((job: ForestJob, watch) => forest(job, watch) as Steps),
}
