export type { EqualityConstrainedSolution, StallReason } from './ada-sketch-newton.js'
export { minimizeEqualityConstrained, minimizeEqualityConstrainedSync } from './minimize-equality-constrained.js'
export type { EqualityConstrainedOptions, IterationRecord, SketchKind, SketchOptions } from './options.js'
export type { EqualityConstrainedProblem, Evaluations } from './problem.js'
export {
  type SketchSolveOptions,
  type SketchSolveProblem,
  type SketchSolveSolution,
  sketchSolve,
  sketchSolveSync,
} from './sketch-solve.js'
