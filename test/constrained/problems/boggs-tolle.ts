import { hs52Constraints } from './hs52.js'
import { sum } from './jet.js'
import type { Published } from './published.js'

const root2 = Math.SQRT2

/**
 * Boggs, Tolle, SIAM J. Numer. Anal. 26 (1989) 600-623, with the corrections of CUTEst (the signs in problems 5 and 10, the square
 * in problem 4); problem 9 is HS39.
 */
export const boggsTolle: Published[] = [
  {
    name: 'BT1',
    x0: [0.08, 0.06],
    objective: ([a, b]) => a.pow(2).plus(b.pow(2)).times(100).minus(a).minus(100),
    constraints: ([a, b]) => [a.pow(2).plus(b.pow(2)).minus(1)],
    optimum: -1,
    // Its multiplier is -99.5: f is off by a hundred times the constraint.
    tolerance: 1e-6,
  },
  {
    name: 'BT2',
    x0: [10, 10, 10],
    objective: ([a, b, c]) => sum([a.minus(1).pow(2), a.minus(b).pow(2), b.minus(c).pow(4)]),
    constraints: ([a, b, c]) => [
      b
        .pow(2)
        .plus(1)
        .times(a)
        .plus(c.pow(4))
        .minus(4 + 3 * root2),
    ],
    optimum: 0.0325682003,
  },
  {
    name: 'BT3',
    x0: [20, 20, 20, 20, 20],
    objective: ([a, b, c, d, e]) =>
      sum([a.minus(b).pow(2), b.plus(c).minus(2).pow(2), d.minus(1).pow(2), e.minus(1).pow(2)]),
    constraints: (x) => hs52Constraints(x, 0),
    optimum: 176 / 43,
  },
  {
    name: 'BT4',
    x0: [4.0382, -2.947, -0.09115],
    objective: ([a, b]) => a.minus(b).plus(b.pow(3)),
    constraints: ([a, b, c]) => [sum([a.pow(2), b.pow(2), c.pow(2)]).minus(25), sum([a, b, c]).minus(1)],
    optimum: -45.510551,
    tolerance: 1e-6,
    others: [3.28903771],
  },
  {
    name: 'BT5',
    x0: [2, 2, 2],
    objective: ([a, b, c]) =>
      sum([a.pow(2), b.pow(2).times(2), c.pow(2), a.times(b), a.times(c)])
        .times(-1)
        .plus(1000),
    constraints: ([a, b, c]) => [
      sum([a.pow(2), b.pow(2), c.pow(2)]).minus(25),
      sum([a.times(8), b.times(14), c.times(7)]).minus(56),
    ],
    optimum: 961.71517219,
  },
  {
    name: 'BT6',
    x0: [2, 2, 2, 2, 2],
    objective: ([a, b, c, d, e]) =>
      sum([a.minus(1).pow(2), a.minus(b).pow(2), c.minus(1).pow(2), d.minus(1).pow(4), e.minus(1).pow(6)]),
    constraints: ([a, b, c, d, e]) => [
      d
        .times(a.pow(2))
        .plus(d.minus(e).sin())
        .minus(2 * root2),
      c
        .pow(4)
        .times(b.pow(2))
        .plus(b)
        .minus(8 + root2),
    ],
    optimum: 0.277044924,
  },
  {
    name: 'BT7',
    x0: [-2, 1, 1, 1, 1],
    objective: ([a, b]) => b.minus(a.pow(2)).pow(2).times(100).plus(a.minus(1).pow(2)),
    constraints: ([a, b, c, d, e]) => [
      a.times(b).minus(c.pow(2)).minus(1),
      b.pow(2).minus(d.pow(2)).plus(a),
      e.pow(2).plus(a).minus(0.5),
    ],
    // At (1/2, 2, 0, √4.5, 0), exactly. CUTEst has 306.49640688, of a run that violates the constraints a little.
    optimum: 306.5,
    tolerance: 1e-6,
    // Its authors' solution, 360.3665439 there: the least of 100 (1 / x - x²)² + (x - 1)² for x < 0.
    others: [360.37976717],
  },
  {
    name: 'BT8',
    x0: [1, 1, 1, 0, 0],
    objective: ([a, b, c]) => sum([a.pow(2), b.pow(2), c.pow(2)]),
    constraints: ([a, b, , d, e]) => [
      a.minus(d.pow(2)).plus(b.pow(2)).minus(1),
      a.pow(2).plus(b.pow(2)).minus(e.pow(2)).minus(1),
    ],
    optimum: 1,
  },
  {
    name: 'BT10',
    x0: [2, 2],
    objective: ([a]) => a.times(-1),
    constraints: ([a, b]) => [b.minus(a.pow(3)), a.pow(2).minus(b)],
    optimum: -1,
  },
  {
    name: 'BT11',
    x0: [2, 2, 2, 2, 2],
    objective: ([a, b, c, d, e]) =>
      sum([a.minus(1).pow(2), a.minus(b).pow(2), b.minus(c).pow(2), c.minus(d).pow(4), d.minus(e).pow(4)]),
    constraints: ([a, b, c, d, e]) => [
      sum([a, b.pow(2), c.pow(3)]).plus(2 - 3 * root2),
      b
        .minus(c.pow(2))
        .plus(d)
        .plus(2 - 2 * root2),
      a.minus(e).minus(2),
    ],
    optimum: 0.824891647,
  },
  {
    name: 'BT12',
    x0: [15.811, 1.5811, 0, 15.083, 3.7164],
    objective: ([a, b]) => a.pow(2).times(0.01).plus(b.pow(2)),
    constraints: ([a, b, c, d, e]) => [
      a.plus(b).minus(c.pow(2)).minus(25),
      sum([a.pow(2), b.pow(2)])
        .minus(d.pow(2))
        .minus(25),
      a.minus(e.pow(2)).minus(2),
    ],
    optimum: 6.18811881,
  },
]
