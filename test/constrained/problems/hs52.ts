import type { Jet } from './jet.js'

/** The constraints that HS51, HS52 and BT3 have in common. */
export const hs52Constraints = ([a, b, c, d, e]: Jet[], first: number) => [
  a.plus(b.times(3)).minus(first),
  c.plus(d).minus(e.times(2)),
  b.minus(e),
]
