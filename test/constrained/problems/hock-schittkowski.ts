import { hs52Constraints } from './hs52.js'
import { type Jet, sum } from './jet.js'
import type { Published } from './published.js'

const root2 = Math.SQRT2
const hs56 = [Math.asin(Math.sqrt(1 / 4.2)), Math.asin(Math.sqrt(5 / 7.2))]
const hs111 = [-6.089, -17.164, -34.054, -5.914, -24.721, -14.986, -24.1, -10.708, -26.662, -22.179]
const hs78Constraints = ([a, b, c, d, e]: Jet[]) => [
  sum([a, b, c, d, e].map((x) => x.pow(2))).minus(10),
  b.times(c).minus(d.times(e).times(5)),
  a.pow(3).plus(b.pow(3)).plus(1),
]

/**
 * Hock, Schittkowski, "Test Examples for Nonlinear Programming Codes", 1981: all whose constraints are equations alone, with HS80
 * without its bounds, and LNP, those that CUTEst has without their inequalities. Checked against CUTEst.
 */
export const hockSchittkowski: Published[] = [
  {
    name: 'HS6',
    x0: [-1.2, 1],
    objective: ([a]) => a.minus(1).pow(2),
    constraints: ([a, b]) => [b.minus(a.pow(2)).times(10)],
    optimum: 0,
  },
  {
    name: 'HS7',
    x0: [2, 2],
    objective: ([a, b]) => a.pow(2).plus(1).log().minus(b),
    constraints: ([a, b]) => [a.pow(2).plus(1).pow(2).plus(b.pow(2)).minus(4)],
    optimum: -Math.sqrt(3),
  },
  {
    name: 'HS8',
    x0: [2, 1],
    objective: ([a]) => a.times(0).minus(1),
    constraints: ([a, b]) => [a.pow(2).plus(b.pow(2)).minus(25), a.times(b).minus(9)],
    optimum: -1,
  },
  {
    name: 'HS9',
    x0: [0, 0],
    objective: ([a, b]) =>
      a
        .times(Math.PI / 12)
        .sin()
        .times(b.times(Math.PI / 16).cos()),
    constraints: ([a, b]) => [a.times(4).minus(b.times(3))],
    optimum: -0.5,
  },
  {
    name: 'HS26',
    x0: [-2.6, 2, 2],
    objective: ([a, b, c]) => a.minus(b).pow(2).plus(b.minus(c).pow(4)),
    constraints: ([a, b, c]) => [b.pow(2).plus(1).times(a).plus(c.pow(4)).minus(3)],
    optimum: 0,
  },
  {
    name: 'HS27',
    x0: [2, 2, 2],
    objective: ([a, b]) =>
      a
        .minus(1)
        .pow(2)
        .times(0.01)
        .plus(b.minus(a.pow(2)).pow(2)),
    constraints: ([a, , c]) => [a.plus(c.pow(2)).plus(1)],
    optimum: 0.04,
  },
  {
    name: 'HS28',
    x0: [-4, 1, 1],
    objective: ([a, b, c]) => a.plus(b).pow(2).plus(b.plus(c).pow(2)),
    constraints: ([a, b, c]) => [a.plus(b.times(2)).plus(c.times(3)).minus(1)],
    optimum: 0,
  },
  {
    name: 'HS39 (also BT9)',
    x0: [2, 2, 2, 2],
    objective: ([a]) => a.times(-1),
    constraints: ([a, b, c, d]) => [b.minus(a.pow(3)).minus(c.pow(2)), a.pow(2).minus(b).minus(d.pow(2))],
    optimum: -1,
  },
  {
    name: 'HS40',
    x0: [0.8, 0.8, 0.8, 0.8],
    objective: ([a, b, c, d]) => a.times(b).times(c).times(d).times(-1),
    constraints: ([a, b, c, d]) => [a.pow(3).plus(b.pow(2)).minus(1), a.pow(2).times(d).minus(c), d.pow(2).minus(b)],
    optimum: -0.25,
  },
  {
    name: 'HS42',
    x0: [1, 1, 1, 1],
    objective: (x) => sum(x.map((v, i) => v.minus(i + 1).pow(2))),
    constraints: ([a, , c, d]) => [a.minus(2), c.pow(2).plus(d.pow(2)).minus(2)],
    optimum: 28 - 10 * root2,
  },
  {
    name: 'HS46',
    x0: [root2 / 2, 1.75, 0.5, 2, 2],
    objective: ([a, b, c, d, e]) => sum([a.minus(b).pow(2), c.minus(1).pow(2), d.minus(1).pow(4), e.minus(1).pow(6)]),
    constraints: ([a, b, c, d, e]) => [
      a.pow(2).times(d).plus(d.minus(e).sin()).minus(1),
      b.plus(c.pow(4).times(d.pow(2))).minus(2),
    ],
    optimum: 0,
  },
  {
    name: 'HS47',
    x0: [2, root2, -1, 2 - root2, 0.5],
    objective: ([a, b, c, d, e]) => sum([a.minus(b).pow(2), b.minus(c).pow(3), c.minus(d).pow(4), d.minus(e).pow(4)]),
    constraints: ([a, b, c, d, e]) => [
      sum([a, b.pow(2), c.pow(3)]).minus(3),
      b.minus(c.pow(2)).plus(d).minus(1),
      a.times(e).minus(1),
    ],
    optimum: 0,
  },
  {
    name: 'HS48',
    x0: [3, 5, -3, 2, -2],
    objective: ([a, b, c, d, e]) => sum([a.minus(1).pow(2), b.minus(c).pow(2), d.minus(e).pow(2)]),
    constraints: ([a, b, c, d, e]) => [sum([a, b, c, d, e]).minus(5), c.minus(d.plus(e).times(2)).plus(3)],
    optimum: 0,
  },
  {
    name: 'HS49',
    x0: [10, 7, 2, -3, 0.8],
    objective: ([a, b, c, d, e]) => sum([a.minus(b).pow(2), c.minus(1).pow(2), d.minus(1).pow(4), e.minus(1).pow(6)]),
    constraints: ([a, b, c, d, e]) => [sum([a, b, c, d.times(4)]).minus(7), c.plus(e.times(5)).minus(6)],
    optimum: 0,
  },
  {
    name: 'HS50',
    x0: [35, -31, 11, 5, -5],
    objective: ([a, b, c, d, e]) => sum([a.minus(b).pow(2), b.minus(c).pow(2), c.minus(d).pow(4), d.minus(e).pow(2)]),
    constraints: (x) => [0, 1, 2].map((i) => sum([x[i], x[i + 1].times(2), x[i + 2].times(3)]).minus(6)),
    optimum: 0,
  },
  {
    name: 'HS51',
    x0: [2.5, 0.5, 2, -1, 0.5],
    objective: ([a, b, c, d, e]) =>
      sum([a.minus(b).pow(2), b.plus(c).minus(2).pow(2), d.minus(1).pow(2), e.minus(1).pow(2)]),
    constraints: (x) => hs52Constraints(x, 4),
    optimum: 0,
  },
  {
    name: 'HS52',
    x0: [2, 2, 2, 2, 2],
    objective: ([a, b, c, d, e]) =>
      sum([a.times(4).minus(b).pow(2), b.plus(c).minus(2).pow(2), d.minus(1).pow(2), e.minus(1).pow(2)]),
    constraints: (x) => hs52Constraints(x, 0),
    optimum: 1859 / 349,
  },
  {
    name: 'HS56',
    x0: [1, 1, 1, hs56[0], hs56[0], hs56[0], hs56[1]],
    objective: ([a, b, c]) => a.times(b).times(c).times(-1),
    constraints: ([a, b, c, d, e, f, g]) => [
      a.minus(d.sin().pow(2).times(4.2)),
      b.minus(e.sin().pow(2).times(4.2)),
      c.minus(f.sin().pow(2).times(4.2)),
      sum([a, b.times(2), c.times(2)]).minus(g.sin().pow(2).times(7.2)),
    ],
    optimum: -3.456,
  },
  {
    name: 'HS61',
    x0: [0, 0, 0],
    objective: ([a, b, c]) =>
      sum([a.pow(2).times(4), b.pow(2).times(2), c.pow(2).times(2), a.times(-33), b.times(16), c.times(-24)]),
    constraints: ([a, b, c]) => [a.times(3).minus(b.pow(2).times(2)).minus(7), a.times(4).minus(c.pow(2)).minus(11)],
    optimum: -143.646142,
  },
  {
    name: 'HS77',
    x0: [2, 2, 2, 2, 2],
    objective: ([a, b, c, d, e]) =>
      sum([a.minus(1).pow(2), a.minus(b).pow(2), c.minus(1).pow(2), d.minus(1).pow(4), e.minus(1).pow(6)]),
    constraints: ([a, b, c, d, e]) => [
      a
        .pow(2)
        .times(d)
        .plus(d.minus(e).sin())
        .minus(2 * root2),
      b.plus(c.pow(4).times(d.pow(2))).minus(8 + root2),
    ],
    optimum: 0.24150513,
  },
  {
    name: 'HS78',
    x0: [-2, 1.5, 2, -1, -1],
    objective: ([a, b, c, d, e]) => a.times(b).times(c).times(d).times(e),
    constraints: hs78Constraints,
    optimum: -2.91970041,
  },
  {
    name: 'HS79',
    x0: [2, 2, 2, 2, 2],
    objective: ([a, b, c, d, e]) =>
      sum([a.minus(1).pow(2), a.minus(b).pow(2), b.minus(c).pow(2), c.minus(d).pow(4), d.minus(e).pow(4)]),
    constraints: ([a, b, c, d, e]) => [
      sum([a, b.pow(2), c.pow(3)]).minus(2 + 3 * root2),
      b
        .minus(c.pow(2))
        .plus(d)
        .plus(2 - 2 * root2),
      a.times(e).minus(2),
    ],
    optimum: 0.0787768209,
  },
  {
    name: 'HS80 (bounds inactive)',
    x0: [-2, 2, 2, -1, -1],
    objective: ([a, b, c, d, e]) => a.times(b).times(c).times(d).times(e).exp(),
    constraints: hs78Constraints,
    optimum: 0.0539498478,
  },
  {
    name: 'HS100LNP',
    x0: [1, 2, 0, 4, 0, 1, 1],
    objective: ([a, b, c, d, e, f, g]) =>
      sum([
        a.minus(10).pow(2),
        b.minus(12).pow(2).times(5),
        c.pow(4),
        d.minus(11).pow(2).times(3),
        e.pow(6).times(10),
        f.pow(2).times(7),
        g.pow(4),
        f.times(g).times(-4),
        f.times(-10),
        g.times(-8),
      ]),
    constraints: ([a, b, c, d, e, f, g]) => [
      sum([a.pow(2).times(2), b.pow(4).times(3), c, d.pow(2).times(4), e.times(5)]).minus(127),
      sum([a.pow(2).times(-4), b.pow(2).times(-1), a.times(b).times(3), c.pow(2).times(-2), f.times(-5), g.times(11)]),
    ],
    optimum: 680.6300573,
  },
  {
    name: 'HS111LNP',
    x0: new Array(10).fill(-2.3),
    objective: (x) => {
      const total = sum(x.map((v) => v.exp())).log()
      return sum(x.map((v, j) => v.exp().times(v.plus(hs111[j]).minus(total))))
    },
    constraints: (x) => {
      const [a, b, c, d, e, f, g, h, i, j] = x.map((v) => v.exp())
      return [
        sum([a, b.times(2), c.times(2), f, j]).minus(2),
        sum([d, e.times(2), f, g]).minus(1),
        sum([c, g, h, i.times(2), j]).minus(1),
      ]
    },
    optimum: -47.76109026,
    tolerance: 1e-6,
  },
]
