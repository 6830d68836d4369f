import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, whole } from '../core/options.js'

/** Which experts each token used in each layer, as a router's log has it. */
export interface ExpertTrace {
  /** layers × tokens × k experts, in the order of the router's preference; those of one token and layer differ. */
  data: Int32Array | ArrayLike<number>
  /** [layers, tokens, k] */
  shape: ArrayLike<number>
  /** Experts per layer. Default: the highest one seen, plus one. */
  experts?: number
}

/** A trace after its checks. */
export interface CheckedTrace {
  layers: number
  tokens: number
  k: number
  experts: number
  data: Int32Array
}

const names: ReadonlySet<string> = new Set(['data', 'shape', 'experts', 'topics'])

export function checkTrace(trace: ExpertTrace, name = 'trace'): CheckedTrace {
  if (typeof trace !== 'object' || trace === null) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected { data, shape, experts }, got ${describe(trace)}`)
  }
  checkNames(name, trace, names)
  const [layers, tokens, k] = readShape(name, trace.shape)
  const length = layers * tokens * k
  if (length === 0) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected at least one request, got ${layers}×${tokens}×${k}`)
  }
  const given = trace.data
  if (typeof given !== 'object' || given === null || given.length !== length) {
    const came = typeof given === 'object' && given !== null ? String(given.length) : describe(given)
    throw new ExtremaError('ERR_SHAPE', `${name}.data: expected ${layers}×${tokens}×${k} experts, got ${came}`)
  }
  const most = trace.experts === undefined ? 2 ** 24 : whole(`${name}.experts`, trace.experts, 0, 1, 2 ** 24)
  // Copied: a kernel must not see it change.
  const data = new Int32Array(length)
  let highest = 0
  for (let i = 0; i < length; i++) {
    const expert = given[i]
    if (!Number.isInteger(expert) || expert < 0 || expert >= most) {
      const range = `an expert from 0 to ${most - 1}`
      throw new ExtremaError('ERR_SHAPE', `${place(name, i, tokens, k)}: expected ${range}, got ${describe(expert)}`)
    }
    for (let j = i - (i % k); j < i; j++) {
      if (data[j] !== expert) continue
      throw new ExtremaError(
        'ERR_SHAPE',
        `${place(name, i, tokens, k)}: expected different experts, got ${expert} twice`,
      )
    }
    data[i] = expert
    highest = Math.max(highest, expert)
  }
  return { layers, tokens, k, experts: trace.experts ?? highest + 1, data }
}

function readShape(name: string, shape: ArrayLike<number>): [number, number, number] {
  const list = typeof shape === 'object' && shape !== null ? Array.from(shape) : []
  if (list.length === 3 && list.every((n) => Number.isSafeInteger(n) && n >= 0)) return list as [number, number, number]
  const came = list.length > 0 ? `[${list}]` : describe(shape)
  throw new ExtremaError('ERR_SHAPE', `${name}.shape: expected [layers, tokens, k], got ${came}`)
}

function place(name: string, i: number, tokens: number, k: number): string {
  return `${name}.data[${Math.floor(i / (tokens * k))}][${Math.floor(i / k) % tokens}][${i % k}]`
}

/** How often each expert is used: layers × experts. */
export function countUses({ layers, tokens, k, experts, data }: CheckedTrace): Float64Array {
  const counts = new Float64Array(layers * experts)
  for (let i = 0; i < data.length; i++) counts[Math.floor(i / (tokens * k)) * experts + data[i]]++
  return counts
}
