import type { TransportResult } from '../../transport/index.js'
import { checkOutput, writeWhole } from '../io/output.js'
import { loadArrow, planArrow, planCsv } from '../io/plan.js'
import { drawPlan } from '../plot/plan.js'
import { loadPlotPeers, type PlotFormat, plotFormats } from '../plot/render.js'
import type { SolverSettings } from '../solver.js'
import { short } from '../text.js'
import type { TransportFlags } from './flags.js'
import type { Inputs } from './inputs.js'

interface Outputs {
  out?: 'csv' | 'arrow'
  plot?: PlotFormat
}

/** Everything that can be wrong with the outputs is said before the work begins. */
export async function checkOutputs({ out, plot }: TransportFlags): Promise<Outputs> {
  const outputs: Outputs = {}
  if (out !== undefined) {
    outputs.out = await checkOutput('--out', out, ['csv', 'arrow'] as const)
    if (outputs.out === 'arrow') await loadArrow()
  }
  if (plot !== undefined) {
    outputs.plot = await checkOutput('--plot', plot, plotFormats)
    await loadPlotPeers(outputs.plot)
  }
  return outputs
}

/** What was written where. */
export interface Written {
  out?: { file: string; threshold: number; entries: number; mass: number }
  plot?: { file: string }
}

export async function writeOutputs(
  { source, target, costName }: Inputs,
  solution: TransportResult,
  { exact, epsilon }: SolverSettings,
  { out, plot, threshold: given }: TransportFlags,
  formats: Outputs,
  signal: AbortSignal,
): Promise<Written> {
  if (out === undefined && plot === undefined) return {}
  // At most a millionth of the mass is in entries below this. All entries of an exact plan count.
  const threshold = given ?? (exact ? 0 : (1e-6 * source.mass) / (source.count * target.count))
  const plan = threshold > 0 ? solution.sparsePlan(threshold) : solution.sparsePlan()
  const written: Written = {}
  if (out !== undefined) {
    await writeWhole(out, formats.out === 'arrow' ? await planArrow(plan) : planCsv(plan), signal)
    const mass = plan.data.reduce((total, value) => total + value, 0)
    written.out = { file: out, threshold, entries: plan.data.length, mass }
  }
  if (plot !== undefined) {
    const strength = exact || epsilon === undefined ? 'exact' : `epsilon ${short(epsilon)}`
    const subtitle = `${costName} cost ${short(solution.value)}, ${strength}`
    await writeWhole(plot, await drawPlan(plan, source, target, subtitle, formats.plot!), signal)
    written.plot = { file: plot }
  }
  return written
}
