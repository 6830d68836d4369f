import { type Command, Option } from 'commander'
import type { Progress } from '../../core/options.js'
import { type CompletionSolution, type CompletionSolver, completeMatrix } from '../../lowrank/index.js'
import { InputError } from '../errors.js'
import { checkOutput, writeWhole } from '../io/output.js'
import { nonNegativeInteger, nonNegativeNumber, positiveInteger, positiveNumber } from '../parsers.js'
import { ProgressBar, residualFraction } from '../progress.js'
import { count, duration, listing, rough, short } from '../text.js'
import { loadArrow, type ModelFormat, modelContent, modelFormats, recommendationsCsv } from './model-file.js'
import { type RatingColumns, readRatings } from './ratings.js'

interface CompleteFlags extends RatingColumns {
  rank: number
  regularization?: number
  solver?: CompletionSolver
  biases?: boolean
  nonNegative?: boolean
  confidence?: number
  holdOut?: number
  patience?: number
  tolerance: number
  maxIterations: number
  seed: number
  threads?: number
  backend?: 'native' | 'portable'
  out?: string
  topK?: number
  recommendations?: string
  json?: boolean
}

/** `extrema complete`: factors of a matrix of ratings in a CSV file. */
export function completeCommand(program: Command, signal: AbortSignal): void {
  program
    .command('complete')
    .description('complete a matrix of which a CSV file has some entries: row, column and value on each line')
    .argument('<ratings>', 'CSV file, or - for standard input')
    .requiredOption('--rank <count>', 'rank of the completed matrix', positiveInteger)
    .option('--row <column>', 'column of the row ids, by name or number (default: the first)')
    .option('--column <column>', 'column of the column ids (default: the second)')
    .option('--value <column>', 'column of the values (default: the third)')
    .option('--weight <column>', 'column of weights (default: all alike)')
    .option('--regularization <number>', 'ridge on the factors and biases (default: 0)', nonNegativeNumber)
    .addOption(new Option('--solver <name>', 'of the half steps').choices(['exact', 'inexact', 'sketched', 'gradient']))
    .option('--biases', 'add a mean, and biases of rows and columns')
    .option('--non-negative', 'factors without negative entries')
    .option('--confidence <alpha>', 'values are counts of implicit feedback, 1 + alpha × count sure', positiveNumber)
    .option('--hold-out <share>', 'share of the ratings to measure the error on', positiveNumber)
    .option('--patience <count>', 'stop after so many iterations without a lower held-out error', positiveInteger)
    .option('--tolerance <number>', 'relative change of the matrix to stop at', nonNegativeNumber, 1e-6)
    .option('--max-iterations <count>', 'most iterations', positiveInteger, 40)
    .option('--seed <number>', 'of the hold-out and the start', nonNegativeInteger, 0)
    .option('--threads <count>', 'most threads (default: all cores)', positiveInteger)
    .addOption(new Option('--backend <name>', 'force a backend').choices(['native', 'portable']))
    .option('--out <file>', 'write the model: .json, .arrow, or its factors as .csv')
    .option('--top-k <count>', 'columns to recommend for each row, without those it has', positiveInteger)
    .option('--recommendations <file>', 'where to write them: .csv')
    .option('--json', 'print JSON')
    .action((ratings: string, flags: CompleteFlags) => runComplete(ratings, flags, signal))
}

async function runComplete(path: string, flags: CompleteFlags, signal: AbortSignal): Promise<void> {
  const format = await checkOutputs(flags)
  const solution = await solve(path, flags, signal)
  const written: { out?: string; recommendations?: string } = {}
  if (flags.out !== undefined && format !== undefined) {
    await writeWhole(flags.out, await modelContent(solution, format), signal)
    written.out = flags.out
  }
  if (flags.recommendations !== undefined && flags.topK !== undefined) {
    const rows = Array.from({ length: solution.shape[0] }, (_, i) => i)
    const k = Math.min(flags.topK, solution.shape[1])
    await writeWhole(flags.recommendations, recommendationsCsv(solution, rows, k, true), signal)
    written.recommendations = flags.recommendations
  }
  const output = flags.json
    ? `${JSON.stringify(record(path, solution, written), undefined, 2)}\n`
    : listing(rows(path, solution, written))
  process.stdout.write(output)
}

