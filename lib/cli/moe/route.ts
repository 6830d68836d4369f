import { type Command, Option } from 'commander'
import { type RouteMethod, type RouteSolution, route } from '../../moe/index.js'
import { nonNegativeInteger, positiveInteger, positiveNumber } from '../parsers.js'
import { count, duration, listing, rough, short } from '../text.js'
import { readScores } from './inputs.js'
import { checkOutputs, jsonText, type OutputFlags, writeOutputs, writtenRows } from './outputs.js'

interface RouteFlags extends OutputFlags {
  k?: number
  capacity?: number
  capacityFactor?: number
  partial?: boolean
  method?: RouteMethod
  backend?: 'native' | 'portable'
}

const methods: RouteMethod[] = [
  'exact',
  'dual',
  'sinkhorn',
  'sparse-ot',
  'expert-choice',
  'greedy',
  'topk-drop',
  'topk',
]

/** `extrema moe route`: tokens to experts from a file of scores. */
export function routeCommand(parent: Command, signal: AbortSignal): void {
  parent
    .command('route')
    .description('route tokens to experts with capacities so that the sum of their scores is greatest')
    .argument('<scores>', 'CSV, Arrow or JSON lines: a row of scores for each token; - for standard input')
    .option('--k <count>', 'experts per token (default: 2)', positiveInteger)
    .addOption(
      new Option('--capacity <count>', 'most tokens of an expert')
        .argParser(nonNegativeInteger)
        .conflicts('capacityFactor'),
    )
    .option('--capacity-factor <number>', 'the same over the mean load (default: 1.25)', positiveNumber)
    .option('--partial', 'tokens may take fewer than k experts')
    .addOption(new Option('--method <name>', 'how to route (default: exact)').choices(methods))
    .addOption(new Option('--backend <name>', 'force a backend').choices(['native', 'portable']))
    .option('--jsonl', 'the input is JSON lines, whatever its name')
    .option('--out <csv>', 'write token,expert,score')
    .option('--plot <file>', 'draw the load of the experts: .svg or .png')
    .option('--json', 'print JSON')
    .action((path: string, flags: RouteFlags) => runRoute(path, flags, signal))
}

async function runRoute(path: string, flags: RouteFlags, signal: AbortSignal): Promise<void> {
  const formats = await checkOutputs(flags)
  const scores = await readScores({ path, jsonl: flags.jsonl ?? false, signal })
  const { k, capacity, capacityFactor, partial, method, backend } = flags
  const solution = await route(scores, { k, capacity, capacityFactor, partial, method, backend, signal })
  const title = `${method ?? 'exact'} routing of ${count(scores.shape[0]!, 'token')}`
  await writeOutputs(
    flags,
    formats,
    () => entries(solution),
    () => ({
      title,
      subtitle: `value ${short(solution.value)}, at most ${short(solution.bound as number)}`,
      category: 'expert',
      quantity: 'tokens',
      values: solution.load,
      lines: [{ name: 'capacity', value: solution.capacity.reduce((x, y) => Math.max(x, y)) }],
    }),
    signal,
  )
  if (flags.json) {
    const { routing: _, ...record } = solution
    const [tokens, experts] = scores.shape
    process.stdout.write(jsonText({ tokens, experts, method: method ?? 'exact', ...record }))
  } else {
    process.stdout.write(listing([...rowsOf(solution, scores.shape, method ?? 'exact'), ...writtenRows(flags)]))
  }
}

function* entries({ routing }: RouteSolution): Generator<(string | number)[]> {
  yield ['token', 'expert', 'score']
  for (let t = 0; t < routing.shape[0]; t++) {
    for (let i = routing.indptr[t]!; i < routing.indptr[t + 1]!; i++) yield [t, routing.indices[i]!, routing.data[i]!]
  }
}

function rowsOf(solution: RouteSolution, shape: number[], method: string): [name: string, value: string][] {
  const { value, bound, gap, assigned, unrouted, short: few, load, imbalance, capacity, status, elapsed } = solution
  return [
    ['scores', `${count(shape[0]!, 'token')}, ${count(shape[1]!, 'expert')}`],
    ['method', `${method}, ${solution.backend}`],
    ['status', `${status} in ${duration(elapsed)}`],
    ['value', short(value)],
    ['bound', `${short(bound as number)}, gap ${rough(gap as number)}`],
    ['places filled', `${short(100 * assigned)} %, ${count(few, 'token')} short, ${count(unrouted, 'token')} without`],
    [
      'load',
      `at most ${load.reduce((x, y) => Math.max(x, y))} of ${capacity.reduce((x, y) => Math.max(x, y))}, ${short(imbalance)} × the mean`,
    ],
  ]
}
