import { largest } from '../synthetic-trace.js'

/** A layer on calibration tokens: what its router says and what each expert would answer. */
export interface CalibratedLayer {
  tokens: number
  experts: number
  k: number
  /** tokens × experts logits of the router. */
  logits: Float64Array
  /** For each expert tokens × dimension outputs. */
  outputs: Float64Array[]
  dimension: number
}

interface Watch {
  due(): boolean
}

/**
 * The loss |Y - Y_S|_F of keeping the experts S only, where the router chooses the k best of S and weighs them by the
 * softmax of their logits. The outputs enter by their inner products at each token alone, computed once, so that a subset
 * costs O(tokens × (experts + k²)) whatever the dimension.
 */
export class Reconstruction {
  /** |Y|_F */
  readonly norm: number
  evaluations = 0
  /** tokens × experts weights of the whole layer. */
  private readonly full: Float64Array
  private readonly row: Float64Array

  private constructor(
    private readonly layer: CalibratedLayer,
    /** tokens × experts × experts */
    private readonly products: Float64Array,
  ) {
    this.full = new Float64Array(layer.tokens * layer.experts)
    this.row = new Float64Array(layer.experts)
    const all = Uint8Array.from({ length: layer.experts }, () => 1)
    const best = this.choices(all)
    for (let t = 0; t < layer.tokens; t++) this.weigh(t, all, best, this.full.subarray(t * layer.experts))
    let squares = 0
    for (let t = 0; t < layer.tokens; t++) squares += this.square(t, this.full.subarray(t * layer.experts))
    this.norm = Math.sqrt(squares)
  }

  static *of(layer: CalibratedLayer, monitor: Watch): Generator<void, Reconstruction, void> {
    const { tokens, experts, outputs, dimension } = layer
    const products = new Float64Array(tokens * experts * experts)
    for (let t = 0; t < tokens; t++) {
      const start = t * dimension
      for (let a = 0; a < experts; a++) {
        for (let b = 0; b <= a; b++) {
          let sum = 0
          for (let i = start; i < start + dimension; i++) sum += outputs[a][i] * outputs[b][i]
          products[(t * experts + a) * experts + b] = sum
          products[(t * experts + b) * experts + a] = sum
        }
      }
      if (monitor.due()) yield
    }
    return new Reconstruction(layer, products)
  }

  /** How often the whole layer uses each expert. */
  frequency(): Float64Array {
    const counts = new Float64Array(this.layer.experts)
    this.full.forEach((weight, i) => {
      if (weight > 0) counts[i % this.layer.experts]++
    })
    return counts
  }

  /** The loss of keeping the experts marked with 1. */
  loss(kept: Uint8Array): number {
    const { tokens, experts } = this.layer
    this.evaluations++
    const change = new Float64Array(experts)
    const best = this.choices(kept)
    let squares = 0
    for (let t = 0; t < tokens; t++) {
      change.fill(0)
      this.weigh(t, kept, best, change)
      for (let e = 0; e < experts; e++) change[e] -= this.full[t * experts + e]
      squares += this.square(t, change)
    }
    return Math.sqrt(squares)
  }

  /** Adds the softmax of the k greatest logits among the kept experts to `out`. */
  private weigh(t: number, kept: Uint8Array, best: Int32Array, out: Float64Array): void {
    const { row } = this
    const { experts, logits } = this.layer
    for (let e = 0; e < experts; e++) row[e] = kept[e] === 1 ? logits[t * experts + e] : Number.NEGATIVE_INFINITY
    largest(row, best)
    let total = 0
    for (const e of best) total += Math.exp(row[e] - row[best[0]])
    for (const e of best) out[e] += Math.exp(row[e] - row[best[0]]) / total
  }

  /** Room for the experts that a token uses when `kept` are there. */
  private choices(kept: Uint8Array): Int32Array {
    return new Int32Array(
      Math.min(
        this.layer.k,
        kept.reduce((sum, x) => sum + x, 0),
      ),
    )
  }

  /** |Σ_e c_e f_e(x_t)|² */
  private square(t: number, c: Float64Array): number {
    const { experts } = this.layer
    let sum = 0
    for (let a = 0; a < experts; a++) {
      if (c[a] === 0) continue
      const row = (t * experts + a) * experts
      for (let b = 0; b < experts; b++) sum += c[a] * c[b] * this.products[row + b]
    }
    return Math.max(0, sum)
  }
}