async function checkOutputs({ out, topK, recommendations }: CompleteFlags): Promise<ModelFormat | undefined> {
  if ((topK === undefined) !== (recommendations === undefined)) {
    throw new InputError('--top-k and --recommendations: expected both or none')
  }
  if (recommendations !== undefined) await checkOutput('--recommendations', recommendations, ['csv'] as const)
  if (out === undefined) return undefined
  const format = await checkOutput('--out', out, modelFormats)
  if (format === 'arrow') await loadArrow()
  return format
}

async function solve(path: string, flags: CompleteFlags, signal: AbortSignal): Promise<CompletionSolution> {
  const bar = new ProgressBar('completing')
  const fraction = residualFraction(flags.tolerance)
  const onProgress = ({ iteration, residual, elapsed }: Progress) =>
    bar.update(
      Math.max(fraction(residual), iteration / flags.maxIterations),
      `iteration ${iteration} | change ${rough(residual)} | ${duration(elapsed)}`,
    )
  try {
    const solution = await completeMatrix(
      { chunks: readRatings(path, flags, signal) },
      {
        rank: flags.rank,
        regularization: flags.regularization,
        solver: flags.solver,
        biases: flags.biases,
        nonNegative: flags.nonNegative,
        confidence: flags.confidence,
        validation: flags.holdOut,
        patience: flags.patience,
        tolerance: flags.tolerance,
        maxIterations: flags.maxIterations,
        seed: flags.seed,
        threads: flags.threads,
        backend: flags.backend,
        signal,
        onProgress,
      },
    )
    bar.end()
    warn(solution, flags.tolerance)
    return solution
  } finally {
    bar.end()
  }
}

function warn(solution: CompletionSolution, tolerance: number): void {
  const { status, residual, underdetermined, observationsPerUnknown } = solution
  const warnings: string[] = []
  if (status === 'iteration-limit' || status === 'time-limit') {
    warnings.push(`not converged (${status}): the change is ${rough(residual)}, the tolerance ${rough(tolerance)}`)
  }
  const few = [count(underdetermined.rows.length, 'row'), count(underdetermined.columns.length, 'column')]
  if (underdetermined.rows.length + underdetermined.columns.length > 0) {
    warnings.push(`${few.join(' and ')} have fewer ratings than unknowns`)
  }
  if (observationsPerUnknown < 1) {
    warnings.push(`fewer ratings than a matrix of this rank has unknowns (${short(observationsPerUnknown)} each)`)
  }
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
}

type Written = { out?: string; recommendations?: string }

function record(path: string, solution: CompletionSolution, written: Written) {
  const { status, iterations, bestIteration, residual, elapsed, backend, trainRmse, validationRmse } = solution
  return {
    ratings: path,
    shape: solution.shape,
    rank: solution.u.shape[1],
    status,
    iterations,
    bestIteration,
    residual,
    elapsed,
    backend,
    trainRmse,
    ...(validationRmse !== undefined && { validationRmse }),
    observationsPerUnknown: solution.observationsPerUnknown,
    underdetermined: {
      rows: solution.underdetermined.rows.length,
      columns: solution.underdetermined.columns.length,
    },
    ...written,
  }
}

function rows(path: string, solution: CompletionSolution, written: Written): [string, string][] {
  const { status, iterations, elapsed, backend, validationRmse, bestIteration } = solution
  const [m, n] = solution.shape
  const out: [string, string][] = [
    ['ratings', `${path}: ${m} × ${n}, ${short(solution.observationsPerUnknown)} per unknown`],
    ['status', `${status} after ${iterations} iterations, ${duration(elapsed)}, ${backend}`],
    ['training error', short(solution.trainRmse)],
  ]
  if (validationRmse !== undefined) out.push(['held-out error', `${short(validationRmse)}, iteration ${bestIteration}`])
  if (written.out !== undefined) out.push(['model', written.out])
  if (written.recommendations !== undefined) out.push(['recommendations', written.recommendations])
  return out
}
