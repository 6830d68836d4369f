import { expect } from 'chai'
import { type ErrorCode, ExtremaError } from '../../lib/core/index.js'

/** The form of every message: which argument, what was expected and what came, or what is wrong and what to do. */
const messageForm = /^[\w .,[\]]+: (expected .+, got .+|.+; .+)$/s

function expectExtremaError(error: unknown, code: ErrorCode, message: RegExp | string): void {
  expect(error).to.be.instanceOf(ExtremaError)
  const { code: came, message: text } = error as ExtremaError
  expect(`${came}: ${text}`).to.match(new RegExp(`^${code}: `))
  expect(text).to.match(messageForm)
  if (typeof message === 'string') expect(text).to.equal(message)
  else expect(text).to.match(message)
}

/** The call throws an ExtremaError of this code and message, in the form that all messages have. */
export function expectError(call: () => unknown, code: ErrorCode, message: RegExp | string): void {
  let error: unknown
  try {
    call()
  } catch (thrown) {
    error = thrown
  }
  expectExtremaError(error, code, message)
}

/** What the promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const nothing = {}
  const error = await promise.then(
    () => nothing,
    (reason) => reason,
  )
  if (error === nothing) throw new Error('expected a rejection, got a result')
  return error
}

/** The promise rejects with an ExtremaError of this code and message. */
export async function expectRejection(
  promise: Promise<unknown>,
  code: ErrorCode,
  message: RegExp | string,
): Promise<void> {
  expectExtremaError(await rejection(promise), code, message)
}

/** Both forms of a solver refuse what is given, however wrong its type, with this code and message. */
export function refusing<Problem, Options>(
  run: (problem: Problem, options: Options) => Promise<unknown>,
  runSync: (problem: Problem, options: Options) => unknown,
) {
  return async (given: unknown, options: unknown, code: ErrorCode, message: RegExp | string): Promise<void> => {
    const [wrong, amiss] = [given as Problem, options as Options]
    expectError(() => runSync(wrong, amiss), code, message)
    await expectRejection(run(wrong, amiss), code, message)
  }
}
