import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { sameShape, shapeText, Tensor } from '../tensor.js'
import { flatten, type Structure, unflatten } from '../tree.js'

/** The tensors of a tree under the names on their ways joined by dots, such as `0.weight`: for `saveSafetensors`. */
export function namedTensors(tree: unknown): Record<string, Tensor> {
  const { leaves, structure } = flatten('tree', tree)
  const names = namesOf(structure)
  if (new Set(names).size !== names.length) {
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    throw new ExtremaError('ERR_OPTION', `tree: expected names that stay different, got '${twice}' twice`)
  }
  return Object.fromEntries(leaves.map((leaf, i) => [names[i], leaf]))
}

/**
 * A tree like `like` with the tensors of these names, which must have the shapes and dtypes of its own.
 *
 * @throws ExtremaError `ERR_SHAPE`, also for names that are missing or too many
 */
export function fromNamed<T>(like: T, named: Record<string, Tensor>): T {
  const { leaves, structure } = flatten('like', like)
  const names = namesOf(structure)
  const extra = Object.keys(named).find((name) => !names.includes(name))
  if (extra !== undefined) {
    throw new ExtremaError('ERR_SHAPE', `named: expected the ${names.length} names of the tree, got '${extra}'`)
  }
  const found = names.map((name, i) => {
    const { shape, dtype } = leaves[i]
    const came: unknown = named[name]
    if (came instanceof Tensor && sameShape(came.shape, shape) && came.dtype === dtype) return came
    const text = came instanceof Tensor ? `${came.dtype} ${shapeText(came.shape)}` : describe(came)
    throw new ExtremaError('ERR_SHAPE', `named.${name}: expected ${dtype} ${shapeText(shape)}, got ${text}`)
  })
  return unflatten(structure, found) as T
}

function namesOf(structure: Structure): string[] {
  const visit = (part: Structure, path: string): string[] => {
    if (part === 'leaf') return [path]
    return Object.entries(part).flatMap(([name, child]) => visit(child, path === '' ? name : `${path}.${name}`))
  }
  return visit(structure, '')
}
