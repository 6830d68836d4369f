import { setImmediate } from 'node:timers/promises'
import { ExtremaError } from '../../core/errors.js'
import { mostDimensions } from '../../random/direction-numbers.js'
import { type Generator, type Sobol, sobol } from '../../random/index.js'
import type { History } from '../history.js'
import type { Proposal, Sampler } from '../sampler.js'
import type { ParameterMap, ParamsOf } from '../space/parameters.js'
import type { SearchSpace } from '../space/space.js'

/** Points of the sequence that are passed over, because the space does not allow them, before a random one is taken. */
const mostSkipped = 1000

/**
 * The points of a scrambled Sobol sequence, which fill the space more evenly than random ones. Points that the space's
 * constraints do not allow are passed over; where they allow next to none, random points take their place.
 *
 * @throws ExtremaError `ERR_OPTION` for spaces of more than 1111 dimensions
 */
export function sobolSampler(): Sampler {
  // Only saves building it again: it follows from the space and the seed.
  let sequence: { sobol: Sobol; seed: number; dimensions: number } | undefined
  return {
    name: 'sobol',
    async ask<S extends ParameterMap>(
      history: History<ParamsOf<S>>,
      space: SearchSpace<S>,
      random: Generator,
    ): Promise<Proposal<ParamsOf<S>>> {
      const dimensions = space.dimensions.length
      if (dimensions === 0) return { params: space.decode([]) }
      if (dimensions > mostDimensions) {
        throw new ExtremaError(
          'ERR_OPTION',
          `space: expected at most ${mostDimensions} dimensions for 'sobol', got ${dimensions}`,
        )
      }
      const { seed } = history
      if (sequence?.seed !== seed || sequence.dimensions !== dimensions) {
        sequence = { sobol: sobol({ dimensions, seed }), seed, dimensions }
      }
      const points = sequence.sobol // another study may ask meanwhile
      const first = nextIndex(history)
      for (let index = first; index < first + mostSkipped; index++) {
        if ((index - first) % 64 === 63) await setImmediate()
        const params = space.decode(points.point(index))
        if (!space.constrained || space.allows(params)) return { params, reason: { index } }
      }
      return { params: space.sample(random), reason: { index: first, replaced: 'no point of the sequence is allowed' } }
    },
  }
}

/** One after that of the last trial from the sequence. */
function nextIndex({ trials }: History): number {
  for (let k = trials.length - 1; k >= 0; k--) {
    const { sampler, reason } = trials[k]
    if (sampler === 'sobol' && typeof reason.index === 'number') return reason.index + 1
  }
  return 0
}
