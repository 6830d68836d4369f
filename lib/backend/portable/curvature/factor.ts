import { ExtremaError } from '../../../core/errors.js'
import type { FactorJob, SystemSolveJob } from '../../curvature.js'
import type { Clock, Work } from '../work.js'
import { dotAt, substitute } from './blocks.js'

const mostRatio = 1e300

export function* factor(job: FactorJob, clock: Clock): Work<void> {
  const { count, order, last, gram, damping, divisor, out } = job
  const sizeOf = (k: number) => (k + 1 === count ? last : order)
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < sizeOf(k); i++) {
      const ratio = gram[k * order * order + i * (order + 1)] / damping
      if (ratio <= mostRatio) continue
      throw new ExtremaError(
        'ERR_NOT_FINITE',
        `gradients: expected squared norms of at most 1e300 times the damping, got ${ratio.toExponential(2)} times; raise the damping or rescale the gradients`,
      )
    }
  }
  for (let k = 0; k < count; k++) {
    const size = sizeOf(k)
    const at = k * order * order
    for (let i = 0; i < size; i++) {
      const row = at + i * order
      for (let j = 0; j < i; j++) {
        out[row + j] = (gram[row + j] / divisor - dotAt(out, row, out, at + j * order, j)) / out[at + j * (order + 1)]
      }
      const pivot = damping + gram[row + i] / divisor - dotAt(out, row, out, row, i)
      if (!(pivot > 0)) {
        throw new ExtremaError(
          'ERR_SINGULAR',
          'damping: the damped Fisher matrix is not positive definite in float64; raise the damping or rescale the gradients',
        )
      }
      out[row + i] = Math.sqrt(pivot)
      out.fill(0, row + i + 1, row + size)
      if (clock.due()) yield
    }
  }
}

export function* solve({ count, order, last, factors, p }: SystemSolveJob, clock: Clock): Work<void> {
  for (let k = 0; k < count; k++) {
    substitute(factors, k * order * order, k + 1 === count ? last : order, order, p, k * order)
    if (clock.due()) yield
  }
}
