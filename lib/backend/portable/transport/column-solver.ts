import { largestOf, selectLargest, simplexLevel } from '../../../core/projections.js'

/** What a column's plan maximises besides s·t. */
export interface ColumnTerms {
  maxNonzeros: number
  gamma: number
  /**
   * 0 for (gamma/2) |t|² on at most k entries. Otherwise its smooth relaxation ((gamma - rho)/2) |t|²_k + (rho/2) |t|²
   * with the k-support norm |t|_k, which is the same wherever t has no more than k entries.
   */
  rho: number
  /** gamma sum t (log t - 1) on at most k entries. */
  entropy: boolean
  /** The plan adds up to what the potential makes it; otherwise to the mass of the column, and the potential follows. */
  dual: boolean
}

/**
 * The plan t of one column: the maximiser of s·t - R(t) over t >= 0 with at most k entries, equations (7) and (8) of the
 * paper. It works on candidates, a part of the column that holds all entries of the plan if they are above `cut`.
 */
export class ColumnSolver {
  terms!: ColumnTerms
  /** The plan's entries; after `solve` their s and indices are the first of the candidates. */
  readonly plan: Float64Array
  count = 0
  /** What is at or below has no part in the plan, unless it was a candidate. */
  cut = 0
  potential = 0
  /** max s·t - R(t) */
  value = 0
  /** sum t */
  mass = 0
  private readonly share = new Share()

  constructor(length: number) {
    this.plan = new Float64Array(length)
  }

  solve(s: Float64Array, index: Int32Array, from: number, to: number, mass: number, potential: number): void {
    this.count = 0
    this.potential = potential
    if (to === from && !this.terms.dual) {
      // Nothing is above the threshold, or nothing is a number.
      this.cut = Number.NEGATIVE_INFINITY
      this.value = Number.NaN
      return
    }
    if (this.terms.entropy) this.entropic(s, index, from, to, mass)
    else this.quadratic(s, index, from, to, mass)
  }

  private quadratic(s: Float64Array, index: Int32Array, from: number, to: number, mass: number): void {
    const { maxNonzeros: k, gamma, rho, dual } = this.terms
    const largest = dual ? -this.potential : largestOf(s, from, to)
    let level = dual ? 0 : simplexLevel(s, from, to, largest, gamma * mass)
    let above = 0
    for (let i = from; i < to; i++) if (s[i] - largest > level) above++
    if (above > k && rho > 0) {
      this.shared(s, index, from, to, largest, level, mass)
      return
    }
    let end = to
    if (above > k) {
      selectLargest(s, index, from, to, k)
      end = from + k
      if (!dual) {
        let sum = 0
        for (let i = from; i < end; i++) sum += s[i] - largest
        level = (sum - gamma * mass) / k
      }
    }
    const { plan } = this
    let count = 0
    let least = Number.POSITIVE_INFINITY
    let value = 0
    let total = 0
    for (let i = from; i < end; i++) {
      const excess = s[i] - largest - level
      if (!(excess > 0)) continue
      moveTo(s, index, i, from + count)
      if (excess < least) least = excess
      const t = excess / gamma
      plan[count++] = t
      total += t
      value += t * (dual ? 0.5 * excess : s[from + count - 1] - 0.5 * excess)
    }
    this.count = count
    this.value = value
    this.mass = total
    if (!dual) this.potential = -(largest + level)
    // With k entries, whatever is below them all (smoothed: well below) is out; with fewer, what is below the level.
    this.cut = largest + level + (count === k ? ((gamma - rho) / gamma) * least : 0)
  }

  /**
   * More than k entries would like to be in the plan. With w = s - level the relaxation gives them
   * theta = clip((nu w - q)/rho, 0, 1), q = gamma - rho, and t = w theta / (q + rho theta); nu and the level make
   * sum theta = k and sum t the mass of the column. Newton's method within brackets for either.
   */
  private shared(
    s: Float64Array,
    index: Int32Array,
    from: number,
    to: number,
    largest: number,
    highest: number,
    mass: number,
  ): void {
    const { maxNonzeros: k, gamma, rho, dual } = this.terms
    const q = gamma - rho
    selectLargest(s, index, from, to, k)
    let smallest = Number.POSITIVE_INFINITY
    let sum = 0
    for (let i = from; i < from + k; i++) {
      const value = s[i] - largest
      sum += value
      if (value < smallest) smallest = value
    }
    const { share } = this
    share.begin(s, from, to, largest, k, q, rho)
    let level = dual ? highest : (sum - gamma * mass) / k
    share.nu = gamma / (smallest - level)
    share.at(level)
    if (!dual) {
      let low = Number.NEGATIVE_INFINITY
      let high = highest
      for (let round = 0; round < 100; round++) {
        const error = share.total() - mass
        if (error === 0) break
        if (error > 0) low = level
        else high = level
        let next = level + error / share.slope()
        const newton = next > low && next < high
        if (!newton) next = low > Number.NEGATIVE_INFINITY ? (low + high) / 2 : level - gamma * mass
        level = next
        const { whole, parts } = share
        share.at(level)
        // A step of Newton's is exact while it meets the same entries.
        if (newton && share.whole === whole && share.parts === parts) break
      }
    }
    const { nu } = share
    const { plan } = this
    let count = 0
    let value = 0
    let total = 0
    for (let i = from; i < to; i++) {
      const w = s[i] - largest - level
      const theta = Math.min(1, (nu * w - q) / rho)
      if (!(theta > 0)) continue
      moveTo(s, index, i, from + count)
      const t = theta < 1 ? theta / nu : w / gamma
      value += t * ((dual ? w : s[from + count]) - 0.5 * t * (q / theta + rho))
      total += t
      plan[count++] = t
    }
    this.count = count
    this.value = value
    this.mass = total
    if (!dual) {
      // Its digits count more than those of the shares.
      const scale = mass / total
      for (let r = 0; r < count; r++) plan[r] *= scale
      this.mass = mass
      this.potential = -(largest + level)
    }
    this.cut = largest + level + q / nu
  }

