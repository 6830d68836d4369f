import { exp } from '../math.js'

// Special functions, by the same formulas as native/tensor/special.h.

/** W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969), 631-637. */
const A = [3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694, 0.18577770618460315]
const B = [23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171]
const C = [
  ...[0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769],
  ...[1712.0476126340707, 2051.0783778260716, 1230.3393547979972, 2.1531153547440383e-8],
]
const D = [
  ...[15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597],
  ...[4362.619090143247, 3439.3676741437216, 1230.3393548037495],
]
const P = [
  ...[0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275],
  ...[0.0006587491615298378, 0.016315387137302097],
]
const Q = [2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918]
const INVERSE_SQRT_PI = 0.5641895835477563
const INVERSE_SQRT_2PI = 0.3989422804014327
const SQRT_2_OVER_PI = 0.7978845608028654

/** erf for |x| <= 0.46875. */
function erfNear(x: number): number {
  const z = x * x
  let top = A[4] * z
  let bottom = z
  for (let i = 0; i < 3; i++) {
    top = (top + A[i]) * z
    bottom = (bottom + B[i]) * z
  }
  return (x * (top + A[3])) / (bottom + B[3])
}

/** exp(x²) erfc(x) for x > 0.46875. */
function erfcScaled(x: number): number {
  if (x <= 4) {
    let top = C[8] * x
    let bottom = x
    for (let i = 0; i < 7; i++) {
      top = (top + C[i]) * x
      bottom = (bottom + D[i]) * x
    }
    return (top + C[7]) / (bottom + D[7])
  }
  const z = 1 / (x * x)
  let top = P[5] * z
  let bottom = z
  for (let i = 0; i < 4; i++) {
    top = (top + P[i]) * z
    bottom = (bottom + Q[i]) * z
  }
  return (INVERSE_SQRT_PI - (z * (top + P[4])) / (bottom + Q[4])) / x
}

/** exp(-x²) without the rounding error of x² in the exponent. */
function expMinusSquare(x: number): number {
  const head = Math.trunc(x * 16) / 16
  return exp(-head * head) * exp(-(x - head) * (x + head))
}

export function erf(x: number): number {
  const a = Math.abs(x)
  if (!(a > 0.46875)) return erfNear(x)
  const tail = a > 6 ? 0 : erfcScaled(a) * expMinusSquare(a)
  return x < 0 ? tail - 1 : 1 - tail
}

export function erfc(x: number): number {
  const a = Math.abs(x)
  if (!(a > 0.46875)) return 1 - erfNear(x)
  const tail = a > 27 ? 0 : erfcScaled(a) * expMinusSquare(a)
  return x < 0 ? 2 - tail : tail
}

/** Logarithm of the standard normal distribution function, without underflow far to the left. */
export function logNdtr(x: number): number {
  const t = -x * Math.SQRT1_2
  if (x < -1) return Math.log(0.5 * erfcScaled(t)) - t * t
  return Math.log1p(-0.5 * erfc(-t))
}

/** φ(x) / Φ(x) of the standard normal distribution, the derivative of `logNdtr`. */
export function inverseMills(x: number): number {
  if (x < -1) return SQRT_2_OVER_PI / erfcScaled(-x * Math.SQRT1_2)
  return (2 * INVERSE_SQRT_2PI * exp(-0.5 * x * x)) / erfc(-x * Math.SQRT1_2)
}

export function sigmoid(x: number): number {
  return 1 / (1 + exp(-x))
}

export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(exp(-Math.abs(x)))
}

/** x Φ(x) */
export function gelu(x: number): number {
  return 0.5 * x * erfc(-x * Math.SQRT1_2)
}

export function geluDerivative(x: number): number {
  return 0.5 * erfc(-x * Math.SQRT1_2) + x * INVERSE_SQRT_2PI * exp(-0.5 * x * x)
}

/** Bernoulli numbers B_2, B_4, … */
const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510]
const HALF_LOG_2PI = 0.9189385332046728
/** From here on eight terms of the asymptotic series give all digits. */
const FAR = 10

