import { defaultShare } from '../epsilon.js'
import type { Measure } from '../io/points.js'
import { count, short } from '../text.js'
import type { TransportFlags } from './flags.js'
import type { Inputs } from './inputs.js'
import type { Written } from './outputs.js'

/** The problem, as it goes into `--json`. */
export function problemRecord({ source, target, costName }: Inputs, epsilon: number, flags: TransportFlags) {
  const side = ({ name, count, dimension, mass, weights }: Measure) => ({
    file: name,
    count,
    ...(dimension > 0 && { dimension }),
    mass,
    weights: weights === undefined ? 'uniform' : 'given',
  })
  return {
    source: side(source),
    target: side(target),
    cost: costName,
    epsilon,
    epsilonChosen: flags.epsilon !== undefined,
    method: flags.method,
    precision: flags.precision,
    tolerance: flags.tolerance,
  }
}

/** The same for people. */
export function problemRows(inputs: Inputs, epsilon: number, flags: TransportFlags): [string, string][] {
  const side = ({ name, count: n, dimension, axes, weights, mass }: Measure) =>
    dimension === 0
      ? `${name}: ${count(n, 'weight')}, total ${short(mass)}`
      : `${name}: ${count(n, 'point')} in ${dimension}-D${axes === undefined ? '' : ` (${axes.join(', ')})`}, ` +
        `${weights === undefined ? 'uniform weights' : 'weighted'}, total ${short(mass)}`
  const origin = flags.epsilon === undefined ? `, by default ${defaultShare} × the standard deviation of the cost` : ''
  return [
    ['source', side(inputs.source)],
    ['target', side(inputs.target)],
    ['cost', inputs.costName],
    ['epsilon', `${short(epsilon)}${origin}`],
  ]
}

export function outputRows({ out, plot }: Written): [string, string][] {
  const rows: [string, string][] = []
  if (out !== undefined) {
    rows.push(['plan', `${out.file}: ${count(out.entries, 'entry', 'entries')}, mass ${short(out.mass)}`])
  }
  if (plot !== undefined) rows.push(['plot', plot.file])
  return rows
}
