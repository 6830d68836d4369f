import { sum } from './jet.js'
import type { Published } from './published.js'

const root2 = Math.SQRT2
const points = [
  [9.5, 9.5, 0.5],
  [6.5, -5.5, 0.5],
  [-8.5, -8.5, 0.5],
  [-5.5, 6.5, 0.5],
  [0.5, 0.5, 7.5],
  [0.5, 0.5, -6.5],
]

/** From CUTEst: what else the paper's list has with an objective, and two more (MARATOS, BYRDSPHR). */
export const cutest: Published[] = [
  {
    name: 'MARATOS',
    x0: [1.1, 0.1],
    objective: ([a, b]) => a.pow(2).plus(b.pow(2)).minus(1).times(1e-6).minus(a),
    constraints: ([a, b]) => [a.pow(2).plus(b.pow(2)).minus(1)],
    optimum: -1,
  },
  {
    name: 'GENHS28',
    x0: [-4, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    objective: (x) => sum(x.slice(1).map((v, i) => v.plus(x[i]).pow(2))),
    constraints: (x) => x.slice(2).map((v, i) => sum([x[i], x[i + 1].times(2), v.times(3)]).minus(1)),
    optimum: 0.927173694,
  },
  {
    name: 'MWRIGHT',
    x0: [-1, 2, 1, -2, -2],
    objective: ([a, b, c, d, e]) =>
      sum([a.pow(2), a.minus(b).pow(2), b.minus(c).pow(3), c.minus(d).pow(4), d.minus(e).pow(4)]),
    constraints: ([a, b, c, d, e]) => [
      sum([a, b.pow(2), c.pow(2)]).minus(2 + 3 * root2),
      b
        .minus(c.pow(2))
        .plus(d)
        .plus(2 - 2 * root2),
      a.times(e).minus(2),
    ],
    // CUTEst's file has 32.851791437, where no stationary point is: SLSQP finds these seven optima from 400 random starts, and
    // this one from the published start.
    optimum: 24.97880953,
    others: [1.28838, 24.65733, 41.44649, 50.97184, 69.60809, 597.00374],
  },
  {
    name: 'BYRDSPHR',
    x0: [5, 0.0001, -0.0001],
    objective: (x) => sum(x).times(-1),
    constraints: ([a, b, c]) => [
      sum([a.pow(2), b.pow(2), c.pow(2)]).minus(9),
      sum([a.minus(1).pow(2), b.pow(2), c.pow(2)]).minus(9),
    ],
    optimum: -4.68330049,
  },
  {
    name: 'ORTHREGB',
    x0: [1, 0, 0, 1, 0, 1, 0, 0, 0, ...points.flat()],
    objective: (x) => sum(points.flat().map((value, i) => x[9 + i].minus(value).pow(2))),
    constraints: ([h11, h12, h13, h22, h23, h33, g1, g2, g3, ...rest]) =>
      points.map((_, p) => {
        const [x, y, z] = rest.slice(3 * p)
        const squares = sum([h11.times(x.pow(2)), h22.times(y.pow(2)), h33.times(z.pow(2))])
        const mixed = sum([h12.times(x).times(y), h13.times(x).times(z), h23.times(y).times(z)])
        return squares.plus(mixed.minus(sum([g1.times(x), g2.times(y), g3.times(z)])).times(2)).minus(1)
      }),
    optimum: 0,
  },
]
