// Runs the installed package once through each method: smoke.mjs [native|portable], the backend that must answer.
// Closed form: two points on either side at cost 1 give <C, P> = 1 / (1 + exp(1 / epsilon)).
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import * as moe from 'extrema/moe'
import * as transport from 'extrema/transport'

const expected = process.argv[2] ?? 'native'
const required = createRequire(import.meta.url)('extrema/transport')

const epsilon = 0.4
const exact = 1 / (1 + Math.exp(1 / epsilon))
const cost = [
  [0, 1],
  [1, 0],
]
for (const [format, { sinkhorn, sinkhornSync, sinkhornNewtonSparse }] of Object.entries({
  import: transport,
  require: required,
})) {
  for (const solution of [
    await sinkhorn({ cost }, { epsilon }),
    sinkhornSync({ cost }, { epsilon }),
    await sinkhornNewtonSparse({ cost }, { epsilon }),
  ]) {
    assert.equal(solution.backend, expected, format)
    assert.equal(solution.status, 'converged', format)
    assert.ok(Math.abs(solution.value - exact) < 1e-8, `${format}: ${solution.value}, not ${exact}`)
  }
}

// A problem large enough for the vector kernels, odd in both sizes; both backends must give one answer.
const points = (count, phase) => Array.from({ length: count }, (_, i) => [Math.sin(i + phase), Math.cos(3 * i - phase)])
const cloud = transport.pointCloud(points(203, 0.1), points(157, 0.7))
const here = await transport.sinkhorn({ cost: cloud }, { epsilon: 0.05 })
const portable = await transport.sinkhorn({ cost: cloud }, { epsilon: 0.05, backend: 'portable' })
assert.equal(here.backend, expected)
assert.ok(Math.abs(here.value - portable.value) <= 1e-8 * portable.value, `${here.value}, portable ${portable.value}`)

// Routing of two tokens that want the same expert: the second best of one of them.
const routing = await moe.route(
  [
    [5, 4],
    [3, 1],
  ],
  { k: 1, capacity: 1 },
)
assert.equal(routing.backend, expected)
assert.deepEqual([routing.value, routing.bound], [7, 7])

console.log(
  `smoke: ${expected} on ${process.platform}-${process.arch}, Node ${process.versions.node}, import and require agree`,
)
