import { ExtremaError } from '../../core/errors.js'

/** For files that are not what they should be. */
export function refuseFile(file: string, expected: string, came: string, cause?: unknown): never {
  throw new ExtremaError('ERR_FILE', `file: expected ${expected}, got ${came} in ${file}`, { cause })
}
