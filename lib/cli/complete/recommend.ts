import type { Command } from 'commander'
import type { CompletionModel } from '../../lowrank/index.js'
import { InputError } from '../errors.js'
import { checkOutput, writeWhole } from '../io/output.js'
import { names, positiveInteger } from '../parsers.js'
import { readModel, recommendationsCsv } from './model-file.js'
import { type RatingColumns, readRatings } from './ratings.js'

interface RecommendFlags extends RatingColumns {
  topK: number
  rows?: string[]
  seen?: string
  out?: string
}

/** `extrema recommend`: the best columns of rows, by a model that `extrema complete` wrote. */
export function recommendCommand(program: Command, signal: AbortSignal): void {
  program
    .command('recommend')
    .description('list the best columns of rows, by a model of extrema complete: row,column,score')
    .argument('<model>', 'model: .json or .arrow')
    .requiredOption('--top-k <count>', 'columns for each row', positiveInteger)
    .option('--rows <ids>', 'ids of rows, separated by commas (default: all)', names)
    .option('--seen <csv>', 'ratings whose columns are left out of the lists of their rows')
    .option('--row <column>', 'column of the row ids in --seen, by name or number (default: the first)')
    .option('--column <column>', 'column of the column ids in --seen (default: the second)')
    .option('--out <file>', 'where to write: .csv (default: standard output)')
    .action((path: string, flags: RecommendFlags) => runRecommend(path, flags, signal))
}

async function runRecommend(path: string, flags: RecommendFlags, signal: AbortSignal): Promise<void> {
  if (flags.out !== undefined) await checkOutput('--out', flags.out, ['csv'] as const)
  const model = await readModel(path)
  const rowIndex = indexOf(model.labels?.rows, model.shape[0])
  const rows =
    flags.rows?.map((id) => {
      const row = rowIndex(id)
      if (row === undefined) throw new InputError(`--rows: no row '${id}' in ${path}`)
      return row
    }) ?? Array.from({ length: model.shape[0] }, (_, i) => i)
  const exclude = flags.seen === undefined ? false : await seenColumns(flags.seen, flags, model, rows, signal)
  const content = recommendationsCsv(model, rows, Math.min(flags.topK, model.shape[1]), exclude)
  if (flags.out !== undefined) await writeWhole(flags.out, content, signal)
  else for (const text of content) process.stdout.write(text)
}

/** From ids to indices: names, or the numbers themselves. */
function indexOf(labels: string[] | undefined, count: number): (id: string) => number | undefined {
  if (labels !== undefined) {
    const known = new Map(labels.map((label, index) => [label, index]))
    return (id) => known.get(id)
  }
  return (id) => {
    const index = Number(id)
    return id !== '' && Number.isInteger(index) && index >= 0 && index < count ? index : undefined
  }
}

/** The columns that each of the rows has; ratings of rows or columns that the model does not know say nothing. */
async function seenColumns(
  path: string,
  columns: RatingColumns,
  model: CompletionModel,
  rows: readonly number[],
  signal: AbortSignal,
): Promise<number[][]> {
  const rowIndex = indexOf(model.labels?.rows, model.shape[0])
  const columnIndex = indexOf(model.labels?.columns, model.shape[1])
  const seen = new Map<number, Set<number>>(rows.map((row) => [row, new Set()]))
  for await (const chunk of readRatings(path, columns, signal)) {
    for (const [row, column] of chunk) {
      const index = columnIndex(column)
      if (index !== undefined) seen.get(rowIndex(row) ?? -1)?.add(index)
    }
  }
  return rows.map((row) => [...(seen.get(row) ?? [])])
}