  private entropic(s: Float64Array, index: Int32Array, from: number, to: number, mass: number): void {
    const { maxNonzeros: k, gamma, dual } = this.terms
    if (to - from > k) selectLargest(s, index, from, to, k)
    const count = Math.min(k, to - from)
    const end = from + count
    const { plan, potential } = this
    const largest = dual ? -potential : largestOf(s, from, end)
    let least = Number.POSITIVE_INFINITY
    let total = 0
    for (let i = from; i < end; i++) {
      if (s[i] < least) least = s[i]
      plan[i - from] = Math.exp((s[i] - largest) / gamma)
      total += plan[i - from]
    }
    this.count = count
    this.cut = count === k ? least : Number.NEGATIVE_INFINITY
    if (dual) {
      this.mass = total
      this.value = gamma * total
      return
    }
    for (let r = 0; r < count; r++) plan[r] *= mass / total
    this.mass = mass
    this.potential = gamma * Math.log(mass / total) - largest
    this.value = gamma * mass - mass * this.potential
  }
}

/** theta of all candidates at a level, found by Newton's method on nu within a bracket. */
class Share {
  nu = 0
  /** Entries with theta = 1, and with 0 < theta < 1. */
  whole = 0
  parts = 0
  private wholeSum = 0
  private partsSum = 0

  private s!: Float64Array
  private from = 0
  private to = 0
  private largest = 0
  private k = 0
  private q = 0
  private rho = 0

  begin(s: Float64Array, from: number, to: number, largest: number, k: number, q: number, rho: number): void {
    this.s = s
    this.from = from
    this.to = to
    this.largest = largest
    this.k = k
    this.q = q
    this.rho = rho
  }

  at(level: number): void {
    const { k, q, rho } = this
    let low = 0
    let high = Number.POSITIVE_INFINITY
    let newton = false
    for (let round = 0; round < 100; round++) {
      const before = this.whole
      const beforeParts = this.parts
      this.classify(level)
      const { nu, whole, parts, partsSum } = this
      // A step of Newton's is exact while it meets the same entries.
      if (newton && whole === before && parts === beforeParts) return
      const excess = whole + (nu * partsSum - q * parts) / rho - k
      if (excess === 0) return
      if (excess > 0) high = nu
      else low = nu
      let next = parts > 0 ? (rho * (k - whole) + q * parts) / partsSum : Number.NaN
      newton = next > low && next < high
      if (!newton) next = high < Number.POSITIVE_INFINITY ? (low + high) / 2 : 2 * nu
      this.nu = next
    }
  }

  private classify(level: number): void {
    const { s, from, to, largest, nu, q, rho } = this
    const upper = (q + rho) / nu
    const lower = q / nu
    let whole = 0
    let parts = 0
    let wholeSum = 0
    let partsSum = 0
    for (let i = from; i < to; i++) {
      const w = s[i] - largest - level
      if (w >= upper) {
        whole++
        wholeSum += w
      } else if (w > lower) {
        parts++
        partsSum += w
      }
    }
    this.whole = whole
    this.parts = parts
    this.wholeSum = wholeSum
    this.partsSum = partsSum
  }

  /** sum t */
  total(): number {
    const { k, q, rho, whole, parts, wholeSum, partsSum } = this
    const shared = parts > 0 ? ((k - whole) * partsSum) / (rho * (k - whole) + q * parts) : 0
    return wholeSum / (q + rho) + shared
  }

  /** How fast sum t falls with the level. */
  slope(): number {
    const { k, q, rho, whole, parts } = this
    return whole / (q + rho) + (parts > 0 ? ((k - whole) * parts) / (rho * (k - whole) + q * parts) : 0)
  }
}

function moveTo(s: Float64Array, index: Int32Array, from: number, to: number): void {
  const value = s[from]
  const place = index[from]
  s[from] = s[to]
  index[from] = index[to]
  s[to] = value
  index[to] = place
}
