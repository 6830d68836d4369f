import { type Options, SingleBar } from 'cli-progress'

/** Shows nothing for work that is over sooner. */
const patience = 200

const options: Options = {
  format: '{stage} [{bar}] {percentage}% | {detail}',
  hideCursor: true,
  clearOnComplete: true,
  stream: process.stderr,
  barsize: 30,
}

/** A progress bar on standard error; silent unless that is a terminal. */
export class ProgressBar {
  #bar: SingleBar | undefined
  #stage = ''
  #started = 0
  #fraction = 0

  begin(stage: string): void {
    this.end()
    this.#stage = stage
    this.#started = performance.now()
    this.#fraction = 0
  }

  /** The bar never goes back, even if the residual that drives it does. */
  update(fraction: number, detail: string): void {
    if (!process.stderr.isTTY || performance.now() - this.#started < patience) return
    if (Number.isFinite(fraction)) this.#fraction = Math.max(this.#fraction, Math.min(1, fraction))
    const value = Math.floor(100 * this.#fraction)
    if (this.#bar === undefined) {
      this.#bar = new SingleBar(options)
      this.#bar.start(100, value, { stage: this.#stage, detail })
    } else {
      this.#bar.update(value, { detail })
    }
  }

  end(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }
}

/** Part of the way to the tolerance, on a logarithmic scale from the first residual seen. */
export function residualFraction(tolerance: number): (residual: number) => number {
  let first: number | undefined
  return (residual) => {
    if (!(residual > 0)) return 0
    first ??= residual
    if (first <= tolerance) return 1
    return Math.log(first / residual) / Math.log(first / tolerance)
  }
}
