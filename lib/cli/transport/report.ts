import type { Measure } from '../io/points.js'
import { count, short } from '../text.js'
import type { Inputs } from './inputs.js'
import type { Written } from './outputs.js'

/** The problem, as it goes into `--json`. */
export function problemRecord({ source, target, costName }: Inputs) {
  return { source: sideRecord(source), target: sideRecord(target), cost: costName }
}

function sideRecord({ name, count, dimension, mass, weights }: Measure) {
  return { file: name, count, dimension, mass, weights: weights === undefined ? 'uniform' : 'given' }
}

/** The same for people. */
export function problemRows({ source, target, costName }: Inputs): [name: string, value: string][] {
  return [
    ['source', sideText(source)],
    ['target', sideText(target)],
    ['cost', costName],
  ]
}

function sideText({ name, count: n, dimension, axes, weights, mass }: Measure): string {
  const total = `total ${short(mass)}`
  if (dimension === 0) return `${name}: ${count(n, 'weight')}, ${total}`
  const space = axes === undefined ? `${dimension}-D` : `${dimension}-D (${axes.join(', ')})`
  return `${name}: ${count(n, 'point')} in ${space}, ${weights === undefined ? 'uniform weights' : 'weighted'}, ${total}`
}

/** What was written, for people. */
export function writtenRows({ out, plot }: Written): [name: string, value: string][] {
  const rows: [string, string][] = []
  if (out !== undefined) {
    rows.push(['plan', `${out.file}: ${count(out.entries, 'entry', 'entries')}, mass ${short(out.mass)}`])
  }
  if (plot !== undefined) rows.push(['plot', plot.file])
  return rows
}
