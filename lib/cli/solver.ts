import { type Command, Option } from 'commander'
import { sinkhorn, sinkhornNewtonSparse, type TransportProblem, type TransportSolution } from '../transport/index.js'
import { positiveInteger, positiveNumber } from './parsers.js'
import { ProgressBar, residualFraction } from './progress.js'
import { duration, rough, short } from './text.js'

export const methods = { sinkhorn, 'sinkhorn-newton-sparse': sinkhornNewtonSparse } as const
export type Method = keyof typeof methods

/** The options of the command line that go to the solver. */
export interface SolverFlags {
  epsilon?: number
  method: Method
  tolerance: number
  maxIterations?: number
  precision: 'float64' | 'float32'
  threads?: number
  backend?: 'native' | 'portable'
}

export function addSolverOptions(command: Command, tolerance: number): Command {
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
    .option('--tolerance <number>', 'relative L1 error of the marginals to stop at', positiveNumber, tolerance)
    .option('--max-iterations <count>', 'most iterations', positiveInteger)
    .addOption(new Option('--precision <type>', 'arithmetic').choices(['float64', 'float32']).default('float64'))
    .option('--threads <count>', 'most threads (default: all cores)', positiveInteger)
    .addOption(new Option('--backend <name>', 'force a backend').choices(['native', 'portable']))
}

/** Solves with a progress bar. A solution that missed its tolerance is returned too, with a warning. */
export async function solve(
  problem: TransportProblem,
  epsilon: number,
  flags: SolverFlags,
  signal: AbortSignal,
): Promise<TransportSolution> {
  const bar = new ProgressBar('solving')
  const fraction = residualFraction(flags.tolerance)
  try {
    const solution = await methods[flags.method](problem, {
      epsilon,
      tolerance: flags.tolerance,
      precision: flags.precision,
      ...(flags.maxIterations !== undefined && { maxIterations: flags.maxIterations }),
      ...(flags.threads !== undefined && { threads: flags.threads }),
      ...(flags.backend !== undefined && { backend: flags.backend }),
      signal,
      onProgress: ({ iteration, residual, elapsed }) =>
        bar.update(fraction(residual), `iteration ${iteration} | error ${rough(residual)} | ${duration(elapsed)}`),
    })
    bar.end()
    warnUnlessConverged(solution, flags.tolerance)
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

/** What a solution says about itself, as it goes into `--json`. */
export function solutionRecord(solution: TransportSolution) {
  return {
    status: solution.status,
    iterations: solution.iterations,
    ...(solution.newtonIterations !== undefined && { newtonIterations: solution.newtonIterations }),
    passes: solution.passes,
    elapsed: solution.elapsed,
    backend: solution.backend,
    value: solution.value,
    regularizedValue: solution.regularizedValue,
    marginalError: solution.marginalError,
    ...(solution.certificate !== undefined && { certificate: solution.certificate }),
  }
}

/** The same for people. */
export function solutionRows(solution: TransportSolution, flags: SolverFlags): [string, string][] {
  const { certificate, iterations, passes, elapsed } = solution
  return [
    ['method', `${flags.method}, ${solution.backend}, ${flags.precision}`],
    ['status', `${solution.status} after ${iterations} iterations, ${passes} passes, ${duration(elapsed)}`],
    ['marginal error', rough(solution.marginalError)],
    ['cost <C,P>', short(solution.value)],
    ...(certificate === undefined
      ? []
      : ([
          [
            'exact cost',
            `between ${short(certificate.dual)} and ${short(certificate.primal)}, gap ${rough(certificate.gap)}`,
          ],
        ] as [string, string][])),
  ]
}
