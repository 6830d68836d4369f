import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { dropout } from '../losses.js'
import { lambdaLayer, type NoParams } from './lambda-layer.js'
import type { Layer } from './layer.js'

/** While training each entry is 0 with probability `rate` and divided by 1 - rate otherwise; else nothing happens. */
export function dropoutLayer(rate: number): Layer<NoParams> {
  if (!(rate >= 0 && rate < 1)) {
    throw new ExtremaError('ERR_OPTION', `rate: expected a number in [0, 1), got ${describe(rate)}`)
  }
  return lambdaLayer((x, context) => {
    if (rate === 0 || !context?.training) return x
    if (context.random !== undefined) return dropout(x, rate, context.random)
    throw new ExtremaError('ERR_OPTION', 'random: expected a generator in the context while training, got undefined')
  })
}
