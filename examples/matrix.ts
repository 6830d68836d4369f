// A table of costs: ship from two plants to three shops, and know how far from the optimum the plan can be.
//   npx tsx examples/matrix.ts
import { sinkhornNewtonSparse } from 'extrema/transport'

const cost = [
  [4, 6, 9],
  [5, 3, 8],
] // euros per ton
const supply = [30, 20] // tons
const demand = [10, 25, 15]

const solution = await sinkhornNewtonSparse({ cost, a: supply, b: demand }, { epsilon: 0.05 })
const { data, shape } = solution.plan()
for (let i = 0; i < shape[0]; i++) {
  const row = data.subarray(i * shape[1], (i + 1) * shape[1])
  console.log(`plant ${i + 1} ships ${Array.from(row, (tons) => tons.toFixed(1)).join(', ')} tons`)
}
const { primal, dual } = solution.certificate!
console.log(
  `costs ${solution.value.toFixed(2)} euros; no plan costs less than ${dual.toFixed(2)}, one costs ${primal.toFixed(2)}`,
)
