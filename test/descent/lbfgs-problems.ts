type Vector = number[] | Float64Array

/**
 * Moré, Garbow, Hillstrom, *Testing Unconstrained Optimization Software*, 1981: residuals r_i, f = Σ r_i², standard starts, published
 * values of f at the minimum that a descent method reaches from there.
 */
export interface LeastSquaresProblem {
  name: string
  x0: number[]
  minimum: number
  residuals(x: Vector): number[]
  /** ∂r_i/∂x_j */
  jacobian(x: Vector): number[][]
}

const { sqrt, exp, hypot, atan, PI, sin, cos } = Math

const tenths = Array.from({ length: 13 }, (_, i) => (i + 1) / 10)

export const problems: LeastSquaresProblem[] = [
  {
    name: 'rosenbrock',
    x0: [-1.2, 1],
    minimum: 0,
    residuals: ([a, b]) => [10 * (b - a * a), 1 - a],
    jacobian: ([a]) => [
      [-20 * a, 10],
      [-1, 0],
    ],
  },
  {
    name: 'freudenstein',
    x0: [0.5, -2],
    minimum: 48.98425,
    residuals: ([a, b]) => [-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b],
    jacobian: ([, b]) => [
      [1, 10 * b - 3 * b * b - 2],
      [1, 3 * b * b + 2 * b - 14],
    ],
  },
  {
    name: 'beale',
    x0: [1, 1],
    minimum: 0,
    residuals: ([a, b]) => [1.5, 2.25, 2.625].map((y, i) => y - a * (1 - b ** (i + 1))),
    jacobian: ([a, b]) => [1, 2, 3].map((i) => [b ** i - 1, a * i * b ** (i - 1)]),
  },
  {
    name: 'helical',
    x0: [-1, 0, 0],
    minimum: 0,
    residuals: ([a, b, c]) => {
      const angle = atan(b / a) / (2 * PI) + (a < 0 ? 0.5 : 0)
      return [10 * (c - 10 * angle), 10 * (hypot(a, b) - 1), c]
    },
    jacobian: ([a, b]) => {
      const r = hypot(a, b)
      const turn = 100 / (2 * PI * r * r)
      return [
        [turn * b, -turn * a, 10],
        [(10 * a) / r, (10 * b) / r, 0],
        [0, 0, 1],
      ]
    },
  },
  {
    name: 'powell',
    x0: [3, -1, 0, 1],
    minimum: 0,
    residuals: ([a, b, c, d]) => [a + 10 * b, sqrt(5) * (c - d), (b - 2 * c) ** 2, sqrt(10) * (a - d) ** 2],
    jacobian: ([a, b, c, d]) => [
      [1, 10, 0, 0],
      [0, 0, sqrt(5), -sqrt(5)],
      [0, 2 * (b - 2 * c), -4 * (b - 2 * c), 0],
      [2 * sqrt(10) * (a - d), 0, 0, -2 * sqrt(10) * (a - d)],
    ],
  },
  {
    name: 'wood',
    x0: [-3, -1, -3, -1],
    minimum: 0,
    residuals: ([a, b, c, d]) => [
      ...[10 * (b - a * a), 1 - a, sqrt(90) * (d - c * c), 1 - c],
      ...[sqrt(10) * (b + d - 2), (b - d) / sqrt(10)],
    ],
    jacobian: ([a, , c]) => [
      [-20 * a, 10, 0, 0],
      [-1, 0, 0, 0],
      [0, 0, -2 * sqrt(90) * c, sqrt(90)],
      [0, 0, -1, 0],
      [0, sqrt(10), 0, sqrt(10)],
      [0, 1 / sqrt(10), 0, -1 / sqrt(10)],
    ],
  },
  {
    name: 'biggs',
    x0: [1, 2, 1, 1, 1, 1],
    minimum: 5.65565e-3,
    residuals: ([a, b, c, d, e, f]) =>
      tenths.map(
        (t) => c * exp(-t * a) - d * exp(-t * b) + f * exp(-t * e) - (exp(-t) - 5 * exp(-10 * t) + 3 * exp(-4 * t)),
      ),
    jacobian: ([a, b, c, d, e, f]) =>
      tenths.map((t) => [
        ...[-t * c * exp(-t * a), t * d * exp(-t * b), exp(-t * a)],
        ...[-exp(-t * b), -t * f * exp(-t * e), exp(-t * e)],
      ]),
  },
  {
    name: 'trigonometric',
    x0: new Array<number>(10).fill(0.1),
    minimum: 2.79506e-5,
    residuals: (x) => {
      const entries = Array.from(x)
      const total = entries.reduce((sum, t) => sum + cos(t), 0)
      return entries.map((t, i) => entries.length - total + (i + 1) * (1 - cos(t)) - sin(t))
    },
    jacobian: (x) => {
      const entries = Array.from(x)
      return entries.map((t, i) => entries.map((s, j) => sin(s) + (i === j ? (i + 1) * sin(t) - cos(t) : 0)))
    },
  },
]

export function squaresAt({ residuals }: LeastSquaresProblem, x: Vector): number {
  return residuals(x).reduce((sum, r) => sum + r * r, 0)
}

export function gradientOf({ residuals, jacobian }: LeastSquaresProblem, x: Vector): Float64Array {
  const J = jacobian(x)
  const out = new Float64Array(x.length)
  residuals(x).forEach((r, i) => {
    for (let j = 0; j < x.length; j++) out[j] += 2 * r * J[i][j]
  })
  return out
}