/** log |Γ(x)|: Stirling's series after x is carried beyond 10 by the recurrence, and the reflection formula. */
export function lgamma(x: number): number {
  if (x <= 0) {
    if (x === Math.floor(x)) return Number.POSITIVE_INFINITY
    return Math.log(Math.PI / Math.abs(sinPi(x))) - lgamma(1 - x)
  }
  if (x === 1 || x === 2) return 0
  if (x === Number.POSITIVE_INFINITY) return x
  let product = 1
  let z = x
  while (z < FAR) product *= z++
  const inverse = 1 / (z * z)
  let series = 0
  for (let k = BERNOULLI.length; k >= 1; k--) series = series * inverse + BERNOULLI[k - 1] / (2 * k * (2 * k - 1))
  return (z - 0.5) * Math.log(z) - z + HALF_LOG_2PI + series / z - Math.log(product)
}

/** sin(π x) without the error of π times a large x. */
function sinPi(x: number): number {
  const r = x - 2 * Math.round(x / 2)
  return Math.sin(Math.PI * r)
}

/**
 * The derivative of order n >= 0 of the digamma function: by the recurrence beyond 10 + n and the asymptotic series
 * (Abramowitz and Stegun, 6.3.18 and 6.4.11); left of 0 by reflection.
 */
export function polygamma(n: number, x: number): number {
  return n === 0 ? digamma(x) : higherPolygamma(n, x)
}

function digamma(x: number): number {
  if (x <= 0) {
    if (x === Math.floor(x)) return Number.NaN
    const r = x - Math.round(x)
    return digamma(1 - x) - Math.PI / Math.tan(Math.PI * r)
  }
  let sum = 0
  let z = x
  while (z < FAR) sum -= 1 / z++
  const inverse = 1 / (z * z)
  let series = 0
  for (let k = BERNOULLI.length; k >= 1; k--) series = (series + BERNOULLI[k - 1] / (2 * k)) * inverse
  return sum + Math.log(z) - 0.5 / z - series
}

function higherPolygamma(n: number, x: number): number {
  if (x <= 0 && x === Math.floor(x)) return n % 2 === 1 ? Number.POSITIVE_INFINITY : Number.NaN
  if (x < 0) return (n % 2 === 0 ? 1 : -1) * higherPolygamma(n, 1 - x) - cotangentDerivative(n, x)
  // ψ⁽ⁿ⁾(x) = (-1)^(n+1) n! Σ 1 / (x + k)^(n+1)
  let sum = 0
  let z = x
  while (z < FAR + n) sum += (z++) ** -(n + 1)
  const inverse = 1 / (z * z)
  // Σ over the rest, by Euler and Maclaurin: z^-n / n + z^-(n+1) / 2 + Σ B_2k (n + 1) … (n + 2k - 1) / (2k)! z^-(n+2k)
  let rest = 0
  let coefficient = (n + 1) / 2
  let power = inverse
  for (let k = 1; k <= BERNOULLI.length; k++) {
    rest += BERNOULLI[k - 1] * coefficient * power
    coefficient *= ((n + 2 * k) * (n + 2 * k + 1)) / ((2 * k + 1) * (2 * k + 2))
    power *= inverse
  }
  sum += (1 / n + 0.5 / z + rest) * z ** -n
  let factorial = 1
  for (let i = 2; i <= n; i++) factorial *= i
  return n % 2 === 1 ? factorial * sum : -factorial * sum
}

/**
 * The derivative of order n of π cot(π x): π^(n+1) P_n(c) with c = cot(π x), P_0 = c and P_n+1 = -(1 + c²) P_n'. The
 * coefficients of a P_n have one sign, so that nothing cancels.
 */
function cotangentDerivative(n: number, x: number): number {
  const r = x - Math.round(x)
  const quarter = Math.abs(r) > 0.25
  const c = quarter ? Math.sign(r) * Math.tan(Math.PI * (0.5 - Math.abs(r))) : 1 / Math.tan(Math.PI * r)
  let coefficients = [0, 1]
  for (let k = 0; k < n; k++) {
    const next = new Array<number>(coefficients.length + 1).fill(0)
    for (let j = 1; j < coefficients.length; j++) {
      next[j - 1] -= j * coefficients[j]
      next[j + 1] -= j * coefficients[j]
    }
    coefficients = next
  }
  return Math.PI ** (n + 1) * coefficients.reduceRight((sum, coefficient) => sum * c + coefficient, 0)
}
