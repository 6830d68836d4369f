import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import type { Generator } from '../../random/index.js'
import { type DType, type Shape, shapeText, Tensor } from '../tensor.js'

/** What a layer remembers besides its parameters, such as running statistics: tensors in arrays and objects. */
export type LayerState = Tensor | LayerState[] | { [name: string]: LayerState }

export interface LayerOptions {
  /** Of parameters and state. Default float64. */
  dtype?: DType
}

/** What the values of a layer depend on besides its parameters. */
export interface LayerContext {
  /** Whether dropout drops and batch normalization goes by the batch. Default false. */
  training?: boolean
  /** Where dropout takes its numbers from while training. */
  random?: Generator
  /**
   * What `layer.state` made. Read when not training; while training its tensors are replaced by new ones, in the arrays and
   * objects that are given.
   */
  state?: LayerState
  /** Of sets and sequences: 1 for entries that are there, 0 for padding; the shape of x without its last axis. */
  mask?: Tensor
}

/**
 * A function with parameters. The parameters are a tree of tensors, so that gradients, optimizers and files take them as
 * they are, and a layer itself holds no numbers.
 */
export interface Layer<P = unknown> {
  /** Parameters to start with. */
  init(random: Generator, options?: LayerOptions): P
  /** State to start with. Layers without state leave it out. */
  state?(options?: LayerOptions): LayerState
  apply(params: P, x: Tensor, context?: LayerContext): Tensor
}

/** The parameters of layers, in their order. */
export type ParamsOf<Layers extends readonly Layer[]> = {
  -readonly [K in keyof Layers]: Layers[K] extends Layer<infer P> ? P : never
}

/** A layer without state has an empty one. */
export function stateOf(layer: Layer, options?: LayerOptions): LayerState {
  return layer.state?.(options) ?? []
}

/** The context of a layer inside another, whose state has this name there. */
export function inside(context: LayerContext | undefined, name: string | number): LayerContext | undefined {
  const state = context?.state
  if (context === undefined || state === undefined) return context
  const own = state instanceof Tensor ? undefined : (state as Record<string, LayerState>)[name]
  if (own !== undefined) return { ...context, state: own }
  throw new ExtremaError('ERR_SHAPE', `state: expected what layer.state() gave, got nothing at '${name}'`)
}

/** Refuses inputs whose last axis is not `width` long. */
export function checkWidth(name: string, x: Tensor, width: number): void {
  if (x instanceof Tensor && x.rank > 0 && x.shape[x.rank - 1] === width) return
  const came = x instanceof Tensor ? shapeText(x.shape) : describe(x)
  throw new ExtremaError('ERR_SHAPE', `${name}: expected a last axis of ${width}, got ${came}`)
}

/** A whole number >= 1, which has no default. */
export function checkCount(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number
  throw new ExtremaError('ERR_OPTION', `${name}: expected a whole number >= 1, got ${describe(value)}`)
}

/** One of two axes or more, all whole numbers >= 1. */
export function checkSizes(name: string, sizes: unknown, least: number): number[] {
  if (!Array.isArray(sizes) || sizes.length < least) {
    const came = Array.isArray(sizes) ? shapeText(sizes as Shape) : describe(sizes)
    throw new ExtremaError('ERR_OPTION', `${name}: expected at least ${least} whole numbers, got ${came}`)
  }
  return sizes.map((size, i) => checkCount(`${name}[${i}]`, size))
}
