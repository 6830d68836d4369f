/** Of the decrease that the slope promises, what a step must bring (Armijo). */
export const armijo = 1e-10
const mostTrials = 60

/** Back-tracking from step 1: quadratic, then cubic interpolation, kept within [0.1, 0.5] of the last step. */
export class BackTracking {
  step = 1
  private trials = 0
  private lastStep = 0
  private lastChange = 0

  constructor(private readonly slope: number) {}

  /** The next shorter step after one that changed the value by `change`; false when it is too short. */
  shorten(change: number): boolean {
    const { slope, step, lastStep, lastChange } = this
    let next = 0.5 * step
    if (Number.isFinite(change)) {
      const excess = change - slope * step
      if (lastStep === 0) {
        next = (-slope * step * step) / (2 * excess)
      } else {
        const lastExcess = lastChange - slope * lastStep
        const a = (excess / (step * step) - lastExcess / (lastStep * lastStep)) / (step - lastStep)
        const b =
          ((-lastStep * excess) / (step * step) + (step * lastExcess) / (lastStep * lastStep)) / (step - lastStep)
        const root = b * b - 3 * a * slope
        next = a === 0 ? -slope / (2 * b) : (Math.sqrt(Math.max(0, root)) - b) / (3 * a)
      }
      this.lastStep = step
      this.lastChange = change
    }
    this.step = next >= 0.1 * step && next <= 0.5 * step ? next : next < 0.1 * step ? 0.1 * step : 0.5 * step
    return ++this.trials < mostTrials
  }
}
