import { potentialOf } from '../../lib/descent/lion-k/make.js'
import type { LionFunction, Potential } from '../../lib/descent/lion-k/potential.js'

/** Every K for a leaf of 12 numbers, or a 3 × 4 matrix. */
export const kinds: [string, LionFunction][] = [
  ['l1', 'l1'],
  ['linf', 'linf'],
  ['half-square', 'half-square'],
  ['nuclear', 'nuclear'],
  ['log-sum-exp', 'log-sum-exp'],
  ['lp 1.5', { kind: 'lp', p: 1.5 }],
  ['lp 2', { kind: 'lp', p: 2 }],
  ['lp 4', { kind: 'lp', p: 4 }],
  ['power 1.5', { kind: 'power', p: 1.5 }],
  ['power 3', { kind: 'power', p: 3 }],
  ['group of 3', { kind: 'group', groups: 3 }],
  ['uneven groups, p = 3', { kind: 'group', groups: [[0, 11], [1, 3, 5, 7], [2], [4, 6, 8, 9, 10]], p: 3 }],
  ['huber', { kind: 'huber', e: 0.3 }],
  ['soft-abs', { kind: 'soft-abs', e: 0.2 }],
  ['threshold', { kind: 'threshold', e: 0.4 }],
  ['top-k', { kind: 'top-k', k: 3 }],
  ['log-cosh', { kind: 'log-cosh', e: 0.25 }],
]

export const shape = [3, 4]
export const size = 12

export function potential(k: LionFunction, of = shape): Potential {
  return potentialOf(k, { path: '', dtype: 'float64', shape: of })
}
