import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, oneOf, positive, whole } from '../../core/options.js'
import type { LeafInfo } from '../../tensor/optimizer.js'
import { at } from '../../tensor/parameters.js'
import { shapeText, sizeOf } from '../../tensor/tensor.js'
import { custom } from './custom.js'
import { logSumExp } from './log-sum-exp.js'
import { groupLp, linf, lp, topK } from './norms.js'
import { nuclear } from './nuclear.js'
import type { LionFunction, Potential } from './potential.js'
import { huber, l1, logCosh, power, softAbs, threshold } from './separable.js'

const plain = ['l1', 'linf', 'half-square', 'nuclear', 'log-sum-exp'] as const
const fields: Record<Exclude<LionFunction, string>['kind'], readonly string[]> = {
  lp: ['p'],
  power: ['p'],
  group: ['groups', 'p'],
  huber: ['e'],
  'soft-abs': ['e'],
  threshold: ['e'],
  'top-k': ['k'],
  'log-cosh': ['e'],
  custom: ['value', 'subgradient', 'conjugate', 'distance'],
}

/** What can be said without knowing the leaf. */
export function checkFunction(name: string, k: LionFunction): LionFunction {
  if (typeof k !== 'object' || k === null) return oneOf(name, k, plain, 'l1')
  const kind = oneOf(`${name}.kind`, k.kind ?? null, Object.keys(fields) as (keyof typeof fields)[], 'lp')
  checkNames(name, k, new Set(['kind', ...fields[kind]]))
  switch (k.kind) {
    case 'lp':
    case 'power':
      exponent(`${name}.p`, k.p)
      break
    case 'group':
      exponent(`${name}.p`, k.p ?? 2)
      break
    case 'top-k':
      whole(`${name}.k`, k.k ?? null, 1, 1)
      break
    case 'custom':
      for (const field of ['value', 'subgradient'] as const) {
        if (typeof k[field] === 'function') continue
        throw new ExtremaError('ERR_OPTION', `${name}.${field}: expected a function, got ${describe(k[field])}`)
      }
      break
    default:
      positive(`${name}.e`, k.e)
  }
  return k
}

function exponent(name: string, p: number): void {
  if (typeof p === 'number' && p > 1 && p < Number.POSITIVE_INFINITY) return
  throw new ExtremaError('ERR_OPTION', `${name}: expected a finite number > 1, got ${describe(p)}`)
}

/** The K of a leaf. */
export function potentialOf(k: LionFunction, leaf: LeafInfo): Potential {
  const n = sizeOf(leaf.shape)
  if (typeof k === 'string') {
    if (k === 'nuclear') return matrixPotential(leaf)
    return { l1, linf, 'half-square': power(2), 'log-sum-exp': logSumExp }[k]
  }
  switch (k.kind) {
    case 'lp':
      return lp(k.p)
    case 'power':
      return power(k.p)
    case 'group':
      return groupLp(checkPartition(k.groups, n, leaf), k.p ?? 2)
    case 'huber':
      return huber(k.e)
    case 'soft-abs':
      return softAbs(k.e)
    case 'threshold':
      return threshold(k.e)
    case 'top-k':
      if (k.k > n) {
        throw new ExtremaError('ERR_OPTION', `k.k: expected at most ${n} for ${at('params', leaf.path)}, got ${k.k}`)
      }
      return topK(k.k)
    case 'log-cosh':
      return logCosh(k.e)
    case 'custom':
      return custom(k, n)
  }
}

function matrixPotential({ path, shape }: LeafInfo): Potential {
  const [rows, ...others] = shape
  const columns = sizeOf(others)
  if (shape.length >= 2 && rows > 0 && columns > 0) return nuclear(rows, columns)
  const name = at('params', path)
  throw new ExtremaError('ERR_SHAPE', `${name}: expected a matrix for K 'nuclear', got shape ${shapeText(shape)}`)
}

function checkPartition(groups: number | readonly ArrayLike<number>[], n: number, leaf: LeafInfo): ArrayLike<number>[] {
  const name = at('params', leaf.path)
  if (typeof groups === 'number') {
    const size = whole('k.groups', groups, 1, 1)
    if (n % size !== 0) {
      throw new ExtremaError('ERR_OPTION', `k.groups: expected a divisor of ${n}, the size of ${name}, got ${size}`)
    }
    return Array.from({ length: n / size }, (_, g) => Int32Array.from({ length: size }, (_, i) => g * size + i))
  }
  if (!Array.isArray(groups)) {
    throw new ExtremaError('ERR_OPTION', `k.groups: expected a size or arrays of places, got ${describe(groups)}`)
  }
  const seen = new Uint8Array(n)
  const partition = groups.map((places: ArrayLike<number>, g) => {
    for (let k = 0; k < places.length; k++) {
      const i = places[k]
      if (!Number.isInteger(i) || i < 0 || i >= n || seen[i] === 1) {
        const expected = `places below ${n}, each once, for ${name}`
        throw new ExtremaError('ERR_OPTION', `k.groups[${g}][${k}]: expected ${expected}, got ${describe(i)}`)
      }
      seen[i] = 1
    }
    return Int32Array.from(places)
  })
  const missing = seen.indexOf(0)
  if (missing < 0) return partition
  throw new ExtremaError('ERR_OPTION', `k.groups: expected every place of ${name} once, got none with ${missing}`)
}
