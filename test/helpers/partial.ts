import { type Dense, total } from './transport.js'

/** The balanced problem with a node more on each side, which take what stays. */
export function bordered({ n, m, cost, a, b }: Dense, mass: number): Dense {
  const out = new Float64Array((n + 1) * (m + 1))
  for (let i = 0; i < n; i++) out.set(cost.subarray(i * m, (i + 1) * m), i * (m + 1))
  out[out.length - 1] = Infinity
  return {
    n: n + 1,
    m: m + 1,
    cost: out,
    a: Float64Array.of(...a, total(b) - mass),
    b: Float64Array.of(...b, total(a) - mass),
  }
}
