import { ExtremaError } from './errors.js'

/** What every solver takes. */
export interface SolverOptions {
  /** Stop when `residual <= tolerance`; each solver documents what its residual measures. */
  tolerance?: number
  /** Most iterations to run; running out gives `status: 'iteration-limit'`. */
  maxIterations?: number
  /** Most milliseconds to run; running out gives `status: 'time-limit'`. Default: none. */
  timeLimit?: number
  /** Most threads this call may use. Default: all cores, or `EXTREMA_THREADS`. */
  threads?: number
  /** Aborting rejects with `signal.reason`. */
  signal?: AbortSignal
  /** Called at most 20 times a second while the solver runs. */
  onProgress?: (progress: Progress) => void
  /** Force a backend for this call. */
  backend?: 'native' | 'portable'
}

export interface Progress {
  /** Iterations done. */
  iteration: number
  /** The current value of what `tolerance` bounds. */
  residual: number
  /** Milliseconds since the call. */
  elapsed: number
}

/** Levenshtein distance, for naming the option that was meant. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + change))
    }
    previous = current
  }
  return previous[b.length]!
}

/** The nearest of `known` to `name`, if it is near enough to be a typo or an abbreviation. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.ceil(name.length / 3)) + 1
  const given = name.toLowerCase()
  for (const candidate of known) {
    const wanted = candidate.toLowerCase()
    // An abbreviation is nearer than any other word of its length.
    const distance = given.length >= 3 && wanted.startsWith(given) ? 1 : editDistance(given, wanted)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Refuses names outside `known`: a typo must not silently become a default. */
export function checkNames(what: string, given: object, known: ReadonlySet<string>): void {
  for (const name in given) {
    if (known.has(name)) continue
    const nearest = nearestName(name, known)
    const hint = nearest === undefined ? `known are ${[...known].join(', ')}` : `did you mean '${nearest}'?`
    throw new ExtremaError('ERR_OPTION', `${what}: unknown name '${name}'; ${hint}`)
  }
}

/** A value as it is written in messages. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'object'
  return String(value)
}

/** A finite number > 0. */
export function positive(name: string, value: unknown, fallback?: number): number {
  const chosen = value === undefined ? fallback : value
  if (typeof chosen === 'number' && chosen > 0 && chosen < Number.POSITIVE_INFINITY) return chosen
  const code = typeof chosen === 'number' && !Number.isNaN(chosen) ? 'ERR_NOT_POSITIVE' : 'ERR_OPTION'
  throw new ExtremaError(code, `${name}: expected a finite number > 0, got ${describe(chosen)}`)
}

/** A finite number >= 0. */
export function nonNegative(name: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY) return value
  throw new ExtremaError('ERR_OPTION', `${name}: expected a finite number >= 0, got ${describe(value)}`)
}

/** A whole number within [least, most]. */
export function whole(name: string, value: unknown, fallback: number, least: number, most = 2 ** 31 - 1): number {
  if (value === undefined) return fallback
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw new ExtremaError(
    'ERR_OPTION',
    `${name}: expected a whole number from ${least} to ${most}, got ${describe(value)}`,
  )
}

/** One of a few words. */
export function oneOf<T extends string>(name: string, value: unknown, choices: readonly T[], fallback: T): T {
  if (value === undefined) return fallback
  if (choices.includes(value as T)) return value as T
  const nearest = typeof value === 'string' ? nearestName(value, choices) : undefined
  const hint = nearest === undefined ? '' : `; did you mean '${nearest}'?`
  throw new ExtremaError(
    'ERR_OPTION',
    `${name}: expected one of '${choices.join("', '")}', got ${describe(value)}${hint}`,
  )
}

export function flag(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value === 'boolean') return value
  throw new ExtremaError('ERR_OPTION', `${name}: expected true or false, got ${describe(value)}`)
}
