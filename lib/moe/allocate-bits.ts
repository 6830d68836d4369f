import type { Control } from '../backend/kernels.js'
import { checkRunOptions } from '../backend/options.js'
import { type MatrixLike, shapeText, toDenseMatrix, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, nonNegative, oneOf, positive, type SolverOptions, whole } from '../core/options.js'
import type { Solution } from '../core/solution.js'
import { nonNegativeVector } from './checks.js'
import { type MultipleChoice, multipleChoice } from './multiple-choice.js'
import { inSteps, runStages, runStagesSync, type Stages } from './stages.js'

const methods = ['exact', 'greedy', 'uniform'] as const

export interface AllocateBitsOptions extends Pick<SolverOptions, 'signal' | 'onProgress'> {
  /** The widths that an expert may have, ascending; a column of the errors each. Default 1, 2, 3, 4. */
  bits?: readonly number[]
  /** Σ size_e × bits_e is at most this. */
  budget?: number
  /** Instead of `budget`: bits per weight on average; the budget is averageBits × Σ size_e. */
  averageBits?: number
  /** Weights of each expert. Default 1. */
  sizes?: VectorLike
  /** phi: how often each expert is used. Default 1. */
  frequency?: VectorLike
  /** w: how much each expert's output counts. Default 1. */
  weight?: VectorLike
  /** Powers of `frequency` and `weight`. Default 1. */
  alpha?: number
  beta?: number
  /** Widths of which one expert at least must have each. Default: none. */
  atLeastOne?: readonly number[]
  /**
   * `'exact'` (default). `'greedy'`: from the narrowest, step by step where a bit saves most, and `'uniform'`: the same width for
   * all; as baselines.
   */
  method?: (typeof methods)[number]
}

export interface AllocateBitsSolution extends Solution {
  /** Bits of each expert. */
  bits: Int32Array
  /** Σ phi_e^alpha w_e^beta err_e(bits_e). */
  value: number
  /** Σ size_e × bits_e. */
  used: number
  /** No allocation has a smaller value: the value with `'exact'`, else that of the Lagrangian relaxation. */
  bound: number
  /** value - bound. */
  gap: number
  /** The value of the Lagrangian relaxation. */
  lagrangianBound: number
}

const names: ReadonlySet<string> = new Set([
  ...['signal', 'onProgress', 'bits', 'budget', 'averageBits', 'sizes', 'frequency', 'weight', 'alpha', 'beta'],
  ...['atLeastOne', 'method'],
])

/**
 * Chooses a bit width for each expert so that the weighted error is least within a budget: a multiple-choice knapsack,
 * solved exactly. Errors need not fall with the bits nor by less and less, which is where greedy choices go wrong.
 *
 * @param errors experts × widths, >= 0, as from `quantizationErrors`
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_NOT_POSITIVE`, `ERR_INFEASIBLE` (the budget does not do for the
 * narrowest, or for `atLeastOne`), `ERR_OPTION`; the reason of `signal` when aborted.
 *
 * Source of the problem: Huang et al. 2024, "MC-MoE: Mixture Compressor for Mixture-of-Experts LLMs Gains More" (arXiv
 * 2410.06270), who solve it as an integer program.
 */
export async function allocateBits(errors: MatrixLike, options: AllocateBitsOptions): Promise<AllocateBitsSolution> {
  const start = performance.now()
  const checked = check(errors, options)
  return runStages(solve(checked, start), checked.control)
}

/** {@link allocateBits} on the calling thread. */
export function allocateBitsSync(errors: MatrixLike, options: AllocateBitsOptions): AllocateBitsSolution {
  const start = performance.now()
  const checked = check(errors, options)
  return runStagesSync(solve(checked, start), checked.control)
}

interface Checked {
  problem: MultipleChoice
  bits: number[]
  method: (typeof methods)[number]
  control: Control
}

export function checkBits(bits: readonly number[] | undefined): number[] {
  if (bits === undefined) return [1, 2, 3, 4]
  if (!Array.isArray(bits) || bits.length === 0 || bits.length > 16) {
    throw new ExtremaError('ERR_OPTION', `bits: expected a list of 1 to 16 widths, got ${describe(bits)}`)
  }
  const list = bits.map((width, i) => whole(`bits[${i}]`, width, 0, 1, 16))
  const wrong = list.findIndex((width, i) => i > 0 && width <= list[i - 1])
  if (wrong >= 0) {
    throw new ExtremaError('ERR_OPTION', `bits[${wrong}]: expected more than ${list[wrong - 1]}, got ${list[wrong]}`)
  }
  return list
}

