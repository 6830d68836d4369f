/** Numbers in [0, 1) from Lehmer's generator, which shares nothing with the package's. */
export function random(seed: number): () => number {
  let state = (seed % 2147483646) + 1
  const next = () => {
    state = (state * 48271) % 2147483647
    return (state - 1) / 2147483646
  }
  // Small seeds start alike.
  for (let k = 0; k < 8; k++) next()
  return next
}

/** Standard normal numbers after Box and Muller. */
export function randomNormal(seed: number): () => number {
  const next = random(seed)
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
}

export function fill(length: number, next: () => number): Float64Array {
  return Float64Array.from({ length }, next)
}

/** 0 … n - 1 in random order. */
export function shuffled(n: number, next: () => number): number[] {
  const order = Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1))
    ;[order[i], order[j]] = [order[j], order[i]]
  }
  return order
}
