import type { ConstrainedKernels, SketchSolveJob } from '../../constrained.js'
import { portableKernel } from '../driver.js'
import type { Watch, Work } from '../work.js'
import { factor } from './factor.js'
import { sketchSolve } from './sketch-solve.js'

export const portableConstrained: ConstrainedKernels = {
  // Without oracles nothing that it yields is a promise.
  sketchSolve: portableKernel(sketchSolve as (job: SketchSolveJob, monitor: Watch) => Work<void>),
  factor: portableKernel(factor),
}
