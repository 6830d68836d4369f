import type { Csr } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'

/** Which rows go to which experts, laid out for batched products: every expert has as many places as the fullest needs. */
export interface Dispatch {
  tokens: number
  /** Most experts of a token. */
  k: number
  /** tokens × k, padded with 0. */
  choices: Int32Array
  /** tokens × k: 1 where there is a choice. */
  taken: Int32Array
  /** tokens × k: the place of each choice among experts × capacity. */
  places: Int32Array
  /** experts × capacity: the token at each place, 0 where there is none. */
  rows: Int32Array
  capacity: number
  load: Int32Array
}

/** The layout for k choices of each token; -1 stands for none. */
export function dispatchOf(chosen: Int32Array, tokens: number, experts: number): Dispatch {
  const k = tokens === 0 ? 1 : chosen.length / tokens
  const load = new Int32Array(experts)
  for (const e of chosen) if (e >= 0) load[e]++
  const capacity = Math.max(
    1,
    load.reduce((most, n) => Math.max(most, n), 0),
  )
  const [choices, taken, places] = [0, 0, 0].map(() => new Int32Array(chosen.length))
  const rows = new Int32Array(experts * capacity)
  const next = new Int32Array(experts)
  for (let i = 0; i < chosen.length; i++) {
    const e = chosen[i]
    if (e < 0) continue
    choices[i] = e
    taken[i] = 1
    places[i] = e * capacity + next[e]++
    rows[places[i]] = Math.floor(i / k)
  }
  return { tokens, k, choices, taken, places, rows, capacity, load }
}

/** The choices of a routing as compressed rows: tokens × (most experts of a token), -1 for none. */
export function choicesOf(routing: Csr, tokens: number, experts: number): Int32Array {
  const { shape, indptr, indices } = routing ?? {}
  if (!Array.isArray(shape) || shape[0] !== tokens || shape[1] !== experts) {
    const came = Array.isArray(shape) ? `${shape[0]}×${shape[1]}` : describe(routing)
    throw new ExtremaError('ERR_SHAPE', `routing: expected ${tokens}×${experts}, got ${came}`)
  }
  const rows = indptr?.length === tokens + 1 && indptr[0] === 0 && indices?.length >= indptr[tokens]
  if (!rows || indptr.some((at, t) => t > 0 && !(at >= indptr[t - 1]))) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `routing.indptr: expected ${tokens + 1} rising numbers from 0 on, for as many indices`,
    )
  }
  let k = 1
  for (let t = 0; t < tokens; t++) k = Math.max(k, indptr[t + 1] - indptr[t])
  const chosen = new Int32Array(tokens * k).fill(-1)
  for (let t = 0; t < tokens; t++) {
    for (let i = indptr[t]; i < indptr[t + 1]; i++) {
      if (!(indices[i] >= 0 && indices[i] < experts)) {
        throw new ExtremaError(
          'ERR_SHAPE',
          `routing.indices[${i}]: expected an expert below ${experts}, got ${indices[i]}`,
        )
      }
      chosen[t * k + i - indptr[t]] = indices[i]
    }
  }
  return chosen
}
