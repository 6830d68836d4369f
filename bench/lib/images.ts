import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { resolve } = createRequire(import.meta.url)
const side = 28

/** A matrix of pictures, or of parts of them: a row each, intensities in [0, 1]. */
export interface Pixels {
  data: Float64Array
  rows: number
  /** Width and height of a picture; a row has side² intensities. */
  side: number
}

/** The first MNIST images of every digit, one digit after the other. */
export function mnistImages(perDigit: number): Pixels {
  const size = side * side
  const data = new Float64Array(10 * perDigit * size)
  for (let digit = 0; digit < 10; digit++) {
    const file = JSON.parse(readFileSync(resolve(`mnist/src/digits/${digit}.json`), 'utf8')) as { data: number[] }
    data.set(file.data.slice(0, perDigit * size), digit * perDigit * size)
  }
  return { data, rows: 10 * perDigit, side }
}

/** The squares of `size` × `size` pixels that pictures are made of, without those that are all black. */
export function patches({ data, rows, side: width }: Pixels, size: number): Pixels {
  const across = width / size
  const kept: number[] = []
  for (let p = 0; p < rows * across * across; p++) {
    const [picture, place] = [Math.floor(p / across ** 2), p % across ** 2]
    const corner = picture * width ** 2 + Math.floor(place / across) * size * width + (place % across) * size
    const patch = Array.from(
      { length: size * size },
      (_, k) => data[corner + Math.floor(k / size) * width + (k % size)],
    )
    if (patch.some((value) => value > 0)) kept.push(...patch)
  }
  return { data: Float64Array.from(kept), rows: kept.length / size ** 2, side: size }
}
