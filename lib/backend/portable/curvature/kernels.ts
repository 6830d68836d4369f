import type { CurvatureKernels } from '../../curvature.js'
import { portableKernel } from '../driver.js'
import { diagonal, entries } from './diagonal.js'
import { factor, solve } from './factor.js'
import { gram } from './gram.js'
import { gather, inverseProduct, project } from './inverse.js'
import { rankOne } from './rank-one.js'

export const portableCurvature: CurvatureKernels = {
  gram: portableKernel(gram),
  factor: portableKernel(factor),
  solve: portableKernel(solve),
  project: portableKernel(project),
  gather: portableKernel(gather),
  inverseProduct: portableKernel(inverseProduct),
  diagonal: portableKernel(diagonal),
  entries: portableKernel(entries),
  rankOne: portableKernel(rankOne),
}
