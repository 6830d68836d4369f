import type { Apply, Step } from '../backend/portable/linear/step.js'
import { checkFinite, toVector, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'

type Oracle = (x: Float64Array) => VectorLike | PromiseLike<VectorLike>

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null)?.then === 'function'
}

/** A caller's function as an operator: its answers are checked, and what it is given is not what the solver works on. */
export function oracleApply(name: string, oracle: Oracle, length: number): Apply {
  let given = new Float64Array(0)
  return function* (x, out): Step<void> {
    if (given.length !== x.length) given = new Float64Array(x.length)
    given.set(x)
    let answer: unknown = oracle(given)
    if (isPromise(answer)) answer = yield answer
    if (typeof answer !== 'object' || answer === null) {
      throw new ExtremaError('ERR_ORACLE', `${name}: expected ${length} numbers, got ${String(answer)}`)
    }
    const vector = toVector(name, answer as VectorLike)
    if (vector.length !== length) {
      throw new ExtremaError('ERR_ORACLE', `${name}: expected ${length} numbers, got ${vector.length}`)
    }
    out.set(checkFinite(name, vector))
  }
}
