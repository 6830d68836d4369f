import type { MoeKernels } from '../../moe.js'
import { portableKernel } from '../driver.js'
import { findPrices } from './find-prices.js'
import { route } from './route.js'

export const portableMoe: MoeKernels = { route: portableKernel(route), prices: portableKernel(findPrices) }
