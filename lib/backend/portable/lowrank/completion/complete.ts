// Gu, Song, Yin, Zhang, "Low rank matrix completion via robust alternating minimization in nearly linear time" (arXiv
// 2302.11068), algorithm 3, and what users of alternating least squares expect beside it.

import { ExtremaError } from '../../../../core/errors.js'
import { statuses } from '../../../../core/solution.js'
import { type CompletionJob, completionField as field } from '../../../completion.js'
import type { Monitor, Steps } from '../../driver.js'
import { portableRandomKernels } from '../../random/kernels.js'
import { philox } from '../../random/philox.js'
import type { Watch, Work } from '../../work.js'
import { dot, gramOf, orthonormalize, symmetricEigen, type Tall, timesSquare, transposed } from './dense.js'
import { arrange, checkEntries, type Entries, emptyLines, type Lines } from './observations.js'
import { type HalfStep, Regression } from './regression.js'
import { spectralStart } from './spectral.js'

const largestInner = 0.1 // the error-tolerant schedule: min(0.1, a tenth of the residual)
const innerShare = 0.1
const leastScale = 1e-3 // of the greatest singular value, to scale the start by

/**
 * The rows or the columns of the matrix. A row of z is (own bias, factor) while it is being solved for, and (c, factor)
 * with a constant c while it is held fixed, if there are biases.
 */
interface Side {
  lines: Lines
  count: number
  z: Float64Array
  bias: Float64Array
}

interface HalfResult {
  change: number
  size: number
  rest: number
}

export function* complete(job: CompletionJob, monitor: Monitor): Steps {
  const { m, n, settings } = job
  const counts = settings.confidence > 0
  const entries: Entries = { ...job.entries, name: '', m, n, counts }
  const [rows, columns] = yield* arrange(entries, monitor)
  if (job.held !== null) yield* checkEntries({ ...job.held, name: 'validation.', m, n, counts }, monitor)
  const completer = new Completer(job, rows, columns, monitor)
  yield* completer.start()
  yield* completer.iterate()
  yield* completer.write()
}

class Completer {
  private readonly first: number
  private readonly unknowns: number
  /** Regressions in an orthonormal basis; otherwise, and without signs to keep, in one that is diagonal. */
  private readonly orthonormal: boolean
  private full = false
  private readonly rows: Side
  private readonly columns: Side
  private mean = 0
  private weight = 0
  private squares = 0
  private constant = 0
  private scaleOfOnes = 1
  private inner = 0
  private regressions = 0
  private number = 0
  private regression: Regression | undefined
  private readonly ridge: Float64Array
  private readonly scale: Float64Array
  private meanScale: Float64Array
  private metric: Float64Array

  constructor(
    private readonly job: CompletionJob,
    byRow: Lines,
    byColumn: Lines,
    private readonly watch: Watch,
  ) {
    const { rank, biases, regularization, nonNegative, confidence } = job.settings
    this.first = biases ? 1 : 0
    this.unknowns = rank + this.first
    this.orthonormal = regularization === 0 && !nonNegative
    this.rows = this.side(byRow)
    this.columns = this.side(byColumn)
    this.ridge = new Float64Array(this.unknowns)
    this.scale = new Float64Array(this.unknowns)
    this.meanScale = new Float64Array(this.unknowns)
    this.metric = new Float64Array(0)
    for (let i = 0; i < job.m; i++) job.rowCounts[i] = byRow.start[i + 1] - byRow.start[i]
    for (let j = 0; j < job.n; j++) job.columnCounts[j] = byColumn.start[j + 1] - byColumn.start[j]
    const { values, weights } = byRow
    const weightOf = (k: number) => (weights === null ? 1 : weights[k])
    if (biases) {
      let sum = 0
      let total = 0
      for (let k = 0; k < values.length; k++) {
        sum += weightOf(k) * values[k]
        total += weightOf(k)
      }
      this.mean = total > 0 ? sum / total : 0
    }
    for (let k = 0; k < values.length; k++) {
      const value = values[k] - this.mean
      if (confidence > 0) {
        const more = confidence * values[k]
        this.weight += more
        this.squares += 1 + more
        this.constant += (1 + more) / more
      } else {
        this.weight += weightOf(k)
        this.squares += weightOf(k) * value * value
      }
    }
    if (confidence > 0) this.weight += job.m * job.n
    if (!Number.isFinite(this.squares)) {
      throw new ExtremaError(
        'ERR_NOT_FINITE',
        'values: expected numbers whose squares have a finite sum, got larger ones',
      )
    }
  }

