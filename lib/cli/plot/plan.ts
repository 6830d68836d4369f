import type { Csr } from '../../core/arrays.js'
import type { Measure } from '../io/points.js'
import { flowMap } from './flow-map.js'
import { heatMap } from './heat-map.js'
import { type PlotFormat, renderPlot } from './render.js'

/** Draws a plan: lines on a map between points of the plane, else a heat map. */
export async function drawPlan(
  plan: Csr,
  source: Measure,
  target: Measure,
  subtitle: string,
  format: PlotFormat,
): Promise<string | Uint8Array> {
  const noun = source.dimension === 0 ? 'weights' : 'points'
  const title = `Transport plan: ${source.count} ${noun} to ${target.count}`
  const draw = source.dimension === 2 ? flowMap : heatMap
  return renderPlot(draw(plan, source, target, title, subtitle), format)
}
