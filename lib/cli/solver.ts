import { type Command, Option } from 'commander'
import type { Progress } from '../core/options.js'
import { sinkhorn, sinkhornNewtonSparse, type TransportProblem, type TransportSolution } from '../transport/index.js'
import { defaultEpsilon, defaultShare, type PairCost } from './epsilon.js'
import { positiveInteger, positiveNumber } from './parsers.js'
import { ProgressBar, residualFraction } from './progress.js'
import { duration, rough, short } from './text.js'

export const methods = { sinkhorn, 'sinkhorn-newton-sparse': sinkhornNewtonSparse } as const
export type Method = keyof typeof methods

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

export function addSolverOptions(command: Command, defaults: Tolerances): Command {
  return command
    .addOption(
      new Option(
        '--epsilon <number>',
        'entropic strength, in units of the cost (default: 0.05 × its standard deviation)',
      ).argParser(positiveNumber),
    )
    .addOption(
      new Option('--method <name>', 'solver').choices(Object.keys(methods)).default('sinkhorn-newton-sparse' as Method),
    )
    .option(
      '--tolerance <number>',
      `relative L1 error of the marginals to stop at (default: ${rough(defaults.float64)}, with float32 ${rough(defaults.float32)})`,
      positiveNumber,
    )
    .option('--max-iterations <count>', 'most iterations', positiveInteger)
    .addOption(new Option('--precision <type>', 'arithmetic').choices(['float64', 'float32']).default('float64'))
    .option('--threads <count>', 'most threads (default: all cores)', positiveInteger)
    .addOption(new Option('--backend <name>', 'force a backend').choices(['native', 'portable']))
}

/** The flags with their defaults filled in. */
export interface SolverSettings extends SolverFlags {
  epsilon: number
  /** Whether epsilon came from the command line. */
  isEpsilonGiven: boolean
  tolerance: number
}

export function solverSettings(flags: SolverFlags, defaults: Tolerances, cost: PairCost): SolverSettings {
  return {
    method: flags.method,
    precision: flags.precision,
    maxIterations: flags.maxIterations,
    threads: flags.threads,
    backend: flags.backend,
    epsilon: flags.epsilon ?? defaultEpsilon(cost),
    isEpsilonGiven: flags.epsilon !== undefined,
    tolerance: flags.tolerance ?? defaults[flags.precision],
  }
}

/** Solves with a progress bar. A solution that missed its tolerance is returned too, with a warning. */
export async function solve(
  problem: TransportProblem,
  { method, isEpsilonGiven: _, ...options }: SolverSettings,
  signal: AbortSignal,
): Promise<TransportSolution> {
  const bar = new ProgressBar('solving')
  const fraction = residualFraction(options.tolerance)
  const onProgress = ({ iteration, residual, elapsed }: Progress) =>
    bar.update(fraction(residual), `iteration ${iteration} | error ${rough(residual)} | ${duration(elapsed)}`)
  try {
    const solution = await methods[method](problem, { ...options, signal, onProgress })
    bar.end()
    warnUnlessConverged(solution, options.tolerance)
    return solution
  } finally {
    bar.end()
  }
}

function warnUnlessConverged({ status, residual }: TransportSolution, tolerance: number): void {
  if (status === 'converged') return
  const missed = `the marginal error is ${rough(residual)}, the tolerance ${rough(tolerance)}`
  process.stderr.write(`warning: not converged (${status}): ${missed}\n`)
}

/** Settings and solution, as they go into `--json`. */
export function solutionRecord(solution: TransportSolution, settings: SolverSettings) {
  return {
    epsilon: settings.epsilon,
    epsilonOrigin: settings.isEpsilonGiven ? 'given' : 'default',
    method: settings.method,
    precision: settings.precision,
    tolerance: settings.tolerance,
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

/** The same for people. */
export function solutionRows(solution: TransportSolution, settings: SolverSettings): [name: string, value: string][] {
  const { certificate, iterations, passes, elapsed } = solution
  const origin = settings.isEpsilonGiven ? '' : `, by default ${defaultShare} × the standard deviation of the cost`
  const rows: [string, string][] = [
    ['epsilon', `${short(settings.epsilon)}${origin}`],
    ['method', `${settings.method}, ${solution.backend}, ${settings.precision}`],
    ['status', `${solution.status} after ${iterations} iterations, ${passes} passes, ${duration(elapsed)}`],
    ['marginal error', rough(solution.marginalError)],
    ['cost <C,P>', short(solution.value)],
  ]
  if (certificate !== undefined) {
    const { dual, primal, gap } = certificate
    rows.push(['exact cost', `between ${short(dual)} and ${short(primal)}, gap ${rough(gap)}`])
  }
  return rows
}
