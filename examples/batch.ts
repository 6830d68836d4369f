// Many small problems: distances between all pairs of histograms, a thread for each problem at a time.
//   npx tsx examples/batch.ts
import { generator } from 'extrema/random'
import { sinkhornBatch } from 'extrema/transport'

const bins = 32
const cost = Array.from({ length: bins }, (_, i) => Array.from({ length: bins }, (_, j) => ((i - j) / bins) ** 2))

/** A histogram with one bump. */
function histogram(center: number): Float64Array {
  const values = Float64Array.from({ length: bins }, (_, i) => Math.exp(-(((i + 0.5) / bins - center) ** 2) / 0.01))
  const total = values.reduce((sum, value) => sum + value, 0)
  return values.map((value) => value / total)
}

const centers = Array.from(generator(2).uniform(40), (u) => 0.2 + 0.6 * u)
const histograms = centers.map(histogram)
const pairs = centers.flatMap((_, i) => centers.slice(i + 1).map((_, k) => [i, i + 1 + k] as const))
const problems = pairs.map(([i, j]) => ({ cost, a: histograms[i], b: histograms[j] }))

const solutions = await sinkhornBatch(problems, { epsilon: 0.002, tolerance: 1e-6 })
console.log(`${solutions.filter(({ status }) => status === 'converged').length} of ${pairs.length} problems converged`)

// Moving a bump by d costs d²; blurring, about as much for all pairs, comes on top.
const farthest = pairs.reduce((best, _, k) => (solutions[k].value > solutions[best].value ? k : best), 0)
const [i, j] = pairs[farthest]
const shift = Math.abs(centers[i] - centers[j])
console.log(
  `farthest: bumps ${shift.toFixed(3)} apart, root of the cost ${Math.sqrt(solutions[farthest].value).toFixed(3)}`,
)
