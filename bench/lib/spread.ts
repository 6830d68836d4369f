import { format } from './table.js'
import { median } from './timing.js'

/** Median and range of a figure over several random states, as in "0.42 (0.4 … 0.45)". */
export function spread(values: number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return `${format(median(values))} (${format(least)} … ${format(most)})`
}
