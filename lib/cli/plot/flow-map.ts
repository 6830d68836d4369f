import type { Csr } from '../../core/arrays.js'
import type { Measure } from '../io/points.js'
import { weightVector } from '../io/points.js'
import type { PlotSpec } from './render.js'

/** Lines beyond this number only blacken the picture. */
const mostFlows = 3000
const colors = { source: '#1f5fa8', target: '#d9681d', flow: '#444444' }

/** Draws a plan between points of the plane: a line per entry, its opacity and width by mass, the heaviest first. */
export function flowMap(plan: Csr, source: Measure, target: Measure, title: string, subtitle: string): PlotSpec {
  const { flows, share } = heaviestFlows(plan, source, target)
  const places = [...placesOf(source, 'source'), ...placesOf(target, 'target')]
  const { width, height, x, y } = frame(places, source.axes)
  const drawn = `${flows.length} of ${plan.data.length} flows drawn, ${(100 * share).toFixed(1)} % of the mass`
  return {
    title: {
      text: title,
      subtitle: [subtitle, drawn],
      anchor: 'start',
      fontSize: 16,
      subtitleColor: '#555',
      offset: 12,
    },
    width,
    height,
    padding: 16,
    background: 'white',
    layer: [
      {
        data: { values: flows },
        mark: { type: 'rule', color: colors.flow, strokeCap: 'round' },
        encoding: {
          x: { field: 'x', ...x },
          y: { field: 'y', ...y },
          x2: { field: 'x2' },
          y2: { field: 'y2' },
          opacity: {
            field: 'mass',
            type: 'quantitative',
            scale: { type: 'sqrt', range: [0.04, 0.85], domainMin: 0 },
            legend: {
              title: 'mass moved',
              symbolType: 'stroke',
              symbolStrokeWidth: 3,
              symbolSize: 300,
              values: legendValues(flows.at(-1)?.mass ?? 0),
              format: ',.2~r',
            },
          },
          strokeWidth: {
            field: 'mass',
            type: 'quantitative',
            scale: { type: 'sqrt', range: [0.4, 3], domainMin: 0 },
            legend: null,
          },
        },
      },
      {
        data: { values: places },
        mark: { type: 'point', filled: true, opacity: 0.75, stroke: 'white', strokeWidth: 0.5 },
        encoding: {
          x: { field: 'x', ...x },
          y: { field: 'y', ...y },
          color: {
            field: 'role',
            type: 'nominal',
            scale: { domain: ['source', 'target'], range: [colors.source, colors.target] },
            legend: { title: null, symbolSize: 110 },
          },
          shape: {
            field: 'role',
            type: 'nominal',
            scale: { domain: ['source', 'target'], range: ['circle', 'diamond'] },
          },
          size: {
            field: 'weight',
            type: 'quantitative',
            scale: { range: [8, places.length > 1000 ? 120 : 420], domainMin: 0 },
            legend: {
              title: 'weight',
              symbolFillColor: '#999',
              symbolStrokeColor: 'white',
              values: legendValues(places.reduce((most, { weight }) => Math.max(most, weight), 0)),
              format: ',.2~r',
            },
          },
        },
      },
    ],
    resolve: { legend: { size: 'independent', opacity: 'independent' } },
    config: { view: { stroke: '#ddd' }, axis: { grid: false, titleColor: '#555', labelColor: '#555' } },
  }
}

/** Four round steps down from the largest value, for square-root scales. */
function legendValues(most: number): number[] {
  return [1, 0.5, 0.2, 0.05].map((share) => Number((share * most).toPrecision(1)))
}

/** The flows to draw, the heaviest last and so on top, and their share of the mass. */
function heaviestFlows(plan: Csr, source: Measure, target: Measure) {
  const sorted = plan.data.toSorted()
  const lightest = sorted[Math.max(0, sorted.length - mostFlows)]
  // Of entries as light as the lightest there may be many more.
  let room = mostFlows - (sorted.length - 1 - sorted.lastIndexOf(lightest))
  const flows: { x: number; y: number; x2: number; y2: number; mass: number }[] = []
  for (let i = 0; i < plan.shape[0]; i++) {
    for (let k = plan.indptr[i]!; k < plan.indptr[i + 1]!; k++) {
      const mass = plan.data[k]!
      if (mass < lightest || (mass === lightest && room-- <= 0)) continue
      const j = plan.indices[k]!
      const [x, y] = source.points.subarray(2 * i)
      const [x2, y2] = target.points.subarray(2 * j)
      flows.push({ x, y, x2, y2, mass })
    }
  }
  flows.sort((a, b) => a.mass - b.mass)
  const total = (masses: Float64Array) => masses.reduce((sum, mass) => sum + mass, 0)
  const drawn = total(Float64Array.from(flows, ({ mass }) => mass))
  return { flows, share: flows.length === 0 ? 0 : drawn / total(plan.data) }
}

interface Place {
  x: number
  y: number
  weight: number
  role: 'source' | 'target'
}

function placesOf(measure: Measure, role: Place['role']): Place[] {
  const places: Place[] = Array.from(weightVector(measure), (weight, i) => ({
    x: measure.points[2 * i]!,
    y: measure.points[2 * i + 1]!,
    weight,
    role,
  }))
  return places.sort((a, b) => b.weight - a.weight)
}

/** Axes with the same scale both ways, unless that would make a ribbon. */
function frame(places: Place[], axes: string[] | undefined) {
  const range = (key: 'x' | 'y') => {
    let low = Number.POSITIVE_INFINITY
    let high = Number.NEGATIVE_INFINITY
    for (const place of places) {
      low = Math.min(low, place[key])
      high = Math.max(high, place[key])
    }
    const margin = 0.03 * (high - low) || 0.5
    return [low - margin, high + margin] as [number, number]
  }
  const [xRange, yRange] = [range('x'), range('y')]
  const aspect = (yRange[1] - yRange[0]) / (xRange[1] - xRange[0])
  const width = aspect > 1 ? Math.max(300, 640 / aspect) : 760
  const height = aspect > 1 ? 640 : Math.max(300, 760 * aspect)
  const axis = (domain: [number, number], title: string) => ({
    type: 'quantitative',
    scale: { domain, nice: false, zero: false },
    axis: { title, tickCount: 6 },
  })
  return {
    width: Math.round(width),
    height: Math.round(height),
    x: axis(xRange, axes?.[0] ?? 'x'),
    y: axis(yRange, axes?.[1] ?? 'y'),
  }
}
