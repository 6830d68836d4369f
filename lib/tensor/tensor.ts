import type { TensorData } from '../backend/tensor.js'
import { checkBuffer } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { describe, oneOf } from '../core/options.js'
import { allocate, currentScope, type DType, dtypeOf, mostNumbers, refuseSize, type Scope } from './arena.js'

export type { DType, TensorData }
export type Shape = readonly number[]

/** Numbers nested as deep as the tensor has axes. */
export type Nested = number | readonly Nested[] | ArrayLike<number>

/** What functions take for a tensor: a number becomes a scalar of the other operand's dtype. */
export type TensorLike = Tensor | number

/**
 * An n-dimensional array, dense and row-major. The functions of this room never change a tensor; `reshape` and slices of
 * leading axes share its memory, everything else copies.
 *
 * Inside `grad`, `jvp` and their kind the arguments are traced values: tensors that also know where they came from.
 * Reading their numbers (`data`, `item`, `toArray`) is allowed and gives constants, through which no derivative goes.
 */
export class Tensor {
  readonly shape: Shape
  readonly dtype: DType
  readonly size: number
  /** How many transformations deep this value is traced: 0 for plain data. */
  readonly level: number
  private readonly memory: TensorData
  /** The arena whose end frees the memory. */
  readonly scope: Scope | undefined

  /** See `tensor`, `zeros`, `fromData` … for the public ways to one. */
  constructor(memory: TensorData, shape: Shape, dtype: DType, scope?: Scope, level = 0) {
    this.shape = shape
    this.dtype = dtype
    this.size = memory.length
    this.level = level
    this.memory = memory
    this.scope = scope
  }

  /** The entries. Changing them changes the tensor and all that shares its memory. */
  get data(): TensorData {
    if (this.scope?.freed) {
      const message = `tensor: its memory went back with the arena it was made in; return it from withArena, shape ${shapeText(this.shape)}`
      throw new ExtremaError('ERR_BUFFER', message)
    }
    if (this.memory.length !== this.size) {
      throw new ExtremaError(
        'ERR_BUFFER',
        `tensor: its buffer was transferred away or shrunk; shape ${shapeText(this.shape)}`,
      )
    }
    return this.memory
  }

  get rank(): number {
    return this.shape.length
  }

  /** The number of a tensor that has only one. */
  item(): number {
    if (this.size === 1) return this.data[0]!
    throw new ExtremaError('ERR_SHAPE', `item: expected a tensor of one number, got shape ${shapeText(this.shape)}`)
  }

  /** A copy as nested arrays; a plain number for a scalar. */
  toArray(): number | NestedArray[] {
    const { data, shape } = this
    let next = 0
    const build = (axis: number): number | NestedArray[] =>
      axis === shape.length ? data[next++]! : Array.from({ length: shape[axis]! }, () => build(axis + 1))
    return build(0)
  }

  toString(): string {
    return `Tensor(${this.dtype}, ${shapeText(this.shape)})`
  }

  /** The same memory under another shape of the same size, or a part of it. */
  view(shape: Shape, start = 0, end = this.size): Tensor {
    const { data } = this
    const part = start === 0 && end === this.size ? data : (data.subarray(start, end) as TensorData)
    return new Tensor(part, shape, this.dtype, this.scope)
  }
}

/** Refuses what is no tensor. */
export function checkTensor(name: string, x: unknown): Tensor {
  if (x instanceof Tensor) return x
  throw new ExtremaError('ERR_SHAPE', `${name}: expected a tensor, got ${describe(x)}`)
}

export type NestedArray = number | NestedArray[]

export function shapeText(shape: Shape): string {
  return `[${shape.join(', ')}]`
}

