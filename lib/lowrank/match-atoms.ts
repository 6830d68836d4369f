import { kernels } from '../backend/index.js'
import type { Control, Kernels } from '../backend/kernels.js'
import type { CodesJob } from '../backend/lowrank-dictionary.js'
import { checkRunOptions } from '../backend/options.js'
import { type AssignmentJob, assignmentReportLength } from '../backend/transport-assignment.js'
import { checkFinite, type MatrixLike, toDenseMatrix } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import type { SolverOptions } from '../core/options.js'
import { allCoefficients } from './dictionary/codes.js'

export interface MatchOptions extends Pick<SolverOptions, 'threads' | 'backend' | 'signal'> {}

/** Two dictionaries compared, whatever the order and the signs of their atoms. */
export interface AtomMatch {
  /** For each atom of the first dictionary, that of the second. */
  atoms: Int32Array
  /** 1, or -1 where the matched atoms point opposite ways. */
  signs: Int8Array
  /** |cos| of the angle between the matched atoms. */
  cosines: Float64Array
  /** The largest and the mean 1 - |cos| of the pairs. */
  worst: number
  mean: number
  /** 1 - Σ_ij cos(a_i, d_j)⁴ / N: of orthogonal dictionaries 0 if and only if they agree up to order and signs. */
  spread: number
}

const names: ReadonlySet<string> = new Set(['threads', 'backend', 'signal'])

/**
 * Pairs the atoms (columns) of two dictionaries of N × N numbers one to one so that the sum of |cos| between them is
 * greatest: how far a learned dictionary is from a known one, or from itself before. O(N³), off the event loop.
 *
 * @throws {ExtremaError} `ERR_SHAPE`, `ERR_NOT_FINITE`, `ERR_SINGULAR` (an atom of zeros), `ERR_OPTION`; the reason of
 * `signal` when aborted.
 */
export async function matchAtoms(
  first: MatrixLike,
  second: MatrixLike,
  options: MatchOptions = {},
): Promise<AtomMatch> {
  const { products, chosen, control } = prepare(first, second, options)
  await chosen.lowrank.dictionary.codes.run(products, control)
  const pairs = assignmentOf(products)
  await chosen.transport.assignment.run(pairs, control)
  return finish(products, pairs)
}

/** {@link matchAtoms} on the calling thread. */
export function matchAtomsSync(
  first: MatrixLike,
  second: MatrixLike,
  options: Omit<MatchOptions, 'signal'> = {},
): AtomMatch {
  const { products, chosen, control } = prepare(first, second, options)
  chosen.lowrank.dictionary.codes.runSync(products, control)
  const pairs = assignmentOf(products)
  chosen.transport.assignment.runSync(pairs, control)
  return finish(products, pairs)
}

interface Prepared {
  products: CodesJob
  chosen: Kernels
  control: Control
}

function prepare(first: MatrixLike, second: MatrixLike, options: MatchOptions): Prepared {
  const { control, threads, backend } = checkRunOptions(options, names)
  control.signal?.throwIfAborted()
  const a = unitAtoms('first', first)
  const d = unitAtoms('second', second)
  if (a.n !== d.n) {
    throw new ExtremaError('ERR_SHAPE', `second: expected a ${a.n}×${a.n} matrix to match first, got ${d.n}×${d.n}`)
  }
  const { n } = a
  const rows = Float64Array.from({ length: n * n }, (_, k) => a.data[(k % n) * n + Math.floor(k / n)])
  const out = new Float64Array(n * n)
  const products: CodesJob = { n, rows: n, samples: rows, coding: allCoefficients(n), threads, w: d.data, out }
  return { products, chosen: kernels(backend), control }
}

/** A copy with columns of length 1. */
function unitAtoms(name: string, matrix: MatrixLike): { data: Float64Array; n: number } {
  const { data: given, rows: n, columns } = toDenseMatrix(name, matrix)
  if (n === 0 || columns !== n) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a square matrix, got ${n}×${columns}`)
  }
  const data = Float64Array.from(checkFinite(name, given, { columns }))
  for (let j = 0; j < n; j++) {
    let largest = 0
    for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(data[i * n + j]))
    if (largest === 0) throw new ExtremaError('ERR_SINGULAR', `${name}: expected no atom of zeros, got atom ${j}`)
    let squares = 0
    for (let i = 0; i < n; i++) squares += (data[i * n + j] / largest) ** 2
    const length = Math.sqrt(squares)
    for (let i = 0; i < n; i++) data[i * n + j] = data[i * n + j] / largest / length
  }
  return { data, n }
}

function assignmentOf({ n, out }: CodesJob): AssignmentJob {
  return {
    n,
    m: n,
    cost: Float64Array.from(out, Math.abs),
    maximize: true,
    columns: new Int32Array(n),
    f: new Float64Array(n),
    g: new Float64Array(n),
    report: new Float64Array(assignmentReportLength),
  }
}

function finish({ n, out }: CodesJob, { columns }: AssignmentJob): AtomMatch {
  const matched = Float64Array.from(columns, (j, i) => out[i * n + j])
  const cosines = matched.map(Math.abs)
  let fourth = 0
  for (const cosine of out) fourth += cosine ** 4
  let [worst, sum] = [0, 0]
  for (const cosine of cosines) {
    worst = Math.max(worst, 1 - cosine)
    sum += 1 - cosine
  }
  const signs = Int8Array.from(matched, (cosine) => (cosine < 0 ? -1 : 1))
  return { atoms: columns, signs, cosines, worst, mean: sum / n, spread: 1 - fourth / n }
}
