import { availableParallelism } from 'node:os'
import { ExtremaError } from '../core/errors.js'
import addon from './addon.cjs'
import type { Kernels } from './kernels.js'
import { type Binding, nativeKernels } from './native/kernels.js'
import { portableKernels } from './portable/kernels.js'

export type BackendName = 'native' | 'portable'

/** Which backend runs, and why. */
export interface BackendInfo {
  name: BackendName
  /** One sentence: how the choice came about. */
  reason: string
  /** The native binary, if one was found. */
  path?: string
  /** Version of the package the binary was built from. */
  version?: string
  blas?: string
  /** The processor kernels that OpenBLAS chose. */
  blasCore?: string
  /** Instruction set of our own kernels. */
  simd?: string
  /** Most threads of one call by default. */
  threads: number
}

interface Choice {
  info: BackendInfo
  kernels: Kernels
  native?: Kernels
  failure?: Error
}

let choice: Choice | undefined

function choose(): Choice {
  const wanted = process.env.EXTREMA_BACKEND
  if (wanted !== undefined && wanted !== '' && wanted !== 'native' && wanted !== 'portable') {
    throw new ExtremaError('ERR_OPTION', `EXTREMA_BACKEND: expected 'native' or 'portable', got '${wanted}'`)
  }
  const threads = defaultThreads()
  const { native, info, failure } = loadNative(threads)
  if (wanted === 'native' && native === undefined) {
    throw new ExtremaError('ERR_BACKEND', `EXTREMA_BACKEND=native, but ${failure?.message}`, { cause: failure })
  }
  if (wanted !== 'portable' && native !== undefined) {
    const reason = wanted === 'native' ? 'EXTREMA_BACKEND=native' : 'the native binary loaded and passed its self-test'
    return { info: { ...info, name: 'native', reason, threads }, kernels: native, native }
  }
  const reason = wanted === 'portable' ? 'EXTREMA_BACKEND=portable' : (failure?.message ?? 'no native binary')
  if (wanted !== 'portable') warnOnce(reason)
  return { info: { ...info, name: 'portable', reason, threads }, kernels: portableKernels, native, failure }
}

/** Once per thread, although its ES module and CommonJS trees may both be loaded. */
function warnOnce(reason: string): void {
  const shared = globalThis as Record<symbol, unknown>
  const warned = Symbol.for('extrema.warned')
  if (shared[warned]) return
  shared[warned] = true
  process.emitWarning(`extrema runs on its portable kernels, which are slower: ${reason}`, {
    code: 'EXTREMA_PORTABLE',
    detail: "Run 'npx extrema doctor' for what to do; EXTREMA_BACKEND=portable silences this.",
  })
}

function loadNative(threads: number): { native?: Kernels; info: BackendInfo; failure?: Error } {
  const info: BackendInfo = { name: 'portable', reason: '', threads }
  const { binding, path, error } = addon.loadAddon()
  if (path !== undefined) info.path = path
  if (binding === undefined) {
    return { info, failure: error ?? new Error('no native binary was found') }
  }
  try {
    const about = (binding as Binding).describe()
    Object.assign(info, { version: about.version, blas: about.blas, blasCore: about.blasCore, simd: about.simd })
    const fault = (binding as Binding).selfTest()
    if (fault !== '') return { info, failure: new Error(fault) }
    return { info, native: nativeKernels(binding as Binding) }
  } catch (cause) {
    return { info, failure: new Error(`the native binary failed to start: ${(cause as Error).message}`, { cause }) }
  }
}

/** `EXTREMA_THREADS`, or one per core that this process may use. */
function defaultThreads(): number {
  const set = process.env.EXTREMA_THREADS
  if (set === undefined || set === '') return Math.min(64, availableParallelism())
  const threads = Number(set)
  if (Number.isInteger(threads) && threads >= 1 && threads <= 64) return threads
  throw new ExtremaError('ERR_OPTION', `EXTREMA_THREADS: expected a whole number from 1 to 64, got '${set}'`)
}

/** Which backend runs, and why. The first use of the package decides. */
export function backend(): BackendInfo {
  choice ??= choose()
  return choice.info
}

/** The kernels to call: those of the process, or of the backend that a call asks for. */
export function kernels(wanted?: BackendName): Kernels {
  choice ??= choose()
  if (wanted === undefined || wanted === choice.kernels.name) return choice.kernels
  if (wanted === 'portable') return portableKernels
  if (choice.native !== undefined) return choice.native
  throw new ExtremaError('ERR_BACKEND', `backend: 'native' is not available here: ${choice.failure?.message}`, {
    cause: choice.failure,
  })
}