export function sizeOf(shape: Shape): number {
  let size = 1
  for (const length of shape) size *= length
  return size
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** A tensor to be written by a kernel: its memory may hold anything. */
export function blank(dtype: DType, shape: Shape): Tensor {
  return new Tensor(allocate(dtype, sizeOf(shape)), shape, dtype, currentScope())
}

export interface TensorOptions {
  /** Default: float64. */
  dtype?: DType
}

const dtypes = ['float64', 'float32', 'int32'] as const

export function checkShape(name: string, shape: Shape): number[] {
  if (!Array.isArray(shape) || !shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a shape of whole numbers >= 0, got ${describe(shape)}`)
  }
  return [...shape]
}

function checkDType(options: TensorOptions): DType {
  return oneOf('dtype', options.dtype, dtypes, 'float64')
}

/**
 * The tensor of nested arrays of numbers: `tensor([[1, 2], [3, 4]])`. Typed arrays are copied, and keep their type unless
 * `dtype` says otherwise.
 *
 * @throws ExtremaError `ERR_SHAPE` for ragged rows and what is no number, `ERR_DTYPE` for an int32 tensor of fractions
 */
export function tensor(values: Nested, options: TensorOptions = {}): Tensor {
  const shape: number[] = []
  for (let part: unknown = values; typeof part === 'object' && part !== null; part = (part as ArrayLike<unknown>)[0]) {
    const { length } = part as ArrayLike<unknown>
    if (!Number.isSafeInteger(length)) {
      throw new ExtremaError('ERR_SHAPE', `tensor: expected nested arrays of numbers, got ${describe(part)}`)
    }
    shape.push(length)
    if (length === 0) break
  }
  const typed = values instanceof Float32Array || values instanceof Int32Array
  const dtype = options.dtype === undefined && typed ? dtypeOf(values) : checkDType(options)
  const out = blank(dtype, shape)
  const fits = dtype !== 'int32' && (values instanceof Float64Array || typed)
  if (fits || values instanceof Int32Array) out.data.set(values)
  else fillNested(out.data, values, shape, 0, 0)
  return out
}

function fillNested(out: TensorData, values: unknown, shape: Shape, axis: number, start: number): number {
  if (axis === shape.length) {
    if (typeof values !== 'number') {
      throw new ExtremaError('ERR_SHAPE', `tensor: expected a number at depth ${axis}, got ${describe(values)}`)
    }
    if (out instanceof Int32Array && values !== (values | 0)) {
      throw new ExtremaError('ERR_DTYPE', `tensor: expected whole numbers of 32 bits, got ${values}`)
    }
    out[start] = values
    return start + 1
  }
  const part = values as ArrayLike<unknown>
  if (typeof values !== 'object' || values === null || part.length !== shape[axis]) {
    const came = typeof values === 'object' && values !== null ? `${part.length} entries` : describe(values)
    throw new ExtremaError('ERR_SHAPE', `tensor: expected ${shape[axis]} entries at depth ${axis}, got ${came}`)
  }
  let next = start
  for (let i = 0; i < part.length; i++) next = fillNested(out, part[i], shape, axis + 1, next)
  return next
}

/** A tensor around typed memory, without a copy. */
export function fromData(data: TensorData, shape: Shape): Tensor {
  checkBuffer('data', data)
  const checked = checkShape('fromData', shape)
  if (data.length > mostNumbers) refuseSize(data.length)
  if (sizeOf(checked) !== data.length) {
    const expected = `${sizeOf(checked)} numbers for shape ${shapeText(checked)}`
    throw new ExtremaError('ERR_SHAPE', `fromData: expected ${expected}, got ${data.length}`)
  }
  return new Tensor(data, checked, dtypeOf(data))
}

export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  const out = blank(checkDType(options), checkShape('full', shape))
  out.data.fill(value)
  return out
}

export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 0, options)
}

export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 1, options)
}

/** Zeros of the shape and dtype of another tensor. */
export function zerosLike(x: Tensor): Tensor {
  return full(x.shape, 0, { dtype: x.dtype })
}

export function onesLike(x: Tensor): Tensor {
  return full(x.shape, 1, { dtype: x.dtype })
}

/** The n × m matrix with ones on its diagonal; m = n by default. */
export function eye(n: number, m = n, options: TensorOptions = {}): Tensor {
  const out = zeros([n, m], options)
  for (let i = 0; i < Math.min(n, m); i++) out.data[i * m + i] = 1
  return out
}

/** start, start + step, … up to but without `stop`. */
export function arange(start: number, stop: number, step = 1, options: TensorOptions = {}): Tensor {
  const length = Math.max(0, Math.ceil((stop - start) / step))
  if (!Number.isSafeInteger(length)) {
    throw new ExtremaError('ERR_OPTION', `arange: expected finite bounds and a step other than 0, got step ${step}`)
  }
  const out = blank(checkDType(options), [length])
  for (let i = 0; i < length; i++) out.data[i] = start + i * step
  return out
}

/** A number as a scalar tensor. */
export function scalar(value: number, dtype: DType = 'float64'): Tensor {
  const out = blank(dtype, [])
  out.data[0] = value
  return out
}
