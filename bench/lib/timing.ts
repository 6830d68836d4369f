export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Milliseconds that `task` takes. */
export async function milliseconds(task: () => unknown): Promise<number> {
  const start = performance.now()
  await task()
  return performance.now() - start
}

/** Median of `repetitions` measurements, after one that warms up. */
export async function medianOf(repetitions: number, measure: () => Promise<number> | number): Promise<number> {
  await measure()
  const values: number[] = []
  for (let k = 0; k < repetitions; k++) values.push(await measure())
  return median(values)
}

/**
 * Medians of several contenders, measured in turns so that a change of the machine's load meets them all.
 * Each is measured once before, to warm up.
 */
export async function inTurns<Name extends string>(
  repetitions: number,
  contenders: Record<Name, () => Promise<number> | number>,
): Promise<Record<Name, number>> {
  const names = Object.keys(contenders) as Name[]
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let k = 0; k <= repetitions; k++) {
    for (const name of names) {
      const value = await contenders[name]()
      if (k > 0) values[name].push(value)
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(values[name])])) as Record<Name, number>
}

/** Time of one iteration, free of the set-up: (t(many) − t(few)) / (many − few), where `solve` returns the time t. */
export async function perIteration(
  few: number,
  many: number,
  solve: (iterations: number) => Promise<number>,
): Promise<number> {
  const short = await solve(few)
  const long = await solve(many)
  return (long - short) / (many - few)
}
