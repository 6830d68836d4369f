import fc from 'fast-check'

const seed = 20240123

/** Checks a property on the same cases every time; a failure prints the seed and the smallest counterexample. */
export function check<T extends [unknown, ...unknown[]]>(
  property: fc.IProperty<T>,
  { runs = 40 }: { runs?: number } = {},
): void {
  fc.assert(property, { seed, numRuns: runs })
}

/** {@link check} for properties that solve off the event loop. */
export async function checkAsync<T extends [unknown, ...unknown[]]>(
  property: fc.IAsyncProperty<T>,
  { runs = 20 }: { runs?: number } = {},
): Promise<void> {
  await fc.assert(property, { seed, numRuns: runs })
}
