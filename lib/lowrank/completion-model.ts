import type { TopKJob } from '../backend/completion.js'
import { type BackendName, backend, kernels } from '../backend/index.js'
import { dot } from '../backend/portable/lowrank/completion/dense.js'
import type { Lines } from '../backend/portable/lowrank/completion/observations.js'
import { type HalfStep, Regression } from '../backend/portable/lowrank/completion/regression.js'
import { checkFinite, type NdArray, toFloat64, type VectorLike } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, describe, flag, whole } from '../core/options.js'
import { toIndices } from './completion-problem.js'

/** A completed matrix: M_ij is about mean + row bias_i + column bias_j + u_i · v_j. */
export interface ModelData {
  shape: [rows: number, columns: number]
  rank: number
  u: Float64Array
  v: Float64Array
  mean: number
  rowBias: Float64Array | null
  columnBias: Float64Array | null
  regularization: number
  confidence: number
  nonNegative: boolean
  labels?: { rows: string[]; columns: string[] }
}

/** {@link ModelData} as JSON has it. */
export interface CompletionJson {
  format: 'extrema/completion'
  version: 1
  shape: [rows: number, columns: number]
  rank: number
  u: number[]
  v: number[]
  biases?: { mean: number; rows: number[]; columns: number[] }
  regularization: number
  confidence?: number
  nonNegative: boolean
  labels?: { rows: string[]; columns: string[] }
}

export interface TopKOptions {
  /** True: leave out what the row has in the data; or a list of columns for every row asked for. Default false. */
  exclude?: boolean | readonly ArrayLike<number>[]
  /** Default: as everywhere. */
  threads?: number
}

/** Columns and scores of the best, k for every row asked for, best first: -1 and -Infinity where there are not so many. */
export interface TopK {
  columns: Int32Array
  scores: Float64Array
}

/** Ratings of a row that was not in the data. */
export interface NewRow {
  columns: ArrayLike<number>
  values: VectorLike
  weights?: VectorLike
}

/** A row that was not in the data, with its factor. */
export interface FoldedRow {
  u: Float64Array
  /** Of the row, with `biases`. */
  bias: number
  /** The ratings are fewer than the unknowns: without regularization u is the solution of least norm. */
  underdetermined: boolean
  predict(columns: ArrayLike<number>): Float64Array
  topK(k: number, options?: { exclude?: boolean | ArrayLike<number>; threads?: number }): TopK
}

/** What can be done with factors, found now or loaded from {@link toJSON}'s output by `completionModel`. */
export class CompletionModel {
  readonly shape: [rows: number, columns: number]
  /** m × k and n × k. */
  readonly u: NdArray
  readonly v: NdArray
  declare readonly biases?: { mean: number; rows: Float64Array; columns: Float64Array }
  /** Of rows and columns, where the data had names instead of indices. */
  declare readonly labels?: { rows: string[]; columns: string[] }
  readonly #data: ModelData
  readonly #backend: BackendName | undefined
  readonly #seen: (() => { indptr: Int32Array; indices: Int32Array }) | undefined

  constructor(data: ModelData, backendName?: BackendName, seen?: () => { indptr: Int32Array; indices: Int32Array }) {
    const { shape, rank, u, v, mean, rowBias, columnBias, labels } = data
    this.#data = data
    this.#backend = backendName
    this.#seen = seen
    this.shape = shape
    this.u = { data: u, shape: [shape[0], rank] }
    this.v = { data: v, shape: [shape[1], rank] }
    if (rowBias !== null && columnBias !== null) this.biases = { mean, rows: rowBias, columns: columnBias }
    if (labels !== undefined) this.labels = labels
  }

