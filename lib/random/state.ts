import { ExtremaError } from '../core/errors.js'
import { describe } from './checks.js'
import type { Stream } from './stream.js'

/** Where a generator stands, as plain JSON. All words are whole numbers in [0, 2^32), least significant first. */
export interface GeneratorState {
  algorithm: 'philox4x32-10'
  key: [number, number]
  /** The current block. */
  counter: [number, number, number, number]
  /** Which half of the current block comes next. */
  half: 0 | 1
}

export function toState({ key, counter }: Stream, half: 0 | 1): GeneratorState {
  return {
    algorithm: 'philox4x32-10',
    key: [key[0], key[1]],
    counter: [counter[0], counter[1], counter[2], counter[3]],
    half,
  }
}

/** The stream of a state that may come from anywhere. */
export function streamOf(state: GeneratorState): Stream {
  if (typeof state !== 'object' || state === null) refuse('an object', state)
  if (state.algorithm !== 'philox4x32-10') refuse("algorithm 'philox4x32-10'", state.algorithm)
  if (state.half !== 0 && state.half !== 1) refuse('half 0 or 1', state.half)
  const key = words('key', state.key, 2)
  const counter = words('counter', state.counter, 4)
  if (counter[3] >= 2 ** 31) refuse('the top bit of counter clear', counter[3])
  return { key, counter }
}

function words(name: string, given: unknown, count: number): Uint32Array {
  const right =
    Array.isArray(given) && given.length === count && given.every((w) => Number.isInteger(w) && w >= 0 && w < 2 ** 32)
  if (!right) refuse(`${name} of ${count} whole numbers in [0, 2^32)`, given)
  return Uint32Array.from(given)
}

function refuse(expected: string, came: unknown): never {
  throw new ExtremaError('ERR_OPTION', `state: expected ${expected}, got ${describe(came)}`)
}
