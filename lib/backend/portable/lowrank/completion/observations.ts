import { ExtremaError } from '../../../../core/errors.js'
import type { EntriesData } from '../../../completion.js'
import type { Watch, Work } from '../../work.js'

const segment = 1 << 14

/** Entries with what they belong to. */
export interface Entries extends EntriesData {
  /** In messages. */
  name: string
  m: number
  n: number
  /** Values are counts of implicit feedback: none may be negative. */
  counts: boolean
}

/** Entries by rows or by columns: line i has those from start[i] to start[i + 1], with ascending indices. */
export interface Lines {
  count: number
  across: number
  longest: number
  start: Int32Array
  index: Int32Array
  values: Float64Array
  /** Null: all are 1. */
  weights: Float64Array | null
}

function checkIndex(name: string, k: number, index: number, count: number): void {
  if (index >= 0 && index < count) return
  throw new ExtremaError('ERR_SHAPE', `${name}[${k}]: expected an index from 0 to ${count - 1}, got ${index}`)
}

function checkOffsets({ name, m, count, indptr }: Entries): void {
  if (indptr === null) return
  for (let i = 0; i < m; i++) {
    const [from, to] = [indptr[i], indptr[i + 1]]
    if ((i > 0 || from === 0) && from <= to && to <= count) continue
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}indptr: expected offsets that rise from 0 to ${count}, got ${from} and ${to} at [${i}]`,
    )
  }
  if (indptr[m] !== count) {
    throw new ExtremaError('ERR_SHAPE', `${name}indptr: expected offsets that end at ${count}, got ${indptr[m]}`)
  }
}

/** Refuses indices out of range, values that are not finite, and negative weights or counts. */
export function* checkEntries(entries: Entries, watch: Watch): Work<void> {
  checkOffsets(entries)
  const { name, m, n, count, rows, columns, values, weights, counts } = entries
  const [index, value] = rows === null ? ['indices', 'data'] : ['columns', 'values']
  for (let k = 0; k < count; k++) {
    if (rows !== null) checkIndex(`${name}rows`, k, rows[k], m)
    checkIndex(`${name}${index}`, k, columns[k], n)
    const x = values[k]
    if (!Number.isFinite(x)) {
      throw new ExtremaError('ERR_NOT_FINITE', `${name}${value}[${k}]: expected a finite number, got ${x}`)
    }
    if (counts && x < 0) {
      throw new ExtremaError('ERR_OPTION', `${name}${value}[${k}]: expected a count >= 0 with confidence, got ${x}`)
    }
    if (weights !== null && !(weights[k] >= 0 && weights[k] < Number.POSITIVE_INFINITY)) {
      const code = Number.isFinite(weights[k]) ? 'ERR_OPTION' : 'ERR_NOT_FINITE'
      throw new ExtremaError(code, `${name}weights[${k}]: expected a finite number >= 0, got ${weights[k]}`)
    }
    if (k % segment === 0 && watch.due()) yield
  }
}

export function emptyLines(count: number, across: number, entries: number, weighted: boolean): Lines {
  return {
    count,
    across,
    longest: 0,
    start: new Int32Array(count + 1),
    index: new Int32Array(entries),
    values: new Float64Array(entries),
    weights: weighted ? new Float64Array(entries) : null,
  }
}

/** Counts in start[i + 1] become offsets; returns where each line is to be filled next. */
function offsets(lines: Lines): Int32Array {
  const { start } = lines
  for (let i = 1; i < start.length; i++) {
    lines.longest = Math.max(lines.longest, start[i])
    start[i] += start[i - 1]
  }
  return start.slice()
}

function* turn(from: Lines, watch: Watch): Work<Lines> {
  const to = emptyLines(from.across, from.count, from.index.length, from.weights !== null)
  for (let k = 0; k < from.index.length; k++) to.start[from.index[k] + 1]++
  const next = offsets(to)
  for (let i = 0; i < from.count; i++) {
    for (let k = from.start[i]; k < from.start[i + 1]; k++) {
      const at = next[from.index[k]]++
      to.index[at] = i
      to.values[at] = from.values[k]
      if (to.weights !== null && from.weights !== null) to.weights[at] = from.weights[k]
    }
    if (i % 64 === 0 && watch.due()) yield
  }
  return to
}

/**
 * Checks the entries, and orders them both ways. Entries of weight 0, and counts of 0, are left out; an entry that comes
 * twice is refused.
 */
export function* arrange(entries: Entries, watch: Watch): Work<[rows: Lines, columns: Lines]> {
  yield* checkEntries(entries, watch)
  const { name, m, n, count, indptr, columns, values, weights, counts } = entries
  let { rows } = entries
  if (rows === null && indptr !== null) {
    rows = new Int32Array(count)
    for (let i = 0; i < m; i++) rows.fill(i, indptr[i], indptr[i + 1])
  }
  const rowOf = rows as Int32Array
  const kept = (k: number) => (weights === null || weights[k] > 0) && (!counts || values[k] > 0)
  let size = 0
  for (let k = 0; k < count; k++) if (kept(k)) size++
  const given = emptyLines(m, n, size, weights !== null)
  for (let k = 0; k < count; k++) if (kept(k)) given.start[rowOf[k] + 1]++
  const next = offsets(given)
  for (let k = 0; k < count; k++) {
    if (!kept(k)) continue
    const at = next[rowOf[k]]++
    given.index[at] = columns[k]
    given.values[at] = values[k]
    if (given.weights !== null && weights !== null) given.weights[at] = weights[k]
    if (k % segment === 0 && watch.due()) yield
  }
  const byColumn = yield* turn(given, watch)
  const byRow = yield* turn(byColumn, watch)
  for (let i = 0; i < m; i++) {
    for (let k = byRow.start[i] + 1; k < byRow.start[i + 1]; k++) {
      if (byRow.index[k] !== byRow.index[k - 1]) continue
      throw new ExtremaError(
        'ERR_SHAPE',
        `${name}columns: expected every entry once, got row ${i}, column ${byRow.index[k]} twice`,
      )
    }
  }
  return [byRow, byColumn]
}
