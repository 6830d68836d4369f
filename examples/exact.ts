// Exact transport over the arcs there are: which depot serves which shop, and what one more ton would cost.
//   npx tsx examples/exact.ts
import { emd } from 'extrema/transport'

// Depot by depot: the shops that it has a road to, and the cost of a ton there.
const roads = [
  { 0: 4, 1: 6 },
  { 0: 5, 1: 3, 2: 8 },
  { 2: 2, 3: 7 },
] as Record<number, number>[]
const supply = [30, 40, 30]
const demand = [25, 30, 35, 10]

const cost = {
  shape: [roads.length, demand.length] as [number, number],
  indptr: Int32Array.from([0, ...roads.map((_, i) => roads.slice(0, i + 1).flatMap(Object.keys).length)]),
  indices: Int32Array.from(roads.flatMap((row) => Object.keys(row).map(Number))),
  data: Float64Array.from(roads.flatMap((row) => Object.values(row))),
}
const solution = await emd({ cost, a: supply, b: demand })

const { indptr, indices, data } = solution.sparsePlan()
for (let i = 0; i < supply.length; i++) {
  for (let k = indptr[i]; k < indptr[i + 1]; k++) console.log(`depot ${i} sends ${data[k]} tons to shop ${indices[k]}`)
}
console.log(`costs ${solution.value} euros, and no plan costs less than ${solution.certificate.dual}`)
const { f, g } = solution.potentials
console.log(`a ton more at depot 2 and at shop 1 would change that by ${f[2] + g[1]} euros`)
