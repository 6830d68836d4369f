import { type Command, Option } from 'commander'
import type { Progress } from '../core/options.js'
import { type TransportMethod, type TransportProblem, type TransportResult, transport } from '../transport/index.js'
import { defaultEpsilon, defaultShare, type PairCost } from './epsilon.js'
import { positiveInteger, positiveNumber } from './parsers.js'
import { ProgressBar, residualFraction } from './progress.js'
import { duration, rough, short } from './text.js'

/** The methods by their names on the command line, those with an entropic term first. */
const methods = {
  'sinkhorn-newton-sparse': 'sinkhornNewtonSparse',
  sinkhorn: 'sinkhorn',
  auto: 'auto',
  emd: 'emd',
  assignment: 'assignment',
  crossover: 'crossover',
  wasserstein1d: 'wasserstein1d',
} as const satisfies Record<string, 'auto' | TransportMethod>
export type Method = keyof typeof methods

export const allMethods = Object.keys(methods) as Method[]
export const entropicMethods: readonly Method[] = ['sinkhorn-newton-sparse', 'sinkhorn']

function isExact({ method, epsilon }: SolverFlags): boolean {
  return method === 'auto' ? epsilon === undefined : !entropicMethods.includes(method)
}

/** The options of the command line that go to the solver. */
export interface SolverFlags {
  epsilon?: number
  method: Method
  tolerance?: number
  maxIterations?: number
  precision: 'float64' | 'float32'
  threads?: number
  backend?: 'native' | 'portable'
}

/** The default tolerance of a command for each precision: float32 cannot reach that of float64. */
export type Tolerances = Record<SolverFlags['precision'], number>

export function addSolverOptions(
  command: Command,
  defaults: Tolerances,
  choices: readonly Method[] = entropicMethods,
): Command {
  const exact = choices === entropicMethods ? '' : '; of exact methods the relative gap (default: 0)'
  return command
    .addOption(
      new Option(
        '--epsilon <number>',
        'entropic strength, in units of the cost (default: 0.05 × its standard deviation)',
      ).argParser(positiveNumber),
    )
    .addOption(new Option('--method <name>', 'solver').choices(choices).default('sinkhorn-newton-sparse' as Method))
    .option(
      '--tolerance <number>',
      `relative L1 error of the marginals to stop at (default: ${rough(defaults.float64)}, with float32 ${rough(defaults.float32)})${exact}`,
      positiveNumber,
    )
    .option('--max-iterations <count>', 'most iterations', positiveInteger)
    .addOption(new Option('--precision <type>', 'arithmetic').choices(['float64', 'float32']).default('float64'))
    .option('--threads <count>', 'most threads (default: all cores)', positiveInteger)
    .addOption(new Option('--backend <name>', 'force a backend').choices(['native', 'portable']))
}

/** The flags with their defaults filled in. */
export interface SolverSettings extends SolverFlags {
  /** Whether the optimum without an entropic term is asked for. */
  exact: boolean
  /** Whether epsilon came from the command line. */
  isEpsilonGiven: boolean
}

export function solverSettings(flags: SolverFlags, defaults: Tolerances, cost: PairCost): SolverSettings {
  const exact = isExact(flags)
  return {
    method: flags.method,
    precision: flags.precision,
    maxIterations: flags.maxIterations,
    threads: flags.threads,
    backend: flags.backend,
    exact,
    epsilon: flags.epsilon ?? (exact ? undefined : defaultEpsilon(cost)),
    isEpsilonGiven: flags.epsilon !== undefined,
    tolerance: flags.tolerance ?? (exact ? undefined : defaults[flags.precision]),
  }
}

/** Solves with a progress bar. A solution that missed its tolerance is returned too, with a warning. */
export async function solve(
  problem: TransportProblem,
  { method, exact, isEpsilonGiven: _, precision, ...options }: SolverSettings,
  signal: AbortSignal,
): Promise<TransportResult> {
  const bar = new ProgressBar('solving')
  const fraction = residualFraction(options.tolerance ?? 1e-12)
  const onProgress = ({ iteration, residual, elapsed }: Progress) =>
    bar.update(fraction(residual), `iteration ${iteration} | error ${rough(residual)} | ${duration(elapsed)}`)
  const arithmetic = exact && precision === 'float64' ? {} : { precision }
  try {
    const solution = await transport(problem, {
      ...options,
      ...arithmetic,
      method: methods[method],
      signal,
      onProgress,
    })
    bar.end()
    warnUnlessConverged(solution, exact, options.tolerance ?? 0)
    return solution
  } finally {
    bar.end()
  }
}

function warnUnlessConverged({ status, residual, note }: TransportResult, exact: boolean, tolerance: number): void {
  if (note !== undefined) process.stderr.write(`note: ${note}\n`)
  if (status === 'converged') return
  const missed = `the ${exact ? 'relative gap' : 'marginal error'} is ${rough(residual)}, the tolerance ${rough(tolerance)}`
  process.stderr.write(`warning: not converged (${status}): ${missed}\n`)
}

/** The name on the command line of the method that found the solution. */
function nameOf({ method }: TransportResult): string {
  return allMethods.find((name) => methods[name] === method) ?? method
}

/** Settings and solution, as they go into `--json`. */
export function solutionRecord(solution: TransportResult, settings: SolverSettings) {
  return {
    epsilon: settings.epsilon ?? 0,
    epsilonOrigin: settings.exact ? 'exact' : settings.isEpsilonGiven ? 'given' : 'default',
    method: nameOf(solution),
    attempts: solution.attempts.length > 1 ? solution.attempts : undefined,
    precision: settings.precision,
    tolerance: settings.tolerance ?? 0,
    status: solution.status,
    iterations: solution.iterations,
    newtonIterations: solution.newtonIterations,
    passes: solution.passes,
    elapsed: solution.elapsed,
    backend: solution.backend,
    value: solution.value,
    regularizedValue: solution.regularizedValue,
    marginalError: solution.marginalError,
    certificate: solution.certificate,
  }
}

/** The same for people; `proof`: with the numbers of the certificate. */
export function solutionRows(
  solution: TransportResult,
  settings: SolverSettings,
  proof = false,
): [name: string, value: string][] {
  const { iterations, passes, elapsed } = solution
  const { dual, primal, gap } = solution.certificate
  const origin = settings.isEpsilonGiven ? '' : `, by default ${defaultShare} × the standard deviation of the cost`
  const strength = settings.exact ? 'none: exact' : `${short(settings.epsilon as number)}${origin}`
  const work = passes === undefined ? `${iterations} iterations` : `${iterations} iterations, ${passes} passes`
  const rows: [string, string][] = [
    ['epsilon', strength],
    ['method', `${nameOf(solution)}, ${solution.backend}, ${settings.precision}`],
    ['status', `${solution.status} after ${work}, ${duration(elapsed)}`],
    ['marginal error', rough(solution.marginalError)],
    ['cost <C,P>', short(solution.value)],
  ]
  if (proof) rows.push(['primal', String(primal)], ['dual', String(dual)], ['gap', String(gap)])
  else rows.push(['exact cost', `between ${short(dual)} and ${short(primal)}, gap ${rough(gap)}`])
  return rows
}
