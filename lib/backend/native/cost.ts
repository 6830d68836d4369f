import { type CostData, metrics } from '../kernels.js'

/** What the numbers of a call begin with, as `readCost` in native/binding/transport-arguments.h reads them. */
export function costNumbers({ n, m, d, metric }: CostData): [n: number, m: number, d: number, metric: number] {
  return [n, m, d, metrics.indexOf(metric)]
}
