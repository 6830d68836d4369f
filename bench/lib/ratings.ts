import { generator } from '../../lib/random/index.js'

/** Triplets of a planted matrix of low rank, with noise, and further entries that are held out. */
export interface Ratings {
  shape: [number, number]
  rows: Int32Array
  columns: Int32Array
  values: Float64Array
  held: { rows: Int32Array; columns: Int32Array; values: Float64Array }
}

/** About equally many entries in every row, entries of unit variance, a twentieth held out. */
export function plantedRatings(m: number, n: number, rank: number, observed: number, noise: number): Ratings {
  const rng = generator(1)
  const [u, v] = [rng.normal(m * rank), rng.normal(n * rank)]
  const draw = (perRow: number, taken: Int32Array) => {
    const count = m * perRow
    const part = { rows: new Int32Array(count), columns: new Int32Array(count), values: new Float64Array(count) }
    return {
      part,
      fill(i: number) {
        for (let c = 0; c < perRow; ) {
          const j = rng.integer(0, n)
          if (taken[j] === i) continue
          taken[j] = i
          let value = 0
          for (let k = 0; k < rank; k++) value += u[i * rank + k] * v[j * rank + k]
          const at = i * perRow + c++
          part.rows[at] = i
          part.columns[at] = j
          part.values[at] = value / Math.sqrt(rank) + (noise === 0 ? 0 : noise * rng.normal())
        }
      },
    }
  }
  const taken = new Int32Array(n).fill(-1)
  const perRow = Math.round(observed / m)
  const seen = draw(perRow, taken)
  const held = draw(Math.max(1, Math.round(perRow / 20)), taken)
  for (let i = 0; i < m; i++) {
    seen.fill(i)
    held.fill(i)
  }
  return { shape: [m, n], ...seen.part, held: held.part }
}
