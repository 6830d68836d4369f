import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { inside, type Layer, type LayerState, type ParamsOf, stateOf } from './layer.js'

/** Layers one behind the other; parameters and state are lists in their order. */
export function sequential<const Layers extends readonly Layer[]>(...layers: Layers): Layer<ParamsOf<Layers>> {
  layers.forEach((layer, i) => {
    if (typeof layer?.apply === 'function') return
    throw new ExtremaError('ERR_OPTION', `sequential[${i}]: expected a layer, got ${describe(layer)}`)
  })
  return {
    init: (random, options) => layers.map((layer) => layer.init(random, options)) as ParamsOf<Layers>,
    state: (options): LayerState => layers.map((layer) => stateOf(layer, options)),
    apply(params, x, context) {
      if (!Array.isArray(params) || params.length !== layers.length) {
        const came = Array.isArray(params) ? String(params.length) : describe(params)
        throw new ExtremaError('ERR_SHAPE', `params: expected those of ${layers.length} layers, got ${came}`)
      }
      return layers.reduce((value, layer, i) => layer.apply(params[i], value, inside(context, i)), x)
    },
  }
}