  /** The entries at (rows[k], columns[k]). */
  predict(rows: ArrayLike<number>, columns: ArrayLike<number>): Float64Array {
    const { rank, u, v, mean, rowBias, columnBias, shape } = this.#data
    const [i, j] = [checkIndices('rows', rows, shape[0]), checkIndices('columns', columns, shape[1])]
    if (i.length !== j.length) {
      throw new ExtremaError('ERR_SHAPE', `columns: expected ${i.length} indices to match rows, got ${j.length}`)
    }
    const out = new Float64Array(i.length)
    for (let k = 0; k < out.length; k++) {
      const bias = (rowBias === null ? 0 : rowBias[i[k]]) + (columnBias === null ? 0 : columnBias[j[k]])
      out[k] = mean + bias + dot(u, v, i[k] * rank, j[k] * rank, rank)
    }
    return out
  }

  /** The k columns of greatest predicted value, of every row asked for. */
  topK(rows: ArrayLike<number>, k: number, options: TopKOptions = {}): TopK {
    const { shape, rank, u, v, mean, rowBias } = this.#data
    if (typeof options !== 'object' || options === null) {
      throw new ExtremaError('ERR_OPTION', `options: expected { exclude, threads }, got ${describe(options)}`)
    }
    checkNames('options', options, topKNames)
    const wanted = checkIndices('rows', rows, shape[0])
    const excluded = this.#excluded(wanted, options.exclude ?? false)
    const out = this.#best(u, v, rank, wanted, whole('k', k, 1, 1, shape[1]), excluded, options.threads)
    const count = out.columns.length / Math.max(1, wanted.length)
    for (let at = 0; at < out.scores.length; at++) {
      out.scores[at] += mean + (rowBias === null ? 0 : rowBias[wanted[Math.floor(at / count)]])
    }
    return out
  }

