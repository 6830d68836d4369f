import { STEPS_PER_UNIT } from '../math.js'
import { segmentLength, type Watch, type Work } from '../work.js'
import { formRow, leastSum, mostSum, type PlanPass, planPass, rescuedPotential } from './plan-pass.js'
import type { PointCloudRows } from './point-cloud.js'
import { addRows } from './row-blocks.js'
import { exponentials } from './rows.js'
import { margin, SpanMask } from './span-mask.js'
import { sum } from './sums.js'

// Twin of native/transport/cloud-sweep.cc.

/** Of any sum that may be left out. */
const share = 1e-12

/**
 * The pass of Sinkhorn's iteration between points without the pairs of blocks that have no mass. The mask is that of the
 * potentials before the sweep, so it has a margin: a row whose sum comes out below that share of its weight has lost
 * digits and is formed in full; if a column does, the sweep is made again in full, and the next ones too, twice as many
 * after each failure. So no sum lacks more than the share 1e-12.
 */
export class CloudSweep {
  private readonly mask: SpanMask
  private formed = 0
  private left = 0
  private pause = 0
  private longest = 1
  /** The factors u_i of the rows that left something out, else 0. */
  private readonly lossy: Float64Array

  constructor(
    private readonly cost: PointCloudRows,
    private readonly a: Float64Array,
    private readonly b: Float64Array,
  ) {
    this.mask = new SpanMask(cost, a, b)
    this.lossy = new Float64Array(a.length)
  }

  /** Share of the entries of all passes so far that have been left out. */
  get skipped(): number {
    const all = this.formed + this.left
    return all > 0 ? this.left / all : 0
  }

  /** A pass that scales the rows to a and adds up the columns. Returns the number of passes it took. */
  *run(pass: PlanPass, monitor: Watch): Work<number> {
    const { cost, mask } = this
    const all = cost.n * cost.m
    let passes = 0
    if (this.pause === 0) {
      yield* mask.rebuild(pass.f, pass.g, pass.epsilon, share * margin, monitor)
      if (mask.skipped > 0) {
        const left = yield* this.masked(pass, monitor)
        this.left += left
        this.formed += all - left
        passes = 1
        if (this.sound(pass)) return passes
        this.pause = this.longest
        this.longest = Math.min(2 * this.longest, 64)
      }
    }
    if (this.pause > 0) this.pause--
    yield* planPass(cost, pass, monitor)
    this.formed += all
    return passes + 1
  }

  /** Rows left out at most u_i delta b_J / n of a column each, those that were formed in full nothing. */
  private sound({ columnSum }: PlanPass): boolean {
    const mean = sum(this.lossy) / this.lossy.length
    return columnSum!.every((total, j) => total >= margin * mean * this.b[j])
  }

  /** Returns how many entries it left out. */
  private *masked(pass: PlanPass, monitor: Watch): Work<number> {
    const { cost, mask, a } = this
    const { f, rows: p, factors, rowSum, scale, shift } = pass
    const { n, m } = cost
    const columnSum = pass.columnSum!
    const steps = STEPS_PER_UNIT / pass.epsilon
    const whole = [0, m]
    const full = [false, false, false, false]
    let left = 0
    let work = 0
    columnSum.fill(0)
    for (let i = 0; i < n; i++) {
      const k = i & 3
      const at = k * m
      const spans = mask.of(i)
      let total = 0
      let formed = 0
      for (const [start, end] of segments(spans)) {
        formed += end - start
        cost.read(i, start, end)
        total += exponentials(cost.data, cost.offset, f[i], pass.g, steps, p, at, start, end)
        work += end - start
        if (work < segmentLength) continue
        work = 0
        if (monitor.due()) yield
      }
      let moved = 0
      full[k] = !(total >= margin * a[i] && total > leastSum && total < mostSum)
      if (full[k]) {
        formed = m
        total = yield* formRow(cost, i, f[i], pass.g, steps, p, at, monitor)
        if (!(total > leastSum && total < mostSum)) {
          const rescued = yield* rescuedPotential(cost, i, pass.g, monitor)
          moved = rescued - f[i]
          total = yield* formRow(cost, i, rescued, pass.g, steps, p, at, monitor)
        }
      }
      shift![i] = moved
      rowSum![i] = total
      factors[k] = a[i] / total
      scale![i] = factors[k]
      this.lossy[i] = formed < m ? factors[k] : 0
      left += m - formed
      if (k < 3 && i + 1 < n) continue
      // Four rows are of one block.
      const together = !full.slice(0, k + 1).includes(true)
      for (let r = 0; r <= k; r += together ? k + 1 : 1) {
        for (const [start, end] of segments(full[r] ? whole : spans)) {
          addRows(p, r * m, m, together ? k + 1 : 1, factors, r, columnSum, start, end)
        }
        if (m > segmentLength && monitor.due()) yield
      }
    }
    return left
  }
}

/** The spans begin, end, begin, end, … in pieces that are read at once. */
function* segments(spans: readonly number[]): Generator<[number, number]> {
  for (let s = 0; s < spans.length; s += 2) {
    for (let start = spans[s]; start < spans[s + 1]; start += segmentLength) {
      yield [start, Math.min(start + segmentLength, spans[s + 1])]
    }
  }
}
