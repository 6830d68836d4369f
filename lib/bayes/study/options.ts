import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, flag, oneOf, whole } from '../../core/options.js'
import type { Pruner } from '../pruner.js'
import type { Sampler } from '../sampler.js'
import { sobolSampler } from '../samplers/sobol.js'
import { toSpace } from '../space/index.js'
import type { ParameterMap } from '../space/parameters.js'
import type { SearchSpace } from '../space/space.js'
import type { Storage } from '../storage/storage.js'
import type { Definition, Direction } from './events.js'

export interface StudyOptions<S extends ParameterMap> {
  /** What can be varied: parameters by name, or a `searchSpace`. */
  space: S | SearchSpace<S>
  /** Default: `'minimize'`. */
  direction?: Direction
  /** Of several objectives, in place of `direction`. */
  directions?: readonly Direction[]
  /**
   * `':memory:'` (default), the name of a journal, or one ending in `.db`, `.sqlite` or `.sqlite3` for SQLite. A study that
   * is there already is gone on with; several processes may share it.
   */
  storage?: string | Storage
  /** How many outcomes besides the objectives each trial has that must be <= 0. Default: 0. */
  constraints?: number
  /** Whole number in [0, 2^53). Default: 0, or that of the study that is there. */
  seed?: number
  /** What proposes points. Default: `sobolSampler()`. */
  sampler?: Sampler
  /** What stops trials early. Default: nothing does. */
  pruner?: Pruner
  /** Propose a point of a finite space again although a trial had it, for noisy objectives. Default: false. */
  duplicates?: boolean
}

const names: ReadonlySet<string> = new Set([
  ...['space', 'direction', 'directions', 'storage', 'constraints', 'seed', 'sampler', 'pruner', 'duplicates'],
])

export interface CheckedOptions<S extends ParameterMap> {
  space: SearchSpace<S>
  /** What was said of the study; what was not is taken from the one that is there. */
  given: Partial<Definition>
  definition: Definition
  sampler: Sampler
  pruner: Pruner | undefined
  duplicates: boolean
}

export function checkStudyOptions<S extends ParameterMap>(options: StudyOptions<S>): CheckedOptions<S> {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { space, … }, got ${describe(options)}`)
  }
  checkNames('options', options, names)
  const space = toSpace(options.space)
  const directions = checkDirections(options)
  const constraints =
    options.constraints === undefined ? undefined : whole('constraints', options.constraints, 0, 0, 1000)
  const seed = options.seed === undefined ? undefined : whole('seed', options.seed, 0, 0, Number.MAX_SAFE_INTEGER)
  const sampler = options.sampler ?? sobolSampler()
  if (typeof sampler?.ask !== 'function' || typeof sampler.name !== 'string') {
    throw new ExtremaError('ERR_OPTION', `sampler: expected { name, ask }, got ${describe(sampler)}`)
  }
  const { pruner } = options
  if (pruner !== undefined && typeof pruner?.shouldPrune !== 'function') {
    throw new ExtremaError('ERR_OPTION', `pruner: expected { name, shouldPrune }, got ${describe(pruner)}`)
  }
  // As it comes back from a file.
  const json = JSON.parse(JSON.stringify(space)) as Definition['space']
  const where = space.where !== undefined
  const given: Partial<Definition> = { space: json, where, directions, constraints, seed }
  return {
    space,
    given,
    definition: {
      ...{ format: 1, space: json, where, directions: directions ?? ['minimize'] },
      ...{ constraints: constraints ?? 0, seed: seed ?? 0 },
    },
    sampler,
    pruner,
    duplicates: flag('duplicates', options.duplicates, false),
  }
}

function checkDirections({ direction, directions }: Pick<StudyOptions<never>, 'direction' | 'directions'>) {
  const words = ['minimize', 'maximize'] as const
  if (directions === undefined)
    return direction === undefined ? undefined : [oneOf('direction', direction, words, 'minimize')]
  if (direction !== undefined) {
    throw new ExtremaError('ERR_OPTION', 'directions: expected either direction or directions, got both')
  }
  if (!Array.isArray(directions) || directions.length === 0) {
    throw new ExtremaError('ERR_OPTION', `directions: expected one for each objective, got ${describe(directions)}`)
  }
  return directions.map((word, i) => oneOf(`directions[${i}]`, word ?? null, words, 'minimize'))
}

/** The study that is there must be the one that is meant. */
export function checkSame(given: Partial<Definition>, found: Definition): void {
  if (found.format !== 1) {
    throw new ExtremaError('ERR_STORAGE', `storage: expected a study of format 1, got ${describe(found.format)}`)
  }
  for (const [name, value] of Object.entries(given)) {
    const there = found[name as keyof Definition]
    if (value === undefined || JSON.stringify(value) === JSON.stringify(there)) continue
    const text = (x: unknown) => JSON.stringify(x)
    throw new ExtremaError(
      'ERR_OPTION',
      `${name}: expected ${text(there)}, as the study in this storage has, got ${text(value)}`,
    )
  }
}
