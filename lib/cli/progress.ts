import { SingleBar } from 'cli-progress'

/** Shows nothing for work that is over sooner, in ms. */
const patience = 200

/** A progress bar on standard error; silent unless that is a terminal. */
export class ProgressBar {
  readonly #stream: NodeJS.WriteStream
  readonly #stage: string
  readonly #started = performance.now()
  #bar: SingleBar | undefined
  #fraction = 0

  constructor(stage: string, stream: NodeJS.WriteStream = process.stderr) {
    this.#stage = stage
    this.#stream = stream
  }

  /** The bar never goes back, even if the residual that drives it does. */
  update(fraction: number, detail: string): void {
    if (!this.#stream.isTTY || performance.now() - this.#started < patience) return
    if (fraction > this.#fraction) this.#fraction = Math.min(1, fraction)
    const value = Math.floor(100 * this.#fraction)
    if (this.#bar !== undefined) {
      this.#bar.update(value, { detail })
      return
    }
    this.#bar = new SingleBar({
      format: '{stage} [{bar}] {percentage}% | {detail}',
      hideCursor: true,
      clearOnComplete: true,
      barsize: 30,
      stream: this.#stream,
      gracefulExit: false, // signals are ours, see Interrupt
    })
    this.#bar.start(100, value, { stage: this.#stage, detail })
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
