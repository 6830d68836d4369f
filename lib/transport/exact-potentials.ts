import type { CsrParts, TransformJob } from '../backend/kernels.js'
import type { CheckedExactProblem } from './exact-problem.js'
import { expand, fillMissing, missingPotentials, type Potentials } from './solve.js'

/**
 * Potentials of all nodes from those of the nodes with weight: the others take the largest that is dual feasible. Yields
 * the transforms to run.
 */
export function* allPotentials(
  problem: CheckedExactProblem,
  f: Float64Array,
  g: Float64Array,
  threads: number,
): Generator<TransformJob, Potentials> {
  const all = expand(problem, f, g)
  if (problem.rows === null) return all
  if ('indptr' in problem.whole) {
    fillFromArcs(problem.whole, all.f, all.g)
  } else {
    for (const transform of missingPotentials(problem.whole, all.f, all.g, threads)) {
      yield transform
      fillMissing(transform, all.f, all.g)
    }
  }
  return all
}

function fillFromArcs({ indptr, indices, data }: CsrParts, f: Float64Array, g: Float64Array): void {
  const forArcs = (visit: (i: number, j: number, c: number) => void) => {
    for (let i = 0; i < f.length; i++) for (let k = indptr[i]; k < indptr[i + 1]; k++) visit(i, indices[k], data[k])
  }
  const rows = new Float64Array(f.length).fill(Number.POSITIVE_INFINITY)
  forArcs((i, j, c) => {
    rows[i] = Math.min(rows[i], c - g[j])
  })
  fillMissing({ transpose: false, out: rows }, f, g)
  const columns = new Float64Array(g.length).fill(Number.POSITIVE_INFINITY)
  forArcs((i, j, c) => {
    columns[j] = Math.min(columns[j], c - f[i])
  })
  fillMissing({ transpose: true, out: columns }, f, g)
}
