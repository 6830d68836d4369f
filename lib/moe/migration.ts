import type { BackendName } from '../backend/index.js'
import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { assignmentSync } from '../transport/index.js'

/** Experts of each device. */
export type DeviceLists = ArrayLike<ArrayLike<number>>

export interface Migration {
  /** Replicas that stay where they are. */
  kept: number
  /** Replicas that must be brought to a device. */
  moved: number
  /** For each device of the new placement the device, of the old numbering, that takes its part. */
  relabelling: Int32Array
}

/**
 * The least number of replicas that must be moved to get from one placement to another, where the new devices may be
 * numbered anew: the linear assignment of new to old devices that keeps most. With `nodes`, devices stay together in
 * nodes of equal size, and both the nodes and the devices of each are numbered anew.
 */
export function migrationCost(
  before: DeviceLists,
  after: DeviceLists,
  options: { nodes?: number; backend?: BackendName } = {},
): Migration {
  const { nodes = 1, backend } = options
  const devices = after.length
  if (before.length !== devices || devices % nodes !== 0) {
    const wanted = nodes === 1 ? `${devices} devices` : `${devices} devices in ${nodes} nodes`
    throw new ExtremaError('ERR_SHAPE', `before: expected the lists of ${wanted}, got ${before.length}`)
  }
  const old = Array.from(before, (list, g) => countsOf(list, `before[${g}]`))
  const now = Array.from(after, (list, g) => countsOf(list, `after[${g}]`))
  const size = devices / nodes
  const inner = (from: number, to: number) =>
    bestPairs(size, (g, h) => shared(now[from * size + g], old[to * size + h]), backend)
  const outer = bestPairs(nodes, (from, to) => inner(from, to).value, backend)
  const relabelling = new Int32Array(devices)
  outer.columns.forEach((to, from) => {
    inner(from, to).columns.forEach((h, g) => {
      relabelling[from * size + g] = to * size + h
    })
  })
  const total = now.reduce((sum, counts) => sum + sizeOf(counts), 0)
  return { kept: outer.value, moved: total - outer.value, relabelling }
}

function bestPairs(n: number, gain: (i: number, j: number) => number, backend: BackendName | undefined) {
  const data = Float64Array.from({ length: n * n }, (_, k) => gain(Math.floor(k / n), k % n))
  const { columns, value } = assignmentSync({ data, shape: [n, n] }, { maximize: true, backend })
  return { columns, value }
}

type Counts = Map<number, number>

function countsOf(list: ArrayLike<number>, name: string): Counts {
  if (typeof list !== 'object' || list === null || !(list.length >= 0)) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a list of experts, got ${describe(list)}`)
  }
  const counts: Counts = new Map()
  for (let i = 0; i < list.length; i++) {
    const expert = list[i]
    if (!Number.isInteger(expert) || expert < 0) {
      throw new ExtremaError('ERR_SHAPE', `${name}[${i}]: expected the number of an expert, got ${describe(expert)}`)
    }
    counts.set(expert, (counts.get(expert) ?? 0) + 1)
  }
  return counts
}

function sizeOf(counts: Counts): number {
  let size = 0
  for (const count of counts.values()) size += count
  return size
}

function shared(a: Counts, b: Counts): number {
  let common = 0
  for (const [expert, count] of a) common += Math.min(count, b.get(expert) ?? 0)
  return common
}
