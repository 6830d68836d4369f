import { type DType, hvp, mul, sub, type Tensor, valueAndGrad, withArena, withBackend } from '../../lib/tensor/index.js'
import { atLeast, atMost, type Target } from './target.js'
import { stepLimit, timed } from './tensors.js'
import { medianOf } from './timing.js'

export interface TrainingTask {
  initial: (dtype: DType) => Tensor[]
  loss: (params: Tensor[], x: Tensor, labels: Int32Array) => Tensor
  x: Tensor
  labels: Int32Array
  /** Of plain gradient descent. */
  rate: number
}

/** Milliseconds, and the losses of the first five steps. */
export interface TrainingTimes {
  step: number
  gradient: number
  /** A product with the Hessian. */
  product: number
  portable: number
  losses: number[]
}

/** A step is forward, backward and plain gradient descent. */
export async function timeTraining(
  { initial, loss, x, labels, rate }: TrainingTask,
  dtype: DType,
  steps: number,
  repetitions: number,
): Promise<TrainingTimes> {
  const gradient = valueAndGrad(loss)
  let params = initial(dtype)
  const step = (): number => {
    const { value, next } = withArena(() => {
      const { value, gradient: slopes } = gradient(params, x, labels)
      return { value, next: params.map((leaf, i) => sub(leaf, mul(rate, slopes[i]))) }
    })
    params = next
    return value.item()
  }
  const losses = Array.from({ length: 5 }, step)
  const ours = await medianOf(repetitions, timed(step, steps))
  const only = await medianOf(
    repetitions,
    timed(() => withArena(() => gradient(params, x, labels).value), steps),
  )
  const v = initial(dtype)
  const curved = (): Tensor => withArena(() => hvp((p: Tensor[]) => loss(p, x, labels), params, v))[0]
  const product = await medianOf(repetitions, timed(curved, Math.ceil(steps / 4)))
  const portable = await medianOf(
    1,
    timed(() => withBackend('portable', step), 1),
  )
  return { step: ours, gradient: only, product, portable, losses }
}

/** Refuses losses that differ from a peer's. */
export function checkLosses(
  name: string,
  losses: readonly number[],
  expected: readonly number[],
  tolerance: number,
): void {
  const gap = Math.max(...expected.map((loss, i) => Math.abs(losses[i] - loss) / loss))
  if (!(gap < tolerance)) throw new Error(`the losses differ from ${name}'s by ${gap}`)
}

/** `limit`: milliseconds of a step with AVX-512; `torch`: those of PyTorch's. */
export function trainingTargets(dtype: DType, times: TrainingTimes, limit: number, torch: number): Target[] {
  return [
    atMost(`${dtype}: training step`, times.step, stepLimit(limit), ' ms'),
    atLeast(`${dtype}: speed against PyTorch`, torch / times.step, 1, '×'),
    atMost(`${dtype}: Hessian product over gradient`, times.product / times.gradient, 4, '×'),
    atMost(`${dtype}: portable over native`, times.portable / times.step, 60, '×'),
  ]
}
