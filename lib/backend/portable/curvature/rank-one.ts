import { type RankOneJob, rankOneField } from '../../curvature.js'
import type { Clock, Work } from '../work.js'
import { dotAt } from './blocks.js'

export function* rankOne(job: RankOneJob, clock: Clock): Work<void> {
  const { x, n, v, keep, identity, scale, numerator, offset, slope, report } = job
  const y = new Float64Array(n)
  let product = 0
  for (let i = 0; i < n; i++) {
    y[i] = keep * dotAt(x, i * n, v, 0, n) + identity * v[i]
    product += v[i] * y[i]
    if (clock.due()) yield
  }
  const denominator = offset + slope * product
  report[rankOneField.product] = product
  report[rankOneField.denominator] = denominator
  report[rankOneField.largest] = 0
  if (!(denominator > 0)) return
  // factor y yᵀ as the product of two vectors that differ in sign at most: x stays symmetric to the last bit.
  const factor = numerator / denominator
  const root = Math.sqrt(Math.abs(factor))
  for (let i = 0; i < n; i++) y[i] *= root
  let largest = 0 // Math.max keeps NaN
  for (let i = 0; i < n; i++) {
    const weight = factor < 0 ? -y[i] : y[i]
    const row = i * n
    for (let j = 0; j < n; j++) {
      const value = scale * keep * x[row + j] + weight * y[j]
      x[row + j] = value
      largest = Math.max(largest, Math.abs(value))
    }
    x[row + i] += scale * identity
    largest = Math.max(largest, Math.abs(x[row + i]))
    if (clock.due()) yield
  }
  report[rankOneField.largest] = largest
}