  #best(
    u: Float64Array,
    v: Float64Array,
    rank: number,
    rows: Int32Array,
    k: number,
    excluded: { indptr: Int32Array; indices: Int32Array } | null,
    threads: number | undefined,
  ): TopK {
    const job: TopKJob = {
      n: this.#data.shape[1],
      rank,
      k,
      threads: whole('threads', threads, backend().threads, 1, 64),
      u,
      v,
      columnBias: this.#data.columnBias,
      rows,
      indptr: excluded?.indptr ?? null,
      indices: excluded?.indices ?? null,
      columns: new Int32Array(rows.length * k),
      scores: new Float64Array(rows.length * k),
    }
    if (rows.length > 0) {
      kernels(this.#backend).lowrank.topK.runSync(job, { timeLimit: Number.POSITIVE_INFINITY })
    }
    return { columns: job.columns, scores: job.scores }
  }

  #excluded(
    rows: Int32Array,
    exclude: boolean | readonly ArrayLike<number>[],
  ): { indptr: Int32Array; indices: Int32Array } | null {
    if (typeof exclude === 'boolean') {
      if (!flag('exclude', exclude, false)) return null
      if (this.#seen === undefined) {
        throw new ExtremaError(
          'ERR_OPTION',
          'exclude: expected lists of columns for a model without its data, got true',
        )
      }
      const { indptr, indices } = this.#seen()
      return listsOf(Array.from(rows, (row) => indices.subarray(indptr[row], indptr[row + 1])))
    }
    if (!Array.isArray(exclude) || exclude.length !== rows.length) {
      const came = Array.isArray(exclude) ? exclude.length : describe(exclude)
      throw new ExtremaError('ERR_SHAPE', `exclude: expected true or ${rows.length} lists to match rows, got ${came}`)
    }
    const columns = this.#data.shape[1]
    return listsOf(exclude.map((list, k) => checkIndices(`exclude[${k}]`, list, columns).slice().sort()))
  }

  /**
   * The factor of a row that was not in the data, from its ratings: the regression that a half step does for a row, with the
   * same regularization, weights or confidence.
   */
  foldIn(row: NewRow): FoldedRow {
    if (typeof row !== 'object' || row === null) {
      throw new ExtremaError('ERR_SHAPE', `row: expected { columns, values }, got ${describe(row)}`)
    }
    const { rank, v, mean, columnBias, shape, confidence } = this.#data
    const columns = checkIndices('columns', row.columns, shape[1])
    const values = checkFinite('values', toFloat64('values', row.values))
    const weights = row.weights === undefined ? null : checkFinite('weights', toFloat64('weights', row.weights))
    for (const [name, given] of [['columns', columns] as const, ['weights', weights ?? values] as const]) {
      if (given.length === values.length) continue
      throw new ExtremaError(
        'ERR_SHAPE',
        `${name}: expected ${values.length} entries to match values, got ${given.length}`,
      )
    }
    if (new Set(columns).size !== columns.length) {
      throw new ExtremaError('ERR_SHAPE', 'columns: expected every column once, got one twice')
    }
    const negative = weights?.findIndex((weight) => weight < 0) ?? -1
    if (negative >= 0) {
      throw new ExtremaError('ERR_OPTION', `weights[${negative}]: expected a number >= 0, got ${weights?.[negative]}`)
    }
    const below = confidence > 0 ? values.findIndex((value) => value < 0) : -1
    if (below >= 0) {
      throw new ExtremaError(
        'ERR_OPTION',
        `values[${below}]: expected a count >= 0 with confidence, got ${values[below]}`,
      )
    }
    const kept = Array.from(columns.keys()).filter(
      (k) => (weights === null || weights[k] > 0) && (confidence === 0 || values[k] > 0),
    )
    const lines: Lines = {
      count: 1,
      across: shape[1],
      longest: kept.length,
      start: Int32Array.of(0, kept.length),
      index: Int32Array.from(kept, (k) => columns[k]),
      values: Float64Array.from(kept, (k) => values[k]),
      weights: weights === null ? null : Float64Array.from(kept, (k) => weights[k]),
    }
    const { solution, unknowns } = this.#regress(lines)
    const u = solution.slice(unknowns - rank)
    const bias = unknowns > rank ? solution[0] : 0
    return {
      u,
      bias,
      underdetermined: kept.length < unknowns,
      predict: (wanted) =>
        Float64Array.from(checkIndices('columns', wanted, shape[1]), (j) => {
          return mean + bias + (columnBias === null ? 0 : columnBias[j]) + dot(u, v, 0, j * rank, rank)
        }),
      topK: (k, { exclude = false, threads } = {}) => {
        const list = exclude === true ? columns : exclude === false ? [] : exclude
        const out = this.#best(
          u,
          v,
          rank,
          Int32Array.of(0),
          whole('k', k, 1, 1, shape[1]),
          listsOf([checkIndices('exclude', list, shape[1]).slice().sort()]),
          threads,
        )
        return { columns: out.columns, scores: out.scores.map((score) => score + mean + bias) }
      },
    }
  }

  #regress(lines: Lines): { solution: Float64Array; unknowns: number } {
    const { rank, v, mean, columnBias, shape, regularization, confidence, nonNegative } = this.#data
    const first = columnBias === null ? 0 : 1
    const unknowns = rank + first
    let features = v
    if (first === 1) {
      features = new Float64Array(shape[1] * unknowns)
      for (let j = 0; j < shape[1]; j++) {
        features[j * unknowns] = 1
        features.set(v.subarray(j * rank, (j + 1) * rank), j * unknowns + 1)
      }
    }
    // Vᵀ V, which all entries that were not observed add to the normal equations; diagonal unless V is non-negative.
    let base: Float64Array | null = null
    const ridge = new Float64Array(unknowns).fill(regularization)
    if (confidence > 0) {
      const gram = new Float64Array(rank * rank)
      for (let j = 0; j < shape[1]; j++) {
        for (let p = 0; p < rank; p++)
          for (let q = 0; q < rank; q++) gram[p * rank + q] += v[j * rank + p] * v[j * rank + q]
      }
      if (nonNegative) base = gram
      else for (let p = 0; p < rank; p++) ridge[p] += gram[p * rank + p]
    }
    const step: HalfStep = {
      lines,
      features,
      offset: columnBias,
      mean,
      confidence,
      rank: unknowns,
      ridge,
      base,
      nonNegative,
      scale: ridge,
      free: first,
      solver: 'exact',
      inner: 'cg',
      sketch: 'sparse-sign',
      sketchRows: 0,
      repeats: 1,
      tolerance: 0,
      mostSteps: 1,
      key: new Uint32Array(2),
      number: 0,
    }
    const solution = new Float64Array(unknowns)
    // Never due: one step is all of it.
    new Regression(step, lines.longest, { due: () => false }).solve(step, 0, solution, 0, false).next()
    return { solution, unknowns }
  }

  /** All there is to load the model again with `completionModel`, as plain JSON. */
  toJSON(): CompletionJson {
    const { shape, rank, u, v, mean, rowBias, columnBias, regularization, confidence, nonNegative, labels } = this.#data
    const json: CompletionJson = {
      format: 'extrema/completion',
      version: 1,
      shape,
      rank,
      u: Array.from(u),
      v: Array.from(v),
      regularization,
      nonNegative,
    }
    if (rowBias !== null && columnBias !== null) {
      json.biases = { mean, rows: Array.from(rowBias), columns: Array.from(columnBias) }
    }
    if (confidence > 0) json.confidence = confidence
    if (labels !== undefined) json.labels = labels
    return json
  }
}

