import { ExtremaError } from '../../core/errors.js'
import { add } from '../elementwise.js'
import { sameShape, shapeText } from '../tensor.js'
import { inside, type Layer, type LayerState, stateOf } from './layer.js'

export interface ResidualParams<P, Q> {
  branch: P
  shortcut: Q
}

/** x + f(x), or s(x) + f(x) with a layer s as shortcut, for instance where the shapes differ. */
export function residual<P, Q = never[]>(branch: Layer<P>, shortcut?: Layer<Q>): Layer<ResidualParams<P, Q>> {
  return {
    init: (random, options) => ({
      branch: branch.init(random, options),
      shortcut: shortcut === undefined ? ([] as Q) : shortcut.init(random, options),
    }),
    state: (options): LayerState => ({
      branch: stateOf(branch as Layer, options),
      shortcut: shortcut === undefined ? [] : stateOf(shortcut as Layer, options),
    }),
    apply(params, x, context) {
      const value = branch.apply(params.branch, x, inside(context, 'branch'))
      const kept = shortcut === undefined ? x : shortcut.apply(params.shortcut, x, inside(context, 'shortcut'))
      if (sameShape(value.shape, kept.shape)) return add(kept, value)
      const came = `${shapeText(kept.shape)} and ${shapeText(value.shape)}`
      throw new ExtremaError('ERR_SHAPE', `residual: expected a branch that keeps the shape, got ${came}`)
    },
  }
}
