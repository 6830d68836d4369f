import { Generator } from './generator.js'
import { type GeneratorState, streamOf } from './state.js'
import { seededStream } from './stream.js'

export { type Sobol, type SobolOptions, sobol } from './sobol.js'
export type { Generator, GeneratorState }

/**
 * A random generator: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC11, 2011), which is counter-based. The same seed
 * gives the same numbers bit for bit on every machine, both backends and any number of threads. Not for cryptography.
 *
 * @param seed whole number in [0, 2^53), or bigint in [0, 2^64)
 * @throws ExtremaError `ERR_OPTION` for any other seed
 */
export function generator(seed: number | bigint): Generator {
  return new Generator(seededStream(seed))
}

/**
 * A generator that goes on where the one that gave `state` stood.
 *
 * @throws ExtremaError `ERR_OPTION` if it is not such a state
 */
generator.fromState = (state: GeneratorState): Generator => new Generator(streamOf(state), state.half)
