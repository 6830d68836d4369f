import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import type { Monitor } from '../backend/portable/driver.js'
import { type MatrixLike, type NdArray, shapeText, toDenseMatrix } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { oneOf, type SolverOptions, whole } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { nonNegativeVector } from './checks.js'
import { inSteps, runStages, runStagesSync, type Stages } from './stages.js'
import { checkTrace, type ExpertTrace } from './trace.js'

/**
 * The misses of a least-recently-used cache of every size at once: layers × (experts + 1) counts, of the sizes 0 … experts.
 * One pass over the trace: a request misses in all caches smaller than its stack distance (Mattson et al. 1970).
 */
export function missCurves(trace: ExpertTrace): NdArray {
  const { layers, tokens, k, experts, data } = checkTrace(trace)
  const curves = new Float64Array(layers * (experts + 1))
  for (let l = 0; l < layers; l++) {
    const own = curves.subarray(l * (experts + 1), (l + 1) * (experts + 1))
    const stack = new Int32Array(experts)
    const depth = new Float64Array(experts + 2) // requests whose expert is this deep; the last for first requests
    let height = 0
    for (let i = l * tokens * k; i < (l + 1) * tokens * k; i++) {
      let d = stack.subarray(0, height).indexOf(data[i])
      depth[d < 0 ? experts + 1 : d + 1]++
      if (d < 0) d = height++
      stack.copyWithin(1, 0, d)
      stack[0] = data[i]
    }
    let deeper = 0
    for (let c = experts; c >= 0; c--) {
      deeper += depth[c + 1]
      own[c] = deeper
    }
  }
  return { data: curves, shape: [layers, experts + 1] }
}

const methods = ['exact', 'greedy', 'uniform'] as const

export interface AllocateSlotsOptions extends Pick<SolverOptions, 'signal' | 'onProgress'> {
  /** Slots to give out. */
  total: number
  /** Fewest slots of a layer. Default 0. */
  least?: number
  /** `'exact'` (default): dynamic programming. `'greedy'`: one by one where it saves most. `'uniform'`: equally many. */
  method?: (typeof methods)[number]
}

export interface AllocateSlotsSolution extends Solution {
  /** Slots of each layer. */
  slots: Int32Array
  /** Misses with them. */
  value: number
  /** The fewest misses: the value with `'exact'`, else of the lower convex envelopes of the curves. */
  bound: number
  /** value - bound. */
  gap: number
}

const names: ReadonlySet<string> = new Set(['signal', 'onProgress', 'total', 'least', 'method'])

/**
 * Divides cache slots among layers so that the misses are fewest. Curves need not be convex, so that giving out slots one by
 * one may go wrong; dynamic programming over the layers does not: O(layers × total × sizes).
 *
 * @param curves layers × sizes: misses of layer l with c slots, as from {@link missCurves}; a layer takes no more slots than
 * its row has
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_INFEASIBLE` (less than `least` for each),
 * `ERR_OPTION`; the reason of `signal` when aborted.
 */
export async function allocateSlots(curves: MatrixLike, options: AllocateSlotsOptions): Promise<AllocateSlotsSolution> {
  const start = performance.now()
  const checked = check(curves, options)
  return runStages(solve(checked, start), checked.control)
}

/** {@link allocateSlots} on the calling thread. */
export function allocateSlotsSync(curves: MatrixLike, options: AllocateSlotsOptions): AllocateSlotsSolution {
  const start = performance.now()
  const checked = check(curves, options)
  return runStagesSync(solve(checked, start), checked.control)
}

interface Checked {
  curves: Float64Array
  layers: number
  /** Most slots of a layer. */
  most: number
  least: number
  total: number
  method: (typeof methods)[number]
  control: Control
}

