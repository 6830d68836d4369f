import type { TensorData } from '../backend/tensor.js'
import { ExtremaError } from '../core/errors.js'

export type DType = 'float64' | 'float32' | 'int32'

/** The stretch of time in which the temporaries of one `withArena` may be used. */
export interface Scope {
  freed: boolean
  /** Memory handed out, to be taken back at the end. */
  used: TensorData[]
  outer: Scope | undefined
}

/** Buckets that nobody asked for in so many arenas are given back to the collector. */
const patience = 8

interface Bucket {
  free: TensorData[]
  lastUse: number
}

const buckets: Record<DType, Map<number, Bucket>> = { float64: new Map(), float32: new Map(), int32: new Map() }
let scope: Scope | undefined
let clock = 0

export function currentScope(): Scope | undefined {
  return scope
}

/** Memory for n numbers, which may hold anything: recycled within an arena. */
export function allocate(dtype: DType, n: number): TensorData {
  if (scope === undefined || n < recycledLength) return create(dtype, n)
  const bucket = bucketFor(dtype, n)
  bucket.lastUse = clock
  const data = bucket.free.pop() ?? create(dtype, n)
  scope.used.push(data)
  return data
}

/** Shorter arrays are cheaper to make than to keep. */
const recycledLength = 64

/** Kernels count in 32 bits. */
export const mostNumbers = 2 ** 31 - 1

export function refuseSize(n: number, cause?: unknown): never {
  throw new ExtremaError('ERR_MEMORY', `tensor: expected a size that fits into memory, got ${n} numbers`, { cause })
}

function create(dtype: DType, n: number): TensorData {
  if (n > mostNumbers) refuseSize(n)
  try {
    if (dtype === 'float64') return new Float64Array(n)
    return dtype === 'float32' ? new Float32Array(n) : new Int32Array(n)
  } catch (cause) {
    return refuseSize(n, cause)
  }
}

export function enterScope(): Scope {
  scope = { freed: false, used: [], outer: scope }
  return scope
}

/** Takes back the memory of the scope except what lies in the buffers to keep. */
export function leaveScope(ending: Scope, kept: ReadonlySet<ArrayBufferLike>): void {
  ending.freed = true
  scope = ending.outer
  for (const data of ending.used) {
    if (kept.has(data.buffer)) scope?.used.push(data)
    else bucketFor(dtypeOf(data), data.length).free.push(data)
  }
  if (scope === undefined) tidy()
}

function bucketFor(dtype: DType, n: number): Bucket {
  let bucket = buckets[dtype].get(n)
  if (bucket === undefined) {
    bucket = { free: [], lastUse: clock }
    buckets[dtype].set(n, bucket)
  }
  return bucket
}

function tidy(): void {
  clock++
  for (const map of Object.values(buckets)) {
    for (const [n, bucket] of map) if (clock - bucket.lastUse > patience) map.delete(n)
  }
}

/** Gives the memory that waits for the next `withArena` back to the collector. */
export function releaseArena(): void {
  for (const map of Object.values(buckets)) map.clear()
}

export function dtypeOf(data: TensorData): DType {
  if (data instanceof Float64Array) return 'float64'
  return data instanceof Float32Array ? 'float32' : 'int32'
}
