import type { Plan, TensorData } from '../../tensor.js'

/**
 * Calls body(out, first, strideOfFirst, second, strideOfSecond, length) for every run along the last axis of a plan of two
 * operands; `out` counts on in order.
 */
export function walkPairs(
  plan: Plan,
  total: number,
  body: (out: number, first: number, step: number, second: number, secondStep: number, length: number) => void,
): void {
  if (total === 0) return
  const rank = plan[0]
  if (rank === 0) {
    body(0, plan[1], 0, 0, 0, 1)
    return
  }
  const sizes = plan.slice(2, 2 + rank)
  const firsts = plan.slice(2 + rank, 2 + 2 * rank)
  const seconds = plan.slice(2 + 2 * rank, 2 + 3 * rank)
  const length = sizes[rank - 1]
  const [step, secondStep] = [firsts[rank - 1], seconds[rank - 1]]
  const index = new Int32Array(rank)
  let first = plan[1]
  let second = 0
  for (let out = 0; out < total; out += length) {
    body(out, first, step, second, secondStep, length)
    for (let axis = rank - 2; axis >= 0; axis--) {
      first += firsts[axis]
      second += seconds[axis]
      if (++index[axis] < sizes[axis]) break
      first -= firsts[axis] * sizes[axis]
      second -= seconds[axis] * sizes[axis]
      index[axis] = 0
    }
  }
}

export function read(out: TensorData, x: TensorData, plan: Plan): void {
  walkPairs(plan, out.length, (o, i, step, _j, _secondStep, n) => {
    for (let k = 0; k < n; k++) out[o + k] = x[i + k * step]
  })
}

export function write(out: TensorData, x: TensorData, plan: Plan): void {
  walkPairs(plan, x.length, (i, o, step, _j, _secondStep, n) => {
    for (let k = 0; k < n; k++) out[o + k * step] = x[i + k]
  })
}
