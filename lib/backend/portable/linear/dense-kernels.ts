import type { DenseKernels } from '../../linear-dense.js'
import { portableKernel } from '../driver.js'
import { cholesky } from './cholesky.js'
import { leastSquares } from './least-squares.js'
import { lu } from './lu.js'
import { applyQ, qr } from './qr.js'
import { sketch, sketchTranspose } from './sketch.js'
import { sketchFactor } from './sketch-factor.js'
import { svd } from './svd.js'
import { symmetricEigen } from './symmetric-eigen.js'
import { triangularSolve } from './triangular.js'

export const portableDense: DenseKernels = {
  sketch: portableKernel(sketch),
  sketchTranspose: portableKernel(sketchTranspose),
  sketchFactor: portableKernel(sketchFactor),
  leastSquares: portableKernel(leastSquares),
  cholesky: portableKernel(cholesky),
  lu: portableKernel(lu),
  qr: portableKernel(qr),
  applyQ: portableKernel(applyQ),
  triangularSolve: portableKernel(triangularSolve),
  symmetricEigen: portableKernel(symmetricEigen),
  svd: portableKernel(svd),
}
