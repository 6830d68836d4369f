import type { CheckedTrace } from '../trace.js'

/**
 * What a mixture looks at: what follows the experts of the layer before, what follows those of the token before, those of
 * the token before themselves, and the frequencies.
 */
export const sources = ['transition', 'history', 'repeat', 'frequency'] as const
const parts = sources.length

interface Watch {
  due(): boolean
}

/** Counts of which expert follows which, over a range of tokens. */
class Counts {
  /** For each layer experts × experts: uses of j after i in the layer before, and after i at the token before. */
  readonly transition: Float64Array[]
  readonly history: Float64Array[]
  readonly use: Float64Array[]

  constructor(readonly trace: CheckedTrace) {
    const { layers, experts } = trace
    const square = () => Array.from({ length: layers }, () => new Float64Array(experts * experts))
    this.transition = square()
    this.history = square()
    this.use = Array.from({ length: layers }, () => new Float64Array(experts))
  }

  *add(from: number, to: number, monitor: Watch): Generator<void, void, void> {
    const { layers, experts, tokens, k, data } = this.trace
    for (let l = 0; l < layers; l++) {
      for (let t = from; t < to; t++) {
        const here = (l * tokens + t) * k
        for (let r = here; r < here + k; r++) {
          const j = data[r]
          this.use[l][j]++
          for (let q = 0; q < k; q++) {
            if (l > 0) this.transition[l][data[((l - 1) * tokens + t) * k + q] * experts + j]++
            if (t > from) this.history[l][data[here - k + q] * experts + j]++
          }
        }
        if (t % 1024 === 0 && monitor.due()) yield
      }
    }
  }

  /** Probabilities of the next expert of layer l at token t, a row for each source. */
  predict(l: number, t: number, out: Float64Array): void {
    const { experts, tokens, k } = this.trace
    const use = this.use[l]
    let total = 0
    for (const count of use) total += count
    const base = out.subarray(3 * experts)
    for (let e = 0; e < experts; e++) base[e] = (use[e] + 1) / (total + experts)
    this.follow(this.transition[l], l > 0 ? ((l - 1) * tokens + t) * k : -1, base, out.subarray(0, experts))
    const last = t > 0 ? (l * tokens + t - 1) * k : -1
    this.follow(this.history[l], last, base, out.subarray(experts, 2 * experts))
    const repeat = out.subarray(2 * experts, 3 * experts)
    for (let e = 0; e < experts; e++) repeat[e] = (last < 0 ? 1 : change) * base[e]
    for (let q = last; last >= 0 && q < last + k; q++) repeat[this.trace.data[q]] += (1 - change) / k
  }

  /** The mean over the k experts at `place` of what follows them, smoothed towards `base`; `base` itself for no place. */
  private follow(counts: Float64Array, place: number, base: Float64Array, out: Float64Array): void {
    const { experts, k, data } = this.trace
    if (place < 0) {
      out.set(base)
      return
    }
    out.fill(0)
    for (let q = place; q < place + k; q++) {
      const row = counts.subarray(data[q] * experts, (data[q] + 1) * experts)
      let total = 0
      for (const count of row) total += count
      for (let e = 0; e < experts; e++) out[e] += (row[e] + base[e]) / (total + 1) / k
    }
  }
}

const steps = 30
/** What is left for other experts where the same ones are expected again. */
const change = 0.02
/** Part of the training tokens that counts are taken from while the mixture's weights are learned on the others. */
const counted = 0.8

/**
 * A Markov model of expert choices: a mixture of the sources, with weights for each layer by expectation-maximisation on
 * held-out tokens.
 */
export class ChoiceModel {
  private readonly scratch: Float64Array

  private constructor(
    private readonly counts: Counts,
    /** layers × sources */
    readonly weights: Float64Array,
  ) {
    this.scratch = new Float64Array(parts * counts.trace.experts)
  }

  static *learn(trace: CheckedTrace, tokens: number, monitor: Watch): Generator<void, ChoiceModel, void> {
    const { layers, experts } = trace
    const split = Math.floor(counted * tokens)
    const first = new Counts(trace)
    yield* first.add(0, split, monitor)
    const weights = new Float64Array(layers * parts).fill(1 / parts)
    const rows = new Float64Array(parts * experts)
    for (let l = 0; l < layers && split < tokens; l++) {
      const own = weights.subarray(l * parts, (l + 1) * parts)
      // What each source gives to each expert that was chosen.
      const given: number[] = []
      for (let t = split; t < tokens; t++) {
        first.predict(l, t, rows)
        const here = (l * trace.tokens + t) * trace.k
        for (let r = here; r < here + trace.k; r++) {
          for (let c = 0; c < parts; c++) given.push(rows[c * experts + trace.data[r]])
        }
        if (monitor.due()) yield
      }
      for (let step = 0; step < steps; step++) {
        const next = new Float64Array(parts)
        for (let i = 0; i < given.length; i += parts) {
          let total = 0
          for (let c = 0; c < parts; c++) total += own[c] * given[i + c]
          for (let c = 0; c < parts; c++) next[c] += (own[c] * given[i + c]) / total
        }
        const sum = next.reduce((x, y) => x + y, 0)
        for (let c = 0; c < parts; c++) own[c] = next[c] / sum
      }
    }
    const counts = new Counts(trace)
    yield* counts.add(0, tokens, monitor)
    return new ChoiceModel(counts, weights)
  }

  /** Probability of each expert to be among the k of layer l at token t. */
  probabilities(l: number, t: number, out: Float64Array): void {
    const { experts, k } = this.counts.trace
    this.counts.predict(l, t, this.scratch)
    for (let e = 0; e < experts; e++) {
      let q = 0
      for (let c = 0; c < parts; c++) q += this.weights[l * parts + c] * this.scratch[c * experts + e]
      out[e] = Math.min(1, k * q)
    }
  }

  /** Part of the training tokens that use each expert of layer l. */
  frequencies(l: number, out: Float64Array): void {
    const { k } = this.counts.trace
    let total = 0
    for (const count of this.counts.use[l]) total += count
    for (let e = 0; e < out.length; e++) out[e] = total === 0 ? 0 : (k * this.counts.use[l][e]) / total
  }
}
