import type { Csr } from '../../core/arrays.js'
import { type Measure, weightVector } from '../io/points.js'
import type { PlotSpec } from './render.js'

const mostBins = 200
/** Length of a side in pixels, about; a bin takes whole pixels, or its edges would blur. */
const sideLength = 480
const barSize = 70
const colors = { source: '#1f5fa8', target: '#d9681d' }

/** Places along one side of the picture: bins of the coordinate for points on a line, else of the index. */
interface Side {
  bins: number
  low: number
  high: number
  title: string
  binOf: (index: number) => number
}

/** Draws a plan as a heat map with the two marginals at its edges: sources go down the side, targets along the top. */
export function heatMap(plan: Csr, source: Measure, target: Measure, title: string, subtitle: string): PlotSpec {
  const rows = sideOf(source, 'source')
  const columns = sideOf(target, 'target')
  const cells = binPlan(plan, rows, columns)
  const most = cells.reduce((largest, { mass }) => Math.max(largest, mass), 0)
  const x = { type: 'quantitative', scale: { domain: [columns.low, columns.high], nice: false, zero: false } }
  const y = { type: 'quantitative', scale: { domain: [rows.low, rows.high], nice: false, zero: false, reverse: true } }
  const bare = { axis: { labels: false, ticks: false, title: null, domain: false } }
  return {
    title: { text: title, subtitle: [subtitle], anchor: 'start', fontSize: 16, subtitleColor: '#555', offset: 12 },
    padding: 16,
    background: 'white',
    spacing: 10,
    bounds: 'flush',
    vconcat: [
      {
        width: pixels(columns),
        height: barSize,
        data: { values: marginal(target, columns) },
        mark: { type: 'rect', color: colors.target },
        encoding: {
          x: { field: 'from', ...x, ...bare },
          x2: { field: 'to' },
          y: { field: 'mass', type: 'quantitative', axis: { title: 'mass', tickCount: 3, format: ',.2~r' } },
          y2: { datum: 0 },
        },
      },
      {
        spacing: 10,
        bounds: 'flush',
        hconcat: [
          {
            width: pixels(columns),
            height: pixels(rows),
            data: { values: cells },
            mark: { type: 'rect' },
            encoding: {
              x: { field: 'x', ...x, axis: { title: columns.title, tickCount: 6 } },
              x2: { field: 'x2' },
              y: { field: 'y', ...y, axis: { title: rows.title, tickCount: 6 } },
              y2: { field: 'y2' },
              color: {
                field: 'mass',
                type: 'quantitative',
                scale: { type: 'log', domain: [most / faintest, most], scheme: 'viridis', reverse: true, clamp: true },
                legend: { title: 'mass', format: '.1~e', gradientLength: 160, tickCount: 4, offset: barSize + 24 },
              },
            },
          },
          {
            width: barSize,
            height: pixels(rows),
            data: { values: marginal(source, rows) },
            mark: { type: 'rect', color: colors.source },
            encoding: {
              y: { field: 'from', ...y, ...bare },
              y2: { field: 'to' },
              x: { field: 'mass', type: 'quantitative', axis: { title: 'mass', tickCount: 2, format: ',.2~r' } },
              x2: { datum: 0 },
            },
          },
        ],
      },
    ],
    config: { view: { stroke: '#ddd' }, axis: { grid: false, titleColor: '#555', labelColor: '#555' } },
  }
}

/** Cells with less than this part of the largest one are left white. */
const faintest = 1e4

function sideOf(measure: Measure, role: string): Side {
  if (measure.dimension !== 1) {
    const perBin = Math.ceil(measure.count / mostBins)
    const bins = Math.ceil(measure.count / perBin)
    const binOf = (index: number) => Math.floor(index / perBin)
    return { bins, low: 0, high: bins * perBin, title: `${role} index`, binOf }
  }
  const bins = Math.min(mostBins, Math.max(10, Math.ceil(measure.count / 4)))
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const value of measure.points) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  if (low === high) {
    low -= 0.5
    high += 0.5
  }
  const binOf = (index: number) =>
    Math.min(bins - 1, Math.floor(((measure.points[index]! - low) / (high - low)) * bins))
  return { bins, low, high, title: `${role} ${measure.axes?.[0] ?? 'position'}`, binOf }
}

const pixels = ({ bins }: Side) => bins * Math.max(1, Math.round(sideLength / bins))

const edge = ({ low, high, bins }: Side, bin: number) => low + ((high - low) * bin) / bins

function binPlan(plan: Csr, rows: Side, columns: Side) {
  const mass = new Float64Array(rows.bins * columns.bins)
  for (let i = 0; i < plan.shape[0]; i++) {
    const row = rows.binOf(i) * columns.bins
    for (let k = plan.indptr[i]!; k < plan.indptr[i + 1]!; k++) {
      mass[row + columns.binOf(plan.indices[k]!)]! += plan.data[k]!
    }
  }
  const most = mass.reduce((largest, value) => Math.max(largest, value), 0)
  const cells: { x: number; x2: number; y: number; y2: number; mass: number }[] = []
  mass.forEach((value, k) => {
    if (value === 0 || value < most / faintest) return
    const row = Math.floor(k / columns.bins)
    const column = k % columns.bins
    cells.push({
      x: edge(columns, column),
      x2: edge(columns, column + 1),
      y: edge(rows, row),
      y2: edge(rows, row + 1),
      mass: value,
    })
  })
  return cells
}

function marginal(measure: Measure, place: Side) {
  const mass = new Float64Array(place.bins)
  weightVector(measure).forEach((weight, index) => {
    mass[place.binOf(index)]! += weight
  })
  return Array.from(mass, (value, bin) => ({ from: edge(place, bin), to: edge(place, bin + 1), mass: value }))
}
