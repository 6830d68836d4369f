import { expect } from 'chai'

/** All numbers within `tolerance` of those expected. */
export function expectClose(numbers: number[][], expected: number[][], tolerance: number): void {
  expect(numbers.map((row) => row.length)).to.deep.equal(expected.map((row) => row.length))
  let worst = 0
  numbers.forEach((row, k) => {
    row.forEach((value, i) => {
      const difference = Math.abs(value - expected[k][i])
      // NaN must not pass for small.
      if (!(difference <= worst)) worst = difference
    })
  })
  expect(worst).to.be.at.most(tolerance)
}
