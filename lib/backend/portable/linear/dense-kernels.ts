import type { DenseKernels } from '../../linear-dense.js'
import { portableKernel } from '../driver.js'
import { cholesky } from './cholesky.js'
import { lu } from './lu.js'
import { applyQ, qr } from './qr.js'
import { svd } from './svd.js'
import { symmetricEigen } from './symmetric-eigen.js'
import { triangularSolve } from './triangular.js'

export const portableDense: DenseKernels = {
  cholesky: portableKernel(cholesky),
  lu: portableKernel(lu),
  qr: portableKernel(qr),
  applyQ: portableKernel(applyQ),
  triangularSolve: portableKernel(triangularSolve),
  symmetricEigen: portableKernel(symmetricEigen),
  svd: portableKernel(svd),
}
