import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe } from '../../core/options.js'
import { isRecord, type ParameterMap, type ParamsOf } from './parameters.js'
import { SearchSpace, type SpaceConstraints } from './space.js'

/**
 * A space with constraints between its parameters. Without any, the literal alone is enough wherever a space is expected.
 *
 * ```ts
 * searchSpace({ x: real(0, 1), y: real(0, 1) }, { linear: [{ weights: { x: 1, y: 1 }, atMost: 1 }], where: ({ x, y }) => x !== y })
 * ```
 *
 * @throws ExtremaError `ERR_OPTION` for parameters without values (low >= high, no choices), a logarithmic one that reaches 0,
 *   names and constraints that do not fit
 */
export function searchSpace<const S extends ParameterMap>(
  parameters: S,
  constraints: SpaceConstraints<ParamsOf<S>> = {},
): SearchSpace<S> {
  return new SearchSpace(parameters, constraints)
}

/** The space of a literal, or the space itself. */
export function toSpace<S extends ParameterMap>(given: S | SearchSpace<S>): SearchSpace<S> {
  return given instanceof SearchSpace ? given : new SearchSpace(given)
}

/**
 * A space from JSON: an object of parameters by name, or `{ parameters, linear }`, as `JSON.stringify` of a space gives it.
 *
 * @throws ExtremaError `ERR_OPTION` if it is none
 */
export function spaceFromJSON(json: unknown): SearchSpace {
  if (!isRecord(json)) {
    throw new ExtremaError('ERR_OPTION', `space: expected an object of parameters by name, got ${describe(json)}`)
  }
  if (!isRecord(json.parameters) || 'type' in json.parameters) return new SearchSpace(json as unknown as ParameterMap)
  checkNames('space', json, new Set(['parameters', 'linear']))
  const { parameters, linear } = json
  const constraints = linear === undefined ? {} : { linear: linear as SpaceConstraints<unknown>['linear'] }
  return new SearchSpace(parameters as unknown as ParameterMap, constraints)
}
