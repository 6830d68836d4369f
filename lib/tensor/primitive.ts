import type { Tensor } from './tensor.js'

/** A derivative that is zero everywhere is left out: `undefined`. */
export type MaybeZero = Tensor | undefined

/**
 * An operation that the transformations know. `Params` holds what is no tensor to differentiate: axes, shapes, indices.
 * The rules of differentiation are written in operations on tensors, so that they can be differentiated themselves.
 */
export interface Primitive<Params = unknown> {
  readonly name: string
  /** The operation on plain data. Checks shapes and dtypes. */
  evaluate(inputs: readonly Tensor[], params: Params): Tensor
  /** The tangent of the output for tangents of the inputs. */
  jvp(inputs: readonly Tensor[], tangents: readonly MaybeZero[], output: Tensor, params: Params): MaybeZero
  /** The cotangents of the inputs that `needs` names, for that of the output. */
  vjp(
    cotangent: Tensor,
    inputs: readonly Tensor[],
    output: Tensor,
    params: Params,
    needs: readonly boolean[],
  ): readonly MaybeZero[]
  /** As `vjp`, in few kernels, for plain data only: used where no higher derivative is wanted. */
  fusedVjp?(
    cotangent: Tensor,
    inputs: readonly Tensor[],
    output: Tensor,
    params: Params,
    needs: readonly boolean[],
  ): readonly MaybeZero[]
}

/** An operation with several outputs. */
export interface MultiPrimitive<Params = unknown> {
  readonly name: string
  evaluate(inputs: readonly Tensor[], params: Params): Tensor[]
  jvp(
    inputs: readonly Tensor[],
    tangents: readonly MaybeZero[],
    outputs: readonly Tensor[],
    params: Params,
  ): readonly MaybeZero[]
  vjp(
    cotangents: readonly MaybeZero[],
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
    params: Params,
    needs: readonly boolean[],
  ): readonly MaybeZero[]
}
