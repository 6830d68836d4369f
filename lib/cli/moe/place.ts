import { type Command, Option } from 'commander'
import { type PlaceOptions, type PlaceSolution, place } from '../../moe/index.js'
import { nonNegativeInteger, positiveInteger } from '../parsers.js'
import { count, duration, listing, rough, short } from '../text.js'
import { readLoad, readPlacement } from './inputs.js'
import { checkOutputs, jsonText, type OutputFlags, writeOutputs, writtenRows } from './outputs.js'

interface PlaceFlags extends OutputFlags {
  devices: number
  slotsPerDevice?: number
  replicas?: number
  groups?: number
  nodes?: number
  method?: PlaceOptions['method']
  starts?: number
  seed?: number
  previous?: string
  column?: string
}

/** `extrema moe place`: experts to devices from a file of loads. */
export function placeCommand(parent: Command, signal: AbortSignal): void {
  parent
    .command('place')
    .description('place experts and their replicas on devices so that the most loaded has least')
    .argument('<load>', 'CSV, Arrow or JSON lines: the load of each expert; - for standard input')
    .requiredOption('--devices <count>', 'devices', positiveInteger)
    .addOption(
      new Option('--slots-per-device <count>', 'replicas on each device')
        .argParser(positiveInteger)
        .conflicts('replicas'),
    )
    .option('--replicas <count>', 'replicas beyond the first of each expert (default: 0)', nonNegativeInteger)
    .option('--groups <count>', 'groups of experts that a node takes whole', positiveInteger)
    .option('--nodes <count>', 'nodes that the devices come in (default: 1)', positiveInteger)
    .addOption(
      new Option('--method <name>', 'how to place (default: optimal-search)').choices([
        'optimal-search',
        'eplb',
        'exact',
      ]),
    )
    .option('--starts <count>', 'most starts of the search (default: 20)', positiveInteger)
    .option('--seed <number>', 'of the disturbed starts (default: 0)', nonNegativeInteger)
    .option('--previous <csv>', 'the placement before, as --out writes it: count what moves')
    .option('--column <name>', 'column of the load, by name or number')
    .option('--jsonl', 'the input is JSON lines, whatever its name')
    .option('--out <csv>', 'write device,expert,load')
    .option('--plot <file>', 'draw the load of the devices: .svg or .png')
    .option('--json', 'print JSON')
    .action((path: string, flags: PlaceFlags) => runPlace(path, flags, signal))
}

async function runPlace(path: string, flags: PlaceFlags, signal: AbortSignal): Promise<void> {
  const formats = await checkOutputs(flags)
  const load = await readLoad({ path, jsonl: flags.jsonl ?? false, signal }, flags.column)
  const { devices, slotsPerDevice, replicas, groups, nodes, method, starts, seed } = flags
  const previous = flags.previous === undefined ? undefined : await readPlacement(flags.previous, devices, signal)
  const solution = await place(load, {
    ...{ devices, slotsPerDevice, replicas, groups, nodes, method, starts, seed, previous, signal },
  })
  await writeOutputs(
    flags,
    formats,
    () => entries(solution, load),
    () => ({
      title: `${count(load.length, 'expert')} on ${count(devices, 'device')}`,
      subtitle: `the most loaded ${short(solution.imbalance)} × the mean, by ${method ?? 'optimal-search'}`,
      category: 'device',
      quantity: 'load',
      values: solution.load,
      lines: [{ name: 'mean', value: solution.load.reduce((sum, x) => sum + x, 0) / devices }],
    }),
    signal,
  )
  if (flags.json) {
    process.stdout.write(jsonText({ experts: load.length, method: method ?? 'optimal-search', ...solution }))
  } else {
    const rows = rowsOf(solution, load.length, method ?? 'optimal-search')
    process.stdout.write(listing([...rows, ...writtenRows(flags)]))
  }
}

function* entries({ devices, replicas }: PlaceSolution, load: Float64Array): Generator<(string | number)[]> {
  yield ['device', 'expert', 'load']
  for (const [g, list] of devices.entries()) for (const e of list) yield [g, e, load[e]! / replicas[e]!]
}

function rowsOf(solution: PlaceSolution, experts: number, method: string): [name: string, value: string][] {
  const { devices, replicas, value, imbalance, bound, gap, duplicates, migration, status, elapsed } = solution
  const slots = replicas.reduce((sum, n) => sum + n, 0)
  const rows: [string, string][] = [
    ['load', `${count(experts, 'expert')}, ${count(slots, 'slot')} on ${count(devices.length, 'device')}`],
    ['method', method],
    ['status', `${status} in ${duration(elapsed)}`],
    ['largest load', `${short(value)}, ${short(imbalance)} × the mean`],
    ['bound', `${short(bound)}, gap ${rough(gap)}`],
  ]
  if (duplicates > 0) rows.push(['duplicates', `${count(duplicates, 'replica')} beside another of the same expert`])
  if (migration !== undefined) rows.push(['migration', `${migration.moved} of ${slots} move`])
  return rows
}
