/** Stable codes of {@link ExtremaError}. Test `error.code`, not `instanceof`: the two module formats have two classes. */
export type ErrorCode =
  | 'ERR_SHAPE'
  | 'ERR_DTYPE'
  | 'ERR_NOT_FINITE'
  | 'ERR_NOT_POSITIVE'
  | 'ERR_MASS'
  | 'ERR_INFEASIBLE'
  | 'ERR_SINGULAR'
  | 'ERR_OPTION'
  | 'ERR_ORACLE'
  | 'ERR_BUFFER'
  | 'ERR_TAPE'
  | 'ERR_FILE'
  | 'ERR_EXHAUSTED'
  | 'ERR_TRIAL'
  | 'ERR_STORAGE'
  | 'ERR_PEER'
  | 'ERR_BACKEND'
  | 'ERR_MEMORY'
  | 'ERR_INTERNAL'

/** The one error class of the package. The message names the argument, what was expected and what came. */
export class ExtremaError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'ExtremaError'
    this.code = code
  }
}
