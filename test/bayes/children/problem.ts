import { categorical, conditional, integer, type ParamsOf, real } from '../../../lib/bayes/index.js'

export const space = {
  x: real(1e-4, 1, { log: true }),
  k: integer(0, 9),
  mode: conditional({ a: { y: real(0, 1) }, b: { z: categorical(['u', 'v']) } }),
}

export const objective = ({ x, k, mode }: ParamsOf<typeof space>) =>
  x + k + (mode.choice === 'a' ? mode.y : mode.z === 'u' ? 0.25 : 0.75)
