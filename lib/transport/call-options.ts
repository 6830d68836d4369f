import type { Control } from '../backend/kernels.js'
import { checkNames, type SolverOptions } from '../core/options.js'
import { type CheckedOptions, checkOptions } from './options.js'

/** Checks the options of a call that reads off a solution and has no epsilon of its own. */
export function checkCall(
  options: SolverOptions,
  names: ReadonlySet<string>,
  defaultIterations: number,
): { common: CheckedOptions; control: Control } {
  if (typeof options === 'object' && options !== null) checkNames('options', options, names)
  const given = typeof options === 'object' && options !== null ? { ...options, epsilon: 1 } : options
  const common = checkOptions(given, new Set([...names, 'epsilon']), defaultIterations)
  return { common, control: common.control }
}
