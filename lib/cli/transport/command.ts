import { type Command, Option } from 'commander'
import { costNames } from '../epsilon.js'
import { InputError } from '../errors.js'
import { names, positiveNumber } from '../parsers.js'
import { addSolverOptions, allMethods, solutionRecord, solutionRows, solve, solverSettings } from '../solver.js'
import { listing } from '../text.js'
import type { TransportFlags } from './flags.js'
import { readInputs } from './inputs.js'
import { checkOutputs, writeOutputs } from './outputs.js'
import { problemRecord, problemRows, writtenRows } from './report.js'

const tolerances = { float64: 1e-9, float32: 1e-5 }

/** `extrema transport`: the plan between two files of points, or of weights with a matrix of costs. */
export function transportCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command('transport')
    .description('move the points or weights of one file onto those of another at least cost')
    .argument('<source>', 'CSV or Arrow file, or - for standard input')
    .argument('<target>', 'CSV or Arrow file, or - for standard input')
    .addOption(new Option('--cost <name>', 'cost between points').choices(costNames).conflicts('costMatrix'))
    .option('--cost-matrix <csv>', 'costs, a row per source; the two files are then weights')
    .addOption(
      new Option('--columns <names>', 'columns of coordinates, separated by commas (default: all numeric ones)')
        .argParser(names)
        .conflicts('costMatrix'),
    )
    .option('--weights <column>', 'column of weights in both files, by name or number')
    .option('--source-weights <column>', 'column of weights in the source')
    .option('--target-weights <column>', 'column of weights in the target')
    .option('--normalize', 'scale the weights of both files to a total of 1')
  addSolverOptions(command, tolerances, allMethods)
    .option('--certificate', 'print the proof in full: the cost of the plan, the value of the potentials, the gap')
    .option('--out <file>', 'write the plan: .csv (source,target,mass) or .arrow')
    .option('--threshold <mass>', 'leave entries below this mass out of --out and --plot', positiveNumber)
    .option('--plot <file>', 'draw the plan: .svg or .png')
    .option('--json', 'print JSON')
    .action((source: string, target: string, flags: TransportFlags) => runTransport(source, target, flags, signal))
}

async function runTransport(source: string, target: string, flags: TransportFlags, signal: AbortSignal): Promise<void> {
  if ([source, target, flags.costMatrix].filter((path) => path === '-').length > 1) {
    throw new InputError('standard input (-): can be read for one file only')
  }
  const outputs = await checkOutputs(flags)
  const inputs = await readInputs(source, target, flags, signal)
  const settings = solverSettings(flags, tolerances, inputs.pairCost)
  const solution = await solve(inputs.problem, settings, signal)
  const written = await writeOutputs(inputs, solution, settings, flags, outputs, signal)
  if (flags.json) {
    const record = { ...problemRecord(inputs), ...solutionRecord(solution, settings), ...written }
    process.stdout.write(`${JSON.stringify(record, undefined, 2)}\n`)
  } else {
    const rows = [
      ...problemRows(inputs),
      ...solutionRows(solution, settings, flags.certificate),
      ...writtenRows(written),
    ]
    process.stdout.write(listing(rows))
  }
}