function check(given: MatrixLike, options: AllocateBitsOptions): Checked {
  const { control } = checkRunOptions(options, names, '{ averageBits, … }')
  const bits = checkBits(options.bits)
  const { data, rows: experts, columns } = toDenseMatrix('errors', given)
  if (experts === 0 || columns !== bits.length) {
    const wanted = `a row for each expert, of ${bits.length} errors (for ${bits.join(', ')} bits)`
    throw new ExtremaError('ERR_SHAPE', `errors: expected ${wanted}, got ${shapeText(experts, columns)}`)
  }
  const errors = nonNegativeVector('errors', data, 'error', columns)
  const vector = (name: 'sizes' | 'frequency' | 'weight') => {
    const value = options[name]
    if (value === undefined) return new Float64Array(experts).fill(1)
    const list = nonNegativeVector(name, value, 'number')
    if (list.length === experts) return list
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${experts} numbers, got ${list.length}`)
  }
  const sizes = vector('sizes')
  const [frequency, weight] = [vector('frequency'), vector('weight')]
  const alpha = nonNegative('alpha', options.alpha, 1)
  const beta = nonNegative('beta', options.beta, 1)
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const budget = readBudget(options, total)
  if (total * bits[0] > budget * (1 + 1e-12)) {
    const wanted = `${total * bits[0]} or more (all experts at ${bits[0]} bits)`
    throw new ExtremaError('ERR_INFEASIBLE', `budget: expected ${wanted}, got ${budget}`)
  }
  const problem: MultipleChoice = {
    sizes: Array.from(sizes, (size) => Float64Array.from(bits, (width) => size * width)),
    losses: Array.from(sizes, (_, e) =>
      Float64Array.from(bits, (_, c) => frequency[e] ** alpha * weight[e] ** beta * errors[e * columns + c]),
    ),
    budget,
    ...readRequired(options.atLeastOne, bits, experts),
  }
  const method = oneOf('method', options.method, methods, 'exact')
  if (problem.required !== undefined && method !== 'exact') {
    throw new ExtremaError('ERR_OPTION', `atLeastOne: expected with method 'exact' only, got method '${method}'`)
  }
  return { problem, bits, method, control }
}

function readBudget({ budget, averageBits }: AllocateBitsOptions, total: number): number {
  if ((budget === undefined) === (averageBits === undefined)) {
    const came = budget === undefined ? 'neither' : 'both'
    throw new ExtremaError('ERR_OPTION', `budget, averageBits: expected one of them, got ${came}`)
  }
  return budget === undefined ? positive('averageBits', averageBits) * total : positive('budget', budget)
}

function readRequired(
  atLeastOne: readonly number[] | undefined,
  bits: number[],
  experts: number,
): Pick<MultipleChoice, 'marks' | 'required'> {
  if (atLeastOne === undefined) return {}
  if (!Array.isArray(atLeastOne)) {
    throw new ExtremaError('ERR_OPTION', `atLeastOne: expected a list of widths, got ${describe(atLeastOne)}`)
  }
  let required = 0
  for (const [i, width] of atLeastOne.entries()) {
    const column = bits.indexOf(width)
    if (column < 0) {
      throw new ExtremaError('ERR_OPTION', `atLeastOne[${i}]: expected one of ${bits.join(', ')} bits, got ${width}`)
    }
    required |= 1 << column
  }
  return { required, marks: Array.from({ length: experts }, () => Int32Array.from(bits, (_, c) => 1 << c)) }
}

function* solve({ problem, bits, method }: Checked, start: number): Stages<AllocateBitsSolution> {
  const exact = yield* inSteps((monitor) => multipleChoice(problem, monitor))
  if (exact.chosen === undefined) {
    throw new ExtremaError(
      'ERR_INFEASIBLE',
      `budget: expected enough for one expert at each of the widths of atLeastOne, got ${problem.budget}`,
    )
  }
  const chosen = {
    exact: () => exact.chosen as Int32Array,
    greedy: () => greedily(problem),
    uniform: () => uniformly(problem),
  }[method]()
  let value = 0
  let used = 0
  chosen.forEach((c, e) => {
    value += problem.losses[e][c]
    used += problem.sizes[e][c]
  })
  const bound = exact.loss
  return {
    status: 'converged',
    iterations: 1,
    residual: value === 0 ? 0 : Math.max(0, value - bound) / value,
    elapsed: performance.now() - start,
    backend: 'portable',
    bits: chosen.map((c) => bits[c]),
    value,
    used,
    bound,
    gap: value - bound,
    lagrangianBound: exact.bound,
  }
}

/** The next wider choice, again and again, where it saves most per bit, while it saves and there is room. */
function greedily({ sizes, losses, budget }: MultipleChoice): Int32Array {
  const chosen = new Int32Array(sizes.length)
  let left = budget * (1 + 1e-12) - sizes.reduce((sum, list) => sum + list[0], 0)
  for (;;) {
    let best = -1
    let rate = 0
    for (let g = 0; g < sizes.length; g++) {
      const c = chosen[g]
      if (c + 1 === sizes[g].length) continue
      const more = sizes[g][c + 1] - sizes[g][c]
      const saved = (losses[g][c] - losses[g][c + 1]) / (more || Number.MIN_VALUE)
      if (more > left || saved <= rate) continue
      best = g
      rate = saved
    }
    if (best < 0) return chosen
    left -= sizes[best][chosen[best] + 1] - sizes[best][chosen[best]]
    chosen[best]++
  }
}

function uniformly({ sizes, budget }: MultipleChoice): Int32Array {
  let c = 0
  const total = (column: number) => sizes.reduce((sum, list) => sum + list[column], 0)
  while (c + 1 < sizes[0].length && total(c + 1) <= budget * (1 + 1e-12)) c++
  return new Int32Array(sizes.length).fill(c)
}
