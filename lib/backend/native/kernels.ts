import type { Kernels } from '../kernels.js'
import { nativeConstrained } from './constrained.js'
import { nativeCurvature } from './curvature.js'
import { nativeDescent } from './descent.js'
import { nativeLinear } from './linear.js'
import { nativeLowrank } from './lowrank.js'
import { nativeMoe } from './moe.js'
import { type JobBinding, Runtime } from './runtime.js'
import { nativeTransport } from './transport.js'

/** What the addon exports. */
export interface Binding extends JobBinding {
  describe(): { version: string; blas: string; blasCore: string; simd: string; hardwareThreads: number }
  /** Empty, or what the BLAS computes wrongly on this processor. */
  selfTest(): string
  random: Kernels['random']
  tensor: Kernels['tensor']
  update: Kernels['update']
  // biome-ignore lint/suspicious/noExplicitAny: typed by ./transport.ts
  transport: Record<string, (...args: any[]) => any>
  // biome-ignore lint/suspicious/noExplicitAny: typed by ./moe.ts
  moe: Record<string, (...args: any[]) => any>
  // biome-ignore lint/suspicious/noExplicitAny: typed by ./linear.ts
  linear: Record<string, (...args: any[]) => any>
  // biome-ignore lint/suspicious/noExplicitAny: typed by ./lowrank.ts
  lowrank: Record<string, any>
  // biome-ignore lint/suspicious/noExplicitAny: typed by ./constrained.ts
  constrained: Record<string, (...args: any[]) => any>
  // biome-ignore lint/suspicious/noExplicitAny: typed by ./curvature.ts
  curvature: Record<string, (...args: any[]) => any>
  // biome-ignore lint/suspicious/noExplicitAny: typed by ./descent.ts
  descent: Record<string, (...args: any[]) => any>
}

export function nativeKernels(binding: Binding): Kernels {
  const runtime = Runtime.of(binding)
  return {
    name: 'native',
    random: binding.random,
    tensor: binding.tensor,
    update: binding.update,
    transport: nativeTransport(runtime, binding.transport),
    moe: nativeMoe(runtime, binding.moe),
    linear: nativeLinear(runtime, binding.linear),
    lowrank: nativeLowrank(runtime, binding.lowrank),
    constrained: nativeConstrained(runtime, binding.constrained),
    curvature: nativeCurvature(runtime, binding.curvature),
    descent: nativeDescent(runtime, binding.descent),
  }
}
