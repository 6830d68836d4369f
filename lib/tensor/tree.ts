import { ExtremaError } from '../core/errors.js'
import { describe } from '../core/options.js'
import { sameShape, shapeText, Tensor } from './tensor.js'

/** Arrays and objects of tensors, nested at will: the parameters of a model, or a single tensor. */
export type Tree = Tensor | readonly Tree[] | { readonly [name: string]: Tree }

/** What a tree looks like without its tensors. */
export type Structure = 'leaf' | readonly Structure[] | { readonly [name: string]: Structure }

export interface Flat {
  leaves: Tensor[]
  structure: Structure
}

/** The tensors of a tree in order, objects by the order of their names' insertion. */
export function flatten(name: string, tree: unknown): Flat {
  const leaves: Tensor[] = []
  const visit = (part: unknown, path: string): Structure => {
    if (part instanceof Tensor) {
      leaves.push(part)
      return 'leaf'
    }
    if (Array.isArray(part)) return part.map((child, i) => visit(child, `${path}[${i}]`))
    if (typeof part === 'object' && part !== null && isPlainObject(part)) {
      const structure: Record<string, Structure> = {}
      for (const [key, child] of Object.entries(part)) structure[key] = visit(child, `${path}.${key}`)
      return structure
    }
    throw new ExtremaError('ERR_SHAPE', `${path}: expected tensors in arrays and objects, got ${describe(part)}`)
  }
  return { structure: visit(tree, name), leaves }
}

export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** The tree of that structure with these leaves, which may be anything. */
export function unflatten<Leaf>(structure: Structure, leaves: readonly Leaf[]): unknown {
  let next = 0
  const build = (part: Structure): unknown => {
    if (part === 'leaf') return leaves[next++]
    if (Array.isArray(part)) return part.map(build)
    return Object.fromEntries(Object.entries(part).map(([key, child]) => [key, build(child)]))
  }
  return build(structure)
}

/** A tree of the same structure, from each tensor. */
export function mapTree<T>(tree: T, f: (leaf: Tensor) => Tensor): T {
  const { leaves, structure } = flatten('tree', tree)
  return unflatten(structure, leaves.map(f)) as T
}

/** The leaves of `tree`, which must have the structure, shapes and dtypes of `like`. */
export function matchingLeaves(name: string, tree: unknown, like: Flat): Tensor[] {
  const { leaves, structure } = flatten(name, tree)
  if (JSON.stringify(structure) !== JSON.stringify(like.structure)) {
    const [expected, came] = [JSON.stringify(like.structure), JSON.stringify(structure)]
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a tree of structure ${expected}, got ${came}`)
  }
  leaves.forEach((leaf, i) => {
    const { shape, dtype } = like.leaves[i]
    if (sameShape(leaf.shape, shape) && leaf.dtype === dtype) return
    const expected = `${dtype} of shape ${shapeText(shape)} for leaf ${i}`
    throw new ExtremaError(
      'ERR_SHAPE',
      `${name}: expected ${expected}, got ${leaf.dtype} of shape ${shapeText(leaf.shape)}`,
    )
  })
  return leaves
}
