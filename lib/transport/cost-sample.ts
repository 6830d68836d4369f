import { costEntry } from '../backend/cost-entry.js'
import type { CostData } from '../backend/kernels.js'

const samples = 4096
const golden = (Math.sqrt(5) - 1) / 2

/** Finite costs at places spread over rows and columns, ascending; what is wrong with the others is for a kernel to say. */
export function sampleCosts(cost: CostData): Float64Array {
  const { n, m } = cost
  const entry = costEntry(cost)
  const count = Math.min(samples, n * m)
  return Float64Array.from({ length: count }, (_, k) => {
    const i = Math.floor((k * n) / count)
    return entry(i, Math.floor(((k * golden) % 1) * m))
  })
    .filter(Number.isFinite)
    .sort()
}
