import type { Sampler } from '../sampler.js'

/** Independent points, uniform on what the space allows. */
export function randomSampler(): Sampler {
  return { name: 'random', ask: (_, space, random) => ({ params: space.sample(random) }) }
}
