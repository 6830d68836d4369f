import { eigen } from './start.js'

/** Coefficients before kurtosis is judged, and after which older ones count half. */
const fewCoefficients = 20_000
const manyCoefficients = 200_000
const fewSteps = 100
const leastKurtosis = 3.15
const mostCondition = 100
/** Above this many dimensions only the variances of single ones are compared. */
const manyDimensions = 128

type Moments = [number, number, number]

/** Number, squares and fourth powers of coefficients, with the latest ones. */
export function recentMoments(before: Moments, latest: Moments): Moments {
  const factor = before[0] > manyCoefficients ? 0.5 : 1
  return [0, 1, 2].map((k) => factor * before[k] + latest[k]) as Moments
}

export function momentWarning([count, squares, fourths]: Moments, steps: number): string[] {
  if (steps < fewSteps || count < fewCoefficients || squares === 0) return []
  const kurtosis = (fourths * count) / squares ** 2
  if (kurtosis >= leastKurtosis) return []
  return [
    `the coefficients' kurtosis is ${kurtosis.toFixed(2)}, near that of Gaussian noise: no dictionary makes them sparse`,
  ]
}

export function varianceWarning(covariance: Float64Array, n: number): string[] {
  let values = Float64Array.from({ length: n }, (_, i) => covariance[i * (n + 1)])
  if (n <= manyDimensions) values = eigen(covariance, n).values as Float64Array<ArrayBuffer>
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (most <= mostCondition * least) return []
  const condition = least > 0 ? (most / least).toPrecision(2) : 'infinite'
  return [
    `the covariance of the samples has condition ${condition}: set whiten to give all directions the same variance`,
  ]
}
