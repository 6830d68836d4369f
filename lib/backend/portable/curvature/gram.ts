import { ExtremaError } from '../../../core/errors.js'
import type { GramJob } from '../../curvature.js'
import type { Watch, Work } from '../work.js'
import { dotAt, entriesOf, orderOf, partsOf } from './blocks.js'

export function* gram(job: GramJob, monitor: Watch): Work<void> {
  const { rows, others, form, order, row, column, out } = job
  const { m, d } = rows
  const g = entriesOf(rows)
  for (const part of partsOf(rows)) {
    const { index, from, width } = part
    const at = index * order * order
    if (form === 'columns') {
      for (let i = 0; i < m; i++) {
        for (let a = 0; a < width; a++) {
          const value = g[i * d + from + a]
          if (value === 0) continue
          for (let b = 0; b <= a; b++) out[at + a * order + b] += value * g[i * d + from + b]
        }
        if (monitor.due()) yield
      }
      continue
    }
    const h = others?.g ?? g
    for (let i = 0; i < m; i++) {
      const to = at + (row + i) * order + column
      const last = others === null ? i + 1 : others.m
      for (let j = 0; j < last; j++) {
        out[to + j] += dotAt(g, i * d + from, h, j * d + from, width)
        if (monitor.due()) yield
      }
    }
  }
  if (others === null) yield* checkGradients(job, monitor)
}

/** NaN and infinities show on the diagonals; only then is it worth looking for them. */
function* checkGradients({ rows, form, order, row, column, out }: GramJob, monitor: Watch): Work<void> {
  let finite = true
  for (const part of partsOf(rows)) {
    const corner = part.index * order * order + (form === 'rows' ? row * order + column : 0)
    for (let i = 0; i < orderOf(form, rows, part); i++) finite &&= Number.isFinite(out[corner + i * (order + 1)])
  }
  if (finite) return
  const g = entriesOf(rows)
  for (let at = 0; at < rows.m * rows.d; at++) {
    if (!Number.isFinite(g[at])) {
      const place = `gradients[${row + Math.floor(at / rows.d)}][${at % rows.d}]`
      throw new ExtremaError('ERR_NOT_FINITE', `${place}: expected a finite number, got ${g[at]}`)
    }
    if (at % 65_536 === 0 && monitor.due()) yield
  }
  throw new ExtremaError('ERR_NOT_FINITE', 'gradients: their squared norms overflow; rescale them')
}
