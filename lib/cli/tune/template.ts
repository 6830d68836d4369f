import type { ParameterMap } from '../../bayes/index.js'
import { nearestName } from '../../core/options.js'
import { InputError } from '../errors.js'

/** The arguments of the command for a point. They go to the program as they are: no shell ever sees them. */
export type Template = (params: Readonly<Record<string, unknown>>, trial: number) => string[]

const placeholder = /\{\{([A-Za-z_$][\w$.-]*)\}\}|\{([A-Za-z_$][\w$.-]*)\}/g

/**
 * Arguments with `{name}` for the value of a parameter, `{name.inner}` for one of a branch and `{trial}` for the number of the trial;
 * `{{name}}` stands for the text `{name}`. An argument with a parameter of another branch than the one chosen is left out.
 */
export function parseTemplate(args: readonly string[], parameters: ParameterMap): Template {
  const known = namesOf(parameters)
  for (const [, , name] of args.flatMap((arg) => [...arg.matchAll(placeholder)])) {
    if (name === undefined || known.has(name)) continue
    const nearest = nearestName(name, known)
    const hint = nearest === undefined ? `known are ${[...known].join(', ')}` : `did you mean '{${nearest}}'?`
    throw new InputError(`command: unknown parameter '{${name}}'; ${hint}`)
  }
  return (params, trial) =>
    args.flatMap((arg) => {
      let exists = true
      const text = arg.replace(placeholder, (_, literal: string | undefined, name: string) => {
        if (literal !== undefined) return `{${literal}}`
        const value = name === 'trial' && !Object.hasOwn(params, name) ? trial : valueAt(params, name)
        if (value === undefined) exists = false
        return String(value)
      })
      return exists ? [text] : []
    })
}

function namesOf(parameters: ParameterMap, prefix = '', names = new Set(['trial'])): Set<string> {
  for (const [name, parameter] of Object.entries(parameters)) {
    names.add(`${prefix}${name}`)
    if (parameter.type !== 'conditional') continue
    for (const inner of Object.values(parameter.branches)) namesOf(inner, `${prefix}${name}.`, names)
  }
  return names
}

/** The value at a path; of a branch its name. */
function valueAt(params: Readonly<Record<string, unknown>>, name: string): unknown {
  let value: unknown = params
  for (const key of name.split('.')) value = (value as Record<string, unknown> | undefined)?.[key]
  return typeof value === 'object' && value !== null ? (value as { choice: unknown }).choice : value
}
