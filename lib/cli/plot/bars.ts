import type { PlotSpec } from './render.js'

export interface Bars {
  title: string
  subtitle: string
  /** What the bars are of, and what they show. */
  category: string
  quantity: string
  values: ArrayLike<number>
  /** A line across, such as the mean or the capacity, with its name. */
  lines: { name: string; value: number }[]
}

const colors = { bar: '#1f5fa8', above: '#d9681d' }

/** Bars in order of their numbers; those that stand out above the last line are in another colour. */
export function bars({ title, subtitle, category, quantity, values, lines }: Bars): PlotSpec {
  const limit = lines.at(-1)?.value ?? Number.POSITIVE_INFINITY
  const data = Array.from(values, (value, index) => ({ index, value, above: value > 1.01 * limit }))
  const width = Math.min(900, Math.max(420, 22 * data.length))
  return {
    title: { text: title, subtitle: [subtitle], anchor: 'start', fontSize: 16, subtitleColor: '#555', offset: 12 },
    padding: 16,
    background: 'white',
    width,
    height: 280,
    layer: [
      {
        data: { values: data },
        mark: { type: 'bar' },
        encoding: {
          x: { field: 'index', type: 'ordinal', axis: { title: category, labelAngle: 0, labelOverlap: true } },
          y: { field: 'value', type: 'quantitative', axis: { title: quantity, format: '~s' } },
          color: { condition: { test: 'datum.above', value: colors.above }, value: colors.bar },
        },
      },
      {
        data: { values: lines },
        mark: { type: 'rule', strokeDash: [5, 4], color: '#333' },
        encoding: { y: { field: 'value', type: 'quantitative' } },
      },
      {
        data: { values: lines },
        mark: { type: 'text', align: 'right', baseline: 'bottom', dx: -4, dy: -3, color: '#333' },
        encoding: {
          x: { value: width },
          y: { field: 'value', type: 'quantitative' },
          text: { field: 'name' },
        },
      },
    ],
    config: { view: { stroke: '#ddd' }, axis: { grid: false, titleColor: '#555', labelColor: '#555' } },
  }
}
