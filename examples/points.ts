// Points: how far apart are two clouds, and where does each source go?
//   npx tsx examples/points.ts
import { generator } from 'extrema/random'
import { pointCloud, sinkhornNewtonSparse } from 'extrema/transport'

const n = 500
const m = 400
const random = generator(1)
const x = { data: random.normal(2 * n), shape: [n, 2] } // around the origin
const y = { data: random.normal(2 * m).map((value) => 3 + value / 2), shape: [m, 2] } // around (3, 3), half as wide

// Squared distances, computed where they are needed: memory is O(n + m).
const solution = await sinkhornNewtonSparse({ cost: pointCloud(x, y) }, { epsilon: 0.05 })
console.log(`${solution.status} after ${solution.iterations} iterations`)
console.log(`squared distance moved, on average: ${solution.value.toFixed(2)}`)

// Between normal distributions: |mean difference|² + (standard deviations' difference)² in each coordinate.
console.log(`of the distributions behind them: ${(2 * (3 ** 2 + (1 - 1 / 2) ** 2)).toFixed(2)}`)

// The barycentric projection of the first source: the plan's row as weights of the targets.
const mass = solution.apply(new Float64Array(m).fill(1))
const goesTo = [0, 1].map((c) => {
  const coordinate = Float64Array.from({ length: m }, (_, j) => y.data[2 * j + c])
  return solution.apply(coordinate)[0] / mass[0]
})
const text = (point: ArrayLike<number>) => Array.from(point, (value) => value.toFixed(2)).join(', ')
console.log(`(${text(x.data.subarray(0, 2))}) goes to (${text(goesTo)})`)
