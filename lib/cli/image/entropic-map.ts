import { setImmediate } from 'node:timers/promises'

/** Weights below exp(−25) of the largest are left out: thousands of them do not change a colour of 16 bits. */
const negligible = 25

const pairsPerChunk = 2e6

export interface EntropicMapOptions {
  epsilon: number
  signal: AbortSignal
  /** Called between chunks with the number of mapped colours. */
  onProgress?: (done: number) => void
}

/**
 * The transport map of an entropic plan, extended to colours outside the samples:
 *   T(x) = Σ_j w_j(x) y_j,  w_j(x) ∝ exp((g_j − |x − y_j|²) / ε),
 * which on a sample is the barycentric projection of its row of the plan (Pooladian and Niles-Weed, 2021, eq. 1).
 * `colors` and `palette` hold three coordinates each, `g` one potential per palette colour. Yields to the event loop.
 */
export async function entropicMap(
  colors: Float64Array,
  palette: Float64Array,
  g: Float64Array,
  { epsilon, signal, onProgress }: EntropicMapOptions,
): Promise<Float64Array> {
  const out = new Float64Array(colors.length)
  const scores = new Float64Array(g.length)
  const count = colors.length / 3
  const chunk = Math.max(1, Math.floor(pairsPerChunk / g.length))
  for (let start = 0; start < count; start += chunk) {
    const end = Math.min(count, start + chunk)
    for (let k = start; k < end; k++) mapColor(colors, palette, g, epsilon, scores, out, 3 * k)
    onProgress?.(end)
    await setImmediate()
    signal.throwIfAborted()
  }
  return out
}

function mapColor(
  colors: Float64Array,
  palette: Float64Array,
  g: Float64Array,
  epsilon: number,
  scores: Float64Array,
  out: Float64Array,
  at: number,
): void {
  const x0 = colors[at]!
  const x1 = colors[at + 1]!
  const x2 = colors[at + 2]!
  let best = Number.NEGATIVE_INFINITY
  for (let j = 0, p = 0; j < g.length; j++, p += 3) {
    const d0 = x0 - palette[p]!
    const d1 = x1 - palette[p + 1]!
    const d2 = x2 - palette[p + 2]!
    const score = g[j]! - (d0 * d0 + d1 * d1 + d2 * d2)
    scores[j] = score
    if (score > best) best = score
  }
  const least = best - negligible * epsilon
  let total = 0
  let y0 = 0
  let y1 = 0
  let y2 = 0
  for (let j = 0; j < g.length; j++) {
    const score = scores[j]!
    if (score < least) continue
    const weight = Math.exp((score - best) / epsilon)
    total += weight
    y0 += weight * palette[3 * j]!
    y1 += weight * palette[3 * j + 1]!
    y2 += weight * palette[3 * j + 2]!
  }
  out[at] = y0 / total
  out[at + 1] = y1 / total
  out[at + 2] = y2 / total
}
