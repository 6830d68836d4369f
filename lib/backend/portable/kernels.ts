import type { Kernels } from '../kernels.js'
import { portableConstrained } from './constrained/kernels.js'
import { portableCurvature } from './curvature/kernels.js'
import { portableDescent } from './descent/kernels.js'
import { portableLinear } from './linear/kernels.js'
import { portableLowrank } from './lowrank/kernels.js'
import { portableMoe } from './moe/kernels.js'
import { portableRandomKernels } from './random/kernels.js'
import { portableTensor } from './tensor/kernels.js'
import { portableUpdate } from './tensor/update/kernels.js'
import { portableTransport } from './transport/kernels.js'

export const portableKernels: Kernels = {
  name: 'portable',
  random: portableRandomKernels,
  tensor: portableTensor,
  update: portableUpdate,
  transport: portableTransport,
  moe: portableMoe,
  linear: portableLinear,
  lowrank: portableLowrank,
  constrained: portableConstrained,
  curvature: portableCurvature,
  descent: portableDescent,
}
