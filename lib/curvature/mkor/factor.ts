import { rankOneField, rankOneReportLength } from '../../backend/curvature.js'
import { type BackendName, kernels } from '../../backend/index.js'
import type { FloatArray } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { noControl } from '../../linear/direct.js'
import { fromHalves, toHalves } from './half.js'

/** How the inverse of a factor follows the moving average γX⁻¹ + (1 - γ)vvᵀ. */
export type FactorUpdate = 'exact' | 'printed' | 'package'
export type FactorStorage = 'float64' | 'float32' | 'float16'

export interface FactorSettings {
  /** γ */
  decay: number
  update: FactorUpdate
  /** ε and ζ, or none. */
  stabilizer: { threshold: number; weight: number } | null
  storage: FactorStorage
  backend: BackendName | undefined
  threads: number
}

/** Beyond it float32 nears its end; the inverse is begun anew. */
const mostEntry = { float64: 1e150, float32: 1e30, float16: 6e4 } as const

/** X ≈ L⁻¹ or R⁻¹ of a layer, n × n and symmetric, the identity at first. */
export class InverseFactor {
  private readonly full: FloatArray | null
  private readonly halves: Uint16Array | null
  /** The largest |entry|. */
  private largest = 1

  constructor(
    readonly n: number,
    private readonly settings: FactorSettings,
  ) {
    const { storage } = settings
    try {
      this.full = storage === 'float16' ? null : new (storage === 'float64' ? Float64Array : Float32Array)(n * n)
      this.halves = storage === 'float16' ? new Uint16Array(n * n) : null
    } catch (cause) {
      throw new ExtremaError('ERR_MEMORY', `memory: expected room for ${n * n} numbers, got none`, { cause })
    }
    this.reset()
  }

  get bytes(): number {
    return this.full?.byteLength ?? this.halves!.byteLength
  }

  private reset(): void {
    const identity = this.entries().fill(0)
    for (let i = 0; i < this.n; i++) identity[i * (this.n + 1)] = 1
    this.store(identity, 1)
  }

  /** The entries in float32 or float64: themselves, or a copy in memory that all factors share. */
  entries(): FloatArray {
    if (this.full !== null) return this.full
    const out = scratch(this.n * this.n)
    fromHalves(this.halves!, out)
    return out
  }

  private store(entries: FloatArray, largest: number): void {
    if (this.halves !== null) toHalves(entries as Float32Array, this.halves)
    this.largest = largest
  }

  /** Takes v in; false if the inverse had to be begun anew, as rounding or growth had made it useless. */
  refresh(v: Float64Array): boolean {
    const { n, settings } = this
    const { decay: gamma, update, stabilizer, backend, threads } = settings
    // M = ζX + (1 - ζ)I where X has grown beyond ε.
    const zeta = stabilizer !== null && this.largest > stabilizer.threshold ? stabilizer.weight : 1
    const blend = { keep: zeta, identity: 1 - zeta }
    const x = this.entries()
    const job = { x, n, v, threads, report: new Float64Array(rankOneReportLength), ...formula(update, gamma, blend) }
    kernels(backend).curvature.rankOne.runSync(job, noControl)
    const { report } = job
    const isSound = report[rankOneField.denominator] > 0 && report[rankOneField.largest] <= mostEntry[settings.storage]
    if (isSound) this.store(x, report[rankOneField.largest])
    else this.reset()
    return isSound
  }

  /** As it is stored, exactly, in an array of floats. */
  save(): FloatArray {
    return this.entries().slice()
  }

  restore(entries: FloatArray): void {
    let largest = 0
    for (const value of entries) largest = Math.max(largest, Math.abs(value))
    const own = this.full ?? scratch(this.n * this.n)
    own.set(entries)
    this.store(own, largest)
  }
}

interface Formula {
  keep: number
  identity: number
  scale: number
  numerator: number
  offset: number
  slope: number
}

/** X <- scale M + numerator / (offset + slope vᵀMv) (Mv)(Mv)ᵀ */
function formula(update: FactorUpdate, gamma: number, blend: { keep: number; identity: number }): Formula {
  const rest = 1 - gamma
  switch (update) {
    case 'exact':
      // Sherman and Morrison.
      return { ...blend, scale: 1 / gamma, numerator: -rest / gamma, offset: gamma, slope: rest }
    case 'printed':
      return { ...blend, scale: gamma, numerator: rest / gamma ** 2, offset: 1, slope: gamma * rest }
    case 'package': {
      const { keep, identity } = blend
      const own = { keep: 0.95 * keep, identity: 0.95 * identity + 0.05 }
      return { ...own, scale: 1, numerator: -1, offset: 1, slope: 1 }
    }
  }
}

let shared = new Float32Array(0)

function scratch(length: number): Float32Array {
  if (shared.length < length) shared = new Float32Array(length)
  return shared.subarray(0, length)
}
