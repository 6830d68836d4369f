import { type Command, Option } from 'commander'
import { allocateSlots, type CachePolicy, type CacheSolution, cache, missCurves } from '../../moe/index.js'
import { InputError } from '../errors.js'
import { names, positiveInteger } from '../parsers.js'
import { count, listing, short } from '../text.js'
import { readTrace } from './inputs.js'
import { checkOutputs, jsonText, type OutputFlags, writeOutputs, writtenRows } from './outputs.js'

interface CacheFlags extends OutputFlags {
  slots?: number
  totalSlots?: number
  scope?: 'layer' | 'shared'
  policy: string[]
  experts?: number
}

const policies: CachePolicy[] = ['lru', 'lfu', 'fifo', 'lifo', '2q', 'static', 'belady', 'optimal']

/** `extrema moe cache`: hit rates of cache policies on a file of which experts were used. */
export function cacheCommand(parent: Command, signal: AbortSignal): void {
  parent
    .command('cache')
    .description('replay the experts that tokens used through caches, and compare with the best possible')
    .argument('<trace>', 'CSV, Arrow or JSON lines: the experts of each token and layer; - for standard input')
    .option('--slots <count>', 'experts that fit, of each layer or of the shared cache', positiveInteger)
    .addOption(
      new Option('--total-slots <count>', 'slots to share out among the layers, by dynamic programming')
        .argParser(positiveInteger)
        .conflicts(['slots', 'scope']),
    )
    .addOption(
      new Option('--scope <name>', 'a cache for each layer or one (default: layer)').choices(['layer', 'shared']),
    )
    .option('--policy <names>', `what to evict, separated by commas, or all: ${policies.join(', ')}`, names, ['lru'])
    .option('--experts <count>', 'experts per layer (default: the highest seen)', positiveInteger)
    .option('--jsonl', 'the input is JSON lines, whatever its name')
    .option('--out <csv>', 'write policy,layer,misses')
    .option('--plot <file>', 'draw the misses of the layers under the first policy: .svg or .png')
    .option('--json', 'print JSON')
    .action((path: string, flags: CacheFlags) => runCache(path, flags, signal))
}

interface Replay {
  policy: CachePolicy
  solution: CacheSolution
}

async function runCache(path: string, flags: CacheFlags, signal: AbortSignal): Promise<void> {
  const formats = await checkOutputs(flags)
  const wanted = wantedPolicies(flags.policy)
  if (flags.slots === undefined && flags.totalSlots === undefined) {
    throw new InputError('--slots, --total-slots: expected one of them')
  }
  const trace = await readTrace({ path, jsonl: flags.jsonl ?? false, signal }, flags.experts)
  const allocation =
    flags.totalSlots === undefined
      ? undefined
      : (await allocateSlots(missCurves(trace), { total: flags.totalSlots, least: 1, signal })).slots
  const slots = allocation ?? flags.slots
  const replays: Replay[] = []
  for (const policy of wanted) {
    replays.push({ policy, solution: await cache(trace, { slots, scope: flags.scope, policy, signal }) })
  }
  const first = replays[0]!
  await writeOutputs(
    flags,
    formats,
    () => entries(replays),
    () => ({
      title: `Misses of ${first.policy}`,
      subtitle: `hit rate ${short(first.solution.hitRate)}, at best ${short(bestRate(first.solution))}`,
      category: 'layer',
      quantity: 'misses',
      values: first.solution.layerMisses,
      lines: [{ name: 'mean', value: first.solution.misses / first.solution.layerMisses.length }],
    }),
    signal,
  )
  const [layers, tokens, k] = Array.from(trace.shape)
  if (flags.json) {
    const records = replays.map(({ policy, solution: { missed: _, ...rest } }) => ({ policy, ...rest }))
    process.stdout.write(jsonText({ layers, tokens, k, slots, policies: records }))
    return
  }
  const room =
    allocation === undefined ? `${slots}` : `${flags.totalSlots} in all: ${Array.from(allocation).join(', ')}`
  const shape = `${count(layers!, 'layer')}, ${count(tokens!, 'token')}, ${count(k!, 'expert')} each`
  const rows = replays.map(({ policy, solution }): [string, string] => [
    policy,
    `hit rate ${short(solution.hitRate)}, ${count(solution.misses, 'miss', 'misses')}`,
  ])
  const best = `hit rate ${short(bestRate(first.solution))}, ${count(first.solution.bound as number, 'miss', 'misses')}`
  process.stdout.write(listing([['trace', shape], ['slots', room], ...rows, ['at best', best], ...writtenRows(flags)]))
}

function wantedPolicies(list: string[]): CachePolicy[] {
  if (list.length === 1 && list[0] === 'all') return policies
  return list.map((name) => {
    if (policies.includes(name as CachePolicy)) return name as CachePolicy
    throw new InputError(`--policy: expected ${policies.join(', ')} or all, got '${name}'`)
  })
}

const bestRate = ({ bound, requests }: CacheSolution) => 1 - (bound as number) / requests

function* entries(replays: Replay[]): Generator<(string | number)[]> {
  yield ['policy', 'layer', 'misses']
  for (const { policy, solution } of replays) {
    for (const [layer, misses] of solution.layerMisses.entries()) yield [policy, layer, misses]
  }
}
