import { portableRandomKernels, type RandomKernels } from '../backend/portable/random/kernels.js'

/** What fills long arrays for generators that are not given kernels of their own. */
export const randomKernels: RandomKernels = portableRandomKernels
