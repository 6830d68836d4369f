import { ExtremaError } from '../../core/errors.js'
import { pull, record, type Tape } from '../grad.js'
import { stack } from '../index-ops.js'
import { type Shape, Tensor, zeros } from '../tensor.js'
import { TapeTracer } from '../trace.js'
import { unflatten } from '../tree.js'
import { withArena } from '../with-arena.js'
import { pullRows } from './pull-rows.js'

/**
 * The gradients of each sample's loss: of a function of parameters and a batch that returns the losses of the samples, one
 * number each, a tree like the parameters with a leading axis of samples in every leaf.
 *
 * The function runs once, on the whole batch. Where every sample keeps to its own rows of the leading axis, as in nets of
 * matrix products, biases and operations entry by entry, one pass back gives all gradients. Otherwise there is one pass for
 * each sample. Both are exact, also where the samples influence each other: the gradients are those of each loss as it is.
 *
 * The result has samples × parameters numbers: for many of either, writing them takes most of the time.
 *
 * Source of the rule for matrix products: I. Goodfellow, Efficient per-example gradient computations, arXiv 1510.01799 (2015).
 *
 * @param f a synchronous function; the gradients are by its first argument
 * @throws ExtremaError `ERR_SHAPE` if its value is no vector
 */
export function perSampleGrad<X, Rest extends unknown[]>(
  f: (x: X, ...rest: Rest) => Tensor,
): (x: X, ...rest: Rest) => X {
  return (x, ...rest) => {
    const tape = record('perSampleGrad', (traced: X) => f(traced, ...rest), x)
    const [value] = tape.values
    const { structure, leaves } = tape.outputs
    if (structure !== 'leaf' || value.rank !== 1 || value.dtype === 'int32') {
      const came = value instanceof Tensor ? value.toString() : 'none'
      throw new ExtremaError(
        'ERR_SHAPE',
        `perSampleGrad: expected a function whose value is a vector of losses, one for each sample, got ${came}`,
      )
    }
    return unflatten(tape.arguments.structure, gradients(tape, leaves[0], value)) as X
  }
}

function gradients(tape: Tape, output: Tensor, value: Tensor): Tensor[] {
  const samples = value.size
  const nothing = (): Tensor[] =>
    tape.arguments.leaves.map(({ shape, dtype }) => zeros([samples, ...shape] as Shape, { dtype }))
  if (samples === 0 || !(output instanceof TapeTracer) || output.trace !== tape.trace) return nothing()
  return (samples > 1 ? pullRows(tape, output, samples) : undefined) ?? oneByOne(tape, value)
}

/** One pass back for each loss. */
function oneByOne(tape: Tape, value: Tensor): Tensor[] {
  const each = Array.from({ length: value.size }, (_, b) =>
    withArena(() => {
      const unit = zeros(value.shape, { dtype: value.dtype })
      unit.data[b] = 1
      return pull(tape, [unit], true)
    }),
  )
  return tape.leaves.map((_, k) => stack(each.map((found) => found[k])))
}