  private side(lines: Lines): Side {
    const { count } = lines
    return { lines, count, z: new Float64Array(count * this.unknowns), bias: new Float64Array(count) }
  }

  /** The paper's steps 1 and 2: U from the first part of the observations. */
  *start(): Work<void> {
    const { reuse, spectral, nonNegative } = this.job.settings
    if (spectral) {
      const byRow = reuse ? this.rows.lines : yield* this.part(this.rows.lines, false, 0)
      const byColumn = reuse ? this.columns.lines : yield* this.part(this.columns.lines, true, 0)
      yield* this.spectral(byRow, byColumn)
    } else {
      this.random()
    }
    if (!nonNegative) return
    for (const { z } of [this.rows, this.columns]) for (let at = 0; at < z.length; at++) z[at] = Math.abs(z[at])
  }

  private random(): void {
    const { rank, key } = this.job.settings
    const { count, z } = this.rows
    const normals = new Float64Array(count * rank)
    portableRandomKernels.fillNormal(key, Uint32Array.of(0, 0, 1, 0x7ffffff0), normals)
    const square = this.weight > 0 ? this.squares / this.weight : 0
    const scale = this.orthonormal || square === 0 ? 1 : (square / rank) ** 0.25
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < rank; k++) z[i * this.unknowns + this.first + k] = scale * normals[i * rank + k]
    }
  }

  private *spectral(byRow: Lines, byColumn: Lines): Work<void> {
    const { rank, key, confidence, incoherence } = this.job.settings
    const { m, n } = this.job
    const problem = { rows: byRow, columns: byColumn, mean: this.mean, ones: confidence > 0, rank, key }
    const { left, product, values } = yield* spectralStart(problem, this.watch)
    // Entries that were not observed count as zeros: all is too small by the share of those that were.
    const seen = byRow.weights === null ? byRow.index.length : byRow.weights.reduce((x, y) => x + y, 0)
    const share = confidence > 0 || seen === 0 ? 1 : seen / (m * n)
    yield* orthonormalize({ data: left, count: m, pitch: rank, offset: 0, width: rank }, 'refill', key, this.watch)
    if (incoherence > 0) {
      const most = 2 * incoherence * Math.sqrt(rank / m)
      for (let at = 0; at < left.length; at++) if (Math.abs(left[at]) > most) left[at] = 0
    }
    const { first, unknowns } = this
    for (let k = 0; k < rank; k++) {
      const greatest = values[0] > 0 ? values[0] / share : 1
      const sigma = Math.max(values[k] / share, leastScale * greatest)
      const root = this.orthonormal ? 1 : Math.sqrt(sigma)
      for (let i = 0; i < m; i++) this.rows.z[i * unknowns + first + k] = left[i * rank + k] * root
      for (let j = 0; j < n; j++) this.columns.z[j * unknowns + first + k] = product[j * rank + k] / (share * root)
    }
  }

  /** The entries of set `number` of the 2T + 1 into which the observations are split at random. */
  private *part(lines: Lines, turned: boolean, number: number): Work<Lines> {
    const { maxIterations, key } = this.job.settings
    const sets = 2 * maxIterations + 1
    const words = new Int32Array(4)
    const chosen: number[] = []
    const ends = new Int32Array(lines.count)
    for (let i = 0; i < lines.count; i++) {
      for (let k = lines.start[i]; k < lines.start[i + 1]; k++) {
        const [row, column] = turned ? [lines.index[k], i] : [i, lines.index[k]]
        philox(key[0], key[1], row, column, 0, 0x7ffffff1, words)
        if (Math.floor(((words[0] >>> 0) * sets) / 2 ** 32) === number) chosen.push(k)
      }
      ends[i] = chosen.length
      if (i % 16 === 0 && this.watch.due()) yield
    }
    const out = emptyLines(lines.count, lines.across, chosen.length, lines.weights !== null)
    out.start.set(ends, 1)
    for (let i = 0; i < out.count; i++) out.longest = Math.max(out.longest, out.start[i + 1] - out.start[i])
    chosen.forEach((k, at) => {
      out.index[at] = lines.index[k]
      out.values[at] = lines.values[k]
      if (out.weights !== null && lines.weights !== null) out.weights[at] = lines.weights[k]
    })
    return out
  }

  private factorOf({ z, count }: Side): Tall {
    return { data: z, count, pitch: this.unknowns, offset: this.first, width: this.job.settings.rank }
  }

  /**
   * Chooses a basis of the fixed factor in which the regressions are well conditioned, and takes the other factor along,
   * so that it remains the start it was.
   */
  private *prepare(fixed: Side, open: Side): Work<void> {
    const { rank, biases, nonNegative, regularization, confidence, key } = this.job.settings
    const { first, unknowns, scale, watch } = this
    let constant = 1
    if (this.orthonormal) {
      // Q R = U, R into the other factor. With biases, Q is orthogonal to the constant too.
      if (biases) {
        this.centre(fixed, open)
        constant = 1 / Math.sqrt(fixed.count)
      }
      const r = yield* orthonormalize(this.factorOf(fixed), 'refill', key, watch)
      yield* timesSquare(this.factorOf(open), transposed(r, rank), watch)
      scale.fill(1)
    } else if (!nonNegative) {
      // A rotation, which leaves the ridge as it is, makes Uᵀ U diagonal.
      const values = yield* this.rotate(fixed, open)
      for (let k = 0; k < rank; k++) scale[first + k] = Math.max(0, values[k])
    }
    if (biases) {
      for (let i = 0; i < fixed.count; i++) fixed.z[i * unknowns] = constant
      for (let j = 0; j < open.count; j++) open.z[j * unknowns] = open.bias[j] / constant
      if (!this.orthonormal) scale[0] = fixed.count
    }
    this.scaleOfOnes = constant
    this.full = !this.orthonormal && (biases || nonNegative)
    if (this.full) {
      this.metric = yield* gramOf({ ...this.factorOf(fixed), offset: 0, width: unknowns }, watch)
      if (nonNegative) for (let k = 0; k < unknowns; k++) scale[k] = this.metric[k * unknowns + k]
    }
    for (let k = 0; k < unknowns; k++) {
      this.ridge[k] = regularization + (confidence > 0 && !nonNegative ? scale[k] : 0)
    }
    this.meanScale = scale.map((value) => value / fixed.count)
  }

  private *rotate(by: Side, other: Side): Work<Float64Array> {
    const { rank } = this.job.settings
    const gram = yield* gramOf(this.factorOf(by), this.watch)
    const { values, vectors } = yield* symmetricEigen(gram, rank, this.watch)
    const turn = transposed(vectors, rank)
    yield* timesSquare(this.factorOf(by), turn, this.watch)
    yield* timesSquare(this.factorOf(other), turn, this.watch)
    return values
  }

  /** The mean of the factor's rows goes into the biases of the other side. */
  private centre(side: Side, other: Side): void {
    const { rank } = this.job.settings
    const { unknowns } = this
    const mean = new Float64Array(rank)
    for (let i = 0; i < side.count; i++) for (let k = 0; k < rank; k++) mean[k] += side.z[i * unknowns + 1 + k]
    for (let k = 0; k < rank; k++) mean[k] /= side.count
    for (let i = 0; i < side.count; i++) for (let k = 0; k < rank; k++) side.z[i * unknowns + 1 + k] -= mean[k]
    for (let j = 0; j < other.count; j++) other.bias[j] += dot(other.z, mean, j * unknowns + 1, 0, rank)
  }

  /** xᵀ (Fᵀ F) x for the features F, x from x[at] on. */
  private square(x: Float64Array, at: number): number {
    const { unknowns, scale, metric } = this
    let sum = 0
    for (let k = 0; k < unknowns; k++) {
      sum += x[at + k] * (this.full ? dot(metric, x, k * unknowns, at, unknowns) : scale[k] * x[at + k])
    }
    return sum
  }

  private stepFor(lines: Lines, fixed: Side): HalfStep {
    const { settings } = this.job
    const { biases, confidence, nonNegative, solver } = settings
    return {
      lines,
      // The native sums are rounded too.
      features: this.job.settings.single ? Float64Array.from(fixed.z, Math.fround) : fixed.z,
      offset: biases ? fixed.bias : null,
      mean: this.mean,
      confidence,
      rank: this.unknowns,
      ridge: this.ridge,
      base: confidence > 0 && nonNegative ? this.metric : null,
      scale: this.meanScale,
      nonNegative,
      free: this.first,
      solver,
      inner: settings.inner,
      sketch: settings.sketch,
      sketchRows: solver === 'sketched' || solver === 'gradient' ? settings.sketchRows : 0,
      repeats: settings.repeats,
      tolerance: this.inner,
      mostSteps: settings.innerIterations,
      key: settings.key,
      number: this.number,
    }
  }

  /** Solves for `open` with `fixed` as it is: the paper's step 3 or 4. */
  private *halfStep(lines: Lines, fixed: Side, open: Side, rest: boolean): Work<HalfResult> {
    yield* this.prepare(fixed, open)
    this.number++
    const step = this.stepFor(lines, fixed)
    const { unknowns } = this
    const longest = Math.max(this.rows.lines.longest, this.columns.lines.longest)
    this.regression ??= new Regression(step, longest, this.watch)
    const result: HalfResult = { change: 0, size: 0, rest: 0 }
    const old = new Float64Array(unknowns)
    const { z } = open
    for (let i = 0; i < lines.count; i++) {
      const at = i * unknowns
      for (let k = 0; k < unknowns; k++) old[k] = z[at + k]
      result.rest += yield* this.regression.solve(step, i, z, at, rest)
      if (this.first === 1) open.bias[i] = z[at] * this.scaleOfOnes
      for (let k = 0; k < unknowns; k++) old[k] = z[at + k] - old[k]
      result.change += this.square(old, 0)
      result.size += this.square(z, at)
      if (this.watch.due()) yield
    }
    this.regressions += open.count
    return result
  }

  *iterate(): Work<void> {
    const { job, rows, columns } = this
    const { reuse, maxIterations, innerTolerance, tolerance, patience } = job.settings
    let ratio = 1
    let residual = Number.POSITIVE_INFINITY
    let best = Number.POSITIVE_INFINITY
    let bestAt = 0
    let iterations = 0
    let status: (typeof statuses)[number] = 'iteration-limit'
    const kept = [rows.z, columns.z, rows.bias, columns.bias].map((live) => ({ live, copy: live.slice() }))
    for (let t = 0; t < maxIterations; t++) {
      this.inner =
        innerTolerance >= 0
          ? innerTolerance
          : Math.min(largestInner, innerShare * ratio, innerShare * Math.min(1, residual))
      const byColumn = reuse ? columns.lines : yield* this.part(columns.lines, true, t + 1)
      const byRow = reuse ? rows.lines : yield* this.part(rows.lines, false, maxIterations + t + 1)
      // Under a ridge alternation shifts size between the factors very slowly: 4 lambda / sigma an iteration.
      if (t > 0 && !this.orthonormal && !this.job.settings.nonNegative) yield* this.balance()
      const first = yield* this.halfStep(byColumn, rows, columns, false)
      const second = yield* this.halfStep(byRow, columns, rows, true)
      iterations = t + 1
      residual = second.size > 0 ? Math.sqrt((first.change + second.change) / second.size) : 0
      const loss = this.lossOf(second.rest, second.size)
      if (!Number.isFinite(residual) || !Number.isFinite(loss)) {
        throw new ExtremaError('ERR_NOT_FINITE', 'values: expected numbers whose products stay finite, got larger ones')
      }
      ratio = this.squares > 0 ? Math.sqrt(Math.max(0, loss) / this.squares) : 0
      const held = job.held === null ? 0 : this.heldRmse()
      job.history.set([residual, this.rmse(loss), held, loss + this.penalty()], 4 * t)
      this.watch.progress(iterations, residual)
      if (job.held !== null && held < best) {
        best = held
        bestAt = t
        for (const { live, copy } of kept) copy.set(live)
      }
      if (residual <= tolerance) {
        status = 'converged'
        break
      }
      if (job.held !== null && t - bestAt >= patience) {
        status = 'stalled'
        break
      }
      if (this.watch.expired()) {
        status = 'time-limit'
        break
      }
    }
    if (job.held !== null && bestAt + 1 < iterations) for (const { live, copy } of kept) live.set(copy)
    const { report } = job
    report[field.status] = statuses.indexOf(status)
    report[field.iterations] = iterations
    report[field.residual] = residual
    report[field.bestIteration] = job.held === null ? iterations : bestAt + 1
    report[field.validationRmse] = best
    report[field.regressions] = this.regressions
    report[field.innerIterations] = this.regression?.counts.steps ?? 0
    report[field.diverged] = this.regression?.counts.diverged ?? 0
    report[field.deficient] = this.regression?.counts.deficient ?? 0
    report[field.observations] = rows.lines.index.length
  }

  /** With implicit feedback over all entries: sum c (p - x)². */
  private lossOf(rest: number, size: number): number {
    return this.job.settings.confidence > 0 ? rest - this.constant + size : rest
  }

  private rmse(loss: number): number {
    return this.weight > 0 ? Math.sqrt(Math.max(0, loss) / this.weight) : 0
  }

  private penalty(): number {
    const { rank, regularization } = this.job.settings
    if (regularization === 0) return 0
    let sum = 0
    for (const { z, bias, count } of [this.rows, this.columns]) {
      for (let i = 0; i < count; i++) {
        const at = i * this.unknowns + this.first
        sum += dot(z, z, at, at, rank) + bias[i] * bias[i]
      }
    }
    return regularization * sum
  }

  private heldRmse(): number {
    const { held, settings } = this.job
    if (held?.rows == null) return 0
    const { rows, columns, values, count } = held
    const { unknowns } = this
    let total = 0
    for (let e = 0; e < count; e++) {
      const target = settings.confidence > 0 ? (values[e] > 0 ? 1 : 0) : values[e]
      const bias = settings.biases ? this.columns.bias[columns[e]] : 0
      const product = dot(this.rows.z, this.columns.z, rows[e] * unknowns, columns[e] * unknowns, unknowns)
      total += (target - this.mean - bias - product) ** 2
    }
    return Math.sqrt(total / count)
  }

  /** The training error of what is returned, over all observations; then a form of the factors that is unique. */
  *write(): Work<void> {
    const { job, rows, columns, first, unknowns } = this
    const { report, settings } = job
    const iterations = report[field.iterations]
    if (!settings.reuse || report[field.bestIteration] < iterations) {
      if (first === 1) {
        for (let i = 0; i < rows.count; i++) rows.z[i * unknowns] = rows.bias[i] / this.scaleOfOnes
        for (let j = 0; j < columns.count; j++) columns.z[j * unknowns] = this.scaleOfOnes
      }
      report[field.trainRmse] = yield* this.wholeRmse()
    } else {
      report[field.trainRmse] = job.history[4 * (iterations - 1) + 1]
    }
    if (this.orthonormal && settings.biases) this.gatherMeans()
    if (this.orthonormal) yield* this.balance()
    else if (!settings.nonNegative) yield* this.rotate(columns, rows)
    if (!settings.nonNegative) this.fixSigns()
    report[field.mean] = this.mean
    for (const [side, factor, bias] of [
      [rows, job.u, job.rowBias],
      [columns, job.v, job.columnBias],
    ] as const) {
      for (let i = 0; i < side.count; i++) {
        factor.set(side.z.subarray(i * unknowns + first, (i + 1) * unknowns), i * settings.rank)
      }
      bias?.set(side.bias)
    }
  }

  private *wholeRmse(): Work<number> {
    const { rows, columns, unknowns } = this
    const implicit = this.job.settings.confidence > 0
    if (implicit) {
      this.metric = yield* gramOf({ ...this.factorOf(columns), offset: 0, width: unknowns }, this.watch)
      this.full = true
    }
    const step = this.stepFor(rows.lines, columns)
    let rest = 0
    let size = 0
    for (let i = 0; i < rows.count; i++) {
      rest += this.regression?.restOf(step, i, rows.z, i * unknowns) ?? 0
      if (implicit) size += this.square(rows.z, i * unknowns)
      if (i % 16 === 0 && this.watch.due()) yield
    }
    return this.rmse(this.lossOf(rest, size))
  }

  /** All means of the factors and biases go into the mean. */
  private gatherMeans(): void {
    const { rows, columns } = this
    this.centre(columns, rows)
    this.centre(rows, columns)
    for (const { bias } of [rows, columns]) {
      const mean = bias.reduce((x, y) => x + y, 0) / bias.length
      for (let i = 0; i < bias.length; i++) bias[i] -= mean
      this.mean += mean
    }
  }

  /**
   * U = P √S, V = W √S for the singular value decomposition P S Wᵀ of U Vᵀ: of all factors of that product those for which
   * |U|² + |V|² is least.
   */
  private *balance(): Work<void> {
    const { rank: k, key } = this.job.settings
    const { rows, columns, watch } = this
    const left = yield* orthonormalize(this.factorOf(rows), 'zero', key, watch)
    const right = yield* orthonormalize(this.factorOf(columns), 'zero', key, watch)
    const core = new Float64Array(k * k)
    for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) core[i * k + j] = dot(left, right, i * k, j * k, k)
    const gram = new Float64Array(k * k)
    for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) gram[i * k + j] = dot(core, core, i * k, j * k, k)
    const { vectors } = yield* symmetricEigen(gram, k, watch)
    const toU = new Float64Array(k * k)
    const toV = new Float64Array(k * k)
    for (let c = 0; c < k; c++) {
      // Row c of Pᵀ core is the singular value times a row of Wᵀ.
      const row = new Float64Array(k)
      for (let j = 0; j < k; j++) for (let l = 0; l < k; l++) row[j] += vectors[c * k + l] * core[l * k + j]
      const root = Math.sqrt(Math.sqrt(dot(row, row, 0, 0, k)))
      for (let l = 0; l < k; l++) {
        toU[l * k + c] = vectors[c * k + l] * root
        toV[l * k + c] = root > 0 ? row[l] / root : 0
      }
    }
    yield* timesSquare(this.factorOf(rows), toU, watch)
    yield* timesSquare(this.factorOf(columns), toV, watch)
  }

  /** The entry of greatest size in a column of V is positive. */
  private fixSigns(): void {
    const { rows, columns, unknowns } = this
    for (let k = this.first; k < unknowns; k++) {
      let most = 0
      for (let j = 0; j < columns.count; j++) {
        const value = columns.z[j * unknowns + k]
        if (Math.abs(value) > Math.abs(most)) most = value
      }
      if (most >= 0) continue
      for (const { z, count } of [rows, columns]) {
        for (let i = 0; i < count; i++) z[i * unknowns + k] = 0 - z[i * unknowns + k]
      }
    }
  }
}
