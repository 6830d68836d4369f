import { type Command, Option } from 'commander'
import {
  ashaPruner,
  createStudy,
  type Direction,
  exportArrow,
  exportJsonLines,
  hyperbandPruner,
  medianPruner,
  type OptimizeSolution,
  type ParameterMap,
  type Pruner,
  randomSampler,
  type Study,
  sobolSampler,
  type TrialRecord,
} from '../../bayes/index.js'
import { InputError } from '../errors.js'
import { checkOutput, writeWhole } from '../io/output.js'
import { names, nonNegativeInteger, positiveInteger, positiveNumber } from '../parsers.js'
import { ProgressBar } from '../progress.js'
import { count, duration, listing, short } from '../text.js'
import { evaluate } from './evaluate.js'
import { readSpace } from './space-file.js'
import { parseTemplate } from './template.js'

interface TuneFlags {
  space: string
  storage: string
  trials: number
  parallel: number
  direction: string[]
  constraints: number
  sampler: 'sobol' | 'random'
  pruner?: 'median' | 'asha' | 'hyperband'
  maxResource?: number
  seed?: number
  timeout?: number
  timeLimit?: number
  out?: string
  json?: boolean
  verbose?: boolean
}

type AnyStudy = Study<ParameterMap>

/** `extrema tune`: the best parameters of any program. */
export function tuneCommand(program: Command, signal: AbortSignal): void {
  program
    .command('tune')
    .description('find the best parameters of a program: extrema tune --space space.json -- node train.js --lr {lr}')
    .argument('<command...>', 'after --: the program and its arguments, with {name} for the value of a parameter')
    .requiredOption('--space <json>', 'what can be varied')
    .option('--storage <file>', 'journal, or SQLite (.db, .sqlite): goes on where it stopped', ':memory:')
    .option('--trials <count>', 'until the study has so many', positiveInteger, 100)
    .option('--parallel <count>', 'programs at once', positiveInteger, 1)
    .option('--direction <names>', 'minimize or maximize, for each objective', names, ['minimize'])
    .option('--constraints <count>', 'outcomes that must be <= 0', nonNegativeInteger, 0)
    .addOption(new Option('--sampler <name>', 'what proposes points').choices(['sobol', 'random']).default('sobol'))
    .addOption(new Option('--pruner <name>', 'what stops programs early').choices(['median', 'asha', 'hyperband']))
    .option('--max-resource <step>', 'the last step of a whole run, for --pruner hyperband', positiveNumber)
    .option('--seed <number>', 'of the sampler (default: 0)', nonNegativeInteger)
    .option('--timeout <seconds>', 'of one program: it fails', positiveNumber)
    .option('--time-limit <seconds>', 'of the whole', positiveNumber)
    .option('--out <file>', 'write all trials: .jsonl or .arrow')
    .option('--json', 'print JSON')
    .option('--verbose', 'pass on what the programs write')
    .action((command: string[], flags: TuneFlags) => runTune(command, flags, signal))
}

async function runTune(command: string[], flags: TuneFlags, signal: AbortSignal): Promise<void> {
  const format = flags.out === undefined ? undefined : await checkOutput('--out', flags.out, ['jsonl', 'arrow'])
  const space = await readSpace(flags.space, signal)
  const template = parseTemplate(command, space.parameters)
  const study = await createStudy({
    space,
    storage: flags.storage,
    directions: flags.direction as Direction[],
    constraints: flags.constraints,
    seed: flags.seed,
    sampler: flags.sampler === 'random' ? randomSampler() : sobolSampler(),
    pruner: prunerOf(flags),
  })
  try {
    const solution = await tune(study, template, flags, signal)
    if (flags.out !== undefined) {
      await writeWhole(flags.out, format === 'arrow' ? await exportArrow(study) : exportJsonLines(study), signal)
    }
    process.stdout.write(
      flags.json
        ? `${JSON.stringify(recordOf(study, solution, flags), null, 2)}\n`
        : listing(rowsOf(study, solution, flags)),
    )
  } finally {
    await study.close()
  }
}

