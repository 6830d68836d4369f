/** The slope of log y against log x, by least squares. */
export function logSlope(x: number[], y: number[]): number {
  const [a, b] = [x.map(Math.log), y.map(Math.log)]
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [ma, mb] = [mean(a), mean(b)]
  let above = 0
  let below = 0
  a.forEach((value, k) => {
    above += (value - ma) * (b[k] - mb)
    below += (value - ma) ** 2
  })
  return above / below
}
