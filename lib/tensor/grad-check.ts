import { generator } from '../random/index.js'
import { grad } from './grad.js'
import { fromData, type Tensor } from './tensor.js'
import { flatten, unflatten } from './tree.js'

export interface GradCheckOptions {
  /** Of the differences. Default 1e-3: their error goes with its fourth power. */
  step?: number
  /** How many random directions to try. Default 4. */
  directions?: number
  /** Default 1e-6. */
  tolerance?: number
  /** Default 0. */
  seed?: number
}

export interface GradCheck {
  passed: boolean
  /** The largest |⟨gradient, v⟩ - difference| / max(1, |difference|) over the directions v. */
  error: number
}

/**
 * Compares the gradient of f with five-point differences of its values along random directions. In float64; points at
 * which f has a kink fail rightly.
 */
export function gradCheck<X>(f: (x: X) => Tensor, x: X, options: GradCheckOptions = {}): GradCheck {
  const { step = 1e-3, directions = 4, tolerance = 1e-6, seed = 0 } = options
  const random = generator(seed)
  const { leaves, structure } = flatten('x', x)
  const gradient = flatten('gradient', grad(f)(x)).leaves
  let error = 0
  for (let k = 0; k < directions; k++) {
    const v = leaves.map(({ size }) => random.normal(size))
    const at = (t: number): number => {
      const moved = leaves.map((leaf, i) => {
        const data = leaf.data.slice()
        for (let j = 0; j < data.length; j++) data[j] += t * v[i][j]
        return fromData(data, leaf.shape)
      })
      return f(unflatten(structure, moved) as X).item()
    }
    const difference = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
    let slope = 0
    gradient.forEach((g, i) => {
      for (let j = 0; j < g.size; j++) slope += g.data[j] * v[i][j]
    })
    const gap = Math.abs(slope - difference) / Math.max(1, Math.abs(difference))
    // NaN must not pass for small.
    if (!(gap <= error)) error = gap
  }
  return { passed: error <= tolerance, error }
}
