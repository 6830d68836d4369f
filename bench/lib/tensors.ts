import { backend } from '../../lib/index.js'
import { type DType, type Tensor, tensor } from '../../lib/tensor/index.js'

/** Numbers by a formula that the peers know too. */
export function numbers(shape: number[], scale: number, shift: number, dtype: DType): Tensor {
  const count = shape.reduce((product, length) => product * length, 1)
  const values = Float64Array.from({ length: count }, (_, i) => scale * Math.sin(i * 12.9898 + shift))
  return tensor(values, { dtype }).view(shape)
}

/** Milliseconds of one call, as the mean of `count`. */
export function timed(task: () => unknown, count: number): () => number {
  return () => {
    const start = performance.now()
    for (let k = 0; k < count; k++) task()
    return (performance.now() - start) / count
  }
}

/** What a step may take, in milliseconds: the figure is for AVX-512, and twice that otherwise. */
export function stepLimit(avx512: number): number {
  return backend().simd === 'avx512' ? avx512 : 2 * avx512
}
