import { checkOutput, writeWhole } from '../io/output.js'
import { type Bars, bars } from '../plot/bars.js'
import { loadPlotPeers, type PlotFormat, plotFormats, renderPlot } from '../plot/render.js'

/** The options that all commands of `moe` have. */
export interface OutputFlags {
  jsonl?: boolean
  out?: string
  plot?: string
  json?: boolean
}

export interface OutputFormats {
  plot?: PlotFormat
}

/** Everything that can be wrong with the outputs is said before the work begins. */
export async function checkOutputs({ out, plot }: OutputFlags): Promise<OutputFormats> {
  if (out !== undefined) await checkOutput('--out', out, ['csv'] as const)
  if (plot === undefined) return {}
  const format = await checkOutput('--plot', plot, plotFormats)
  await loadPlotPeers(format)
  return { plot: format }
}

/** Writes a table as CSV and a plot of bars, where they are wanted. */
export async function writeOutputs(
  { out, plot }: OutputFlags,
  formats: OutputFormats,
  table: () => Iterable<readonly (string | number)[]>,
  picture: () => Bars,
  signal: AbortSignal,
): Promise<void> {
  if (out !== undefined) await writeWhole(out, csvLines(table()), signal)
  if (plot !== undefined) {
    await writeWhole(plot, await renderPlot(bars(picture()), formats.plot as PlotFormat), signal)
  }
}

function* csvLines(rows: Iterable<readonly (string | number)[]>): Generator<string> {
  for (const row of rows) yield `${row.join(',')}\n`
}

/** What was written, for people. */
export function writtenRows({ out, plot }: OutputFlags): [name: string, value: string][] {
  return [
    ...(out === undefined ? [] : [['written', out] as [string, string]]),
    ...(plot === undefined ? [] : [['plot', plot] as [string, string]]),
  ]
}

/** A record for machines, with typed arrays as lists. */
export function jsonText(record: unknown): string {
  const plain = (_: string, value: unknown) =>
    ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<number>) : value
  return `${JSON.stringify(record, plain, 2)}\n`
}
