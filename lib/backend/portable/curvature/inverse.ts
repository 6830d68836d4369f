import type { GatherJob, InverseProductJob, ProjectJob } from '../../curvature.js'
import type { Clock, Work } from '../work.js'
import { gatherPart, partsOf, projectPart, substitute } from './blocks.js'

export function* project({ rows, x, p }: ProjectJob, clock: Clock): Work<void> {
  p.fill(0)
  for (const part of partsOf(rows)) yield* projectPart(rows, part, x, p, part.index * rows.m, clock)
}

export function* gather({ rows, w, sum }: GatherJob, clock: Clock): Work<void> {
  for (const part of partsOf(rows)) yield* gatherPart(rows, part, w, part.index * rows.m, sum, part.from, clock)
}

export function* inverseProduct(job: InverseProductJob, clock: Clock): Work<void> {
  const { rows, form, factors, damping, x, out } = job
  const { m, block } = rows
  const sums = new Float64Array(Math.min(block, rows.d))
  const p = new Float64Array(m)
  for (const part of partsOf(rows)) {
    const { index, from, width } = part
    if (form === 'columns') {
      sums.set(x.subarray(from, from + width))
      substitute(factors, index * block * block, width, block, sums, 0)
      out.set(sums.subarray(0, width), from)
      if (clock.due()) yield
      continue
    }
    p.fill(0)
    sums.fill(0)
    yield* projectPart(rows, part, x, p, 0, clock)
    substitute(factors, index * m * m, m, m, p, 0)
    yield* gatherPart(rows, part, p, 0, sums, 0, clock)
    for (let j = 0; j < width; j++) out[from + j] = (x[from + j] - sums[j] / m) / damping
  }
}
