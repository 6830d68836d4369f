/** Chebyshev regression of the cost of each action on the context, played by inverse-gap weighting. */
export interface ChebyshevState {
  told: number
  least: number
  most: number
  /** The scale of the last fit. */
  scale: number
  /** For each action: coefficients θ of (cost - 1) / scale, their Gram matrix, Σ φ (cost - 1) and Σ (cost - 1)². */
  theta: number[][]
  gram: number[][]
  moment: number[][]
  squares: number[]
  /** Σ (prediction - cost + 1)² of the predictions at the time of play. */
  error: number
}

export function newChebyshev(actions: number, features: number): ChebyshevState {
  const rows = (length: number) => Array.from({ length: actions }, () => new Array<number>(length).fill(0))
  const counts = { told: 0, least: Number.MAX_VALUE, most: 0, scale: 1, error: 0 }
  return {
    ...counts,
    theta: rows(features),
    gram: rows(features * features),
    moment: rows(features),
    squares: new Array(actions).fill(0),
  }
}

/** T_j of the context's place in [-1, 1]. */
export function features(context: number, [low, high]: readonly [number, number], count: number): Float64Array {
  const x = high > low ? (2 * (context - low)) / (high - low) - 1 : 0
  const phi = new Float64Array(count)
  for (let j = 0; j < count; j++) phi[j] = j === 0 ? 1 : j === 1 ? x : 2 * x * phi[j - 1] - phi[j - 2]
  return phi
}

const inner = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += a[j] * b[j]
  return sum
}

/** (width of the contexts) × Lipschitz constant is the range of costs. */
const spread = (state: ChebyshevState) => (state.told > 0 ? state.most - state.least : 0)
const bound = (state: ChebyshevState, count: number, width: number) =>
  2 + (4 * width * spread(state) * (1 + Math.log(count))) / ((width || 1) * (state.most || 1))

/** Probabilities and scaled predictions of all actions. */
export function weigh(state: ChebyshevState, phi: Float64Array): { p: Float64Array; predicted: Float64Array } {
  const d = state.theta.length
  const m = phi.length
  const predicted = Float64Array.from(state.theta, (theta) => inner(theta, phi))
  const eta = rate(state, d, m)
  let best = 0
  for (let i = 1; i < d; i++) if (predicted[i] < predicted[best]) best = i
  const p = predicted.map((value) => 1 / (d + eta * (value - predicted[best])))
  p[best] = 0
  p[best] = Math.max(0, 1 - p.reduce((sum, value) => sum + value, 0))
  return { p, predicted }
}

function rate(state: ChebyshevState, d: number, m: number): number {
  const t = state.told
  if (t === 0) return 0
  const alpha = ((Math.PI + (2 / Math.PI) * Math.log(2 * m + 1)) * spread(state)) / (2 * state.scale * (m + 1))
  let residual = 0
  for (let i = 0; i < d; i++) residual += residualOf(state, i, m)
  const regret = Math.max(0, state.error / state.scale ** 2 - residual)
  const below = regret + 2 * alpha * alpha * t
  return below > 0 ? 2 * t * Math.sqrt((d * t) / below) : 0
}

/** Of the fit of action i, in units of the scale. */
function residualOf(state: ChebyshevState, i: number, m: number): number {
  const [theta, gram, moment] = [state.theta[i], state.gram[i], state.moment[i]]
  let quadratic = 0
  for (let j = 0; j < m; j++) {
    for (let k = 0; k < m; k++) quadratic += theta[j] * gram[j * m + k] * theta[k]
  }
  return Math.max(0, state.squares[i] / state.scale ** 2 - (2 * inner(theta, moment)) / state.scale + quadratic)
}

export function learnCost(
  state: ChebyshevState,
  {
    action,
    phi,
    predicted,
    cost,
    width,
  }: { action: number; phi: Float64Array; predicted: number; cost: number; width: number },
): void {
  const m = phi.length
  const y = cost - 1
  state.error += (predicted - y) ** 2
  state.told++
  state.least = Math.min(state.least, cost)
  state.most = Math.max(state.most, cost)
  for (let j = 0; j < m; j++) {
    state.moment[action][j] += phi[j] * y
    for (let k = 0; k < m; k++) state.gram[action][j * m + k] += phi[j] * phi[k]
  }
  state.squares[action] += y * y
  const N = bound(state, m, width)
  const scale = state.most * N
  const changed = scale !== state.scale
  state.scale = scale
  const most = Float64Array.from({ length: m }, (_, j) => (j === 0 ? 1 / N : (2 * spread(state)) / (scale * j)))
  for (let i = 0; i < state.theta.length; i++) {
    if (i === action || (changed && state.gram[i][0] > 0)) {
      fitBounded(
        state.gram[i],
        state.moment[i].map((value) => value / scale),
        most,
        state.theta[i],
      )
    }
  }
}

/** Least squares by normal equations within |θ_j| <= most_j, from θ: exact where the bounds do not bind. */
export function fitBounded(gram: number[], moment: number[], most: Float64Array, theta: number[]): void {
  const free = solve(gram, moment)
  if (free?.every((value, j) => Math.abs(value) <= most[j])) {
    for (let j = 0; j < theta.length; j++) theta[j] = free[j]
    return
  }
  const m = theta.length
  for (let j = 0; j < m; j++) theta[j] = Math.max(-most[j], Math.min(most[j], theta[j]))
  for (let sweep = 0; sweep < 500; sweep++) {
    let change = 0
    for (let j = 0; j < m; j++) {
      const own = gram[j * m + j]
      if (own === 0) continue
      let slope = moment[j]
      for (let k = 0; k < m; k++) slope -= gram[j * m + k] * theta[k]
      const next = Math.max(-most[j], Math.min(most[j], theta[j] + slope / own))
      change = Math.max(change, Math.abs(next - theta[j]))
      theta[j] = next
    }
    if (change <= 1e-13 * most[0]) return
  }
}

/** By Cholesky's factors; undefined if they do not exist to working precision. */
function solve(gram: number[], moment: number[]): number[] | undefined {
  const m = moment.length
  const l = gram.slice()
  for (let j = 0; j < m; j++) {
    for (let i = j; i < m; i++) {
      let sum = l[i * m + j]
      for (let k = 0; k < j; k++) sum -= l[i * m + k] * l[j * m + k]
      if (i === j) {
        if (sum <= 1e-12 * gram[j * m + j] || !(sum > 0)) return undefined
        l[j * m + j] = Math.sqrt(sum)
      } else {
        l[i * m + j] = sum / l[j * m + j]
      }
    }
  }
  const x = moment.slice()
  for (let i = 0; i < m; i++) {
    for (let k = 0; k < i; k++) x[i] -= l[i * m + k] * x[k]
    x[i] /= l[i * m + i]
  }
  for (let i = m - 1; i >= 0; i--) {
    for (let k = i + 1; k < m; k++) x[i] -= l[k * m + i] * x[k]
    x[i] /= l[i * m + i]
  }
  return x
}