function prunerOf({ pruner, maxResource, direction }: TuneFlags): Pruner | undefined {
  if (pruner !== undefined && direction.length > 1) {
    throw new InputError(`--pruner: expected one --direction beside it, got ${direction.length}`)
  }
  if (pruner === 'hyperband') {
    if (maxResource === undefined) throw new InputError('--pruner hyperband: expected --max-resource beside it')
    return hyperbandPruner({ maxResource })
  }
  if (maxResource !== undefined) throw new InputError('--max-resource: expected --pruner hyperband beside it')
  return pruner === 'median' ? medianPruner() : pruner === 'asha' ? ashaPruner() : undefined
}

async function tune(
  study: AnyStudy,
  template: ReturnType<typeof parseTemplate>,
  flags: TuneFlags,
  signal: AbortSignal,
): Promise<OptimizeSolution<unknown>> {
  const counted = () => ended(study.trials)
  const before = counted().length
  const bar = new ProgressBar('tuning')
  const impossible = new AbortController()
  const running = new Set<Promise<unknown>>()
  const options = {
    timeout: flags.timeout === undefined ? undefined : Math.min(1000 * flags.timeout, 2 ** 31 - 1),
    verbose: flags.verbose ?? false,
  }
  try {
    return await study.optimize(
      (params, trial) => {
        const run = evaluate({ command: template(params as Record<string, unknown>, trial.number), trial, ...options })
        running.add(run)
        return run
          .catch((error) => {
            // The next would not start either.
            if (error instanceof InputError) impossible.abort(error)
            throw error
          })
          .finally(() => running.delete(run))
      },
      {
        trials: Math.max(0, flags.trials - before),
        parallel: flags.parallel,
        timeLimit: flags.timeLimit === undefined ? undefined : 1000 * flags.timeLimit,
        signal: AbortSignal.any([signal, impossible.signal]),
        onTrial: () => {
          const done = counted().length
          const best = study.directions.length === 1 ? study.best : undefined
          const detail = best === undefined ? `${done} trials` : `${done} trials, best ${short(best.value)}`
          bar.update(done / flags.trials, detail)
        },
      },
    )
  } finally {
    bar.end()
    await Promise.allSettled(running) // no program outlives us
  }
}

const ended = (trials: readonly TrialRecord[]) =>
  trials.filter(({ state }) => state === 'complete' || state === 'failed' || state === 'pruned')

function tally(trials: readonly TrialRecord[]): { complete: number; failed: number; pruned: number } {
  const of = (wanted: string) => trials.filter(({ state }) => state === wanted).length
  return { complete: of('complete'), failed: of('failed'), pruned: of('pruned') }
}

function recordOf(
  study: AnyStudy,
  { status, elapsed }: OptimizeSolution<unknown>,
  { storage, out }: TuneFlags,
): object {
  const front = study.paretoFront.map(({ number, params, values, constraints }) => ({
    number,
    params,
    values,
    constraints,
  }))
  const { trial: _, ...best } = (study.directions.length === 1 ? study.best : undefined) ?? { trial: undefined }
  return {
    ...{ status, elapsed, storage, trials: tally(study.trials) },
    ...(study.directions.length === 1 ? { best } : { paretoFront: front }),
    ...(out === undefined ? {} : { out }),
  }
}

function rowsOf(
  study: AnyStudy,
  { status, elapsed }: OptimizeSolution<unknown>,
  { storage, out }: TuneFlags,
): [name: string, value: string][] {
  const { complete, failed, pruned } = tally(study.trials)
  const rows: [string, string][] = [
    ['trials', `${complete} complete, ${failed} failed, ${pruned} pruned`],
    ['status', `${status} in ${duration(elapsed)}`],
  ]
  if (study.directions.length > 1) {
    const front = study.paretoFront
    rows.push(['front', count(front.length, 'trial')])
    for (const { number, values, params } of front) {
      rows.push([`trial ${number}`, `${values!.map(short).join(', ')}  ${JSON.stringify(params)}`])
    }
  } else if (study.best !== undefined) {
    const { number, value, feasible, violation, params } = study.best
    const breaks = feasible ? '' : `, which breaks its constraints by ${short(violation)}`
    rows.push(['best', `${short(value)} of trial ${number}${breaks}`])
    for (const [name, given] of Object.entries(params as object)) rows.push([name, textOf(given)])
  }
  if (storage !== ':memory:') rows.push(['storage', storage])
  if (out !== undefined) rows.push(['written', out])
  return rows
}

const textOf = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value))
