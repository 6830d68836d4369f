import { inspect } from 'node:util'

/** A mistake in the command line or in an input file: printed as one line, exit code 2. */
export class InputError extends Error {
  override name = 'InputError'
}

/** An optional package is not installed: printed with the command that installs it, exit code 1. */
export class MissingPeerError extends Error {
  override name = 'MissingPeerError'
}

/** Exit codes of the command. A solution that missed its tolerance is 0 with a warning, as a status is not an error. */
export const exitCode = { ok: 0, failure: 1, input: 2, interrupted: 130, terminated: 143 } as const

/** Codes of ExtremaError that the caller of the command can mend. */
const inputCodes = new Set([
  'ERR_SHAPE',
  'ERR_NOT_FINITE',
  'ERR_NOT_POSITIVE',
  'ERR_MASS',
  'ERR_INFEASIBLE',
  'ERR_OPTION',
])

/** File-system errors whose cause is the given path. */
const pathCodes = new Set(['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR', 'EPERM', 'EROFS', 'ENAMETOOLONG'])

export function exitCodeOf(error: unknown): number {
  if (error instanceof InputError) return exitCode.input
  const code = codeOf(error)
  return inputCodes.has(code) || pathCodes.has(code) ? exitCode.input : exitCode.failure
}

/** The message as one line; with EXTREMA_DEBUG all there is, stack and cause. */
export function describeError(error: unknown): string {
  if (process.env.EXTREMA_DEBUG) return inspect(error)
  const text = error instanceof Error ? error.message : String(error)
  return `error: ${text.replace(/\s*\n\s*/g, ' ')}`
}

export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return String(error.code)
}
