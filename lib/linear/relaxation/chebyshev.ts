import { BoundedFit } from './bounded-fit.js'

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

/** φ_j = T_j of the context's place in [-1, 1]. */
export function fillFeatures(context: number, [low, high]: readonly [number, number], phi: Float64Array): void {
  const x = (2 * (context - low)) / (high - low) - 1
  for (let j = 0; j < phi.length; j++) phi[j] = j === 0 ? 1 : j === 1 ? x : 2 * x * phi[j - 1] - phi[j - 2]
}

/** The bandit and its memory: a round allocates nothing, and only what a cost changes is fitted again. */
export class ChebyshevBandit {
  /** Of the last context weighed: probabilities, and the predicted cost - 1 over the scale. */
  readonly probabilities: Float64Array
  readonly predicted: Float64Array
  readonly #range: readonly [number, number]
  readonly #phi: Float64Array
  readonly #scaled: Float64Array
  readonly #most: Float64Array
  readonly #fit: BoundedFit
  /** Of each action's fit: its sum of squared errors over scale². */
  readonly #residuals: Float64Array

  constructor(
    readonly state: ChebyshevState,
    range: readonly [number, number],
  ) {
    const d = state.theta.length
    const m = state.theta[0].length
    this.#range = range
    this.probabilities = new Float64Array(d)
    this.predicted = new Float64Array(d)
    this.#phi = new Float64Array(m)
    this.#scaled = new Float64Array(m)
    this.#most = new Float64Array(m)
    this.#fit = new BoundedFit(m)
    this.#residuals = Float64Array.from({ length: d }, (_, i) => this.#residualOf(i))
  }

  /** Probabilities of all actions in a context. */
  weigh(context: number): Float64Array {
    const { probabilities: p, predicted, state } = this
    const phi = this.#phi
    fillFeatures(context, this.#range, phi)
    const d = p.length
    let best = 0
    for (let i = 0; i < d; i++) {
      const theta = state.theta[i]
      let sum = 0
      for (let j = 0; j < phi.length; j++) sum += theta[j] * phi[j]
      predicted[i] = sum
      if (sum < predicted[best]) best = i
    }
    const eta = this.#rate()
    let rest = 1
    for (let i = 0; i < d; i++) {
      if (i === best) continue
      p[i] = 1 / (d + eta * (predicted[i] - predicted[best]))
      rest -= p[i]
    }
    p[best] = Math.max(0, rest)
    return p
  }

  /** Learns the cost of an action in a context, of which `predicted` was foretold. */
  learn(action: number, context: number, predicted: number, cost: number): void {
    const { state } = this
    const phi = this.#phi
    const m = phi.length
    fillFeatures(context, this.#range, phi)
    const y = cost - 1
    state.error += (predicted - cost) ** 2
    state.told++
    state.least = Math.min(state.least, cost)
    state.most = Math.max(state.most, cost)
    const gram = state.gram[action]
    const moment = state.moment[action]
    for (let j = 0; j < m; j++) {
      moment[j] += phi[j] * y
      for (let k = 0; k < m; k++) gram[j * m + k] += phi[j] * phi[k]
    }
    state.squares[action] += y * y
    // (width of the contexts) × (Lipschitz constant) is the range of the costs.
    const spread = state.most - state.least
    const N = 2 + (4 * spread * (1 + Math.log(m))) / state.most
    const scale = state.most * N
    const isRescaled = scale !== state.scale
    state.scale = scale
    this.#most[0] = 1 / N
    for (let j = 1; j < m; j++) this.#most[j] = (2 * spread) / (scale * j)
    if (!isRescaled) {
      this.#refit(action)
      return
    }
    for (let i = 0; i < state.theta.length; i++) if (state.gram[i][0] > 0) this.#refit(i)
  }

  #refit(i: number): void {
    const { theta, gram, moment, scale } = this.state
    const scaled = this.#scaled
    for (let j = 0; j < scaled.length; j++) scaled[j] = moment[i][j] / scale
    this.#fit.fit(gram[i], scaled, this.#most, theta[i])
    this.#residuals[i] = this.#residualOf(i)
  }

  #residualOf(i: number): number {
    const { scale, squares } = this.state
    const [theta, gram, moment] = [this.state.theta[i], this.state.gram[i], this.state.moment[i]]
    const m = theta.length
    let sum = squares[i] / scale ** 2
    for (let j = 0; j < m; j++) {
      let image = 0
      for (let k = 0; k < m; k++) image += gram[j * m + k] * theta[k]
      sum += theta[j] * (image - (2 * moment[j]) / scale)
    }
    return Math.max(0, sum)
  }

  /** eta of inverse-gap weighting. */
  #rate(): number {
    const { told, most, least, scale, error } = this.state
    if (told === 0) return 0
    const d = this.predicted.length
    const m = this.#phi.length
    const alpha = ((Math.PI + (2 / Math.PI) * Math.log(2 * m + 1)) * (most - least)) / (2 * scale * (m + 1))
    let residual = 0
    for (let i = 0; i < d; i++) residual += this.#residuals[i]
    const below = Math.max(0, error / scale ** 2 - residual) + 2 * alpha * alpha * told
    return below > 0 ? 2 * told * Math.sqrt((d * told) / below) : 0
  }
}