const topKNames: ReadonlySet<string> = new Set(['exclude', 'threads'])

function checkIndices(name: string, given: ArrayLike<number>, count: number): Int32Array {
  const indices = toIndices(name, given)
  for (let k = 0; k < indices.length; k++) {
    if (indices[k] >= 0 && indices[k] < count) continue
    throw new ExtremaError('ERR_SHAPE', `${name}[${k}]: expected an index from 0 to ${count - 1}, got ${indices[k]}`)
  }
  return indices
}

/** Ascending lists, one behind the other; null if all are empty. */
function listsOf(lists: readonly Int32Array[]): { indptr: Int32Array; indices: Int32Array } | null {
  const indptr = new Int32Array(lists.length + 1)
  lists.forEach((list, k) => {
    indptr[k + 1] = indptr[k] + list.length
  })
  if (indptr[lists.length] === 0) return null
  const indices = new Int32Array(indptr[lists.length])
  lists.forEach((list, k) => {
    indices.set(list, indptr[k])
  })
  return { indptr, indices }
}

/** The model that {@link CompletionModel.toJSON} wrote. `exclude: true` of its `topK` needs the data, which is not in it. */
export function completionModel(json: CompletionJson, options: { backend?: BackendName } = {}): CompletionModel {
  const given = json as Partial<CompletionJson> | null
  if (typeof given !== 'object' || given === null || given.format !== 'extrema/completion' || given.version !== 1) {
    throw new ExtremaError('ERR_SHAPE', `model: expected the JSON of a completed matrix, got ${describe(json)}`)
  }
  const shape = given.shape
  const [m, n] = Array.isArray(shape) ? shape : [0, 0]
  const rank = whole('model.rank', given.rank, 0, 1, Math.max(1, Math.min(m, n)))
  const numbers = (name: string, values: number[] | undefined, count: number) => {
    const vector = checkFinite(name, toFloat64(name, values ?? []))
    if (vector.length === count && count > 0) return vector
    throw new ExtremaError('ERR_SHAPE', `${name}: expected ${count} numbers to match the shape, got ${vector.length}`)
  }
  const { biases } = given
  const data: ModelData = {
    shape: [m, n],
    rank,
    u: numbers('model.u', given.u, m * rank),
    v: numbers('model.v', given.v, n * rank),
    mean: biases?.mean ?? 0,
    rowBias: biases === undefined ? null : numbers('model.biases.rows', biases.rows, m),
    columnBias: biases === undefined ? null : numbers('model.biases.columns', biases.columns, n),
    regularization: given.regularization ?? 0,
    confidence: given.confidence ?? 0,
    nonNegative: given.nonNegative ?? false,
  }
  if (given.labels !== undefined) data.labels = given.labels
  return new CompletionModel(data, options.backend)
}
