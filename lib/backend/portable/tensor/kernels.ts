import type { TensorKernels } from '../../tensor.js'
import { csrProduct, squaredDistances } from './algebra.js'
import { convolution, maxPool } from './convolution.js'
import { binary, compare, derivative, unary, where } from './elementwise.js'
import { portableFactor } from './factor.js'
import { argReduce, cumsum, gather, scatterAdd } from './indexing.js'
import { matmul } from './matmul.js'
import { channelSums, moments, normalize, normalizeVjp } from './normalization.js'
import { reduce } from './reduce.js'
import { crossEntropy, crossEntropyVjp, softmax, softmaxVjp } from './softmax.js'
import { portableSpectral } from './spectral.js'
import { read, write } from './strided.js'

export const portableTensor: TensorKernels = {
  unary,
  derivative,
  binary,
  compare,
  where,
  read,
  write,
  reduce,
  matmul,
  argReduce,
  cumsum,
  gather,
  scatterAdd,
  softmax,
  softmaxVjp,
  crossEntropy,
  crossEntropyVjp,
  squaredDistances,
  csrProduct,
  convolution,
  maxPool,
  channelSums,
  moments,
  normalize,
  normalizeVjp,
  ...portableFactor,
  ...portableSpectral,
}