function check(given: MatrixLike, options: AllocateSlotsOptions): Checked {
  const { control } = checkRunOptions(options, names, '{ total, … }')
  const { data, rows: layers, columns } = toDenseMatrix('curves', given)
  if (layers === 0 || columns === 0) {
    throw new ExtremaError('ERR_SHAPE', `curves: expected a non-empty matrix, got ${shapeText(layers, columns)}`)
  }
  const curves = nonNegativeVector('curves', data, 'number of misses', columns).slice()
  const most = columns - 1
  const least = whole('least', options.least, 0, 0, most)
  const total = whole('total', options.total ?? null, 0, 0)
  if (total < least * layers) {
    const wanted = `${least * layers} slots or more (${least} for each of ${layers} layers)`
    throw new ExtremaError('ERR_INFEASIBLE', `total: expected ${wanted}, got ${total}`)
  }
  const method = oneOf('method', options.method, methods, 'exact')
  return { curves, layers, most, least, total: Math.min(total, most * layers), method, control }
}

function* solve(checked: Checked, start: number): Stages<AllocateSlotsSolution> {
  const { curves, layers, most, method } = checked
  const allocation = { exact: byProgram, greedy: oneByOne, uniform: equally }[method]
  const slots = yield* inSteps((monitor) => allocation(checked, monitor))
  let value = 0
  for (let l = 0; l < layers; l++) value += curves[l * (most + 1) + slots[l]]
  const bound = method === 'exact' ? value : convexBound(checked)
  return {
    status: 'converged',
    iterations: 1,
    residual: value === 0 ? 0 : (value - bound) / value,
    elapsed: performance.now() - start,
    backend: 'portable',
    slots,
    value,
    bound,
    gap: value - bound,
  }
}

type Allocation = (checked: Checked, monitor: Monitor) => Generator<void, Int32Array, void>

const byProgram: Allocation = function* ({ curves, layers, most, least, total }, monitor) {
  const chosen = new Int32Array(layers * (total + 1))
  let best = new Float64Array(total + 1) // fewest misses of the layers so far with at most so many slots
  for (let l = 0; l < layers; l++) {
    const next = new Float64Array(total + 1).fill(Number.POSITIVE_INFINITY)
    const rest = least * (layers - l - 1)
    for (let n = least * (l + 1); n <= total - rest; n++) {
      for (let c = least; c <= Math.min(most, n - least * l); c++) {
        const misses = best[n - c] + curves[l * (most + 1) + c]
        if (misses >= next[n]) continue
        next[n] = misses
        chosen[l * (total + 1) + n] = c
      }
      if (n % 64 === 0 && monitor.due()) yield
    }
    best = next
  }
  const slots = new Int32Array(layers)
  let left = total
  for (let l = layers - 1; l >= 0; l--) {
    slots[l] = chosen[l * (total + 1) + left]
    left -= slots[l]
  }
  return slots
}

const oneByOne: Allocation = function* ({ curves, layers, most, least, total }, monitor) {
  const slots = new Int32Array(layers).fill(least)
  for (let left = total - least * layers; left > 0; left--) {
    let best = -1
    let saved = Number.NEGATIVE_INFINITY
    for (let l = 0; l < layers; l++) {
      if (slots[l] === most) continue
      const here = l * (most + 1) + slots[l]
      if (curves[here] - curves[here + 1] <= saved) continue
      saved = curves[here] - curves[here + 1]
      best = l
    }
    slots[best]++
    if (left % 256 === 0 && monitor.due()) yield
  }
  return slots
}

const equally: Allocation = function* ({ layers, total }) {
  return Int32Array.from(
    { length: layers },
    (_, l) => Math.floor((total * (l + 1)) / layers) - Math.floor((total * l) / layers),
  )
}

/** The misses with the curves' lower convex envelopes, of which the steepest parts are taken first. */
function convexBound({ curves, layers, most, least, total }: Checked): number {
  const slopes: number[] = []
  let value = 0
  for (let l = 0; l < layers; l++) {
    const curve = curves.subarray(l * (most + 1), (l + 1) * (most + 1))
    value += curve[least]
    for (let c = least; c < most; ) {
      let end = c + 1
      let slope = curve[end] - curve[c]
      for (let d = c + 2; d <= most; d++) {
        if ((curve[d] - curve[c]) / (d - c) > slope) continue
        end = d
        slope = (curve[d] - curve[c]) / (d - c)
      }
      for (; c < end; c++) slopes.push(slope)
    }
  }
  slopes.sort((a, b) => a - b)
  for (const slope of slopes.slice(0, total - least * layers)) value += Math.min(0, slope)
  return value
}
