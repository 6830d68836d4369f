import type { CsrParts } from '../../kernels.js'
import { segmentLength, type Watch, type Work } from '../work.js'

/** The `most` largest entries of an n × m matrix without negative ones, by rows; of equal ones the first. */
export function* largestEntries(
  matrix: Float64Array,
  n: number,
  m: number,
  most: number,
  monitor: Watch,
): Work<CsrParts> {
  const least = most === 0 || most === matrix.length ? { value: 0, above: 0 } : yield* select(matrix, most, monitor)
  const kept = { indptr: new Int32Array(n + 1), indices: new Int32Array(most), data: new Float64Array(most) }
  let equal = most - least.above // how many entries equal to the least one are kept
  let count = 0
  let work = 0
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m && count < most; j++) {
      const value = matrix[i * m + j]
      if (value < least.value || (value === least.value && equal-- <= 0)) continue
      kept.indices[count] = j
      kept.data[count++] = value
    }
    kept.indptr[i + 1] = count
    work += m
    if (work < segmentLength) continue
    work = 0
    if (monitor.due()) yield
  }
  return kept
}

/** Where the upper half of a float64 is in memory. */
const upper = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0

/**
 * The k-th largest value, and how many are above it. Bits of non-negative numbers are ordered as the numbers are: four
 * rounds settle sixteen of them each, by counting how often each pattern follows those already settled.
 */
function* select(values: Float64Array, k: number, monitor: Watch): Work<{ value: number; above: number }> {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
  const settled = new Float64Array(1)
  const bits = new Uint32Array(settled.buffer)
  const counts = new Uint32Array(2 ** 16)
  let above = 0
  for (let round = 0; round < 4; round++) {
    counts.fill(0)
    for (let start = 0; start < values.length; start += segmentLength) {
      const end = Math.min(start + segmentLength, values.length)
      countPatterns(words, start, end, round, bits[upper], bits[1 - upper], counts)
      if (monitor.due()) yield
    }
    let pattern = counts.length - 1
    for (; above + counts[pattern] < k; pattern--) above += counts[pattern]
    bits[round < 2 ? upper : 1 - upper] |= round % 2 === 0 ? pattern << 16 : pattern
  }
  return { value: settled[0], above }
}

function countPatterns(
  words: Uint32Array,
  start: number,
  end: number,
  round: number,
  high: number,
  low: number,
  counts: Uint32Array,
): void {
  for (let i = start; i < end; i++) {
    const h = words[2 * i + upper]
    const l = words[2 * i + 1 - upper]
    if (round === 0) counts[h >>> 16]++
    else if (round === 1) counts[h & 0xffff] += h >>> 16 === high >>> 16 ? 1 : 0
    else if (h === high && round === 2) counts[l >>> 16]++
    else if (h === high && l >>> 16 === low >>> 16) counts[l & 0xffff]++
  }
}
